// A client process of the sweep: follows the orders that come on its link (actor.hpp), one at a
// time. A program of its own, so that it begins with the same memory every time.
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdio>
#include <optional>

#include <jobring/jobring.hpp>

#include "common/exec_codec.hpp"
#include "tests/sweep/actor.hpp"
#include "tests/sweep/tracee.hpp"

using namespace jobring;
using namespace jobring::test;

namespace {

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
        cling_ = channel_->handler("cling");
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
            channel_->prepare(order.hold == 1   ? hold_
                              : order.hold == 3 ? cling_
                                                : note_,
                              std::string_view(text, std::size_t(n)), order.tag + i, options);
          }
        }
        if (order.unpublished == 0) channel_->submit();
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
  HandlerId note_{}, hold_{}, cling_{}, exec_{};
  std::vector<Actor::Ended> ended_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 64;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  try {
    Player player(argv[1]);
    Actor::Order order;
    while (read(kActorLink, &order, sizeof order) == ssize_t(sizeof order)) {
      const auto ended = player.play(order);
      if (write(kActorLink, ended.empty() ? "" : reinterpret_cast<const char*>(ended.data()),
                ended.empty() ? 1 : ended.size() * sizeof(Actor::Ended)) < 0)
        break;
    }
  } catch (const std::exception&) {
    _exit(1);  // the daemon is gone: what its clients are told
  }
  _exit(0);  // no destructors: its channel ends with it
}
