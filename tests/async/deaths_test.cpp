// The worker dies with many jobs RUNNING.
#include <doctest/doctest.h>

#include <random>
#include <thread>

#include "tests/async/support.hpp"
#include "tests/support/seed.hpp"

using namespace jobring;
using namespace jobring::test;
using namespace std::chrono_literals;

namespace {

// AddressSanitizer takes the signal, and has a report of its own.
#ifdef __SANITIZE_ADDRESS__
constexpr bool kOwnCrashHandler = true;
#else
constexpr bool kOwnCrashHandler = false;
#endif

}  // namespace

TEST_CASE("a coroutine that crashes ends its worker and each job ends by its own policy" *
          doctest::skip(kOwnCrashHandler)) {
  Daemon daemon(async_pool());
  Pool pool = daemon.connect().pool();
  JobOptions retry;
  retry.crash_retries = 3;
  const Future bystander = pool.submit("hang", daemon.dir() / "a");
  REQUIRE(has_lines(daemon.dir() / "a", 1));
  std::vector<Future> retried;
  for (int i = 0; i < 20; ++i) retried.push_back(pool.submit("sleep", "300ms", retry));
  const Future crash = pool.submit("crash", "");
  CHECK(crash.result().outcome == Outcome::crashed);
  CHECK(crash.result().detail == SIGSEGV);
  CHECK(bystander.result().outcome == Outcome::crashed);
  for (const Future& f : retried) CHECK(f.result().ok());
}

TEST_CASE("the crash report names the handler whose code ran" * doctest::skip(kOwnCrashHandler)) {
  Daemon daemon(async_pool());
  Pool pool = daemon.connect().pool();
  for (int i = 0; i < 20; ++i) (void)pool.submit("sleep", "1h");
  const Future crash = pool.submit("crash", "");
  INFO(crash.result().text());
  CHECK(crash.result().text().find("in handler \"crash\"") != std::string::npos);
}

TEST_CASE("a worker killed at any moment with many jobs under way strands none of them") {
  Daemon daemon(async_pool(200),
                R"(, "restart": {"backoff_min": "1ms", "crash_loop_count": 1000})");
  const std::uint64_t seed = seed_of_test();
  INFO("JOBRING_SEED=" << seed);
  std::mt19937_64 random(seed);
  Pool pool = daemon.connect().pool();
  constexpr int kKills = 25;
  int kills = 0;
  for (int round = 0; kills < kKills; ++round) {
    REQUIRE(round < 20 * kKills);
    // Some may be run again, some not; some are commands.
    std::vector<Future> all;
    std::vector<bool> may_crash;
    for (int i = 0; i < 150; ++i) {
      JobOptions options;
      may_crash.push_back(i % 3 == 0);
      options.crash_retries = i % 3 == 0 ? 0 : 200;
      if (i % 15 == 7) {
        Command command;
        command.argv = {"true"};
        all.push_back(pool.run(command, options));
      } else {
        all.push_back(pool.submit("sleep", std::to_string(random() % 20) + "ms", options));
      }
    }
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 15'000));
    const std::vector<pid_t> workers = daemon.workers();
    if (!workers.empty() && kill(workers[0], SIGKILL) == 0) ++kills;
    for (std::size_t i = 0; i < all.size(); ++i) {
      REQUIRE(all[i].wait_for(60s));
      const Outcome outcome = all[i].result().outcome;
      CHECK((outcome == Outcome::ok || (may_crash[i] && outcome == Outcome::crashed)));
    }
  }
  CHECK(eventually([&] { return daemon.status_number("in_flight") == 0; }));
}
