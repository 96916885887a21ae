// The real keeper killed at each kind of step around its turns: before and after each change of its
// files, each commit, each job that it hands out, each slot that it frees, each answer. What lives
// on (workers, clients, the supervisor) must notice nothing but a pause.
//
// $JOBRING_DURABLE_STEPS: how many deaths at each kind of step (1); "all": at every step of a
// round.
#include <unistd.h>

#include <cstdlib>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "client/durable/alone.hpp"
#include "daemon/keeper/sqlite/sqlite_store.hpp"
#include "tests/durable/house.hpp"
#include "tests/support/seed.hpp"

using namespace jobring;
using namespace jobring::test;
using namespace std::chrono_literals;

namespace {

constexpr std::int64_t kMinute = 60'000;  // ms

// Some of everything that a keeper does, again and again, and what must have come of it. Keepers
// die and workers do not, so each attempt runs exactly once.
class Rounds {
 public:
  Rounds(DurableHouse& house, Fate& fate)
      : house_(house), fate_(fate), client_(house.daemon->connect()), jobs_(client_) {
    CronSpec cron;
    cron.name = "each minute";
    cron.schedule = "* * * * *";
    cron.zone = "UTC";
    cron.job = note("cron", 0);
    cron.job.options.name = "tick";
    jobs_.put_cron(cron);
  }

  void run() {
    ++round_;
    expected_.clear();
    // The clock on the wall, at which the cron entry is looked at with whatever comes next.
    fate_->real_ms += kMinute;

    const JobId single = submit(note("single"), JobState::succeeded);
    std::vector<DurableJob> batch{
        note("first"), note("high"), note("late"),   note("behind"),         note("fails", 1),
        note("keyed"), note("lazy"), note("unique"), note("hopeless", 1000), note("never")};
    batch[1].options.priority = 3;
    batch[2].options.delay = 2ms;
    batch[3].options.after = {{.on = 0, .in_batch = true}};
    batch[5].options.concurrency_key = "key";
    batch[5].options.concurrency_max = 1;
    batch[6].options.durability = Durability::batched;
    batch[7].options.unique.key = "round " + std::to_string(round_);
    batch[9].options.after = {{.on = 8, .in_batch = true}};
    const std::vector<SubmitAnswer> answers = jobs_.submit_all(batch);
    for (std::size_t i = 0; i < batch.size(); ++i) {
      REQUIRE(answers[i].status == SubmitAnswer::Status::stored);
      expect(answers[i].id, batch[i],
             i == 8   ? JobState::dead
             : i == 9 ? JobState::cancelled
                      : JobState::succeeded);
    }
    // Many requests at once: several turns, with several of them each.
    std::vector<DurableJob> crowd;
    std::vector<Future> asked;
    for (int i = 0; i < 12; ++i) {
      crowd.push_back(note("crowd" + std::to_string(i)));
      asked.push_back(jobs_.start_submit({&crowd.back(), 1}));
    }
    for (std::size_t i = 0; i < asked.size(); ++i) {
      const auto answer = DurableJobs::answers(asked[i]);
      REQUIRE(answer.size() == 1);
      REQUIRE(answer[0].status == SubmitAnswer::Status::stored);
      expect(answer[0].id, crowd[i], JobState::succeeded);
    }
    // Asked without a channel.
    for (int i = 0; i < 4; ++i) {
      const DurableJob alone = note("alone" + std::to_string(i));
      const SubmitAnswer answer =
          detail::submit_alone(house_.where(), alone, [&] { return house_.daemon->connect(); });
      REQUIRE(answer.status == SubmitAnswer::Status::stored);
      expect(answer.id, alone, JobState::succeeded);
    }
    DurableJob job = note("after");
    job.options.after = {{.on = single}};
    submit(job, JobState::succeeded);
    job = note("withdrawn");
    job.options.held = true;
    const JobId held = submit(job, JobState::cancelled);
    CHECK(jobs_.cancel(held));
    job = note("held");
    job.options.held = true;
    const JobId released = submit(job, JobState::succeeded);
    CHECK(jobs_.apply(JobVerb::release, {.ids = {{released, released}}}).changed == 1);
    occupied();
    flushed();
    check();
  }

