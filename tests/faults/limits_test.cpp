// Memory, descriptors, processes and disk that run out: in a worker, in the supervisor, on a
// client.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <sstream>
#include <vector>

#include "tests/faults/hurt.hpp"

using namespace jobring;
using namespace jobring::test;
using namespace std::chrono_literals;

namespace {

// Small channels, so that a limit of a few MiB leaves room for them.
constexpr const char* kSmall = R"(, "slots": 16, "max_payload": "4KiB", "max_result": "4KiB")";

// Limits of processes do not hold root: there the daemon runs as somebody else, who alone may
// change them later, unless root has all its capabilities.
const std::string kSomebody = "23456";
const std::string kProcesses = "4096";

std::vector<std::string> by_somebody() {
  if (geteuid() != 0) return {};
  return {"setpriv", "--reuid=" + kSomebody, "--regid=" + kSomebody, "--clear-groups"};
}

std::vector<std::string> as_somebody() {
  // The last argument is the config file; its directory is to be the daemon's.
  std::string own = "prlimit --nproc=" + kProcesses + ":" + kProcesses + " ";
  for (const std::string& word : by_somebody()) own += word + " ";
  return {"sh", "-c",
          (geteuid() == 0 ? "chown -R " + kSomebody + " \"$(dirname \"$3\")\" && " : "") + "exec " +
              own + "\"$@\"",
          "sh"};
}

void limit_processes(pid_t pid, const std::string& soft) {
  std::vector<std::string> command = by_somebody();
  command.insert(command.end(), {"prlimit", "--pid", std::to_string(pid), "--nproc=" + soft + ":"});
  const Ran ran = run_program(command);
  CAPTURE(ran.output);
  REQUIRE(ran.status == 0);
}

// Processor time that a process has used.
std::chrono::milliseconds cpu_of(pid_t pid) {
  const std::string stat = read_file("/proc/" + std::to_string(pid) + "/stat");
  std::istringstream fields(stat.substr(stat.rfind(')') + 2));
  std::string skip;
  for (int i = 0; i < 11; ++i) fields >> skip;
  long user = 0, system = 0;
  fields >> user >> system;
  return std::chrono::milliseconds((user + system) * 1000 / sysconf(_SC_CLK_TCK));
}

int connect_raw(const std::string& path) {
  const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    close(fd);
    return -1;
  }
  return fd;
}

// A control group with little memory, if this machine lets us make one.
class MemoryGroup {
 public:
  explicit MemoryGroup(const std::string& bytes) {
    for (const auto& [root, file] : {std::pair{"/sys/fs/cgroup/memory", "memory.limit_in_bytes"},
                                     std::pair{"/sys/fs/cgroup", "memory.max"}}) {
      path_ = std::string(root) + "/jobring-test-" + std::to_string(getpid());
      if (mkdir(path_.c_str(), 0755) != 0) continue;
      if (access((path_ + "/" + file).c_str(), W_OK) == 0) {
        write_file(path_ + "/" + file, bytes);
        made_ = true;
        return;
      }
      rmdir(path_.c_str());
    }
  }
  ~MemoryGroup() {
    if (made_) eventually([&] { return rmdir(path_.c_str()) == 0; });
  }
  bool made() const { return made_; }
  void take(pid_t pid) { write_file(path_ + "/cgroup.procs", std::to_string(pid)); }

 private:
  std::string path_;
  bool made_ = false;
};

}  // namespace

// ---- memory

TEST_CASE("a job whose worker the kernel kills for lack of memory learns that") {
  Daemon daemon(hurtful(1));
  Pool pool = daemon.connect().pool();
  MemoryGroup group("64M");
  if (!group.made()) {
    MESSAGE("no memory control group can be made here: the kernel's killer is not tried");
    return;
  }
  group.take(std::stoi(pool.call("pid", "")));
  const JobResult result = pool.submit("eat_memory", "").result();
  CAPTURE(result.text());
  CHECK(result.outcome == Outcome::crashed);
  CHECK(result.detail == SIGKILL);
  CHECK(has(result.text(), "the kernel's out-of-memory killer was at work"));
  CHECK(has(result.text(), " MiB of memory"));
  CHECK(pool.call("echo", "on") == "on");
}

