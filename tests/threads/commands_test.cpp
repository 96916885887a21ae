// Commands in lanes: children of one process that must not get into each other's way.
#include <doctest/doctest.h>
#include <signal.h>
#include <unistd.h>

#include <string>
#include <thread>
#include <vector>

#include "tests/threads/support.hpp"

using namespace jobring;
using namespace jobring::test;

namespace {

Command shell(const std::string& script) {
  return {.argv = {"sh", "-c", script}};
}

// A command that leaves a process outside its group, which writes its pid to `file`, and goes on
// until `gate` is there.
Command leaves_daemon(const std::string& file, const std::string& gate) {
  return shell("setsid sh -c 'echo $$ > " + file + ".new; mv " + file + ".new " + file +
               "; exec sleep 300' & while ! [ -e " + gate + " ]; do sleep 0.02; done");
}

pid_t pid_in(const std::string& file) {
  return pid_t(std::atoi(read_file(file).c_str()));
}

}  // namespace

TEST_CASE("commands of several lanes keep their outputs and ends apart") {
  Daemon daemon(thread_pool(4));
  Pool pool = daemon.connect().pool();
  std::vector<Future> jobs;
  for (int i = 0; i < 60; ++i) {
    const std::string n = std::to_string(i);
    jobs.push_back(pool.run(shell("echo out " + n + "; echo err " + n + " >&2; exit " + n)));
  }
  for (int i = 0; i < 60; ++i) {
    CAPTURE(i);
    const auto result = jobs[std::size_t(i)].result().command();
    CHECK(result.out == "out " + std::to_string(i) + "\n");
    CHECK(result.err == "err " + std::to_string(i) + "\n");
    CHECK(result.report.exit_code == i);
  }
}

TEST_CASE("a command that is stopped ends alone") {
  Daemon daemon(thread_pool(2));
  Pool pool = daemon.connect().pool();
  const std::string a = daemon.dir() / "a", b = daemon.dir() / "b", gate = daemon.dir() / "gate";
  const Future stopped = pool.run(shell("touch " + a + "; exec sleep 300")),
               stays = pool.run(shell("touch " + b + "; while ! [ -e " + gate +
                                      " ]; do sleep 0.02; done; echo x"));
  REQUIRE(eventually([&] { return exists(a) && exists(b); }));
  stopped.kill();
  CHECK(stopped.result().outcome == Outcome::killed);
  CHECK_FALSE(stays.ready());
  write_file(gate, "");
  CHECK(stays.result().command().out == "x\n");
  CHECK(daemon.status_number("crashes") == 0);
}

TEST_CASE("what a command has left while another lane was busy goes with the supervisor") {
  for (const bool stopped : {false, true}) {
    CAPTURE(stopped);
    Daemon daemon(thread_pool(2));
    Pool pool = daemon.connect().pool();
    const std::string busy = daemon.dir() / "busy", left = daemon.dir() / "left";
    const Future works = pool.submit("stubborn", busy);
    REQUIRE(eventually([&] { return exists(busy + ".runs"); }));
    const Future over = pool.run(leaves_daemon(left, left));
    CHECK(over.result().outcome == Outcome::ok);
    CHECK(alive(pid_in(left)));  // it might be the other job's
    CHECK(daemon.die(stopped));
    CHECK(eventually([&] { return !alive(pid_in(left)); }));
  }
}

TEST_CASE("what a command leaves dies with it and not with the command of another lane") {
  Daemon daemon(thread_pool(2));
  Pool pool = daemon.connect().pool();
  const std::string a = daemon.dir() / "a", b = daemon.dir() / "b";
  const Future first = pool.run(leaves_daemon(a, a + ".gate"));
  REQUIRE(eventually([&] { return exists(a); }));
  // It begins a good while later: what the first has left cannot be this one's.
  std::this_thread::sleep_for(std::chrono::milliseconds(60));
  const Future second = pool.run(leaves_daemon(b, b + ".gate"));
  REQUIRE(eventually([&] { return exists(b); }));
  const pid_t of_first = pid_in(a), of_second = pid_in(b);
  REQUIRE(alive(of_first));
  write_file(a + ".gate", "");
  CHECK(first.result().outcome == Outcome::ok);
  CHECK(eventually([&] { return !alive(of_first); }));
  CHECK(alive(of_second));
  CHECK_FALSE(second.ready());
  write_file(b + ".gate", "");
  CHECK(second.result().outcome == Outcome::ok);
  CHECK(eventually([&] { return !alive(of_second); }));
}

TEST_CASE("what a short command leaves while a longer one runs dies with the longer one at last") {
  Daemon daemon(thread_pool(2));
  Pool pool = daemon.connect().pool();
  const std::string a = daemon.dir() / "a", b = daemon.dir() / "b";
  const Future longer =
      pool.run(shell("touch " + b + "; while ! [ -e " + b + ".gate ]; do sleep 0.02; done"));
  REQUIRE(eventually([&] { return exists(b); }));
  const Future brief = pool.run(leaves_daemon(a, a));
  CHECK(brief.result().outcome == Outcome::ok);
  const pid_t left = pid_in(a);
  REQUIRE(left > 0);
  write_file(b + ".gate", "");
  CHECK(longer.result().outcome == Outcome::ok);
  CHECK(eventually([&] { return !alive(left); }));
}

TEST_CASE("the commands of all lanes die with their process") {
  Daemon daemon(thread_pool(2));
  Pool pool = daemon.connect().pool();
  const std::string a = daemon.dir() / "a", b = daemon.dir() / "b";
  const Future first = pool.run(
                   shell("echo $$ > " + a + ".new; mv " + a + ".new " + a + "; sleep 300")),
               second = pool.run(
                   shell("echo $$ > " + b + ".new; mv " + b + ".new " + b + "; sleep 300"));
  REQUIRE(eventually([&] { return exists(a) && exists(b); }));
  REQUIRE(kill(daemon.workers().front(), SIGKILL) == 0);
  CHECK(first.result().outcome == Outcome::crashed);
  CHECK(second.result().outcome == Outcome::crashed);
  CHECK(eventually([&] { return !alive(pid_in(a)) && !alive(pid_in(b)); }));
}

TEST_CASE("the commands of all lanes die when the supervisor is killed") {
  Daemon daemon(thread_pool(2));
  Pool pool = daemon.connect().pool();
  const std::string a = daemon.dir() / "a", b = daemon.dir() / "b";
  const Future first = pool.run(leaves_daemon(a, a + ".gate")),
               second = pool.run(leaves_daemon(b, b + ".gate"));
  REQUIRE(eventually([&] { return exists(a) && exists(b); }));
  const pid_t worker = daemon.workers().front();
  daemon.signal(SIGKILL);
  CHECK(eventually([&] { return !alive(worker); }));
  CHECK(eventually([&] { return !alive(pid_in(a)) && !alive(pid_in(b)); }));
}

TEST_CASE("a lane gets the client's own descriptors for a command that takes them over") {
  Daemon daemon(thread_pool(3));
  for (int i = 0; i < 10; ++i) {
    const Ran ran = run_program({program("jobring"), "run", "--socket", daemon.socket(), "--", "sh",
                                 "-c", "echo to the terminal; exit 3"});
    CHECK(ran.output == "to the terminal\n");
    CHECK(ran.status == 3);
  }
}
