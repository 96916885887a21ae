// The end of a daemon, and pools that are out of order, as the keeper and its jobs see them.
#include <doctest/doctest.h>

#include <unistd.h>

#include <filesystem>

#include "tests/keeper_channels/lent_keeper.hpp"

using namespace jobring;
using namespace jobring::test;

namespace {

struct Scene {
  explicit Scene(const std::string& more, const std::string& pools = KeeperHouse::noting_pool(1))
      : house(pools, "lend", more) {
    house.start_keeper();
    core = house.borrow();
    auto opened = open_kept(core, "default", getuid(), getgid());
    REQUIRE(opened.ok());
    kept.emplace(std::move(*opened));
  }
  JobRef submit(const std::string& id, const std::string& hold = "") {
    JobOptions options;
    options.tag = id + ".1";
    JobRef ref;
    REQUIRE(kept->channel.prepare(kept->channel.handler("note"), house.payload(id, hold), 0,
                                  options, &ref));
    kept->channel.submit();
    return ref;
  }
  // The next ending.
  std::pair<Outcome, std::string> ending() {
    std::pair<Outcome, std::string> end{Outcome::ok, "none came"};
    CHECK(eventually([&] {
      for (const Completion& done : kept->channel.reap(1)) {
        end = {done.outcome,
               {reinterpret_cast<const char*>(done.result.data()), done.result.size()}};
        return true;
      }
      return false;
    }));
    return end;
  }
  bool asked(const char* what) const { return access(house.state(what).c_str(), F_OK) == 0; }

  KeeperHouse house;
  std::shared_ptr<detail::ClientCore> core;
  std::optional<KeptChannel> kept;
};

}  // namespace

TEST_CASE("when the daemon drains the keeper withdraws what waits and hears of what runs") {
  Scene scene(R"(, "kill_grace": "5s")");
  scene.submit("1", "go on");
  REQUIRE(eventually([&] { return scene.house.notes() == "1\n"; }));
  scene.submit("2");
  CHECK(scene.kept->takes_jobs());
  scene.house.daemon().signal(SIGTERM);
  CHECK(eventually([&] { return scene.asked("told to drain"); }));
  CHECK(scene.kept->channel.cancel_all() == 1);
  CHECK(eventually([&] { return !scene.kept->takes_jobs(); }));
  CHECK(!scene.kept->broken());
  CHECK(scene.ending().first == Outcome::cancelled);
  CHECK(!scene.asked("asked to end"));  // a job runs yet
  write_file(scene.house.file("go on"), "");
  CHECK(scene.ending() == std::pair(Outcome::ok, std::string("noted 1")));
  CHECK(scene.house.daemon().wait_end() == 0);
  CHECK(scene.asked("asked to end"));
  CHECK(scene.house.notes() == "1\n");
}

TEST_CASE("a keeper that starts while the daemon drains is told of it") {
  Scene scene(R"(, "kill_grace": "5s")");
  scene.submit("1", "go on");
  REQUIRE(eventually([&] { return scene.house.notes() == "1\n"; }));
  scene.house.daemon().signal(SIGTERM);
  REQUIRE(eventually([&] { return scene.asked("told to drain"); }));
  std::filesystem::remove(scene.house.state("told to drain"));
  scene.house.kill_keeper();
  scene.kept.reset();
  scene.core = scene.house.borrow();
  auto kept = open_kept(scene.core, "default", getuid(), getgid());
  REQUIRE(kept.ok());
  scene.kept.emplace(std::move(*kept));
  CHECK(eventually([&] { return scene.asked("told to drain"); }));
  CHECK(scene.kept->adopted.size() == 1);
  write_file(scene.house.file("go on"), "");
  CHECK(scene.ending() == std::pair(Outcome::ok, std::string("noted 1")));
  CHECK(scene.house.daemon().wait_end() == 0);
}

TEST_CASE("jobs that are cut short by the end of the daemon end as lost while there is a keeper") {
  Scene scene(R"(, "kill_grace": "20s", "drain_timeout": "100ms")");
  write_file(scene.house.state("record endings"), "");
  scene.submit("1", "never");
  REQUIRE(eventually([&] { return scene.house.notes() == "1\n"; }));
  scene.house.daemon().signal(SIGTERM);
  CHECK(scene.ending() ==
        std::pair(Outcome::lost, std::string("the daemon was stopped while it ran")));
  CHECK(eventually([&] { return scene.asked("asked to end"); }));
  CHECK(scene.core->check_connection());
  std::filesystem::remove(scene.house.state("record endings"));
  CHECK(scene.house.daemon().wait_end() == 1);
}

TEST_CASE("a keeper that does not end is killed after kill_grace") {
  Scene scene(R"(, "kill_grace": "100ms")");
  write_file(scene.house.state("record endings"), "");
  scene.house.daemon().signal(SIGTERM);
  CHECK(scene.house.daemon().wait_end() == 0);
  CHECK(scene.asked("asked to end"));
  CHECK(scene.house.daemon().log().find("did not end within kill_grace") != std::string::npos);
}

TEST_CASE("durable jobs wait for a pool that is out of order") {
  // Its workers start only while there is a file "well".
  TempDir dir;
  write_file(dir / "well", "");
  write_file(dir / "worker", "#!/bin/sh\ntest -e " + (dir / "well") + " && exec " +
                                 program("jobring-worker") + "\nexit 1\n");
  std::filesystem::permissions(dir / "worker", std::filesystem::perms::owner_all);
  Scene scene(
      R"(, "restart": {"backoff_min": "5ms", "backoff_max": "50ms", "crash_loop_count": 2})",
      R"({"default": {"workers": 1, "command": [")" + (dir / "worker") + R"("], "modules": [")" +
          test_module("noting") + "\"]}}");
  scene.submit("1", "never");
  REQUIRE(eventually([&] { return scene.house.notes() == "1\n"; }));
  scene.submit("2");
  std::filesystem::remove(dir / "well");
  const auto children = scene.house.daemon().workers();
  for (const pid_t child : children) {
    if (child != scene.house.keeper()) kill(child, SIGKILL);
  }
  CHECK(scene.ending().first == Outcome::crashed);
  REQUIRE(eventually([&] { return !scene.kept->takes_jobs(); }));
  CHECK(!scene.kept->broken());
  CHECK(scene.kept->channel.outstanding() == 1);
  write_file(dir / "well", "");
  CHECK(scene.ending() == std::pair(Outcome::ok, std::string("noted 2")));
  CHECK(scene.kept->takes_jobs());
}