TEST_CASE("a job whose worker somebody else kills is told that it was not the lack of memory") {
  Daemon daemon(hurtful(1));
  Pool pool = daemon.connect().pool();
  const std::string file = daemon.dir() / "running";
  const Future f = pool.submit("note_and_wait", file);
  REQUIRE(eventually([&] { return has(read_file(file), "\n"); }));
  kill(std::stoi(read_file(file)), SIGKILL);
  CHECK(has(f.result().text(), "not by jobring"));
  CHECK(has(f.result().text(), "out-of-memory killer was not seen"));
}

TEST_CASE("a job that reaches the pool's memory limit fails, and its worker stays") {
  Daemon daemon(hurtful(1, std::string(kSmall) + R"(, "limits": {"memory": "128MiB"})"));
  Pool pool = daemon.connect().pool();
  const std::string before = pool.call("pid", "");
  const JobResult result = pool.submit("eat_memory", "").result();
  CHECK(result.outcome == Outcome::failed);
  CHECK(result.text() == "malloc() gave nothing");
  CHECK(daemon.status_number("crashes") == 0);
}

TEST_CASE("when no worker has room for a channel its clients learn that, instead of waiting") {
  // A channel of 128 MiB would fit, if there were not the worker itself.
  Daemon daemon(hurtful(2, R"(, "slots": 64, "limits": {"memory": "129MiB"})"));
  Pool pool = daemon.connect().pool();
  const Future f = pool.submit("echo", "x");
  REQUIRE(f.wait_for(20s));
  CAPTURE(f.result().text());
  CHECK(f.result().outcome == Outcome::lost);
  CHECK(has(f.result().text(), "limits.memory"));
  CHECK(alive(daemon.pid()));
}

TEST_CASE("a supervisor that cannot map a channel refuses that one and serves smaller ones") {
  Daemon daemon(R"({"default": {"workers": 1}})", "", {"prlimit", "--as=2000000000"});
  Client client = daemon.connect();
  try {
    (void)client.channel();
    FAIL("a channel of 8 GiB was mapped within 2 GB");
  } catch (const Exception& e) {
    CHECK(has(e.what(), "Cannot allocate memory"));
  }
  Channel small = client.channel("default", {.slots = 16, .pass_stdio = false});
  REQUIRE(small.prepare(small.handler("echo"), "x", 1));
  small.submit();
  REQUIRE(small.wait(10s));
  CHECK(small.reap()[0].text() == "x");
}

TEST_CASE("a limit of file sizes stops channels, not the supervisor") {
  // It would get SIGXFSZ when it makes a segment.
  Daemon daemon(R"({"default": {"workers": 1}})", "", {"prlimit", "--fsize=100000000"});
  Client client = daemon.connect();
  try {
    (void)client.channel();
    FAIL("a segment outgrew RLIMIT_FSIZE");
  } catch (const Exception& e) {
    CHECK(has(e.what(), "File too large"));
  }
  Channel small = client.channel("default", {.slots = 16, .pass_stdio = false});
  REQUIRE(small.prepare(small.handler("echo"), "x", 1));
  small.submit();
  REQUIRE(small.wait(10s));
  CHECK(small.reap()[0].text() == "x");
}

// ---- descriptors

TEST_CASE("a worker whose descriptors a job has used up is replaced when it needs one") {
  Daemon daemon(hurtful(1, R"(, "limits": {"open_files": 64})"));
  Pool first = daemon.connect().pool();
  CHECK(std::stoi(first.call("leak_descriptors", "")) > 10);
  const std::string before = first.call("pid", "");
  // A new client's channel comes with descriptors.
  Pool second = daemon.connect().pool();
  const Future f = second.submit("pid", "");
  REQUIRE(f.wait_for(20s));
  CHECK(f.result().outcome == Outcome::ok);
  CHECK(f.result().text() != before);
  CHECK(has(daemon.log(), "limits.open_files"));
}

TEST_CASE("a command that finds no descriptor left fails and says so") {
  Daemon daemon(hurtful(1, R"(, "limits": {"open_files": 64})"));
  Pool pool = daemon.connect().pool();
  CHECK(pool.run({.argv = {"true"}}).result().outcome == Outcome::ok);
  pool.call("leak_descriptors", "");
  const Future f = pool.run({.argv = {"true"}});
  REQUIRE(f.wait_for(20s));
  CHECK(f.result().outcome == Outcome::failed);
  CHECK(has(f.result().command().report.start_step, "pipe"));
  CHECK(f.result().command().report.start_errno == EMFILE);
}

