// The keeper dies while durable jobs run, in pools of each model: the jobs go on, their ends are
// found by the next keeper, and each has run once.
#include <algorithm>
#include <string>
#include <vector>

#include "tests/durable/house.hpp"

using namespace jobring;
using namespace jobring::test;
using namespace std::chrono_literals;

namespace {

struct Model {
  const char* name;
  const char* pool;  // members of its config; four jobs at a time
};
constexpr Model kModels[] = {{"process", R"("workers": 4)"},
                             {"thread", R"("model": "thread", "workers": 2, "threads": 2)"},
                             {"async", R"("model": "async", "workers": 1, "max_in_flight": 4)"}};

// A command that notes that it began, and ends when it may.
Command gated(const TempDir& dir, const std::string& name, int status = 0) {
  Command command;
  command.argv = {"/bin/sh", "-c",
                  "echo $JOBRING_ATTEMPT >> " + (dir / name) + ".ran; while [ ! -e " +
                      (dir / name) + ".go ]; do sleep 0.01; done; exit " + std::to_string(status)};
  return command;
}

void kill_keeper(const DurableHouse& house) {
  const pid_t keeper = house.keeper();
  REQUIRE(keeper > 0);
  ::kill(keeper, SIGKILL);
  REQUIRE(eventually([&] { return !alive(keeper); }));
}

}  // namespace

TEST_CASE("jobs that run when the keeper dies are adopted by the next one in pools of each model") {
  for (const Model& model : kModels) {
    const std::string name = model.name;
    CAPTURE(name);
    DurableHouse house("{\"default\": {" + std::string(model.pool) + "}}");
    TempDir dir;
    Client client = house.daemon->connect();
    DurableJobs jobs(client);
    std::vector<JobId> ids;
    for (int i = 0; i < 4; ++i) {
      DurableOptions options;
      if (i == 3) options.retry = {.max = 1, .base = 1ms};
      ids.push_back(jobs.run(gated(dir, std::to_string(i), i == 3 ? 7 : 0), options).id());
    }
    const JobId waits = jobs.submit("echo", "waited").id();
    for (const char* n : {"0", "1", "2", "3"})
      REQUIRE(eventually([&] { return read_file(dir / n + ".ran") == "1\n"; }, 60s));
    // They run on; one ends before the next keeper is there or after, as it happens.
    kill_keeper(house);
    write_file(dir / "0.go", "");
    REQUIRE(jobs.attach(ids[0]).wait_for(60s));
    CHECK(jobs.show(ids[1])->state == JobState::running);
    REQUIRE(jobs.attach(waits).wait_for(60s));
    // What was adopted is adopted again, and can be stopped.
    kill_keeper(house);
    CHECK(jobs.cancel(ids[1]));
    REQUIRE(jobs.attach(ids[1]).wait_for(60s));
    kill_keeper(house);
    write_file(dir / "2.go", "");
    write_file(dir / "3.go", "");
    for (const JobId id : ids) REQUIRE(jobs.attach(id).wait_for(60s));

    const auto check = [&](int i, JobState state, std::uint32_t attempts, const char* ran) {
      CAPTURE(i);
      const DurableInfo info = jobs.show(ids[std::size_t(i)]).value();
      CHECK(info.state == state);
      CHECK(info.attempts == attempts);
      CHECK(read_file(dir / std::to_string(i) + ".ran") == ran);
    };
    check(0, JobState::succeeded, 1, "1\n");
    check(1, JobState::cancelled, 1, "1\n");
    check(2, JobState::succeeded, 1, "1\n");
    check(3, JobState::dead, 2, "1\n2\n");
    CHECK(jobs.show(ids[3])->last->exit_code == 7);
    CHECK(jobs.show(waits)->attempts == 1);
    CHECK(jobs.attach(waits).get() == "waited");
  }
}

TEST_CASE("jobs whose worker dies with the keeper are tried again once they are nobody's") {
  for (const Model& model : kModels) {
    const std::string name = model.name;
    CAPTURE(name);
    DurableHouse house("{\"default\": {" + std::string(model.pool) + "}}");
    TempDir dir;
    Client client = house.daemon->connect();
    DurableJobs jobs(client);
    std::vector<JobId> ids;
    for (int i = 0; i < 4; ++i)
      ids.push_back(
          jobs.run(gated(dir, std::to_string(i)), {.retry = {.max = i == 0 ? 0u : 5u, .base = 1ms}})
              .id());
    for (const char* n : {"0", "1", "2", "3"})
      REQUIRE(eventually([&] { return read_file(dir / n + ".ran") == "1\n"; }, 60s));
    for (const pid_t pid : house.daemon->workers()) ::kill(pid, SIGKILL);
    // The first attempts are gone with their workers before the second ones begin.
    for (const char* n : {"1", "2", "3"})
      REQUIRE(eventually([&] { return read_file(dir / n + ".ran") == "1\n2\n"; }, 60s));
    for (const char* n : {"0", "1", "2", "3"}) write_file(dir / n + ".go", "");
    for (const JobId id : ids) REQUIRE(jobs.attach(id).wait_for(60s));
    CHECK(jobs.show(ids[0])->state == JobState::dead);
    CHECK(jobs.show(ids[0])->last->outcome == Outcome::crashed);
    CHECK(read_file(dir / "0.ran") == "1\n");
    for (int i = 1; i < 4; ++i) {
      const DurableInfo info = jobs.show(ids[std::size_t(i)]).value();
      CHECK(info.state == JobState::succeeded);
      CHECK(info.attempts == 2);
      CHECK(info.history.front().outcome == Outcome::crashed);
    }
  }
}
