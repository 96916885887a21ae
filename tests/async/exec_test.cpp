// Many commands under one loop.
#include <doctest/doctest.h>
#include <unistd.h>

#include "tests/async/support.hpp"

using namespace jobring;
using namespace jobring::test;
using namespace std::chrono_literals;

namespace {

Command shell(const std::string& script) {
  Command command;
  command.argv = {"sh", "-c", script};
  return command;
}

}  // namespace

TEST_CASE("many commands at a time keep their output apart") {
  Daemon daemon(async_pool());
  Pool pool = daemon.connect().pool();
  std::vector<Future> all;
  for (int i = 0; i < 100; ++i) {
    const std::string n = std::to_string(i);
    all.push_back(pool.run(shell("echo out" + n + "; echo err" + n + " >&2; exit " + n)));
  }
  for (int i = 0; i < 100; ++i) {
    const JobResult& result = all[std::size_t(i)].result();
    const CommandResult command = result.command();
    CHECK(command.out == "out" + std::to_string(i) + "\n");
    CHECK(command.err == "err" + std::to_string(i) + "\n");
    CHECK(command.report.exit_code == i);
    CHECK(result.outcome == (i == 0 ? Outcome::ok : Outcome::failed));
  }
}

TEST_CASE("commands run at the same time in one worker") {
  Daemon daemon(async_pool());
  Pool pool = daemon.connect().pool();
  const std::string fifo = daemon.dir() / "fifo";
  // Each end of a FIFO waits for the other.
  CHECK(run_program({"mkfifo", fifo}).status == 0);
  const Future reads = pool.run(shell("cat " + fifo));
  const Future writes = pool.run(shell("echo through > " + fifo));
  CHECK(writes.result().ok());
  CHECK(reads.result().command().out == "through\n");
}

TEST_CASE("a command is fed its input and more output than a pipe holds is collected") {
  Daemon daemon(async_pool());
  Pool pool = daemon.connect().pool();
  Command cat;
  cat.argv = {"cat"};
  cat.stdin_text = std::string(500'000, 'i');
  const Future fed = pool.run(cat);
  Command deaf;
  deaf.argv = {"true"};
  deaf.stdin_text = std::string(500'000, 'i');
  const Future not_read = pool.run(deaf);
  CHECK(fed.result().command().out == cat.stdin_text);
  CHECK(not_read.result().ok());
}

TEST_CASE("a command that cannot be started says at which step") {
  Daemon daemon(async_pool());
  Pool pool = daemon.connect().pool();
  Command none;
  none.argv = {"/no/such/program"};
  const Future f = pool.run(none);
  CHECK(f.result().outcome == Outcome::failed);
  CHECK(f.result().command().report.start_step == "exec /no/such/program");
}

TEST_CASE("a command that cannot be started is not taken for another one that runs") {
  Daemon daemon(async_pool());
  Pool pool = daemon.connect().pool();
  const std::string gate = daemon.dir() / "gate", file = daemon.dir() / "notes";
  const Future runs = pool.run(
      shell("echo x > " + file + "; while [ ! -e " + gate + " ]; do sleep 0.01; done; echo fine"));
  REQUIRE(has_lines(file, 1));
  Command none;
  none.argv = {"/no/such/program"};
  std::vector<Future> others;
  for (int i = 0; i < 20; ++i) others.push_back(pool.run(none));
  for (const Future& f : others)
    CHECK(f.result().command().report.start_step == "exec /no/such/program");
  write_file(gate, "");
  CHECK(runs.result().ok());
  CHECK(runs.result().command().out == "fine\n");
}

TEST_CASE("one of many commands is ended by its time-out and the others go on") {
  Daemon daemon(async_pool());
  Pool pool = daemon.connect().pool();
  JobOptions options;
  options.timeout = 100ms;
  const Future late = pool.run(shell("sleep 1000"), options);
  const Future other = pool.run(shell("sleep 1000"));
  CHECK(late.result().outcome == Outcome::timed_out);
  CHECK(late.result().command().report.timed_out);
  CHECK_FALSE(other.ready());
  other.kill();
  CHECK(other.result().outcome == Outcome::killed);
  CHECK(other.result().command().report.signal == SIGTERM);
}

TEST_CASE("a command that ignores TERM is killed after the grace without its worker") {
  Daemon daemon(async_pool(256), R"(, "kill_grace": "100ms")");
  Pool pool = daemon.connect().pool();
  const std::string file = daemon.dir() / "notes";
  const Future stubborn =
      pool.run(shell("trap '' TERM; echo x > " + file + "; while :; do sleep 0.01; done"));
  const Future other = pool.submit("sleep", "1h");
  REQUIRE(has_lines(file, 1));
  const std::vector<pid_t> before = daemon.workers();
  stubborn.kill();
  CHECK(stubborn.result().outcome == Outcome::killed);
  CHECK(stubborn.result().command().report.signal == SIGKILL);
  CHECK(daemon.workers() == before);
  CHECK_FALSE(other.ready());
  other.kill();
}

TEST_CASE("what an ended command left running outside its group is killed and what runs is not") {
  Daemon daemon(async_pool());
  Pool pool = daemon.connect().pool();
  const std::string file = daemon.dir() / "pids";
  // Both leave a process of another session; one of the commands goes on.
  const Future stays =
      pool.run(shell("setsid sleep 1000 & echo $! >> " + file + "; exec sleep 1000"));
  REQUIRE(has_lines(file, 1));
  const Future ends = pool.run(shell("setsid sleep 1000 & echo $! >> " + file));
  CHECK(ends.result().ok());
  REQUIRE(has_lines(file, 2));
  const auto pids = lines(file);
  CHECK(eventually([&] { return !alive(pid_t(std::stoi(pids[1]))); }));
  CHECK(alive(pid_t(std::stoi(pids[0]))));
  stays.kill();
  stays.wait();
  CHECK(eventually([&] { return !alive(pid_t(std::stoi(pids[0]))); }));
}

TEST_CASE("a command of an async pool may take over the client's descriptors") {
  Daemon daemon(async_pool());
  const std::string file = daemon.dir() / "output";
  // In a process of its own, whose descriptors these are.
  const pid_t child = fork();
  if (child == 0) {
    FILE* out = std::freopen(file.c_str(), "w", stdout);
    int status = 1;
    try {
      ChannelOptions options;
      options.pass_stdio = true;
      Pool pool = daemon.connect().pool("default", options);
      const Future f = pool.run_with_stdio(shell("echo to the client"));
      status = out != nullptr && f.result().ok() ? 0 : 2;
    } catch (const std::exception&) {
    }
    _exit(status);
  }
  CHECK(wait_exit(child) == 0);
  CHECK(read_file(file) == "to the client\n");
}

TEST_CASE("more commands than a worker has descriptors for wait their turn") {
  Daemon daemon(async_pool(500, R"(, "limits": {"open_files": 128})"));
  Pool pool = daemon.connect().pool();
  std::vector<Future> all;
  for (int i = 0; i < 200; ++i) all.push_back(pool.run(shell("echo " + std::to_string(i))));
  for (int i = 0; i < 200; ++i)
    CHECK(all[std::size_t(i)].result().command().out == std::to_string(i) + "\n");
}
