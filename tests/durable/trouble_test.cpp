// What a disk may do to durable jobs, and what a command may write.
#include <sys/stat.h>

#include <filesystem>

#include "tests/durable/house.hpp"
#include "tests/durable/small_disk.hpp"

using namespace jobring;
using namespace jobring::test;
using namespace std::chrono_literals;

TEST_CASE("a full disk refuses new jobs and loses none and is forgotten when there is room") {
  DurableHouse house(R"({"default": {"workers": 1}})");
  house.kill_daemon();
  SmallDisk disk(house.state.path(), "5m");
  if (!disk.mounted()) {
    MESSAGE("cannot mount a small file system here: only root can");
    return;
  }
  chmod(house.state.path().c_str(), 0700);
  house.start();
  Client client = house.daemon->connect();
  DurableJobs jobs(client);
  jobs.pause("default");
  // Results take as much room as payloads.
  write_file(house.state / "filler", std::string(3 << 20, 'x'));
  std::vector<JobId> kept;
  bool full = false;
  for (int i = 0; i < 10'000 && !full; ++i) {
    try {
      kept.push_back(jobs.submit("echo", std::string(4'000, 'x')).id());
    } catch (const DurableError& e) {
      CHECK(std::string(e.kind()) == "full");
      full = true;
    }
  }
  REQUIRE(full);
  CHECK(jobs.show(kept.back())->state == JobState::ready);
  std::filesystem::remove(house.state / "filler");
  REQUIRE(eventually([&] {
    try {
      kept.push_back(jobs.submit("echo", "small").id());
      return true;
    } catch (const DurableError&) {
      return false;
    }
  }));
  jobs.resume("default");
  for (const JobId id : kept) {
    REQUIRE(jobs.attach(id).wait_for(30s));
    CHECK(jobs.show(id)->state == JobState::succeeded);
  }
}

TEST_CASE(
    "what a command writes is followed while it runs and bounded and flagged when it is cut") {
  DurableHouse house;
  Client client = house.daemon->connect();
  DurableJobs jobs(client);
  TempDir dir;
  Command command;
  command.argv = {"/bin/sh", "-c",
                  "echo first; while [ ! -e " + (dir / "go") +
                      " ]; do sleep 0.01; done; head -c 100000 /dev/zero; exit 0"};
  const JobId id = jobs.run(command, {.output_max = 10'000}).id();
  LogPart part = jobs.logs(id, false, 0, 1 << 16, 0, 20s);
  CHECK(part.bytes == "first\n");
  CHECK_FALSE(part.end);
  write_file(dir / "go", "");
  std::string all = part.bytes;
  while (!part.end) {
    part = jobs.logs(id, false, std::int64_t(all.size()), 1 << 16, 0, 20s);
    all += part.bytes;
  }
  CHECK(all.size() == 10'000);
  CHECK(part.cut);
  CHECK(jobs.attach(id).wait_for(20s));
}

TEST_CASE("members of an array find their index in their environment") {
  DurableHouse house;
  Client client = house.daemon->connect();
  DurableJobs jobs(client);
  Command command;
  command.argv = {"/bin/sh", "-c", "echo $JOBRING_INDEX $JOBRING_JOB_ID $JOBRING_ATTEMPT"};
  const JobId group = jobs.run(command, {.array = JobArray{3, 9, 3, 0}}).id();
  REQUIRE(jobs.wait_group(group, 20s));
  for (JobId i = 1; i <= 3; ++i)
    CHECK(jobs.logs(group + i).bytes ==
          std::to_string(3 * i) + " " + std::to_string(group + i) + " 1\n");
}
