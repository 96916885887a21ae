// Many jobs on one loop: interleaved, bounded, each with its own end.
#include <doctest/doctest.h>

#include <set>

#include "tests/async/support.hpp"

using namespace jobring;
using namespace jobring::test;
using namespace std::chrono_literals;

TEST_CASE("a job that sleeps keeps no other job of its worker waiting") {
  Daemon daemon(async_pool());
  Pool pool = daemon.connect().pool();
  const Future slow = pool.submit("sleep", "1h");
  for (int i = 0; i < 100; ++i) CHECK(pool.call("echo", std::to_string(i)) == std::to_string(i));
  CHECK_FALSE(slow.ready());
  slow.kill();
  CHECK(slow.result().outcome == Outcome::killed);
}

TEST_CASE("short sleeps overtake long ones") {
  Daemon daemon(async_pool());
  Pool pool = daemon.connect().pool();
  const Future first = pool.submit("sleep", "1h"), second = pool.submit("sleep", "1ms");
  std::vector<Future> both{first, second};
  AsCompleted done(both);
  CHECK(*done.next() == second);
  first.kill();
  CHECK(*done.next() == first);
}

TEST_CASE("10000 sleeping jobs are in flight at once in one worker") {
  // However slow the machine is: ten thousand cancelled jobs must have time to end.
  Daemon daemon(async_pool(10'000, R"(, "slots": 16384)"), R"(, "kill_grace": "60s")");
  {
    Pool pool = daemon.connect().pool();
    std::vector<Future> sleeping;
    for (int i = 0; i < 10'000; ++i) sleeping.push_back(pool.submit("sleep", "1h"));
    CHECK(eventually([&] { return daemon.status_number("in_flight") == 10'000; }, 60s));
    CHECK(daemon.workers().size() == 1);
  }
  // Their client is gone.
  CHECK(eventually([&] { return daemon.status_number("in_flight") == 0; }, 60s));
  CHECK(daemon.connect().pool().call("echo", "still here") == "still here");
  CHECK(daemon.status_number("restarts") == 0);
}

TEST_CASE("10000 coroutines that wait for each other meet") {
  // However slow the machine is: ten thousand cancelled jobs must have time to end.
  Daemon daemon(async_pool(10'000, R"(, "slots": 16384)"), R"(, "kill_grace": "60s")");
  Pool pool = daemon.connect().pool();
  std::vector<Future> all;
  for (int i = 0; i < 10'000; ++i) all.push_back(pool.submit("meet", "10000"));
  std::size_t met = 0;
  for (const Future& f : all) met += f.get() == "met";
  CHECK(met == 10'000);
}

TEST_CASE("no more jobs than max_in_flight are under way and the rest waits in the queue") {
  Daemon daemon(async_pool(7));
  Pool pool = daemon.connect().pool();
  std::vector<Future> all;
  for (int i = 0; i < 500; ++i) all.push_back(pool.submit("most_at_once", ""));
  std::set<std::string> most;
  for (const Future& f : all) most.insert(f.get());
  CHECK(most.count("7") == 1);  // reached
  for (const std::string& text : most) CHECK(std::stoi(text) <= 7);
}

TEST_CASE("what one full worker has no room for another one takes") {
  std::string config = async_pool(2);
  config.replace(config.find("\"workers\": 1"), 12, "\"workers\": 2");
  Daemon daemon(config);
  Pool pool = daemon.connect().pool();
  std::vector<Future> sleeping;
  for (int i = 0; i < 3; ++i) sleeping.push_back(pool.submit("sleep", "1h"));
  CHECK(eventually([&] {
    return daemon.status_number("in_flight", 0) + daemon.status_number("in_flight", 1) == 3;
  }));
  CHECK(pool.call("echo", "room") == "room");
  for (const Future& f : sleeping) f.kill();
}

TEST_CASE("a worker that is full takes the next job as soon as one ends") {
  Daemon daemon(async_pool(1));
  Pool pool = daemon.connect().pool();
  std::vector<Future> all;
  for (int i = 0; i < 50; ++i) all.push_back(pool.submit("sleep", "2ms"));
  for (const Future& f : all) CHECK(f.result().ok());
}

TEST_CASE("an exception from a coroutine fails its job with type and message") {
  Daemon daemon(async_pool());
  Pool pool = daemon.connect().pool();
  const Future f = pool.submit("throws", "here");
  const JobResult& result = f.result();
  CHECK(result.outcome == Outcome::failed);
  CHECK(result.text() == "thrown after an await: here");
  CHECK(result.type == "TooFar");
  CHECK(pool.call("echo", "on") == "on");
}

TEST_CASE("an operation that nobody stopped but that was aborted is a failure") {
  Daemon daemon(async_pool());
  Pool pool = daemon.connect().pool();
  CHECK(pool.submit("aborts_itself", "").result().outcome == Outcome::failed);
}

TEST_CASE("a sleep that is no time is a bad request") {
  Daemon daemon(async_pool());
  Pool pool = daemon.connect().pool();
  for (const char* text : {"", "soon", "-1", "1w", "1 s", "inf", "nan", "1e300"}) {
    CAPTURE(text);
    CHECK(pool.submit("sleep", text).result().outcome == Outcome::bad_request);
  }
  for (const char* text : {"0", "0.001", "1ms", "100us", "0s", "0m", "0h"}) {
    CAPTURE(text);
    CHECK(pool.submit("sleep", text).result().ok());
  }
}

TEST_CASE("a handler that does not exist is named with those that do") {
  Daemon daemon(async_pool());
  Pool pool = daemon.connect().pool();
  const Future f = pool.submit("no_such", "");
  const JobResult& result = f.result();
  CHECK(result.outcome == Outcome::unknown_handler);
  for (const char* name : {"echo", "exec", "http", "sleep", "meet"})
    CHECK(result.text().find(name) != std::string::npos);
}

TEST_CASE("large payloads and results pass and too large ones are refused") {
  Daemon daemon(async_pool());
  Pool pool = daemon.connect().pool();
  const std::string large(1 << 20, 'x');
  CHECK(pool.call("echo", large) == large);
  CHECK(pool.call("echo", "").empty());
}

TEST_CASE("a draining daemon lets async jobs end") {
  Daemon daemon(async_pool());
  Pool pool = daemon.connect().pool();
  const std::string file = daemon.dir() / "notes";
  std::vector<Future> all;
  for (int i = 0; i < 100; ++i) all.push_back(pool.submit("noted", file + " " + std::to_string(i)));
  REQUIRE(has_lines(file, 1));
  daemon.signal(SIGTERM);
  for (int i = 0; i < 100; ++i) CHECK(all[std::size_t(i)].get() == std::to_string(i));
  CHECK(daemon.wait_end() == 0);
}

TEST_CASE("a worker that has done its share lets its jobs end and is replaced") {
  Daemon daemon(async_pool(64, R"(, "max_jobs": 40)"));
  Pool pool = daemon.connect().pool();
  std::vector<Future> all;
  for (int i = 0; i < 400; ++i) all.push_back(pool.submit("sleep", "3ms"));
  for (const Future& f : all) CHECK(f.result().ok());
}

TEST_CASE("between jobs a worker is back in its directory") {
  Daemon daemon(async_pool());
  Pool pool = daemon.connect().pool();
  const std::string before = pool.call("working_directory", "");
  CHECK(pool.call("working_directory", "/") == "/");
  CHECK(eventually([&] { return pool.call("working_directory", "") == before; }));
}
