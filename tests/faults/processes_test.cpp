// What jobs do to processes, their own and others, and what a worker puts right after them.
#include <doctest/doctest.h>

#include <csignal>
#include <sstream>

#include "tests/faults/hurt.hpp"

using namespace jobring;
using namespace jobring::test;
using namespace std::chrono_literals;

namespace {

pid_t daemon_of(const std::string& file) {
  REQUIRE(eventually([&] { return has(read_file(file), "\n"); }));
  return std::stoi(read_file(file));
}

std::string daemonizing_command(const std::string& file) {
  return "setsid sh -c 'echo $$ > " + file + "; exec sleep 1000' & while [ ! -s " + file +
         " ]; do :; done";
}

// Children of this process that are dead and not reaped.
int zombies_of(pid_t parent) {
  int count = 0;
  std::istringstream children(read_file("/proc/" + std::to_string(parent) + "/task/" +
                                        std::to_string(parent) + "/children"));
  for (pid_t pid; children >> pid;) count += !alive(pid);
  return count;
}

}  // namespace

TEST_CASE("a daemon that a function's job leaves is killed when the job is over") {
  Daemon daemon(hurtful(1));
  Pool pool = daemon.connect().pool();
  const std::string file = daemon.dir() / "daemon";
  CHECK(pool.submit("daemonize", file).result().outcome == Outcome::ok);
  const pid_t left = daemon_of(file);
  CHECK(eventually([&] { return !alive(left); }));
  const std::vector<pid_t> workers = daemon.workers();
  REQUIRE(workers.size() == 1);
  CHECK(eventually([&] { return zombies_of(workers[0]) == 0; }));
  CHECK(daemon.status_number("crashes") == 0);
}

TEST_CASE("a daemon that a command leaves is killed when the command is over") {
  Daemon daemon(hurtful(1));
  Pool pool = daemon.connect().pool();
  const std::string file = daemon.dir() / "daemon";
  CHECK(pool.run({.argv = {"sh", "-c", daemonizing_command(file)}}).result().outcome ==
        Outcome::ok);
  CHECK_FALSE(alive(daemon_of(file)));
}

TEST_CASE("with strays keep, daemons live on after their jobs, and end with their worker") {
  Daemon daemon(hurtful(1, R"(, "strays": "keep")"));
  Pool pool = daemon.connect().pool();
  const std::string by_function = daemon.dir() / "f", by_command = daemon.dir() / "c";
  CHECK(pool.submit("daemonize", by_function).result().outcome == Outcome::ok);
  CHECK(pool.run({.argv = {"sh", "-c", daemonizing_command(by_command)}}).result().outcome ==
        Outcome::ok);
  const pid_t first = daemon_of(by_function), second = daemon_of(by_command);
  CHECK(pool.call("sleep_ms", "20") == "slept");
  CHECK(pool.run({.argv = {"true"}}).result().outcome == Outcome::ok);
  CHECK(alive(first));
  CHECK(alive(second));
  const pid_t worker = daemon.workers().at(0);
  CHECK(eventually([&] { return zombies_of(worker) == 0; }));
  kill(worker, SIGKILL);
  CHECK(eventually([&] { return !alive(first) && !alive(second); }));
}

TEST_CASE("with strays keep, what a command leaves that was stopped is killed all the same") {
  Daemon daemon(hurtful(1, R"(, "strays": "keep")"), R"(, "kill_grace": "100ms")");
  Pool pool = daemon.connect().pool();
  const std::string file = daemon.dir() / "daemon";
  const Future f =
      pool.run({.argv = {"sh", "-c", daemonizing_command(file) + "; exec sleep 1000"}});
  const pid_t left = daemon_of(file);
  f.kill();
  REQUIRE(f.wait_for(20s));
  CHECK(f.result().outcome == Outcome::killed);
  CHECK_FALSE(alive(left));
}

TEST_CASE("directory, umask, signal mask and standard descriptors do not leak into the next job") {
  Daemon daemon(hurtful(1));
  Pool pool = daemon.connect().pool();
  const std::string before = pool.call("show_everything", "");
  CHECK(has(before, "blocked 0 0 /dev/null 1 pipe:"));
  CHECK(pool.submit("change_everything", "").result().outcome == Outcome::ok);
  CHECK(pool.call("sleep_ms", "3") == "slept");  // they are put back within a millisecond
  CHECK(pool.call("show_everything", "") == before);
  // Nor does a timer that it left count against a later job with a time-out of its own.
  JobOptions options;
  options.timeout = 20s;
  const JobResult slow = pool.submit("sleep_ms", "1300", options).result();
  CHECK(slow.outcome == Outcome::ok);
  // Time-outs still work.
  options.timeout = 50ms;
  CHECK(pool.submit("sleep_ms", "200", options).result().outcome == Outcome::timed_out);
  CHECK(daemon.status_number("crashes") == 0);
}

TEST_CASE(
    "a job that closes all descriptors and returns has succeeded, and its worker is replaced") {
  Daemon daemon(hurtful(1));
  for (const char* handler : {"close_all", "close_most"}) {
    CAPTURE(handler);
    Pool pool = daemon.connect().pool();
    const std::string before = pool.call("pid", "");
    const Future f = pool.submit(handler, "0");
    REQUIRE(f.wait_for(10s));
    CHECK(f.result().outcome == Outcome::ok);
    // By itself: nothing comes that would wake it.
    CHECK(eventually([&] { return !alive(std::stoi(before)); }));
    const Future next = pool.submit("pid", "");
    REQUIRE(next.wait_for(10s));
    CHECK(next.get() != before);
  }
  CHECK(has(daemon.log(), "closed descriptors"));
}

TEST_CASE("a job that closes all descriptors and stays is ended with its worker, with the reason") {
  Daemon daemon(hurtful(1));
  Pool pool = daemon.connect().pool();
  const Future f = pool.submit("close_all", "30000");
  REQUIRE(f.wait_for(10s));
  CHECK(f.result().outcome == Outcome::crashed);
  CHECK(has(f.result().text(), "control socket was gone"));
  CHECK(pool.call("echo", "on") == "on");
}
