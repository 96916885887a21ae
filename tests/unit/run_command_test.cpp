// Commands: how they are started, fed, heard and buried.
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
#include "worker/exec/capture.hpp"

using namespace jobring;
using namespace jobring::test::commands;

TEST_CASE("a command's exit status is reported") {
  CHECK(run(command({"true"})).report.exit_code == 0);
  CHECK(run(command({"false"})).report.exit_code == 1);
  const CommandReport report = run(shell("exit 200")).report;
  CHECK(report.exit_code == 200);
  CHECK(report.signal == 0);
  CHECK(report.start_errno == 0);
  CHECK(report.start_step.empty());
}

TEST_CASE("stdout and stderr are captured apart") {
  const CommandOutput done = run(shell("echo hello; echo problem >&2"));
  CHECK(done.out == "hello\n");
  CHECK(done.err == "problem\n");
  CHECK(done.report.stdout_total == 6);
  CHECK(done.report.stderr_total == 8);
  CHECK_FALSE(done.report.stdout_truncated);
  CHECK_FALSE(done.report.stderr_truncated);
}

TEST_CASE("a program that is in no directory of the PATH is reported as not found") {
  const CommandReport report = run(command({"jobring-no-such-program"})).report;
  CHECK(report.start_errno == ENOENT);
  CHECK(report.start_step == "exec jobring-no-such-program");
  CHECK(report.shell_status() == 127);
  CHECK(report.exit_code == -1);
}

TEST_CASE("a file that is no program is reported as not executable") {
  TempDir dir;
  const std::string plain = dir.write("plain", "x", 0644);
  const CommandReport refused = run(command({plain})).report;
  CHECK(refused.start_errno == EACCES);
  CHECK(refused.start_step == "exec " + plain);
  CHECK(refused.shell_status() == 126);
  // Executable, but in no format that the kernel knows: no shell is tried behind the caller's back.
  const CommandReport text = run(command({dir.write("text", "exit 0\n", 0755)})).report;
  CHECK(text.start_errno == ENOEXEC);
  CHECK(text.shell_status() == 126);
  CHECK(run(command({dir.path})).report.shell_status() == 126);
}

TEST_CASE("a working directory that is missing is named") {
  Command c = command({"true"});
  c.cwd = "/no/such/directory";
  const CommandReport report = run(c).report;
  CHECK(report.start_errno == ENOENT);
  CHECK(report.start_step == "chdir /no/such/directory");
  CHECK(report.shell_status() == 126);
}

TEST_CASE(
    "a command runs in its working directory, and a program with a slash is found from there") {
  TempDir dir;
  dir.write("here", "#!/bin/sh\npwd\n", 0755);
  Command c = command({"./here"});
  c.cwd = dir.path;
  CHECK(run(c).out == dir.path.string() + "\n");
}

TEST_CASE("the program is looked up in the command's own PATH") {
  TempDir dir;
  dir.write("jobring-test-tool", "#!/bin/sh\necho found\n", 0755);
  Command c = command({"jobring-test-tool"});
  c.env = {"PATH=/no/such/directory:" + dir.path.string() + ":/usr/bin:/bin"};
  CHECK(run(c).out == "found\n");
  c.env = {"PATH=/usr/bin:/bin"};
  CHECK(run(c).report.shell_status() == 127);
  Command without = command({"true"});
  without.env_replaces = true;
  CHECK(run(without).report.exit_code == 0);
}

TEST_CASE("the search goes on behind a file that may not be executed") {
  TempDir first, second;
  first.write("jobring-test-tool", "x", 0644);
  Command c = command({"jobring-test-tool"});
  c.env = {"PATH=" + first.path.string() + ":" + second.path.string()};
  CHECK(run(c).report.shell_status() == 126);
  if (geteuid() != 0) {  // root may search it all the same
    chmod(first.path.c_str(), 0);
    CHECK(run(c).report.shell_status() == 127);
    chmod(first.path.c_str(), 0700);
  }
  second.write("jobring-test-tool", "#!/bin/sh\necho second\n", 0755);
  CHECK(run(c).out == "second\n");
}

TEST_CASE("an environment is added to the worker's, or replaces it") {
  setenv("JOBRING_TEST_A", "worker", 1);
  setenv("JOBRING_TEST_AB", "worker", 1);
  Command c = shell("echo $JOBRING_TEST_A,$JOBRING_TEST_AB,$JOBRING_TEST_C");
  c.env = {"JOBRING_TEST_A=mine", "JOBRING_TEST_C=new"};
  CHECK(run(c).out == "mine,worker,new\n");
  Command all = command({"/usr/bin/env"});
  all.env = {"ONLY=this"};
  all.env_replaces = true;
  CHECK(run(all).out == "ONLY=this\n");
  unsetenv("JOBRING_TEST_A");
  unsetenv("JOBRING_TEST_AB");
}

