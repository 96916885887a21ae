// A disk that refuses what the real keeper writes: who submits is pushed back, nothing that was
// acknowledged is lost, what runs ends, and other work goes on. (A disk that is really full:
// trouble_test.cpp.)
#include <errno.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/durable/house.hpp"

using namespace jobring;
using namespace jobring::test;
using namespace std::chrono_literals;

namespace {

struct Refusal {
  const char* what;
  std::atomic<std::int32_t> FateWords::*of;
  int error;
  const char* kind;  // of the DurableError that says so
};
constexpr Refusal kRefusals[] = {
    {"full", &FateWords::write_error, ENOSPC, "full"},
    {"cannot be written", &FateWords::write_error, EIO, "store_failed"},
    {"cannot be synced", &FateWords::sync_error, EIO, "store_failed"}};

std::string kind_of_refusal(DurableJobs& jobs, const DurableOptions& options = {}) {
  try {
    jobs.submit("echo", "", options);
    return "accepted";
  } catch (const DurableError& e) {
    CHECK(std::string(e.what()).find('\n') == std::string::npos);
    return e.kind();
  }
}

bool accepts(DurableJobs& jobs, JobId& id) {
  try {
    id = jobs.submit("echo", "again").id();
    return true;
  } catch (const DurableError&) {
    return false;
  }
}

}  // namespace

TEST_CASE("a disk that refuses pushes back and loses nothing and is forgotten when it is well") {
  for (const Refusal& refusal : kRefusals) {
    const std::string what = refusal.what;
    for (const bool keeper_dies : {false, true}) {
      CAPTURE(what);
      CAPTURE(keeper_dies);
      Fate fate;
      TempDir dir;
      DurableHouse house(
          R"({"default": {"workers": 2, "modules": [")" + test_module("durable_note") + R"("]}})",
          "", &fate, R"(, "restart": {"backoff_min": "10ms", "backoff_max": "50ms"})");
      Client client = house.daemon->connect();
      DurableJobs jobs(client);
      std::vector<JobId> kept;
      for (int i = 0; i < 4; ++i)
        kept.push_back(jobs.submit("durable_note", dir.path() + " late" + std::to_string(i) + " 0",
                                   {.delay = std::chrono::milliseconds(i)})
                           .id());
      Command command;
      command.argv = {
          "/bin/sh", "-c",
          "while [ ! -e " + (dir / "go") + " ]; do sleep 0.01; done; echo x >> " + (dir / "ran")};
      const JobId runs = jobs.run(command).id();
      kept.push_back(runs);
      REQUIRE(eventually([&] { return jobs.show(runs)->state == JobState::running; }, 60s));

      fate.operator->()->*refusal.of = refusal.error;
      REQUIRE(kind_of_refusal(jobs) == refusal.kind);
      CHECK(kind_of_refusal(jobs) == refusal.kind);
      CHECK_THROWS_AS(jobs.pause("default"), DurableError);
      // Its end cannot be recorded for now.
      write_file(dir / "go", "");
      REQUIRE(eventually([&] { return read_file(dir / "ran") == "x\n"; }, 60s));
      const std::uint32_t before = fate->refused;
      REQUIRE(eventually([&] { return fate->refused > before; }, 60s));
      if (keeper_dies) {
        ::kill(house.keeper(), SIGKILL);
      } else {
        CHECK(jobs.show(runs)->state == JobState::running);
        CHECK(jobs.show(kept[0]).has_value());
      }
      CHECK(client.pool("default").submit("echo", "attached").get() == "attached");

      fate.operator->()->*refusal.of = 0;
      // A keeper that could not start has told its clients so: they come again.
      JobId more = 0;
      REQUIRE(eventually(
          [&] {
            try {
              Client again = house.daemon->connect();
              DurableJobs fresh(again);
              return accepts(fresh, more);
            } catch (const Exception&) {
              return false;
            }
          },
          60s));
      kept.push_back(more);
      Client again = house.daemon->connect();
      DurableJobs after(again);
      for (const JobId id : kept) {
        CAPTURE(id);
        REQUIRE(after.attach(id).wait_for(60s));
        const DurableInfo info = after.show(id).value();
        CHECK(info.state == JobState::succeeded);
        CHECK(info.attempts == 1);
      }
      CHECK(read_file(dir / "ran") == "x\n");
      for (int i = 0; i < 4; ++i) CHECK(read_file(dir / ("late" + std::to_string(i))) == "be");
      CHECK(after.list({}, 1000).jobs.size() == kept.size());
    }
  }
}

TEST_CASE("what was acknowledged before it was safe is made safe after a sync that failed") {
  Fate fate;
  DurableHouse house(R"({"default": {"workers": 1}})", R"(, "flush": "5ms")", &fate);
  Client client = house.daemon->connect();
  DurableJobs jobs(client);
  const DurableOptions options{.durability = Durability::batched, .held = true};
  const JobId first = jobs.submit("echo", "", options).id();
  REQUIRE(eventually([&] { return fate.taken(Step::flush) > 0; }, 60s));
  CHECK(jobs.show(first)->state == JobState::held);  // after the flush
  fate->sync_error = EIO;
  const JobId second = jobs.submit("echo", "", options).id();
  REQUIRE(eventually([&] { return fate->refused > 0; }, 60s));
  // Nothing more is taken on trust.
  REQUIRE(eventually([&] { return kind_of_refusal(jobs, options) == "store_failed"; }, 60s));
  const std::uint64_t syncs = fate.taken(Step::synced);
  fate->sync_error = 0;
  REQUIRE(eventually([&] { return fate.taken(Step::synced) > syncs; }, 60s));
  REQUIRE(eventually([&] { return kind_of_refusal(jobs, options) == "accepted"; }, 60s));
  house.kill_daemon();
  house.start();
  Client again = house.daemon->connect();
  DurableJobs after(again);
  CHECK(after.show(first)->state == JobState::held);
  CHECK(after.show(second)->state == JobState::held);
}
