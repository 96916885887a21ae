// Workers that are stopped and not dead: SIGSTOP, a debugger.
#include <doctest/doctest.h>

#include <csignal>

#include "tests/faults/hurt.hpp"

using namespace jobring;
using namespace jobring::test;
using namespace std::chrono_literals;

namespace {

constexpr const char* kGrace = R"(, "kill_grace": "200ms")";

// The pid that the job note_and_wait left in `file`.
pid_t pid_in(const std::string& file) {
  REQUIRE(eventually([&] { return has(read_file(file), "\n"); }));
  return std::stoi(read_file(file));
}

bool seen_stopped(const Daemon& daemon) {
  return eventually([&] { return has(daemon.connect().status_json(), "\"stopped\""); });
}

}  // namespace

TEST_CASE("a stopped worker keeps the job that it runs, and the others carry on") {
  Daemon daemon(hurtful(2));
  Pool pool = daemon.connect().pool();
  const std::string file = daemon.dir() / "running";
  JobOptions retry;
  retry.crash_retries = 5;
  const Future held = pool.submit("note_and_wait", file, retry);
  const pid_t worker = pid_in(file);
  kill(worker, SIGSTOP);
  REQUIRE(seen_stopped(daemon));
  for (int i = 0; i < 200; ++i) REQUIRE(pool.call("echo", std::to_string(i)) == std::to_string(i));
  write_file(file + ".end", "");
  CHECK_FALSE(held.wait_for(300ms));
  kill(worker, SIGCONT);
  CHECK(held.get() == std::to_string(worker));  // the same process, and only once
  CHECK(read_file(file) == std::to_string(worker) + "\n");
  CHECK(daemon.status_number("crashes") == 0);
}

TEST_CASE("nobody waits for a worker that was stopped in its sleep") {
  Daemon daemon(hurtful(2));
  Pool pool = daemon.connect().pool();
  // Whichever of them a client would ring.
  for (const std::size_t which : {0u, 1u}) {
    const std::vector<pid_t> workers = daemon.workers();
    REQUIRE(workers.size() == 2);
    kill(workers[which], SIGSTOP);
    for (int i = 0; i < 20; ++i) {
      const Future f = pool.submit("echo", "x");
      REQUIRE(f.wait_for(10s));
      // Long enough for the other worker to fall asleep as well.
      CHECK(pool.call("sleep_ms", "1") == "slept");
    }
    kill(workers[which], SIGCONT);
    // It takes part again: two jobs that wait for each other's end run at the same time.
    const std::string a = daemon.dir() / ("a" + std::to_string(which)),
                      b = daemon.dir() / ("b" + std::to_string(which));
    const Future first = pool.submit("note_and_wait", a), second = pool.submit("note_and_wait", b);
    CHECK(pid_in(a) != pid_in(b));
    write_file(a + ".end", "");
    write_file(b + ".end", "");
    CHECK(first.wait_for(10s));
    CHECK(second.wait_for(10s));
  }
}

TEST_CASE("what a stopped worker had claimed and not started goes to another") {
  // One slow job, and behind it short ones that the same worker would claim with it.
  Daemon daemon(hurtful(2));
  Client client = daemon.connect();
  Pool pool = client.pool();
  std::vector<Future> futures;
  // Teach both workers that jobs are short, so that they claim batches.
  for (int i = 0; i < 20'000; ++i) futures.push_back(pool.submit("echo", ""));
  for (const Future& f : futures) REQUIRE(f.wait_for(20s));
  for (int round = 0; round < 20; ++round) {
    futures.clear();
    for (int i = 0; i < 2'000; ++i) futures.push_back(pool.submit("echo", ""));
    const pid_t victim = daemon.workers()[std::size_t(round % 2)];
    kill(victim, SIGSTOP);
    std::size_t late = 0;
    // At most the one job that it was running stays with it.
    for (const Future& f : futures) late += !f.wait_for(late == 0 ? 5s : 0s);
    CHECK(late <= 1);
    kill(victim, SIGCONT);
    for (const Future& f : futures) REQUIRE(f.wait_for(20s));
  }
  CHECK(daemon.status_number("crashes") == 0);
}

TEST_CASE("the time-out of a job holds on a stopped worker") {
  Daemon daemon(hurtful(1), kGrace);
  Pool pool = daemon.connect().pool();
  JobOptions options;
  options.crash_retries = 5;
  // Until we stop the worker before the job's time is over: a machine may be slow.
  std::string text;
  for (options.timeout = 300ms; !has(text, "stopped"); options.timeout *= 3) {
    REQUIRE(options.timeout < 60s);
    const std::string file = daemon.dir() / ("running" + std::to_string(options.timeout.count()));
    const Future f = pool.submit("note_and_wait", file, options);
    const pid_t worker = pid_in(file);
    kill(worker, SIGSTOP);
    REQUIRE(f.wait_for(100s));
    CHECK(f.result().outcome == Outcome::timed_out);
    text = f.result().text();
    kill(worker, SIGCONT);
  }
  CHECK(pool.call("echo", "on") == "on");
}

TEST_CASE("a job on a stopped worker can be killed") {
  Daemon daemon(hurtful(1), kGrace);
  Pool pool = daemon.connect().pool();
  const std::string file = daemon.dir() / "running";
  const Future f = pool.submit("note_and_wait", file);
  kill(pid_in(file), SIGSTOP);
  REQUIRE(seen_stopped(daemon));
  f.kill();
  REQUIRE(f.wait_for(20s));
  CHECK(f.result().outcome == Outcome::killed);
  CHECK(pool.call("echo", "on") == "on");
}

TEST_CASE("a command on a stopped worker dies with it when its time is over") {
  Daemon daemon(hurtful(1), kGrace);
  Pool pool = daemon.connect().pool();
  JobOptions options;
  const std::string file = daemon.dir() / "running";
  // Until the command has begun, and is seen, before its time is over: a machine may be slow.
  for (options.timeout = 300ms; read_file(file).empty(); options.timeout *= 3) {
    REQUIRE(options.timeout < 60s);
    const Future f =
        pool.run({.argv = {"sh", "-c", "echo $$ > " + file + "; exec sleep 1000"}}, options);
    REQUIRE(eventually([&] { return has(read_file(file), "\n") || f.ready(); }, 100s));
    if (f.ready()) {
      std::remove(file.c_str());
      continue;
    }
    const pid_t command = pid_in(file);
    kill(daemon.workers().at(0), SIGSTOP);
    REQUIRE(f.wait_for(100s));
    CHECK(f.result().outcome == Outcome::timed_out);
    CHECK_FALSE(alive(command));
  }
}