TEST_CASE("the umask is the command's, and ours stays") {
  const mode_t before = umask(022);
  Command c = shell("umask");
  c.umask = 077;
  CHECK(run(c).out == "0077\n");
  CHECK(umask(before) == 022);
}

TEST_CASE("a command starts with default signal dispositions and none blocked") {
  sigset_t some, before;
  sigemptyset(&some);
  sigaddset(&some, SIGUSR1);
  sigprocmask(SIG_BLOCK, &some, &before);
  const std::string out = run(command({"cat", "/proc/self/status"})).out;
  for (const char* set : {"SigBlk", "SigIgn", "SigCgt"}) {
    CHECK(out.find(set + std::string(":\t0000000000000000\n")) != out.npos);
  }
  sigset_t after;
  sigprocmask(SIG_SETMASK, &before, &after);
  CHECK(sigismember(&after, SIGUSR1) == 1);
  CHECK(sigismember(&after, SIGTERM) == 0);
}

TEST_CASE("a command leads a process group of its own") {
  const CommandOutput done = run(shell("ps -o pgid= -p $$ | tr -d ' '"));
  CHECK(done.out == std::to_string(done.report.pid) + "\n");
}

TEST_CASE("a command has no descriptors but its three, whatever this process has open") {
  const UniqueFd careless(open("/dev/zero", O_RDONLY));
  REQUIRE(careless);
  // The fourth is the one by which ls reads the directory.
  CHECK(run(command({"ls", "/proc/self/fd"})).out == "0\n1\n2\n3\n");
  CHECK(run(command({"ls", "-l", "/proc/self/fd"})).out.find("/dev/zero") == std::string::npos);
  CHECK(run(command({"readlink", "/proc/self/fd/0"})).out == "/dev/null\n");
}

TEST_CASE("output beyond its room is counted, cut and flagged, and does not block the command") {
  CommandContext small = context();
  small.output_room = 1000;
  Command c =
      shell("head -c 1000000 /dev/zero | tr '\\0' o; head -c 1000000 /dev/zero | tr '\\0' e >&2");
  const CommandOutput done = run_command(c, small);
  CHECK(done.report.exit_code == 0);
  CHECK(done.out == std::string(750, 'o'));
  CHECK(done.err == std::string(250, 'e'));
  CHECK(done.report.stdout_total == 1'000'000);
  CHECK(done.report.stderr_total == 1'000'000);
  CHECK(done.report.stdout_truncated);
  CHECK(done.report.stderr_truncated);
}

TEST_CASE("each stream is kept up to output_max") {
  Command c = shell("printf 123456789; printf abc >&2");
  c.output_max = 4;
  const CommandOutput done = run(c);
  CHECK(done.out == "1234");
  CHECK(done.report.stdout_truncated);
  CHECK(done.err == "abc");
  CHECK_FALSE(done.report.stderr_truncated);
}

TEST_CASE("one stream alone has the whole room, and stderr a quarter in any order") {
  OutputRoom alone(100, 0);
  alone.add(OutputRoom::out, std::string(100, 'o'));
  CHECK_FALSE(alone[OutputRoom::out].truncated());
  alone.add(OutputRoom::err, std::string(60, 'e'));
  CHECK(alone[OutputRoom::out].text.size() == 75);
  CHECK(alone[OutputRoom::err].text.size() == 25);
  CHECK(alone[OutputRoom::out].truncated());
  alone.add(OutputRoom::out, "later");
  CHECK(alone[OutputRoom::out].text == std::string(75, 'o'));

  OutputRoom reversed(100, 0);
  reversed.add(OutputRoom::err, std::string(90, 'e'));
  reversed.add(OutputRoom::out, std::string(90, 'o'));
  CHECK(reversed[OutputRoom::err].text.size() == 90);
  CHECK(reversed[OutputRoom::out].text.size() == 10);

  OutputRoom none(0, 0);
  none.add(OutputRoom::out, "x");
  CHECK(none[OutputRoom::out].truncated());
  CHECK(none[OutputRoom::out].total == 1);
}

TEST_CASE("once a byte of a stream is dropped, none is added behind the gap") {
  OutputRoom room(8, 0);
  room.add(OutputRoom::out, "12345678");
  room.add(OutputRoom::err, "e");
  CHECK(room[OutputRoom::out].text == "1234567");
  room.add(OutputRoom::out, "x");
  CHECK(room[OutputRoom::out].text == "1234567");
}

