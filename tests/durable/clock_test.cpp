// The clock on the wall is set, both ways, under a real keeper: delays and retention feel nothing,
// what has a time of its own follows, nothing runs twice.
#include "tests/durable/house.hpp"

using namespace jobring;
using namespace jobring::test;
using namespace std::chrono_literals;

namespace {

constexpr std::int64_t kHour = 3'600'000;           // ms
constexpr std::int64_t kStart = 1'800'000'000'000;  // a whole hour

WallTime wall(std::int64_t ms) {
  return WallTime(std::chrono::milliseconds(ms));
}

struct Set {
  Set() {
    fate->real_ms = kStart;
    house = std::make_unique<DurableHouse>(R"({"default": {"workers": 1}})", "", &fate);
    client = std::make_unique<Client>(house->daemon->connect());
    jobs = std::make_unique<DurableJobs>(*client);
  }
  JobId submit(const DurableOptions& options) { return jobs->submit("echo", "", options).id(); }
  JobState state(JobId id) { return jobs->show(id)->state; }
  bool becomes(JobId id, JobState wanted) {
    return eventually([&] { return state(id) == wanted; }, 60s);
  }
  // One that is asked for now runs at once, as far as that is to be had.
  void works() {
    DurableFuture f = jobs->submit("echo", "at once", {.delay = 5ms});
    REQUIRE(f.wait_for(60s));
    CHECK(f.get() == "at once");
  }
  std::size_t named(const std::string& name) {
    return jobs->list({.name = name}, 10'000).jobs.size();
  }

  Fate fate;
  std::unique_ptr<DurableHouse> house;
  std::unique_ptr<Client> client;
  std::unique_ptr<DurableJobs> jobs;
};

}  // namespace

TEST_CASE("a clock set forward runs what has a time of its own and nothing else") {
  Set t;
  const JobId delayed = t.submit({.delay = 1h});
  const JobId timed = t.submit({.run_at = wall(kStart + kHour)});
  const JobId much_later = t.submit({.run_at = wall(kStart + 100 * kHour)});
  const JobId expires = t.submit({.delay = 30min, .deadline = wall(kStart + kHour)});
  const JobId kept = t.submit({.keep = 1h});
  REQUIRE(t.becomes(kept, JobState::succeeded));
  CHECK(t.state(timed) == JobState::delayed);

  t.fate->real_ms = kStart + 2 * kHour;
  CHECK(t.becomes(timed, JobState::succeeded));
  CHECK(t.becomes(expires, JobState::dead));
  t.works();
  CHECK(t.state(delayed) == JobState::delayed);
  CHECK(t.state(much_later) == JobState::delayed);
  CHECK(t.state(kept) == JobState::succeeded);
  CHECK(t.jobs->show(timed)->attempts == 1);
}

TEST_CASE("a clock set back stops nothing and runs nothing again") {
  Set t;
  const JobId timed = t.submit({.run_at = wall(kStart)});
  const JobId delayed = t.submit({.delay = 1h});
  REQUIRE(t.becomes(timed, JobState::succeeded));
  for (const std::int64_t back : {kHour, 24 * kHour, 20'000 * kHour}) {
    t.fate->real_ms = kStart - back;
    t.works();
    // Over the death of a keeper, too.
    ::kill(t.house->keeper(), SIGKILL);
    t.works();
    CHECK(t.state(delayed) == JobState::delayed);
    const JobId next = t.submit({.run_at = wall(kStart - back + kHour)});
    CHECK(t.state(next) == JobState::delayed);
    t.fate->real_ms = kStart - back + kHour;
    CHECK(t.becomes(next, JobState::succeeded));
  }
  CHECK(t.jobs->show(timed)->attempts == 1);
}

TEST_CASE("a job that runs while the clock is set ends as usual") {
  Set t;
  TempDir dir;
  for (const std::int64_t to : {kStart + 1000 * kHour, kStart - 1000 * kHour}) {
    Command command;
    command.argv = {"/bin/sh", "-c", "while [ ! -e " + (dir / "go") + " ]; do sleep 0.01; done"};
    const JobId id = t.jobs->run(command, {.timeout = 1h}).id();
    REQUIRE(t.becomes(id, JobState::running));
    t.fate->real_ms = to;
    t.jobs->pause("default");
    t.jobs->resume("default");
    CHECK(t.state(id) == JobState::running);
    write_file(dir / "go", "");
    CHECK(t.becomes(id, JobState::succeeded));
    const DurableInfo info = t.jobs->show(id).value();
    CHECK(info.attempts == 1);
    CHECK(info.last->started <= info.last->ended);
    std::remove((dir / "go").c_str());
  }
}

TEST_CASE("cron entries make good what a jump has missed as they say and repeat nothing") {
  Set t;
  const auto put = [&](const std::string& name, CronSpec::CatchUp catch_up) {
    CronSpec cron;
    cron.name = name;
    cron.schedule = "*/10 * * * *";
    cron.zone = "UTC";
    cron.catch_up = catch_up;
    cron.job = {"echo", "", {.name = name}};
    t.jobs->put_cron(cron);
  };
  put("skip", CronSpec::CatchUp::skip);
  put("once", CronSpec::CatchUp::once);
  put("all", CronSpec::CatchUp::all);
  t.works();
  CHECK(t.named("once") == 0);
  // Five minutes after the last of six times.
  t.fate->real_ms = kStart + kHour + kHour / 12;
  REQUIRE(eventually([&] { return t.named("all") == 6; }, 60s));
  CHECK(t.named("once") == 1);
  CHECK(t.named("skip") == 0);
  // Back by less than three hours: they are not done again.
  t.fate->real_ms = kStart;
  t.works();
  ::kill(t.house->keeper(), SIGKILL);
  t.works();
  t.fate->real_ms = kStart + kHour + kHour / 12;
  t.works();
  CHECK(t.named("all") == 6);
  CHECK(t.named("once") == 1);
  // Back by a day: they go by the clock as it is now.
  t.fate->real_ms = kStart - 24 * kHour;
  t.works();
  t.fate->real_ms = kStart - 24 * kHour + kHour / 6;
  REQUIRE(eventually([&] { return t.named("all") == 7; }, 60s));
  CHECK(t.named("once") == 2);
  CHECK(t.named("skip") == 1);
}
