// One daemon at a time has the durable jobs of a state directory, and none of a dead one's runs on.
#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <filesystem>

#include "common/exec_codec.hpp"
#include "common/keeper_pool.hpp"
#include "tests/keeper_channels/lent_keeper.hpp"

using namespace jobring;
using namespace jobring::test;

namespace {

bool locked(const std::string& path) {
  const UniqueFd file(open(path.c_str(), O_RDWR | O_CLOEXEC));
  REQUIRE(file);
  return flock(file.get(), LOCK_EX | LOCK_NB) != 0;
}

std::string refusal(const Daemon& daemon) {
  Client client = daemon.connect();
  try {
    client.channel(kKeeperPool);
    return "";
  } catch (const Exception& e) {
    return e.what();
  }
}

std::string on(const std::string& state) {
  return R"(, "keeper": {"state_dir": ")" + state + "\"}";
}

// A durable job 1.1 that leaves a process behind which has a session of its own; its pid.
pid_t leave_process(KeeperHouse& house, KeptChannel& kept, const std::string& prefix = "") {
  const std::string file = house.file("left");
  Command command;
  command.argv = {"sh", "-c",
                  prefix + "setsid sh -c 'echo $$ > " + file + ".new; mv " + file + ".new " + file +
                      "; sleep 600' & wait"};
  JobOptions options;
  options.tag = "1.1";
  REQUIRE(kept.channel.prepare(kept.channel.handler("exec"), encode(command), 0, options));
  kept.channel.submit();
  REQUIRE(eventually([&] { return !read_file(file).empty(); }));
  return std::stoi(read_file(file));
}

}  // namespace

TEST_CASE("a state directory belongs to one daemon at a time") {
  setenv("JOBRING_KEEPER", program("test_keeper").c_str(), 1);
  TempDir dir;
  auto first = std::make_unique<Daemon>(R"({"default": {"workers": 1}})", on(dir / "state"));
  CHECK(refusal(*first) == "");
  const Daemon second(R"({"default": {"workers": 1}})", on(dir / "state"));
  const std::string why = refusal(second);
  CHECK(why.find("another daemon keeps its durable jobs there") != std::string::npos);
  CHECK(why.find(std::to_string(first->pid())) != std::string::npos);
  CHECK(why.find('\n') == std::string::npos);
  // By itself, when the first is gone.
  first.reset();
  CHECK(eventually(
      [&] { return second.connect().status_json().find("\"@keeper\"") != std::string::npos; }));
  CHECK(refusal(second) == "");
}

TEST_CASE("whoever may run a durable job holds the lock and commands do not") {
  LentChannel lent;
  KeeperHouse& house = lent.house;
  KeptChannel& kept = lent.kept;
  const pid_t left = leave_process(house, kept);
  // Where else is it open than in daemon and workers?
  const auto holds = [&](pid_t pid) {
    std::error_code ignored;
    for (const auto& fd :
         std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd", ignored)) {
      if (std::filesystem::read_symlink(fd, ignored) == house.state("lives")) return true;
    }
    return false;
  };
  CHECK(holds(house.daemon().pid()));
  CHECK(holds(house.keeper()));
  CHECK(!holds(left));
  std::size_t workers = 0;
  for (const pid_t worker : house.daemon().workers())
    workers += worker != house.keeper() && holds(worker);
  CHECK(workers >= 1);
  kept.close();
}

TEST_CASE("what a handler of a dead daemon has forked is waited for and then ended") {
  LentChannel lent;
  KeeperHouse& house = lent.house;
  KeptChannel& kept = lent.kept;
  // It does not care for SIGTERM, and has the lock from its worker.
  REQUIRE(kept.channel.prepare(kept.channel.handler("fork"), house.file("child"), 0));
  kept.channel.submit();
  REQUIRE(eventually([&] { return read_file(house.file("child")).ends_with('\n'); }));
  const pid_t child = std::stoi(read_file(house.file("child")));
  house.daemon().signal(SIGKILL);
  house.daemon().wait_end();
  CHECK(alive(child));
  CHECK(locked(house.state("lives")));
  const Daemon next(KeeperHouse::noting_pool(1),
                    R"(, "kill_grace": "3s")" + on(house.file("state")));
  const std::string why = refusal(next);
  CHECK(why.find("workers of a daemon that is gone still run durable jobs") != std::string::npos);
  CHECK(why.find('\n') == std::string::npos);
  CHECK(eventually([&] { return refusal(next) == ""; }));
  CHECK(!alive(child));
}

TEST_CASE("a daemon that dies by SIGKILL leaves nothing of its durable jobs to the next") {
  LentChannel lent;
  KeeperHouse& house = lent.house;
  KeptChannel& kept = lent.kept;
  const pid_t left = leave_process(house, kept);
  house.daemon().signal(SIGKILL);
  house.daemon().wait_end();
  const Daemon next(KeeperHouse::noting_pool(1), on(house.file("state")));
  CHECK(eventually([&] { return refusal(next) == ""; }));
  CHECK(!alive(left));
}

TEST_CASE("what a dead daemon's durable job has left running is ended before there is a keeper") {
  LentChannel lent;
  KeeperHouse& house = lent.house;
  KeptChannel& kept = lent.kept;
  const pid_t left = leave_process(house, kept);
  // All at once: nobody is there to end what the command has started.
  const auto workers = house.daemon().workers();
  house.daemon().signal(SIGSTOP);
  for (const pid_t worker : workers) kill(worker, SIGKILL);
  house.daemon().signal(SIGKILL);
  house.daemon().wait_end();
  REQUIRE(alive(left));
  const Daemon next(KeeperHouse::noting_pool(1), on(house.file("state")));
  CHECK(eventually([&] { return refusal(next) == ""; }));
  CHECK(!alive(left));
}

TEST_CASE("a daemon that starts from within a durable job does not end itself") {
  setenv("JOBRING_KEEPER", program("test_keeper").c_str(), 1);
  TempDir dir;
  {
    const Daemon first(R"({"default": {"workers": 1}})", on(dir / "state"));
    REQUIRE(refusal(first) == "");
  }
  setenv("JOBRING_STATE", read_file(dir / "state/id").c_str(), 1);
  const Daemon inner(R"({"default": {"workers": 1}})", on(dir / "state"));
  unsetenv("JOBRING_STATE");
  CHECK(eventually([&] { return refusal(inner) == ""; }));
  CHECK(inner.connect().pool("default").submit("echo", "there").get() == "there");
}