TEST_CASE("a supervisor without descriptors rests, and serves again when there are some") {
  Daemon daemon(R"({"default": {"workers": 1}})", "", {"prlimit", "--nofile=64:64"});
  Client early = daemon.connect();
  Pool pool = early.pool();
  CHECK(pool.call("echo", "before") == "before");
  std::vector<int> many;
  for (int i = 0; i < 200; ++i) many.push_back(connect_raw(daemon.socket()));
  REQUIRE(eventually([&] { return has(daemon.log(), "out of file descriptors"); }));
  // Those that are in are served, and those that wait cost nothing.
  const auto before = cpu_of(daemon.pid());
  const auto until = std::chrono::steady_clock::now() + 1s;
  while (std::chrono::steady_clock::now() < until) CHECK(pool.call("echo", "in") == "in");
  CHECK(cpu_of(daemon.pid()) - before < 200ms);
  for (const int fd : many) close(fd);
  CHECK(daemon.connect().pool().call("echo", "after") == "after");
}

// ---- processes

TEST_CASE("a command that cannot be forked fails and says so") {
  Daemon daemon(hurtful(1), "", as_somebody());
  Pool pool = daemon.connect().pool();
  limit_processes(std::stoi(pool.call("pid", "")), "0");
  const Future f = pool.run({.argv = {"true"}});
  REQUIRE(f.wait_for(20s));
  CHECK(f.result().outcome == Outcome::failed);
  CHECK(f.result().command().report.start_errno == EAGAIN);
  CHECK(has(f.result().command().report.start_step, "fork"));
  CHECK(pool.call("echo", "on") == "on");
}

TEST_CASE("a supervisor that cannot fork goes on trying, and its jobs wait") {
  Daemon daemon(hurtful(1), "", as_somebody());
  Pool pool = daemon.connect().pool();
  const pid_t worker = std::stoi(pool.call("pid", ""));
  limit_processes(daemon.pid(), "0");
  kill(worker, SIGKILL);
  REQUIRE(eventually([&] { return has(daemon.log(), "cannot start worker 0: "); }));
  const Future f = pool.submit("echo", "waited");
  limit_processes(daemon.pid(), kProcesses);
  REQUIRE(f.wait_for(20s));
  CHECK(f.get() == "waited");
}

TEST_CASE("a pool whose workers cannot be forked for long tells its clients why, and recovers") {
  Daemon daemon(
      hurtful(1),
      R"(, "restart": {"backoff_min": "10ms", "backoff_max": "100ms", "crash_loop_count": 3})",
      as_somebody());
  Pool pool = daemon.connect().pool();
  const pid_t worker = std::stoi(pool.call("pid", ""));
  limit_processes(daemon.pid(), "0");
  kill(worker, SIGKILL);
  REQUIRE(eventually([&] { return has(daemon.connect().status_json(), "\"broken\""); }));
  CHECK(has(daemon.connect().status_json(), "no worker can be started: "));
  CHECK(has(daemon.connect().status_json(), "Resource temporarily unavailable"));
  limit_processes(daemon.pid(), kProcesses);
  REQUIRE(eventually([&] { return !has(daemon.connect().status_json(), "\"broken\""); }));
  CHECK(daemon.connect().pool().call("echo", "on") == "on");
}

// ---- disk

TEST_CASE("a daemon whose log cannot be written goes on") {
  Daemon daemon(hurtful(1), "", {}, "/dev/full");
  Pool pool = daemon.connect().pool();
  for (int i = 0; i < 5; ++i)
    CHECK(pool.submit("null_write", "").result().outcome == Outcome::crashed);
  CHECK(pool.call("echo", "on") == "on");
  CHECK(alive(daemon.pid()));
}

TEST_CASE("the command line says when its output or job log cannot be written") {
  Daemon daemon(hurtful(1));
  const std::string jobring = program("jobring") + " ";
  const std::string at = " --socket " + daemon.socket();
  for (const std::string& line :
       {"echo x | " + jobring + "call" + at + " echo > /dev/full",
        "seq 100 | " + jobring + "map" + at + " --handler echo > /dev/full",
        "seq 100 | " + jobring + "map" + at + " --joblog /dev/full --handler echo > /dev/null"}) {
    CAPTURE(line);
    const Ran ran = run_program({"sh", "-c", line});
    CAPTURE(ran.output);
    CHECK(ran.status != 0);
    CHECK(has(ran.output, "No space left on device"));
  }
  CHECK(daemon.connect().pool().call("echo", "on") == "on");
}
