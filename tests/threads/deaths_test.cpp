// What the other lanes' jobs lose when a process dies, and what they do not.
#include <doctest/doctest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/seed.hpp"
#include "tests/threads/support.hpp"

using namespace jobring;
using namespace jobring::test;
using namespace std::chrono_literals;

namespace {

JobOptions retried(std::uint8_t times) {
  JobOptions options;
  options.crash_retries = times;
  return options;
}

}  // namespace

TEST_CASE("a crash in one lane ends the jobs of the others by their own crash retries") {
  Daemon daemon(thread_pool(3));
  Pool pool = daemon.connect().pool();
  const std::string again = daemon.dir() / "again", once = daemon.dir() / "once";
  const Future with_retries = pool.submit("wait_for_file", again, retried(1)),
               without = pool.submit("wait_for_file", once);
  REQUIRE(eventually([&] { return runs(again) == 1 && runs(once) == 1; }));
  const JobResult crashed = pool.submit("crash", "lane two").result();
  CHECK(crashed.outcome == Outcome::crashed);
  CHECK(crashed.detail == SIGSEGV);
  CHECK(crashed.text().find("last words of lane two") != std::string::npos);
  CHECK(without.result().outcome == Outcome::crashed);
  CHECK(without.result().text().find("last words of lane two") != std::string::npos);
  REQUIRE(eventually([&] { return runs(again) == 2; }));
  write_file(again, "");
  CHECK(with_retries.get() == "seen");
  CHECK(runs(once) == 1);
  CHECK(daemon.status_number("crashes") == 1);
}

TEST_CASE("a job that does not heed its time-out takes its process and is the only one timed out") {
  Daemon daemon(thread_pool(2), R"(, "kill_grace": "50ms")");
  Pool pool = daemon.connect().pool();
  const std::string gate = daemon.dir() / "gate", other = daemon.dir() / "other";
  const Future stays = pool.submit("wait_for_file", other, retried(1));
  REQUIRE(eventually([&] { return runs(other) == 1; }));
  JobOptions brief;
  brief.timeout = 50ms;
  brief.crash_retries = 3;  // of no use to it
  CHECK(pool.submit("stubborn", gate, brief).result().outcome == Outcome::timed_out);
  REQUIRE(eventually([&] { return runs(other) == 2; }));
  write_file(other, "");
  CHECK(stays.get() == "seen");
}

TEST_CASE("a job that does not stop when asked is the only one that ends as killed") {
  Daemon daemon(thread_pool(3), R"(, "kill_grace": "50ms")");
  Pool pool = daemon.connect().pool();
  const std::string gate = daemon.dir() / "gate", again = daemon.dir() / "again",
                    once = daemon.dir() / "once";
  const Future stubborn = pool.submit("stubborn", gate, retried(3)),
               with_retries = pool.submit("wait_for_file", again, retried(1)),
               without = pool.submit("wait_for_file", once);
  REQUIRE(
      eventually([&] { return exists(gate + ".runs") && runs(again) == 1 && runs(once) == 1; }));
  stubborn.kill();
  CHECK(stubborn.result().outcome == Outcome::killed);
  CHECK(without.result().outcome == Outcome::crashed);
  CHECK(without.result().text().find("because of another job") != std::string::npos);
  REQUIRE(eventually([&] { return runs(again) == 2; }));
  write_file(again, "");
  CHECK(with_retries.get() == "seen");
}

TEST_CASE("the death of a client stops its jobs and leaves the other lanes alone") {
  Daemon daemon(thread_pool(2));
  Pool pool = daemon.connect().pool();
  const std::string gate = daemon.dir() / "gate", other = daemon.dir() / "other";
  const Future stays = pool.submit("wait_for_file", other);
  {
    Client client = daemon.connect();
    Pool leaving = client.pool();
    leaving.submit("wait_for_file", gate);
    REQUIRE(eventually([&] { return runs(gate) == 1 && runs(other) == 1; }));
  }
  CHECK(pool.call("echo", "x") == "x");  // on the lane that is free again
  CHECK_FALSE(stays.ready());
  write_file(other, "");
  CHECK(stays.get() == "seen");
  CHECK(daemon.status_number("crashes") == 0);
}

TEST_CASE("a process stopped by a signal keeps what its lanes run and gives back the rest") {
  Daemon daemon(thread_pool(2, 2));
  Pool pool = daemon.connect().pool();
  const std::string gate = daemon.dir() / "gate";
  std::vector<Future> jobs;
  for (int i = 0; i < 4; ++i) jobs.push_back(pool.submit("wait_for_file", gate));
  REQUIRE(eventually([&] { return runs(gate) == 4; }));
  const pid_t stopped = daemon.workers().front();
  REQUIRE(kill(stopped, SIGSTOP) == 0);
  write_file(gate, "");
  // The other process serves everybody meanwhile.
  for (int i = 0; i < 50; ++i) CHECK(pool.call("echo", std::to_string(i)) == std::to_string(i));
  REQUIRE(kill(stopped, SIGCONT) == 0);
  for (const Future& job : jobs) CHECK(job.get() == "seen");
  CHECK(runs(gate) == 4);
}

TEST_CASE("processes with lanes killed at random moments under load lose no job") {
  const std::uint64_t seed = seed_of_test();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  Daemon daemon(
      thread_pool(3, 2, R"(, "crash_limit": 256)"),
      R"(, "restart": {"crash_loop_count": 1000, "backoff_min": "1ms", "backoff_max": "10ms"})");
  Client client = daemon.connect();
  Channel channel = client.channel();
  const auto nap = channel.handler("nap");
  // As many jobs as it takes for this many kills.
  constexpr int kKills = 30;
  constexpr std::size_t kJobs = 20'000;
  std::vector<std::uint8_t> ended;
  std::size_t done = 0;
  std::atomic<int> kills{0};
  std::atomic<std::size_t> progress{0};
  std::jthread killer([&](const std::stop_token& over) {
    std::size_t next = 0;
    while (!over.stop_requested()) {
      std::this_thread::sleep_for(std::chrono::microseconds(random() % 5'000));
      // However slow the machine is, some jobs end between two kills.
      if (progress < next) continue;
      next = progress + random() % 300;
      const auto workers = daemon.workers();
      if (workers.empty()) continue;
      kill(workers[random() % workers.size()], SIGKILL);
      ++kills;
    }
  });
  const auto more = [&] { return ended.size() < kJobs || kills < kKills; };
  while (more() || done < ended.size()) {
    while (more() && channel.outstanding() < 256 &&
           channel.prepare(nap, std::to_string(ended.size()), ended.size(), retried(255)))
      ended.push_back(0);
    channel.submit();
    REQUIRE(channel.wait(20s));
    for (const Completion& c : channel.reap()) {
      CAPTURE(c.tag);
      REQUIRE(c.outcome == Outcome::ok);
      REQUIRE(c.text() == std::to_string(c.tag));
      REQUIRE(++ended[c.tag] == 1);
      ++done;
    }
    progress = done;
  }
  CHECK(kills >= kKills);
}
