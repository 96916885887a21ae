// Ending one of many: cancelling, killing, time-outs, the death of a client.
#include <doctest/doctest.h>
#include <unistd.h>

#include "tests/async/support.hpp"

using namespace jobring;
using namespace jobring::test;
using namespace std::chrono_literals;

namespace {

constexpr const char* kGrace = R"(, "kill_grace": "200ms")";

}  // namespace

TEST_CASE("one of many running coroutines is killed and the others go on") {
  Daemon daemon(async_pool());
  Pool pool = daemon.connect().pool();
  std::vector<Future> all;
  for (int i = 0; i < 50; ++i) all.push_back(pool.submit("sleep", "1h"));
  REQUIRE(eventually([&] { return daemon.status_number("in_flight") == 50; }));
  all[17].kill();
  CHECK(all[17].result().outcome == Outcome::killed);
  // A worker counts it until it has tidied up after it.
  CHECK(eventually([&] { return daemon.status_number("in_flight") == 49; }));
  for (const Future& f : all) f.kill();
  for (const Future& f : all) CHECK(f.result().outcome == Outcome::killed);
  CHECK(daemon.status_number("restarts") == 0);
}

TEST_CASE("jobs are stopped while others end around them") {
  // What a job leaves behind is overwritten: a pointer to it leads nowhere.
  Daemon daemon(async_pool(2048, R"(, "environment": {"MALLOC_PERTURB_": "165"})"));
  Pool pool = daemon.connect().pool();
  constexpr int kJobs = 1'000;
  for (int round = 0; round < 3; ++round) {
    const std::string file = daemon.dir() / ("met" + std::to_string(round));
    std::vector<Future> all;
    for (int i = 0; i < kJobs; ++i)
      all.push_back(pool.submit("meet_and_work", std::to_string(kJobs) + " " + file));
    // Their coroutines are over one after the other from now on, and the jobs end behind the last.
    REQUIRE(has_lines(file, 1));
    for (const Future& f : all) f.kill();
    for (const Future& f : all) {
      const Outcome outcome = f.result().outcome;
      CHECK((outcome == Outcome::ok || outcome == Outcome::killed));
    }
  }
  CHECK(daemon.status_number("restarts") == 0);
}

TEST_CASE("a coroutine that is told to stop may end in its own way") {
  Daemon daemon(async_pool());
  Pool pool = daemon.connect().pool();
  const std::string file = daemon.dir() / "notes";
  const Future f = pool.submit("ends_well", file);
  REQUIRE(has_lines(file, 1));
  f.kill();
  CHECK(f.get() == "stopped");
}

TEST_CASE("a job that waits behind a full worker is cancelled") {
  Daemon daemon(async_pool(1));
  Pool pool = daemon.connect().pool();
  const Future first = pool.submit("sleep", "1h"), second = pool.submit("sleep", "1h");
  REQUIRE(eventually([&] { return daemon.status_number("in_flight") == 1; }));
  CHECK(second.cancel());
  CHECK(second.result().outcome == Outcome::cancelled);
  first.kill();
  CHECK(first.result().outcome == Outcome::killed);
}

TEST_CASE("a coroutine over its time is cancelled and the others go on") {
  Daemon daemon(async_pool());
  Pool pool = daemon.connect().pool();
  JobOptions options;
  options.timeout = 50ms;
  const Future other = pool.submit("sleep", "1h");
  const Future late = pool.submit("sleep", "1h", options);
  CHECK(late.result().outcome == Outcome::timed_out);
  CHECK(late.result().text() == "timed out after 50 ms");
  CHECK_FALSE(other.ready());
  other.kill();
}

TEST_CASE("a coroutine that does not stop is ended with its worker and only it counts as killed") {
  Daemon daemon(async_pool(256), kGrace);
  Pool pool = daemon.connect().pool();
  const std::string file = daemon.dir() / "notes";
  JobOptions once_more;
  once_more.crash_retries = 1;
  const Future stubborn = pool.submit("stubborn", file);
  const Future bystander = pool.submit("hang", daemon.dir() / "a");
  const Future retried = pool.submit("hang", daemon.dir() / "b", once_more);
  REQUIRE(has_lines(file, 1));
  REQUIRE(has_lines(daemon.dir() / "a", 1));
  REQUIRE(has_lines(daemon.dir() / "b", 1));
  stubborn.kill();
  CHECK(stubborn.result().outcome == Outcome::killed);
  CHECK(bystander.result().outcome == Outcome::crashed);
  CHECK(has_lines(daemon.dir() / "b", 2));  // again, in the next worker
  retried.kill();
  CHECK(retried.result().outcome == Outcome::killed);
}