  // Nothing of any round may have come twice.
  void check_all() {
    CHECK(count("tick") == round_);
    CHECK_FALSE(file_exists("twice"));
  }

 private:
  struct Expected {
    DurableJob job;
    JobState state;
  };

  bool file_exists(const std::string& name) { return access((notes_ / name).c_str(), F_OK) == 0; }
  std::size_t count(const std::string& name) {
    std::size_t all = 0;
    JobPage page;
    do {
      page = jobs_.list({.name = name}, 1000, page.next);
      all += page.jobs.size();
    } while (page.next != 0);
    return all;
  }
  std::string name() const { return "round" + std::to_string(round_); }
  DurableJob note(const std::string& what, int fails = 0) const {
    DurableJob job{
        "durable_note",
        notes_.path() + " " + what + "." + std::to_string(round_) + " 0 " + std::to_string(fails),
        {}};
    job.options.name = name();
    job.options.retry = {.max = 1, .base = 1ms, .cap = 2ms};
    return job;
  }
  void expect(JobId id, const DurableJob& job, JobState state) {
    REQUIRE(expected_.emplace(id, Expected{job, state}).second);
  }
  JobId submit(const DurableJob& job, JobState state) {
    const JobId id = jobs_.submit(job.handler, job.payload, job.options).id();
    expect(id, job, state);
    return id;
  }
  // Commands that keep all workers busy: what is in their channel is taken back when their pool is
  // paused. Then they are stopped.
  void occupied() {
    Command sleep;
    sleep.argv = {"/bin/sleep", "1000"};
    JobId runs[2];
    for (JobId& id : runs) id = jobs_.run(sleep, {.name = "sleep"}).id();
    for (const JobId id : runs)
      REQUIRE(eventually([&] { return jobs_.show(id)->state == JobState::running; }, 60s));
    submit(note("waits"), JobState::succeeded);
    jobs_.pause("default");
    jobs_.resume("default");
    for (const JobId id : runs) CHECK(jobs_.cancel(id));
    for (const JobId id : runs) {
      REQUIRE(jobs_.attach(id).wait_for(60s));
      CHECK(jobs_.show(id)->state == JobState::cancelled);
    }
  }
  // One that is acknowledged and ends before it is safe, with nothing behind it.
  void flushed() {
    const std::uint64_t before = fate_.taken(Step::flush);
    DurableJob job = note("last");
    job.options.durability = Durability::batched;
    submit(job, JobState::succeeded);
    REQUIRE(eventually([&] { return fate_.taken(Step::flush) > before || fate_.died() > 0; }, 60s));
  }
  void check() {
    for (const auto& [id, expected] : expected_) {
      CAPTURE(id);
      CAPTURE(expected.job.payload);
      REQUIRE(jobs_.attach(id).wait_for(60s));
      const DurableInfo info = jobs_.show(id).value();
      CHECK(info.state == expected.state);
      CHECK(info.payload == expected.job.payload);
      std::string file = expected.job.payload.substr(notes_.path().size() + 1);
      file.resize(file.find(' '));
      const std::string trace = read_file(notes_ / file);
      std::string all;
      for (std::uint32_t i = 0; i < info.attempts; ++i) all += "be";
      CHECK(trace == all);
      if (info.state == JobState::cancelled) CHECK(info.attempts == 0);
      if (info.state == JobState::dead) CHECK(info.attempts == 2);
      if (info.state == JobState::succeeded) {
        CHECK(info.attempts == (file.starts_with("fails") ? 2 : 1));
        CHECK(info.result == file);
      }
      CHECK(info.history.size() == info.attempts);
    }
    // No more of them than were acknowledged: no request was done twice.
    CHECK(count(name()) == expected_.size());
    REQUIRE(eventually([&] { return count("tick") >= round_; }, 60s));
  }

