// SIGKILL of the supervisor, in pools of every model: its workers see the end of the control socket
// or the signal of their parent's death, whichever comes first. Nothing of theirs may stay, and no
// job may end otherwise than as lost.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "common/exec_codec.hpp"
#include "tests/support/daemon.hpp"

using namespace jobring;
using namespace jobring::test;

namespace {

struct Model {
  const char* name;
  const char* pool;  // its settings: eight jobs at once
};
constexpr Model kModels[] = {
    {"process", R"({"workers": 8})"},
    {"thread", R"({"workers": 1, "model": "thread", "threads": 8})"},
    {"async", R"({"workers": 1, "model": "async", "max_in_flight": 8})"},
};
constexpr int kCommands = 8;

std::string pools(const Model& model, const std::string& more = "") {
  std::string pool = model.pool;
  pool.insert(pool.size() - 1, more);
  return "{\"default\": " + pool + "}";
}

Command shell(const std::string& script) {
  return {.argv = {"sh", "-c", script}};
}

// A pid that a command writes in one step.
std::string tell_pid(const std::string& file) {
  return "echo $$ > " + file + ".new; mv " + file + ".new " + file + "; ";
}

pid_t pid_in(const std::string& file) {
  return pid_t(std::atoi(read_file(file).c_str()));
}

// Memory that our channels hold, in blocks of 512 bytes.
long blocks_of_channels() {
  long blocks = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    const std::string target = std::filesystem::read_symlink(entry.path(), gone).string();
    struct stat info;
    if (target.starts_with("/memfd:jobring:channel") && stat(entry.path().c_str(), &info) == 0)
      blocks += info.st_blocks;
  }
  return blocks;
}

}  // namespace

TEST_CASE("what commands and their workers left goes when the supervisor is killed") {
  for (const Model& model : kModels) {
    CAPTURE(std::string(model.name));
    Daemon daemon(pools(model));
    Pool pool = daemon.connect().pool();
    std::vector<std::string> files;
    std::vector<Future> jobs;
    // One after the other: each has its command, and a process that left its group and session.
    for (int i = 0; i < 3; ++i) {
      const std::string file = daemon.dir() / std::to_string(i);
      jobs.push_back(pool.run(shell("setsid sh -c '" + tell_pid(file + "d") + "exec sleep 300' & " +
                                    tell_pid(file) + "exec sleep 300")));
      files.push_back(file);
      files.push_back(file + "d");
    }
    for (const std::string& file : files)
      REQUIRE(eventually([&] { return access(file.c_str(), F_OK) == 0; }));
    const std::vector<pid_t> workers = daemon.workers();
    daemon.signal(SIGKILL);
    for (const pid_t worker : workers) CHECK(eventually([&] { return !alive(worker); }));
    for (const std::string& file : files) CHECK(eventually([&] { return !alive(pid_in(file)); }));
  }
}

// Its worker may not have come to it, or keeps it for as long as it lives itself.
TEST_CASE("what a command has left goes with the supervisor though the command is over") {
  for (const Model& model : kModels) {
    for (const std::string strays : {"kill", "keep"}) {
      for (const bool stopped : {false, true}) {
        CAPTURE(std::string(model.name));
        CAPTURE(strays);
        CAPTURE(stopped);
        Daemon daemon(pools(model, ", \"strays\": \"" + strays + "\""));
        const std::string file = daemon.dir() / "left";
        const Command command = shell("setsid sh -c '" + tell_pid(file) + "exec sleep 300' & " +
                                      "while [ ! -e " + file + " ]; do sleep 0.01; done");
        Pool pool = daemon.connect().pool();
        const Future over = pool.run(command);
        REQUIRE(over.result().ok());
        CHECK(daemon.die(stopped));
        CHECK(eventually([&] { return !alive(pid_in(file)); }));
      }
    }
  }
}

TEST_CASE("the payload of a lost job is left to a worker that may still read it") {
  Daemon daemon(R"({"default": {"workers": 1, "extent_cache": "0B"}})");
  Client client = daemon.connect();
  Channel channel = client.channel();
  const std::string began = daemon.dir() / "began";
  Command command = shell("touch " + began + "; exec sleep 300");
  command.stdin_text = std::string(200'000, 'x');
  const auto exec = channel.handler("exec");
  REQUIRE(channel.prepare(exec, encode(command), 1));
  channel.submit();
  REQUIRE(eventually([&] { return access(began.c_str(), F_OK) == 0; }));
  const long before = blocks_of_channels();
  CHECK(before * 512 > 200'000);
  daemon.signal(SIGKILL);
  REQUIRE(channel.wait(std::chrono::seconds(10)));
  REQUIRE(channel.reap().size() == 1);
  CHECK(channel.reap().empty());  // it is the channel's again
  CHECK(blocks_of_channels() >= before);
}

TEST_CASE("commands that end with their supervisor are lost and have not failed") {
  for (const Model& model : kModels) {
    // Which of the two the worker sees first, and how far its lanes are by then, is chance.
    for (int round = 0; round < 4; ++round) {
      CAPTURE(std::string(model.name));
      CAPTURE(round);
      Daemon daemon(pools(model));
      Client client = daemon.connect();
      Channel channel = client.channel();
      const auto exec = channel.handler("exec");
      for (int i = 0; i < kCommands; ++i) {
        const std::string file = daemon.dir() / std::to_string(i);
        const Command command = shell("touch " + file + "; exec sleep 300");
        REQUIRE(channel.prepare(exec, encode(command), std::uint64_t(i)));
      }
      channel.submit();
      for (int i = 0; i < kCommands; ++i) {
        const std::string file = daemon.dir() / std::to_string(i);
        REQUIRE(eventually([&] { return access(file.c_str(), F_OK) == 0; }));
      }
      const std::vector<pid_t> workers = daemon.workers();
      daemon.signal(SIGKILL);
      // Whatever they complete, they have completed by then.
      for (const pid_t worker : workers) REQUIRE(eventually([&] { return !alive(worker); }));
      int ended = 0;
      while (ended < kCommands) {
        REQUIRE(channel.wait(std::chrono::seconds(10)));
        for (const Completion& c : channel.reap()) {
          CHECK(c.outcome == Outcome::lost);
          ++ended;
        }
      }
    }
  }
}
