// Descriptors whose close waits, while children are made: no child is ever the one that waits.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <vector>

#include "common/closing_table.hpp"
#include "common/foreign_fd.hpp"
#include "tests/support/daemon.hpp"
#include "tests/support/slow_socket.hpp"

using namespace jobring;
using namespace jobring::test;

namespace {

constexpr uid_t kStranger = 65534;

// Whether a descriptor of our own table is open.
bool open_here(int fd) {
  return fcntl(fd, F_GETFD) >= 0;
}

// A child with copies of all our descriptors, which closes them when it is told to.
class Child {
 public:
  Child() {
    REQUIRE(pipe2(go_.data(), O_CLOEXEC) == 0);
    REQUIRE(pipe2(done_.data(), O_CLOEXEC) == 0);
    pid_ = fork();
    if (pid_ != 0) return;
    char byte = 0;
    if (read(go_[0], &byte, 1) == 1) {
      const int done = dup2(done_[1], 3);
      close_range(4, ~0u, 0);
      if (write(done, "x", 1) == 1) _exit(0);
    }
    _exit(1);
  }
  ~Child() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    for (const int fd : {go_[0], go_[1], done_[0], done_[1]}) close(fd);
  }
  // Whether it could close them without waiting.
  bool closes() {
    if (write(go_[1], "x", 1) != 1) return false;
    pollfd event{done_[0], POLLIN, 0};
    return poll(&event, 1, 10'000) == 1;
  }

 private:
  std::array<int, 2> go_, done_;
  pid_t pid_;
};

}  // namespace

TEST_CASE("a descriptor that waits stays here until the child has closed its copy") {
  SlowSocket slow = slow_socket();
  const int fd = slow.end.get();
  {
    const auto gate = spawn_gate();
    Child child;
    close_foreign(std::move(slow.end), kStranger);
    CHECK(foreign_closes(kStranger) == 1);
    CHECK(child.closes());
    CHECK(open_here(fd));
  }
  CHECK(eventually([&] { return !open_here(fd); }));
  CHECK(foreign_closes(kStranger) == 1);  // it waits for its peer
  slow.peer.reset();
  CHECK(eventually([&] { return foreign_closes(kStranger) == 0; }));
}

TEST_CASE("a child made while a descriptor waits to be closed has no copy of it") {
  SlowSocket slow = slow_socket();
  const int fd = slow.end.get();
  close_foreign(std::move(slow.end), kStranger);
  REQUIRE(eventually([&] { return !open_here(fd); }));
  CHECK(foreign_closes(kStranger) == 1);
  Child child;
  CHECK(child.closes());
  slow.peer.reset();
  CHECK(eventually([&] { return foreign_closes(kStranger) == 0; }));
}

TEST_CASE("many descriptors that wait leave the table and are counted until they are closed") {
  constexpr std::size_t kMany = 40;
  std::vector<UniqueFd> peers;
  std::vector<int> numbers;
  for (std::size_t i = 0; i < kMany; ++i) {
    SlowSocket slow = slow_socket();
    numbers.push_back(slow.end.get());
    peers.push_back(std::move(slow.peer));
    ForeignFd(std::move(slow.end), kStranger);
  }
  CHECK(foreign_closes(kStranger) == kMany);
  CHECK(eventually([&] {
    return std::none_of(numbers.begin(), numbers.end(), [&](int fd) {
      return open_here(fd) && std::none_of(peers.begin(), peers.end(),
                                           [&](const UniqueFd& peer) { return peer.get() == fd; });
    });
  }));
  CHECK(foreign_closes() == kMany);
  peers.clear();
  CHECK(eventually([&] { return foreign_closes() == 0; }));
}