  DurableHouse& house_;
  Fate& fate_;
  TempDir notes_;
  Client client_;
  DurableJobs jobs_;
  std::size_t round_ = 0;
  std::map<JobId, Expected> expected_;
};

DurableHouse house_of(const Fate& fate) {
  return DurableHouse(
      R"({"default": {"workers": 2, "modules": [")" + test_module("durable_note") + R"("]}})",
      R"(, "flush": "1ms")", &fate,
      R"(, "restart": {"backoff_min": "10ms", "crash_loop_count": 1000})");
}

}  // namespace

TEST_CASE("a keeper that dies at any step of its turns loses nothing and does nothing twice") {
  const std::uint64_t seed = seed_of_test();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  const char* const set = std::getenv("JOBRING_DURABLE_STEPS");
  const bool all = set != nullptr && std::string(set) == "all";
  const int each = set != nullptr && !all ? std::atoi(set) : 1;
  Fate fate;
  fate->real_ms = 1'800'000'000'000;  // a whole minute
  DurableHouse house = house_of(fate);
  {
    Rounds rounds(house, fate);
    // What a round takes when nobody dies.
    std::uint64_t before[kSteps], steps[kSteps];
    for (unsigned s = 0; s < kSteps; ++s) before[s] = fate.taken(Step(s));
    rounds.run();
    for (unsigned s = 0; s < kSteps; ++s) steps[s] = fate.taken(Step(s)) - before[s];

    std::uint32_t deaths = 0;
    const auto die = [&](Step step, std::uint32_t nth, Step then, std::uint32_t then_nth) {
      const std::string where = std::to_string(nth) + ". " + to_string(step) + ", then " +
                                std::to_string(then_nth) + ". " + to_string(then);
      CAPTURE(where);
      fate.die_at(step, nth, then, then_nth);
      rounds.run();
      const std::uint32_t died = fate.died();
      fate.live_on();
      deaths += died;
      return died;
    };
    for (unsigned s = 0; s < kSteps; ++s) {
      const Step step = Step(s);
      // These are taken by a keeper that starts: the first of them, by one whose first life ended
      // at a commit.
      if (step == Step::adopt || step == Step::open || step == Step::opened) {
        for (int i = 0; i < each; ++i)
          while (die(Step::committed, 1 + std::uint32_t(random() % 8), step, 1) < 2) {
          }
        continue;
      }
      if (all) {
        for (std::uint32_t nth = 1; die(step, nth, Step::count_, 0) != 0; ++nth) {
        }
        continue;
      }
      REQUIRE_MESSAGE(steps[s] != 0, "no step of the kind " << std::string(to_string(step)));
      // Rounds are not all alike: one that takes fewer such steps is not counted. Every third
      // successor dies soon as well.
      for (int died = 0, tries = 0; died < each; ++tries) {
        REQUIRE(tries < 1000);
        const Step then = random() % 3 == 0 ? Step(random() % kSteps) : Step::count_;
        died += die(step, 1 + std::uint32_t(random() % steps[s]), then,
                    then == Step::count_ ? 0 : 1 + std::uint32_t(random() % 4)) != 0;
      }
    }
    rounds.check_all();
    MESSAGE(deaths << " keepers died");
    CHECK(deaths >= kSteps * unsigned(each));
  }
  house.stop_daemon();
  keeper::SqliteOptions file;
  file.path = house.state / "jobs.db";
  auto store = keeper::open_sqlite_store(file);
  REQUIRE_MESSAGE(store, store.error().line());
  const auto wrong = (*store)->check();
  REQUIRE(wrong);
  for (const std::string& line : *wrong) FAIL_CHECK(line);
}

TEST_CASE("what a keeper wrote before it died is on disk before its successor answers") {
  Fate fate;
  DurableHouse house = house_of(fate);
  Client client = house.daemon->connect();
  DurableJobs jobs(client);
  for (int i = 0; i < 5; ++i) {
    // A commit that is written and not synced: the next keeper finds it in the log, with what its
    // client is to be told.
    fate.die_at(Step::sync, 1);
    const JobId id = jobs.submit("echo", "", {.held = true}).id();
    CHECK(fate.died() == 1);
    CHECK(fate->answered_unsynced == 0);
    fate.live_on();
    CHECK(jobs.submit("echo", "", {.held = true}).id() == id + 1);
  }
}
