// The end of a worker whose supervisor has gone.
#include "worker/leave.hpp"

#include <doctest/doctest.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <random>

#include "tests/support/seed.hpp"

using namespace jobring;

TEST_CASE("SIGTERM ends a process at once, also in the middle of an allocation") {
  const std::uint64_t seed = jobring::test::seed_of_test();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 300; ++round) {
    int ready[2];
    REQUIRE(pipe(ready) == 0);
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      leave_on_sigterm();
      if (write(ready[1], "x", 1) != 1) abort();
      for (std::size_t size = 1;; size = size * 5 % 70'001 + 1) {
        void* volatile memory = std::malloc(size);
        std::free(memory);
      }
    }
    char byte;
    CHECK(read(ready[0], &byte, 1) == 1);
    close(ready[0]);
    close(ready[1]);
    const std::uint64_t until = random() % 20'000;
    for (std::uint64_t spun = 0; spun < until; ++spun)
      std::atomic_signal_fence(std::memory_order_seq_cst);
    kill(child, SIGTERM);
    const int watched = int(syscall(SYS_pidfd_open, child, 0));
    pollfd end{watched, POLLIN, 0};
    const bool ended = poll(&end, 1, 20'000) == 1;
    CHECK(ended);
    if (!ended) kill(child, SIGKILL);
    close(watched);
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 143);
    if (!ended) break;
  }
}
