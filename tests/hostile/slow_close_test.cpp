// Descriptors that a client passes and whose close() waits.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <stdexcept>

#include "tests/hostile/raw_client.hpp"
#include "tests/hostile/stranger.hpp"
#include "tests/support/place.hpp"
#include "tests/support/slow_socket.hpp"

using namespace jobring;
using namespace jobring::test;

namespace {

// Passes as many duplicates of a slow socket as it says, and keeps none of them. The daemon has not
// received the message, or keeps what it received: so our close is not the last one.
void send_slow(RawConnection& connection, const std::string& message, std::size_t count,
               std::vector<UniqueFd>& peers) {
  SlowSocket slow = slow_socket();
  peers.push_back(std::move(slow.peer));
  if (!connection.send(message, std::vector<int>(count, slow.end.get())))
    throw std::runtime_error("the daemon hung up");
}

std::string open_with_stdio() {
  return encode(ClientRequest(OpenRequest{kControlVersion, "default", 8, true, "x"}));
}

std::string ping() {
  return encode(ClientRequest(PingRequest{}));
}

// A stranger that has done `act`, and lives on, its ends of the connections open.
class Holder {
 public:
  explicit Holder(const std::function<void(std::vector<UniqueFd>& peers)>& act)
      : stranger_(kStranger, [this, act] {
          std::vector<UniqueFd> peers;
          act(peers);
          const char done = 1;
          if (write(pipe_[1], &done, 1) != 1) return false;
          for (;;) pause();
        }) {}
  ~Holder() {
    close(pipe_[0]);
    close(pipe_[1]);
  }
  bool done() {
    close(std::exchange(pipe_[1], -1));
    char byte;
    return read(pipe_[0], &byte, 1) == 1;
  }

 private:
  struct Pipe : std::array<int, 2> {
    Pipe() { REQUIRE(pipe2(data(), O_CLOEXEC) == 0); }
  };
  Pipe pipe_;
  Stranger stranger_;
};

void check_served(const OpenDaemon& daemon) {
  GoodClient(daemon.connect()).work(20);
  daemon.connect().ping();
}

}  // namespace

TEST_CASE("descriptors that do not let themselves be closed hold nobody up, received or not") {
  OpenDaemon daemon;
  // Stopped, it cannot close its duplicates before the stranger has closed all of his.
  daemon.signal(SIGSTOP);
  Holder hostile([&](std::vector<UniqueFd>& peers) {
    const std::vector<std::pair<std::string, std::size_t>> messages = {
        {ping(), 1},  // nobody asked for any
        {ping(), kControlFdsMax},
        {open_with_stdio(), 2},        // too few
        {ping(), kControlFdsMax + 1},  // more than we take
        {ping(), 253},                 // the most that the kernel takes
        {"nonsense", 1},
        {"", 1},                         // looks like the end
        {std::string(100'000, 'x'), 1},  // too long
    };
    for (const auto& [text, count] : messages) {
      RawConnection first(daemon.socket());
      send_slow(first, text, count, peers);
      // Behind one for which the daemon hangs up: never received.
      RawConnection behind(daemon.socket());
      behind.send("nonsense");
      send_slow(behind, text, count, peers);
      // Behind an empty one.
      RawConnection empty(daemon.socket());
      empty.send("");
      send_slow(empty, text, count, peers);
    }
  });
  REQUIRE(hostile.done());
  daemon.signal(SIGCONT);
  check_served(daemon);
  daemon.check_unharmed();
  daemon.signal(SIGTERM);
  CHECK(daemon.wait_end() == 0);
}

// The members of a pool of each model.
std::string some_model() {
  std::string model;
  SUBCASE("of a process pool") {}
  SUBCASE("of a thread pool") {
    model = R"(, "model": "thread", "threads": 2)";
  }
  SUBCASE("of an async pool") {
    model = R"(, "model": "async")";
  }
  return model;
}

TEST_CASE("stdio that does not let itself be closed holds up neither supervisor nor workers") {
  const std::string model = some_model();
  CAPTURE(model);
  OpenDaemon daemon(2, model);
  Place place(daemon);
  std::vector<UniqueFd> peers;
  for (int i = 0; i < 40; ++i) {
    SlowSocket slow = slow_socket();
    peers.push_back(std::move(slow.peer));
    const int fd = slow.end.get();
    // The command has it until we have closed ours, which is not to be the last one.
    const std::string closed = daemon.dir() / ("closed" + std::to_string(i));
    const pid_t pid = place.start({program("jobring"), "run", "sh", "-c",
                                   "until [ -e \"$0\" ]; do sleep 0.002; done", closed},
                                  {fd, fd, fd});
    slow.end.reset();
    std::ofstream{closed};
    CHECK(wait_exit(pid) == 0);
  }
  check_served(daemon);
  CHECK(alive(daemon.pid()));
  CHECK(daemon.status_number("crashes") == 0);
}

TEST_CASE("a worker that holds too many descriptors that cannot be closed is replaced") {
  const std::string model = some_model();
  CAPTURE(model);
  OpenDaemon daemon(1, model);
  const std::vector<pid_t> first = daemon.workers();
  Place place(daemon);
  std::vector<UniqueFd> peers;
  // The supervisor's duplicate goes when the client dies, the worker's when its command has been
  // ended for that: most of them stay with the worker.
  for (int i = 0; i < 100 && daemon.workers() == first; ++i) {
    SlowSocket slow = slow_socket();
    peers.push_back(std::move(slow.peer));
    const int fd = slow.end.get();
    const pid_t pid = place.start({program("jobring"), "run", "sleep", "1000"}, {fd, fd, fd});
    slow.end.reset();
    REQUIRE(eventually([&] { return busy(daemon); }));
    kill(pid, SIGKILL);
    wait_exit(pid);
    REQUIRE(eventually([&] { return !busy(daemon); }));
  }
  CHECK(daemon.workers() != first);
  check_served(daemon);
  CHECK(daemon.status_number("crashes") == 0);
}

TEST_CASE("who leaves descriptors that cannot be closed gets no more connections than others") {
  OpenDaemon daemon(2, "", R"(, "max_clients_per_user": 6)");
  Holder hostile([&](std::vector<UniqueFd>& peers) {
    // Of the three duplicates that each leaves behind only the last one waits; but for a moment the
    // others count too.
    for (int tries = 0; tries < 1000; ++tries) {
      RawConnection connection(daemon.socket());
      SlowSocket slow = slow_socket();
      peers.push_back(std::move(slow.peer));
      const std::array three{slow.end.get(), slow.end.get(), slow.end.get()};
      if (connection.send(open_with_stdio(), three)) {
        const auto reply = connection.receive();
        if (reply && std::holds_alternative<OpenReply>(reply->message)) continue;
      }
      // If the daemon has closed its own already, ours is the last one.
      const linger none{0, 0};
      setsockopt(slow.end.get(), SOL_SOCKET, SO_LINGER, &none, sizeof none);
      if (tries < 2) throw std::runtime_error("refused too early");
      return;
    }
    throw std::runtime_error("never refused");
  });
  CHECK(hostile.done());
  check_served(daemon);
  daemon.check_unharmed();
}