TEST_CASE("a megabyte of text goes through a command") {
  std::string text;
  for (int i = 0; text.size() < 1'000'000; ++i) text += std::to_string(i) + '\n';
  Command c = command({"cat"});
  c.stdin_text = text;
  CommandContext large = context();
  large.output_room = 4 << 20;
  const CommandOutput done = run_command(c, large);
  CHECK(done.report.exit_code == 0);
  CHECK(done.out == text);
}

TEST_CASE("a short text is followed by an end of file") {
  Command c = command({"cat"});
  c.stdin_text = "one line\n";
  CHECK(run(c).out == "one line\n");
}

TEST_CASE("a command that does not read its text harms nobody") {
  for (const char* script :
       {"exit 3", "exec <&-; sleep 0.05; exit 3", "head -c 10 >&2; exec <&-; exit 3"}) {
    Command c = shell(script);
    c.stdin_text = std::string(1'000'000, 'x');
    CHECK(run(c).report.exit_code == 3);
  }
  sigset_t pending;
  sigpending(&pending);
  CHECK(sigismember(&pending, SIGPIPE) == 0);
}

TEST_CASE("stdin comes from a file, opened from the working directory") {
  TempDir dir;
  dir.write("input", "from a file\n", 0644);
  Command c = command({"cat"});
  c.cwd = dir.path;
  c.stdin_file = "input";
  CHECK(run(c).out == "from a file\n");
  c.stdin_file = "missing";
  const CommandReport report = run(c).report;
  CHECK(report.start_errno == ENOENT);
  CHECK(report.start_step == "open missing");
  CHECK(report.shell_status() == 126);
}

TEST_CASE("a stdin file that never opens is ended by the time-out") {
  TempDir dir;
  Command c = command({"cat"});
  c.stdin_file = dir.path / "fifo";
  REQUIRE(mkfifo(c.stdin_file.c_str(), 0600) == 0);
  CommandContext soon = context();
  soon.timeout_ms = 50;
  const CommandReport report = run_command(c, soon).report;
  CHECK(report.timed_out);
  CHECK(report.signal == SIGTERM);
  CHECK(report.wall_us < 4'000'000);
}

TEST_CASE("descriptors that are passed become the command's own, and nothing is captured") {
  Pipe to, from;
  CommandContext c = context();
  c.stdio = {to.read_end.get(), from.write_end.get(), from.write_end.get()};
  REQUIRE(write(to.write_end.get(), "through", 7) == 7);
  to.write_end.reset();
  const CommandOutput done = run_command(shell("cat; echo ' and error' >&2"), c);
  from.write_end.reset();
  char text[64] = {};
  CHECK(read(from.read_end.get(), text, sizeof text) == 18);
  CHECK(std::string(text) == "through and error\n");
  CHECK(done.out.empty());
  CHECK(done.err.empty());
  CHECK(done.report.stdout_total == 0);
}

