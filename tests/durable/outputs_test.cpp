// A flood of outputs, more than is kept of all jobs together.
#include <filesystem>
#include <string>
#include <vector>

#include "tests/durable/house.hpp"

using namespace jobring;
using namespace jobring::test;
using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t kEach = 64 << 10, kAll = 1 << 20;  // bytes

std::uint64_t bytes_kept(const DurableHouse& house) {
  std::uint64_t all = 0;
  std::error_code gone;  // they are removed as we look
  for (auto at = std::filesystem::recursive_directory_iterator(house.state / "outputs", gone);
       at != std::filesystem::recursive_directory_iterator(); at.increment(gone)) {
    if (gone) return ~std::uint64_t{0};
    if (!at->is_regular_file(gone)) continue;
    const std::uint64_t size = at->file_size(gone);
    if (!gone) all += size;
  }
  return all;
}

Command writes(std::uint64_t bytes, const std::string& then = "") {
  Command command;
  command.argv = {"/bin/sh", "-c",
                  "head -c " + std::to_string(bytes) + " /dev/zero; echo end" + then};
  return command;
}

}  // namespace

TEST_CASE("the oldest outputs make room when all together are too many") {
  DurableHouse house(R"({"default": {"workers": 2}})",
                     ", \"outputs_max\": \"1MiB\", \"output_max\": \"64KiB\"");
  TempDir dir;
  Client client = house.daemon->connect();
  DurableJobs jobs(client);
  // The first of all runs all the time: what it has written is not taken from under it.
  const JobId runs =
      jobs.run(writes(1000, "; while [ ! -e " + (dir / "go") + " ]; do sleep 0.01; done")).id();
  REQUIRE(eventually([&] { return jobs.logs(runs).bytes.ends_with("end\n"); }, 60s));
  std::vector<JobId> flood;
  const auto more = [&](int count) {
    for (int i = 0; i < count; ++i) flood.push_back(jobs.run(writes(10 * kEach)).id());
    for (const JobId id : flood) REQUIRE(jobs.attach(id).wait_for(60s));
    // A sweep is a moment behind the endings.
    REQUIRE(eventually([&] { return bytes_kept(house) <= kAll + kEach; }, 60s));
  };
  more(40);
  CHECK(bytes_kept(house) > kAll / 2);
  CHECK(jobs.logs(runs).bytes.ends_with("end\n"));
  CHECK(jobs.logs(flood.front()).bytes.empty());
  const LogPart last = jobs.logs(flood.back(), false, 0, 1 << 20);
  CHECK(last.bytes.size() == kEach);
  CHECK(last.cut);
  // The attempts are on record all the same, with what their commands wrote in all.
  const DurableInfo first = jobs.show(flood.front()).value();
  CHECK(first.state == JobState::succeeded);
  CHECK(first.last->exit_code == 0);
  CHECK(first.report().stdout_total == 10 * kEach + 4);

  // The next keeper counts what is there.
  ::kill(house.keeper(), SIGKILL);
  more(10);
  CHECK(bytes_kept(house) > kAll / 2);
  CHECK(jobs.logs(runs).bytes.ends_with("end\n"));
  CHECK(jobs.logs(flood.back(), false, 0, 1 << 20).bytes.size() == kEach);
  write_file(dir / "go", "");
  REQUIRE(jobs.attach(runs).wait_for(60s));
  CHECK(jobs.show(runs)->state == JobState::succeeded);
}
