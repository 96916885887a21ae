// Commands that are ended: by their time-outs, on request, and as strays of one that ends.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "common/clock.hpp"
#include "tests/unit/run_command_support.hpp"

using namespace jobring;
using namespace jobring::test::commands;

TEST_CASE("a command over its time gets TERM, and what it does then is reported") {
  CommandContext soon = context();
  soon.timeout_ms = 50;
  const CommandReport slept = run_command(command({"sleep", "60"}), soon).report;
  CHECK(slept.timed_out);
  CHECK_FALSE(slept.killed);
  CHECK(slept.signal == SIGTERM);
  CHECK(slept.shell_status() == 124);
  CHECK(slept.wall_us >= 50'000);
  TempDir dir;
  const std::string ready = dir.path / "ready";
  // Until it has time to set its trap: a machine may be slow.
  for (; !std::filesystem::exists(ready); soon.timeout_ms *= 3) {
    REQUIRE(soon.timeout_ms < 60'000);
    const CommandReport polite =
        run_command(shell("trap 'exit 9' TERM; touch " + ready + "; sleep 60 & wait"), soon).report;
    CHECK(polite.timed_out);
    if (std::filesystem::exists(ready)) CHECK(polite.exit_code == 9);
  }
}

TEST_CASE("a command that ignores TERM gets KILL after the grace") {
  CommandContext soon = context();
  soon.kill_grace_ms = 50;
  TempDir dir;
  const std::string ready = dir.path / "ready";
  for (soon.timeout_ms = 100; !std::filesystem::exists(ready); soon.timeout_ms *= 3) {
    REQUIRE(soon.timeout_ms < 60'000);
    const CommandReport report =
        run_command(shell("trap '' TERM; echo > " + ready + "; sleep 60; sleep 60"), soon).report;
    CHECK(report.timed_out);
    if (std::filesystem::exists(ready)) CHECK(report.signal == SIGKILL);
  }
}

TEST_CASE("a stopped command still ends at its time-out") {
  CommandContext soon = context();
  soon.timeout_ms = 100;
  CHECK(run_command(shell("kill -STOP $$"), soon).report.signal == SIGTERM);
}

TEST_CASE("endless output does not hide a time-out") {
  CommandContext soon = context();
  soon.output_room = 100;
  // Until yes has time to begin.
  CommandOutput done;
  for (soon.timeout_ms = 100; done.out.empty(); soon.timeout_ms *= 3) {
    REQUIRE(soon.timeout_ms < 60'000);
    done = run_command(command({"yes"}), soon);
    CHECK(done.report.timed_out);
  }
  CHECK(done.out.size() == 100);
}

TEST_CASE("a death by signal is reported with the signal") {
  const CommandReport report = run(shell("kill -SEGV $$")).report;
  CHECK(report.signal == SIGSEGV);
  CHECK(report.exit_code == -1);
  CHECK(report.shell_status() == 139);
}

TEST_CASE("a child that keeps the pipe open holds no result back, and dies with its group") {
  for (const int ours : {1, 0}) {
    prctl(PR_SET_CHILD_SUBREAPER, ours);
    const CommandOutput done = run(shell("sleep 60 & echo $!"));
    CHECK(done.report.exit_code == 0);
    CHECK(done.report.wall_us < 30'000'000);
    // If it did not come to us, it goes to init, which takes its time to reap it.
    const std::uint64_t until = now_ns() + 5'000'000'000;
    while (!gone(done.out) && now_ns() < until) poll(nullptr, 0, 1);
    CHECK(gone(done.out));
    CHECK_FALSE(has_children());
  }
  prctl(PR_SET_CHILD_SUBREAPER, 1);
}

TEST_CASE("a daemon that a command makes does not outlive it") {
  TempDir dir;
  const std::string file = dir.path / "pid";
  // Twice removed, in a session of its own, and holding the pipe.
  const std::string script = "setsid sh -c 'echo $$ > " + file + "; sleep 60' & while ! [ -s " +
                             file + " ]; do sleep 0.01; done";
  const CommandOutput done = run(shell("(" + script + ")"));
  CHECK(done.report.exit_code == 0);
  std::string pid;
  std::getline(std::ifstream(file), pid);
  REQUIRE_FALSE(pid.empty());
  CHECK(gone(pid));
  CHECK_FALSE(has_children());
}

TEST_CASE("a request to stop is passed on as its signal, and KILL follows after the grace") {
  Pipe wake;
  CommandContext c = context();
  c.kill_grace_ms = 100;
  c.wake_fd = wake.read_end.get();
  int calls = 0;
  c.on_wake = [&]() -> int {
    char byte;
    REQUIRE(read(wake.read_end.get(), &byte, 1) == 1);
    ++calls;
    return byte == '-' ? 0 : SIGINT;
  };
  REQUIRE(write(wake.write_end.get(), "-i", 2) == 2);
  const CommandReport interrupted = run_command(command({"sleep", "60"}), c).report;
  CHECK(calls == 2);
  CHECK(interrupted.killed);
  CHECK_FALSE(interrupted.timed_out);
  CHECK(interrupted.signal == SIGINT);

  // A command asks for its own stop once its trap stands.
  Command stubborn = shell("trap '' INT; printf i >&2; sleep 60; sleep 60");
  c.stdio[2] = wake.write_end.get();
  const CommandReport report = run_command(stubborn, c).report;
  CHECK(report.killed);
  CHECK(report.signal == SIGKILL);
}

TEST_CASE("a second request sends its signal too") {
  Pipe wake;
  CommandContext c = context();
  c.kill_grace_ms = 60'000;
  c.wake_fd = wake.read_end.get();
  c.stdio[2] = wake.write_end.get();
  c.on_wake = [&]() -> int {
    char byte;
    REQUIRE(read(wake.read_end.get(), &byte, 1) == 1);
    return byte == 'i' ? SIGINT : SIGTERM;
  };
  const Command twice = shell(
      "trap 'printf t >&2' INT; trap 'exit 5' TERM; printf i >&2; while :; do sleep 0.01; done");
  const CommandReport report = run_command(twice, c).report;
  CHECK(report.killed);
  CHECK(report.exit_code == 5);
}

TEST_CASE("a signal handler's wish to leave kills the command at once") {
  struct sigaction action {
  }, before{};
  action.sa_handler = [](int) { stop_seen = 1; };
  sigaction(SIGUSR2, &action, &before);
  CommandContext c = context();
  c.stop_flag = &stop_seen;
  for (const char* rest : {"sleep 60", "exec yes"}) {
    stop_seen = 0;
    const CommandReport report =
        run_command(shell("kill -USR2 $PPID; " + std::string(rest)), c).report;
    CHECK(report.signal == SIGKILL);
    CHECK(report.killed);
    CHECK(report.wall_us < 30'000'000);
  }
  sigaction(SIGUSR2, &before, nullptr);
}