TEST_CASE("a coroutine that does not stop at its time-out is ended with its worker") {
  Daemon daemon(async_pool(256), kGrace);
  Pool pool = daemon.connect().pool();
  JobOptions options;
  options.timeout = 50ms;
  const Future bystander = pool.submit("hang", daemon.dir() / "a");
  REQUIRE(has_lines(daemon.dir() / "a", 1));
  const Future late = pool.submit("stubborn", daemon.dir() / "notes", options);
  CHECK(late.result().outcome == Outcome::timed_out);
  CHECK(bystander.result().outcome == Outcome::crashed);
}

TEST_CASE("a handler that blocks the loop is ended by its time-out") {
  Daemon daemon(async_pool(256), kGrace);
  Pool pool = daemon.connect().pool();
  JobOptions options;
  options.timeout = 50ms;
  const Future blocks = pool.submit("block", daemon.dir() / "notes", options);
  CHECK(blocks.result().outcome == Outcome::timed_out);
  CHECK(pool.call("echo", "on") == "on");
}

TEST_CASE("a handler that blocks the loop is ended when somebody stops it") {
  Daemon daemon(async_pool(256), kGrace);
  Pool pool = daemon.connect().pool();
  const Future blocks = pool.submit("block", daemon.dir() / "notes");
  REQUIRE(has_lines(daemon.dir() / "notes", 1));
  blocks.kill();
  CHECK(blocks.result().outcome == Outcome::killed);
  CHECK(pool.call("echo", "on") == "on");
}

TEST_CASE("a job is stopped though another one blocks the loop") {
  Daemon daemon(async_pool(256), kGrace);
  Pool pool = daemon.connect().pool();
  const Future other = pool.submit("hang", daemon.dir() / "a");
  REQUIRE(has_lines(daemon.dir() / "a", 1));
  const Future blocks = pool.submit("block", daemon.dir() / "notes");
  REQUIRE(has_lines(daemon.dir() / "notes", 1));
  other.kill();
  CHECK(other.result().outcome == Outcome::killed);
  CHECK(blocks.result().outcome == Outcome::crashed);
}

TEST_CASE("the death of a client stops its jobs and no others") {
  Daemon daemon(async_pool());
  Pool pool = daemon.connect().pool();
  const std::string file = daemon.dir() / "notes";
  const Future mine = pool.submit("hang", file);
  REQUIRE(has_lines(file, 1));
  const pid_t child = fork();
  if (child == 0) {
    Pool theirs = daemon.connect().pool();
    std::vector<Future> all;
    for (int i = 0; i < 100; ++i) all.push_back(theirs.submit("hang", file));
    for (;;) pause();
  }
  REQUIRE(has_lines(file, 101));
  kill(child, SIGKILL);
  wait_exit(child);
  CHECK(eventually([&] { return daemon.status_number("in_flight") == 1; }));
  CHECK_FALSE(mine.ready());
  mine.kill();
  CHECK(mine.result().outcome == Outcome::killed);
  CHECK(daemon.status_number("restarts") == 0);
}

TEST_CASE("ten thousand kill requests end ten thousand jobs and not their worker") {
  // However slow the machine is: ten thousand cancelled jobs must have time to end.
  Daemon daemon(async_pool(10'000, R"(, "slots": 16384)"), R"(, "kill_grace": "60s")");
  Pool pool = daemon.connect().pool();
  std::vector<Future> all;
  for (int i = 0; i < 10'000; ++i) all.push_back(pool.submit("sleep", "1h"));
  REQUIRE(eventually([&] { return daemon.status_number("in_flight") == 10'000; }, 60s));
  for (const Future& f : all) f.kill();
  std::size_t killed = 0;
  for (const Future& f : all) killed += f.result().outcome == Outcome::killed;
  CHECK(killed == 10'000);
  CHECK(daemon.status_number("restarts") == 0);
}
