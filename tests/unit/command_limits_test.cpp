// Limits of a single command, below those of its worker.
#include <sys/resource.h>

#include <functional>
#include <sstream>

#include "tests/unit/run_command_support.hpp"

using namespace jobring;
using namespace jobring::test::commands;

namespace {

// What /proc/PID/limits says of one: "soft hard".
std::string in_proc(const std::string& limits, const std::string& name) {
  const std::size_t line = limits.find(name);
  REQUIRE(line != std::string::npos);
  std::string soft, hard;
  std::istringstream(limits.substr(line + name.size())) >> soft >> hard;
  return soft + " " + hard;
}

Command shows_limits() {
  return command({"cat", "/proc/self/limits"});
}

// In a process of its own, whose limits may be changed. Its exit status.
int in_child(const std::function<bool()>& holds) {
  const pid_t pid = fork_child();
  if (pid == 0) _exit(holds() ? 0 : 1);
  int status = -1;
  waitpid(pid, &status, 0);
  return status;
}

}  // namespace

TEST_CASE("each limit of a command is set soft and hard and ours stay") {
  const std::string before = run(shows_limits()).out;
  for (const bool by_fork : {false, true}) {
    Command c = shows_limits();
    if (by_fork) c.stdin_file = "/dev/null";
    c.limits = {.memory = 1 << 30,
                .cpu = 77,
                .open_files = 33,
                .processes = 500,
                .file_size = 12345,
                .core = 0,
                .stack = 1 << 20};
    const CommandOutput got = run(c);
    REQUIRE(got.report.shell_status() == 0);
    CHECK(in_proc(got.out, "Max address space") == "1073741824 1073741824");
    // So that XCPU comes before KILL.
    CHECK(in_proc(got.out, "Max cpu time") == "77 78");
    CHECK(in_proc(got.out, "Max open files") == "33 33");
    CHECK(in_proc(got.out, "Max processes") == "500 500");
    CHECK(in_proc(got.out, "Max file size") == "12345 12345");
    CHECK(in_proc(got.out, "Max core file size") == "0 0");
    CHECK(in_proc(got.out, "Max stack size") == "1048576 1048576");
  }
  CHECK(run(shows_limits()).out == before);
}

TEST_CASE("a limit above the worker's is refused in one line whoever runs it") {
  CHECK(in_child([] {
          const rlimit mine{64, 128};
          setrlimit(RLIMIT_NOFILE, &mine);
          Command c = command({"true"});
          c.limits.open_files = 129;
          const CommandReport over = run(c).report;
          c.limits.open_files = CommandLimits::unlimited;
          const CommandReport without = run(c).report;
          // Its soft limit may be more than the worker's: that is what a hard one is for.
          c.limits.open_files = 128;
          return over.start_errno == EPERM &&
                 over.start_step == "limit open_files to 129, its worker has 128" &&
                 over.shell_status() == 126 && without.start_errno == EPERM &&
                 run(c).report.shell_status() == 0;
        }) == 0);
}

TEST_CASE("a limit that the kernel refuses is named") {
  rlimit mine{};
  getrlimit(RLIMIT_NOFILE, &mine);
  Command c = command({"true"});
  // Above /proc/sys/fs/nr_open not even root may go.
  c.limits.open_files = 1ull << 40;
  const CommandReport report = run(c).report;
  CHECK(report.start_errno == EPERM);
  CHECK(report.start_step.starts_with("limit open_files to 1099511627776"));
}

TEST_CASE("a command that needs more memory than it may have fails alone") {
  // tail keeps the last line, and this one has no end.
  Command c = shell("head -c 100000000 /dev/zero | tail -n 1 | wc -c");
  CHECK(run(c).out == "100000000\n");
  c.limits.memory = 50 << 20;
  const CommandOutput got = run(c);
  CHECK(got.out == "0\n");
  CHECK(got.err.find("memory") != std::string::npos);
}

TEST_CASE("a command that has used up its processor time or outgrown its file ends by the signal") {
  Command spins = shell("while :; do :; done");
  spins.limits.cpu = 1;
  const CommandReport spun = run(spins).report;
  CHECK(spun.signal == SIGXCPU);
  CHECK_FALSE(spun.killed);
  TempDir dir;
  const std::string file = dir.path / "big";
  Command writes = shell("exec head -c 100000 /dev/zero > " + file);
  writes.limits.file_size = 5000;
  CHECK(run(writes).report.signal == SIGXFSZ);
  CHECK(fs::file_size(file) == 5000);
}

TEST_CASE("a user who is not root starts no more processes than the command may have") {
  const Identity nobody{65534, 65534, {65534}};
  CommandContext c = context();
  if (geteuid() == 0) c.identity = &nobody;
  Command forks = shell("/bin/true; echo went on");
  CHECK(run_command(forks, c).out == "went on\n");
  forks.limits.processes = 1;
  const CommandOutput got = run_command(forks, c);
  CHECK(got.out == "");
  CHECK(got.err.find("fork") != std::string::npos);
}
