#include <doctest/doctest.h>

#include "common/spin_policy.hpp"
#include "daemon/restart_policy.hpp"
#include "daemon/worker_process.hpp"
#include "worker/batch_policy.hpp"

using namespace jobring;
using namespace std::chrono_literals;

TEST_CASE("the first batches are of one job, until jobs prove to be short") {
  BatchPolicy batch;
  batch.limit(32);
  CHECK(batch.size(1000, 1, false) == 1);
  for (int i = 0; i < 100; ++i) batch.ran(1, 100);
  CHECK(batch.size(1000, 1, false) == 32);
  CHECK(batch.short_jobs());
}

TEST_CASE("a batch leaves the others their share, and is one job while others are idle") {
  BatchPolicy batch;
  batch.limit(32);
  for (int i = 0; i < 100; ++i) batch.ran(1, 100);
  CHECK(batch.size(8, 4, false) == 2);
  CHECK(batch.size(1, 4, false) == 1);
  CHECK(batch.size(1000, 4, true) == 1);
}

TEST_CASE("one slow batch is enough to go back to single jobs") {
  BatchPolicy batch;
  batch.limit(32);
  for (int i = 0; i < 100; ++i) batch.ran(1, 100);
  batch.ran(32, 32 * 1'000'000);
  CHECK(batch.size(1000, 1, false) == 1);
  CHECK_FALSE(batch.short_jobs());
}

TEST_CASE("looking for work stops where it never pays, and starts again where it does") {
  SpinPolicy spin;
  spin.limit(80'000);
  CHECK(spin.budget() == 80'000);
  for (int i = 0; i < 20; ++i) spin.in_vain();
  int tries = 0;
  for (int i = 0; i < 160; ++i) tries += spin.budget() != 0;
  CHECK(tries == 10);
  for (int i = 0; i < 10; ++i) spin.found();
  CHECK(spin.budget() == 80'000);
  SpinPolicy never;
  CHECK(never.budget() == 0);
}

TEST_CASE("workers that die at work are replaced at once, those that cannot start back off") {
  RestartConfig config;
  config.backoff_min = 100ms;
  config.backoff_max = 1s;
  config.crash_loop_count = 5;
  config.crash_loop_window = 10s;
  RestartPolicy policy(config);
  const RestartPolicy::Time start{};
  CHECK(policy.died_at_work() == 0ns);
  CHECK(policy.died_starting(start) == 100ms);
  CHECK(policy.died_starting(start) == 200ms);
  CHECK(policy.died_starting(start) == 400ms);
  CHECK(policy.died_starting(start) == 800ms);
  CHECK_FALSE(policy.open());
  CHECK(policy.died_starting(start) == 1s);
  CHECK(policy.open());
  policy.started();
  CHECK_FALSE(policy.open());
}

TEST_CASE("deaths far apart do not open the breaker") {
  RestartPolicy policy{RestartConfig{}};
  RestartPolicy::Time now{};
  for (int i = 0; i < 50; ++i) {
    policy.died_starting(now);
    now += 60s;
  }
  CHECK_FALSE(policy.open());
}

TEST_CASE("a worker's output is cut into lines and its tail is kept") {
  OutputTail tail;
  std::vector<std::string> lines;
  const auto keep = [&](const std::string& line) { lines.push_back(line); };
  tail.add("one\ntw", 6, keep);
  tail.add("o\n", 2, keep);
  CHECK(lines == std::vector<std::string>{"one", "two"});
  const std::string much(10'000, 'x');
  tail.add(much.data(), much.size(), keep);
  CHECK(tail.text().size() == OutputTail::kKept);
  CHECK(lines.size() == 3);  // a line without end is not waited for
}