TEST_CASE("passed descriptors that stand at each other's places are told apart") {
  TempDir dir;
  // In a process of its own: it gives up its 0, 1 and 2.
  const pid_t pid = fork_child();
  if (pid == 0) {
    const std::string in = dir.write("in", "input", 0644);
    const int input = open(in.c_str(), O_RDONLY);
    const int output = open((dir.path / "out").c_str(), O_CREAT | O_WRONLY, 0644);
    const int error = open((dir.path / "err").c_str(), O_CREAT | O_WRONLY, 0644);
    dup2(input, 2);
    dup2(output, 0);
    dup2(error, 1);
    fcntl(0, F_SETFD, FD_CLOEXEC);
    CommandContext c = context();
    c.stdio = {2, 0, 1};
    const CommandReport turned = run_command(shell("cat; echo e >&2"), c).report;
    dup2(input, 0);
    fcntl(0, F_SETFD, FD_CLOEXEC);
    c.stdio = {0, output, 1};
    const CommandReport same = run_command(shell("cat; echo f >&2"), c).report;
    _exit(turned.exit_code == 0 && same.exit_code == 0 ? 0 : 1);
  }
  int status = 0;
  REQUIRE(waitpid(pid, &status, 0) == pid);
  CHECK(status == 0);
  const auto text = [&](const char* name) {
    std::ifstream file(dir.path / name);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  CHECK(text("out") == "input");
  CHECK(text("err") == "e\nf\n");
}

TEST_CASE("two hundred commands of every kind leave no descriptor, child or memory map behind") {
  run(command({"true"}));
  Command from_file = command({"true"});
  from_file.stdin_file = "/dev/null";
  run(from_file);
  const std::size_t before = open_descriptors();
  for (int i = 0; i < 40; ++i) {
    run(command({"true"}));
    run(command({"jobring-no-such-program"}));
    run(from_file);
    Command fed = command({"true"});
    fed.stdin_text = std::string(i % 2 == 0 ? 10 : 200'000, 'x');
    run(fed);
    run(shell("sleep 60 &"));
  }
  CHECK(open_descriptors() == before);
  CHECK_FALSE(has_children());
}

TEST_CASE("no descriptor left for a command is an error of its own, not a hang") {
  run(command({"true"}));  // opens what is kept for later commands
  std::vector<UniqueFd> taken;
  for (;;) {
    const int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (fd < 0) break;
    taken.emplace_back(fd);
  }
  const CommandReport report = run(command({"true"})).report;
  CHECK(report.start_errno == EMFILE);
  CHECK(report.shell_status() == 126);
  // Enough for two pipes, but not for the handle of the process.
  for (int i = 0; i < 4; ++i) taken.pop_back();
  const CommandReport late = run(command({"sleep", "60"})).report;
  CHECK(late.start_errno == EMFILE);
  CHECK(late.start_step == "pidfd_open");
  CHECK(late.signal == 0);
  CHECK_FALSE(has_children());
}

TEST_CASE("times and the peak of memory are reported") {
  const CommandReport busy = run(shell("i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done")).report;
  CHECK(busy.user_us + busy.system_us > 1'000);
  CHECK(busy.wall_us >= (busy.user_us + busy.system_us) / 4);
  CHECK(busy.max_rss_kib > 100);
  const CommandReport idle = run(command({"sleep", "0.05"})).report;
  CHECK(idle.wall_us >= 50'000);
  CHECK(idle.user_us + idle.system_us < 50'000);
}

TEST_CASE("as root, a command takes the client's identity, and not more") {
  if (geteuid() != 0) {
    // The other half of the promise: who is not root cannot become somebody else, and says so.
    const Identity other{geteuid() + 1, getegid() + 1, {}};
    CommandContext c = context();
    c.identity = &other;
    CHECK(run_command(command({"true"}), c).report.start_errno == EPERM);
    return;
  }
  const Identity nobody{65534, 65534, {65534, 12345}};
  CommandContext c = context();
  c.identity = &nobody;
  CHECK(run_command(shell("id -u; id -g; id -G"), c).out == "65534\n65534\n65534 12345\n");
  // PR_SET_PDEATHSIG and the rest must survive the change.
  CHECK(run_command(command({"grep", "-c", "^CapEff:.*[1-9a-f]", "/proc/self/status"}), c).out ==
        "0\n");
  TempDir dir;
  const std::string secret = dir.write("secret", "x", 0600);
  Command reads = command({"cat"});
  reads.stdin_file = secret;
  const CommandReport report = run_command(reads, c).report;
  CHECK(report.start_errno == EACCES);
  CHECK(report.start_step == "open " + secret);
  c.timeout_ms = 50;
  CHECK(run_command(command({"sleep", "60"}), c).report.signal == SIGTERM);
  CHECK(geteuid() == 0);
}

TEST_CASE("a command dies with the process that runs it, also as another user") {
  const Identity nobody{65534, 65534, {65534}};
  for (const Identity* identity : {static_cast<const Identity*>(nullptr), &nobody}) {
    if (identity != nullptr && geteuid() != 0) continue;
    Pipe alive;
    const pid_t pid = fork_child();
    if (pid == 0) {
      CommandContext c = context();
      c.identity = identity;
      c.stdio[1] = alive.write_end.get();
      run_command(shell("echo; exec sleep 60"), c);
      _exit(0);
    }
    alive.write_end.reset();
    char byte;
    REQUIRE(read(alive.read_end.get(), &byte, 1) == 1);  // it runs
    REQUIRE(kill(pid, SIGKILL) == 0);
    REQUIRE(waitpid(pid, nullptr, 0) == pid);
    pollfd end{alive.read_end.get(), POLLIN, 0};
    REQUIRE(poll(&end, 1, 10'000) == 1);
    CHECK(read(alive.read_end.get(), &byte, 1) == 0);  // the last holder of the pipe is gone
    reap_strays();
  }
}

TEST_CASE("children of all kinds are killed and reaped as strays, and theirs too") {
  Pipe ready;
  const pid_t pid = fork_child();
  if (pid == 0) {
    signal(SIGTERM, SIG_IGN);
    setsid();
    if (fork() == 0) {
      if (write(ready.write_end.get(), "x", 1) != 1) _exit(1);
      for (;;) pause();
    }
    for (;;) pause();
  }
  ready.write_end.reset();
  char byte;
  REQUIRE(read(ready.read_end.get(), &byte, 1) == 1);
  reap_strays();
  CHECK_FALSE(has_children());
  CHECK(read(ready.read_end.get(), &byte, 1) == 0);
}
