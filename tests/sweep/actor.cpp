#include "tests/sweep/actor.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <stdexcept>

#include <jobring/jobring.hpp>

#include "common/exec_codec.hpp"
#include "tests/sweep/tracee.hpp"

namespace jobring::test {
namespace {

constexpr std::size_t kEndedMax = 64;

// The inside of the child.
class Player {
 public:
  explicit Player(const std::string& socket) { options_.socket = socket; }

  std::vector<Actor::Ended> play(const Actor::Order& order) {
    ended_.clear();
    // What is swept lies between the markers; all of it is a client's own code.
    if (order.marked != 0) sweep_marker();
    act(order);
    if (order.marked != 0) sweep_marker();
    return ended_;
  }

 private:
  void act(const Actor::Order& order) {
    switch (order.act) {
      case Actor::Act::connect:
        options_.daemon = ConnectOptions::Daemon::existing;
        client_ = Client::connect(options_);
        channel_ = client_->channel();
        note_ = channel_->handler("note");
        hold_ = channel_->handler("hold");
        exec_ = channel_->handler("exec");
        break;
      case Actor::Act::submit:
        for (std::uint32_t i = 0; i < order.count; ++i) {
          JobOptions options;
          options.crash_retries = std::uint8_t(order.crash_retries);
          char text[24];
          const int n = std::snprintf(text, sizeof text, "%llu",
                                      static_cast<unsigned long long>(order.tag + i));
          if (order.hold == 2) {
            channel_->prepare(exec_, encode(Command{.argv = {"sleep", "1000"}}), order.tag + i,
                              options);
          } else {
            channel_->prepare(order.hold == 1 ? hold_ : note_,
                              std::string_view(text, std::size_t(n)), order.tag + i, options);
          }
        }
        channel_->submit();
        break;
      case Actor::Act::collect:
        while (ended_.size() < order.count && channel_->outstanding() != 0) {
          channel_->wait();
          take();
        }
        channel_->reap();  // gives back the slots
        break;
      case Actor::Act::cancel:
        channel_->cancel_all();
        take();
        channel_->reap();
        break;
      case Actor::Act::reap:
        take();
        channel_->reap();
        break;
      case Actor::Act::close:
        channel_.reset();
        client_.reset();
        break;
    }
  }
  void take() {
    for (const Completion& done : channel_->reap())
      ended_.push_back({done.tag, done.outcome, done.attempts});
  }

  ConnectOptions options_;
  std::optional<Client> client_;
  std::optional<Channel> channel_;
  HandlerId note_{}, hold_{}, exec_{};
  std::vector<Actor::Ended> ended_;
};

[[noreturn]] void live(int link, const std::string& socket) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  // Nothing of the test's own: a descriptor that we keep would keep something alive.
  dup2(link, 3);
  close_range(4, ~0U, 0);
  try {
    Player player(socket);
    Actor::Order order;
    while (read(3, &order, sizeof order) == ssize_t(sizeof order)) {
      const auto ended = player.play(order);
      if (write(3, ended.empty() ? "" : reinterpret_cast<const char*>(ended.data()),
                ended.empty() ? 1 : ended.size() * sizeof(Actor::Ended)) < 0)
        break;
    }
  } catch (const std::exception&) {
    _exit(1);  // the daemon is gone: what its clients are told
  }
  _exit(0);
}

}  // namespace

Actor::Actor(const std::string& socket, bool connect) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    throw std::runtime_error("socketpair");
  pid_ = fork();
  if (pid_ < 0) throw std::runtime_error("fork");
  if (pid_ == 0) live(ends[1], socket);
  close(ends[1]);
  link_ = ends[0];
  if (connect && !ask({.act = Act::connect})) throw std::runtime_error("a client cannot connect");
}

Actor::~Actor() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  close(link_);
}

bool Actor::answered() const {
  pollfd ready{link_, POLLIN, 0};
  return poll(&ready, 1, 0) == 1;
}

void Actor::tell(const Order& order) {
  [[maybe_unused]] const ssize_t n = write(link_, &order, sizeof order);
}

std::optional<std::vector<Actor::Ended>> Actor::answer(std::chrono::milliseconds patience) {
  pollfd ready{link_, POLLIN, 0};
  if (poll(&ready, 1, int(patience.count())) != 1) return std::nullopt;
  Ended ended[kEndedMax];
  const ssize_t n = read(link_, ended, sizeof ended);
  if (n <= 0) return std::nullopt;
  return std::vector<Ended>(ended, ended + std::size_t(n) / sizeof(Ended));
}

}  // namespace jobring::test
