// The ordinary life of jobs.
#include <algorithm>
#include <string>

#include "tests/keeper/house.hpp"

using namespace jobring;
using namespace jobring::test;

TEST_CASE("a job that was committed is found as it was submitted after the store is opened again") {
  House house;
  JobSpec spec = job("fast");
  spec.handler = "exec";
  const std::string payload("with\0nul", 8);
  spec.payload = payload;
  spec.name = "nightly";
  spec.tags = {"a", "b"};
  spec.uid = 1000, spec.gid = 100;
  spec.priority = -7;
  spec.durability = Durability::batched;
  spec.deadline_ms = house.clock.real_ms + 100'000;
  spec.timeout_ms = 5'000;
  spec.retry = {3, 100, 10'000, 5, {1, 75}};
  spec.unique = {"key", UniqueUntil::time, 60'000, true};
  spec.concurrency_key = "db";
  spec.concurrency_max = 2;
  spec.keep_ms = 77'000;
  spec.output_max = 1 << 20;
  const JobId id = house.submit(spec);
  CHECK(id == 1);
  house.reopen();
  const JobRecord record = house.show(id);
  const JobSpec& s = record.job.spec;
  CHECK(record.job.state == JobState::ready);
  CHECK(s.handler == "exec");
  CHECK(s.payload == payload);
  CHECK(s.pool == "fast");
  CHECK(s.name == "nightly");
  CHECK(s.tags == spec.tags);
  CHECK(s.uid == 1000);
  CHECK(s.gid == 100);
  CHECK(s.priority == -7);
  CHECK(s.durability == Durability::batched);
  CHECK(s.submitted_ms == house.clock.real_ms);
  CHECK(s.deadline_ms == spec.deadline_ms);
  CHECK(s.timeout_ms == 5'000);
  CHECK(s.retry == spec.retry);
  CHECK(s.unique == spec.unique);
  CHECK(s.concurrency_key == "db");
  CHECK(s.concurrency_max == 2);
  CHECK(s.keep_ms == 77'000);
  CHECK(s.output_max == 1 << 20);
  house.sound();
}

TEST_CASE("jobs of one priority are taken in the order of their submission") {
  House house;
  std::vector<JobId> ids;
  for (int i = 0; i < 10; ++i) ids.push_back(house.submit(job()));
  CHECK(house.take("p", 4) == std::vector<JobId>(ids.begin(), ids.begin() + 4));
  CHECK(house.take("p") == std::vector<JobId>(ids.begin() + 4, ids.end()));
  CHECK(house.take("p").empty());
  CHECK(house.take("other").empty());
  house.sound();
}

TEST_CASE("a higher priority is taken first but overtakes only so many older jobs") {
  House house({.ageing = 3});
  const auto with = [&](std::int32_t priority) {
    JobSpec spec = job();
    spec.priority = priority;
    return house.submit(spec);
  };
  const JobId low = with(-1);
  std::vector<JobId> plain;
  for (int i = 0; i < 6; ++i) plain.push_back(with(0));
  const JobId high = with(2);
  // low (1) counts as 4, high (8) as 2; of equal rank, the older one is first.
  const std::vector<JobId> expected{plain[0], high,     plain[1], low,
                                    plain[2], plain[3], plain[4], plain[5]};
  std::vector<JobId> taken;
  for (int i = 0; i < 8; ++i) {
    const auto one = house.take("p", 1);
    taken.insert(taken.end(), one.begin(), one.end());
  }
  CHECK(taken == expected);
  house.sound();
}

TEST_CASE("a job that succeeded has its attempt and result and no longer runs") {
  House house;
  const JobId id = house.submit(job());
  REQUIRE(house.take("p") == std::vector<JobId>{id});
  CHECK(house.state(id) == JobState::running);
  CHECK(house.count("p", JobState::running) == 1);
  Ending ending;
  ending.id = id;
  ending.attempt = {1, 4711, 100, 250, Outcome::ok, 3, 9, 10, 20, 30, "last line"};
  ending.result = "answer";
  house.begin();
  CHECK(house->finish({&ending, 1}) == 0);
  CHECK(house->finish({&ending, 1}) == 1);  // again: nobody runs it
  house.commit();
  house.reopen();
  const JobRecord record = house.show(id);
  CHECK(record.job.state == JobState::succeeded);
  CHECK(record.job.result == "answer");
  REQUIRE(record.attempts.size() == 1);
  const Attempt& a = record.attempts[0];
  CHECK(a.number == 1);
  CHECK(a.worker == 4711);
  CHECK(a.started_ms == 100);
  CHECK(a.ended_ms == 250);
  CHECK(a.exit_code == 3);
  CHECK(a.signal == 9);
  CHECK(a.user_us == 10);
  CHECK(a.system_us == 20);
  CHECK(a.max_rss_kib == 30);
  CHECK(a.tail == "last line");
  CHECK(house->running().empty());
  CHECK(house.count("p", JobState::succeeded) == 1);
  house.sound();
}

TEST_CASE("a failed job is taken again when its time has come with the next attempt number") {
  House house;
  const JobId id = house.submit(job());
  house.take("p");
  house.finish(id, JobState::failed, house.clock.steady_ms + 500);
  CHECK(house.state(id) == JobState::failed);
  house.wake();
  CHECK(house.take("p").empty());
  house.reopen();
  CHECK(house->next_due()->steady_ms == house.clock.steady_ms + 500);
  house.pass(500);
  house.wake();
  house.begin();
  const TakenBatch batch = house->take("p", 1);
  house.commit();
  REQUIRE(batch.jobs.size() == 1);
  CHECK(batch.jobs[0].attempt == 2);
  house.finish(id, JobState::dead);
  const JobRecord record = house.show(id);
  CHECK(record.job.state == JobState::dead);
  REQUIRE(record.attempts.size() == 2);
  CHECK(record.attempts[0].number == 1);
  CHECK(record.attempts[1].number == 2);
  house.sound();
}

TEST_CASE("what ran when the keeper died is known to the next one with its attempt") {
  House house;
  std::vector<JobId> ids;
  for (int i = 0; i < 200; ++i) ids.push_back(house.submit(job(i % 2 ? "p" : "q")));
  const auto taken = house.take("p", 70);
  house.finish(taken[3], JobState::failed, house.clock.steady_ms);
  CHECK(house.take("p", 1) == std::vector<JobId>{taken[3]});
  house.reopen();
  const auto running = house->running();
  REQUIRE(running.size() == 70);
  for (const Running& r : running) {
    CHECK(r.pool == "p");
    CHECK(r.attempt == (r.id == taken[3] ? 2 : 1));
    CHECK(r.taken_ms == house.clock.real_ms);
  }
  // Nobody takes them a second time.
  for (const JobId id : house.take("p")) CHECK(!std::count(taken.begin(), taken.end(), id));
  house.sound();
}

TEST_CASE("jobs that nobody has begun are given back without an attempt") {
  House house;
  const JobId a = house.submit(job()), b = house.submit(job());
  house.take("p");
  house.begin();
  house->give_back(std::vector<JobId>{b, 99});
  house.commit();
  CHECK(house.state(a) == JobState::running);
  CHECK(house.state(b) == JobState::ready);
  house.begin();
  const TakenBatch batch = house->take("p", 5);
  house.commit();
  REQUIRE(batch.jobs.size() == 1);
  CHECK(batch.jobs[0].id == b);
  CHECK(batch.jobs[0].attempt == 1);
  house.sound();
}

TEST_CASE("long payloads and results are kept whole and go with their job") {
  House house;
  const std::string payload(100'000, 'p'), result(300'000, 'r');
  JobSpec spec = job();
  spec.payload = payload;
  const JobId id = house.submit(spec);
  house.begin();
  const TakenBatch batch = house->take("p", 1);
  house.commit();
  REQUIRE(batch.jobs.size() == 1);
  CHECK(batch.jobs[0].spec.payload == payload);
  Ending ending;
  ending.id = id;
  ending.attempt.number = 1;
  ending.result = result;
  house.begin();
  house->finish({&ending, 1});
  house.commit();
  CHECK(house.show(id).job.spec.payload == payload);
  CHECK(house.show(id).job.result == result);
  house.apply(Verb::remove, id);
  CHECK(house.gone(id));
  house.sound();
}

TEST_CASE("a paused pool gives nothing until it goes on and stays paused over a restart") {
  House house;
  const JobId id = house.submit(job());
  house.begin();
  house->pause("p", true);
  house.commit();
  house.reopen();
  CHECK(house.take("p").empty());
  CHECK(house->counts()[0].paused);
  house.begin();
  house->pause("p", false);
  house.commit();
  CHECK(house.take("p") == std::vector<JobId>{id});
}

TEST_CASE("a turn that is abandoned leaves nothing behind") {
  House house;
  const JobId first = house.submit(job());
  house.begin();
  std::vector<JobSpec> specs{job(), job("new pool")};
  CHECK(house->submit(specs).size() == 2);
  CHECK(house->take("p", 10).jobs.size() == 2);
  house->abandon();
  CHECK(house->running().empty());
  CHECK(house->counts().size() == 1);
  CHECK(house.state(first) == JobState::ready);
  CHECK(house.submit(job()) == first + 1);
  house.sound();
}

TEST_CASE("progress is kept while a job runs and shown") {
  House house;
  const JobId id = house.submit(job());
  house.take("p");
  const Progress report{id, 3, 10, "third of ten"};
  house.begin();
  house->progress({&report, 1});
  house.commit();
  house.reopen();
  const JobRecord record = house.show(id);
  REQUIRE(record.progress);
  CHECK(record.progress->done == 3);
  CHECK(record.progress->total == 10);
  CHECK(record.progress->text == "third of ten");
  house.finish(id);
  house.apply(Verb::remove, id);
  house.sound();
}

TEST_CASE("numbers of jobs are never used again") {
  House house;
  JobSpec spec = job();
  spec.keep_ms = 0;
  const JobId first = house.submit(spec);
  house.take("p");
  house.finish(first);
  CHECK(house.gone(first));
  house.reopen();
  CHECK(house.submit(spec) == first + 1);
}

TEST_CASE("specifications that make no sense are refused and nothing of them is kept") {
  House house;
  JobSpec no_handler = job(), no_pool = job(), no_step = job(), no_limit = job(), empty_tag = job();
  no_handler.handler = {};
  no_pool.pool = {};
  no_step.array = Array{1, 5, 0, 0};
  no_limit.concurrency_key = "k";
  empty_tag.tags = {""};
  for (const Submitted& s : house.submit_all({no_handler, no_pool, no_step, no_limit, empty_tag}))
    CHECK(s.status == Submitted::Status::bad);
  CHECK(house.list({}).empty());
  CHECK(house.submit(job()) == 1);
  house.sound();
}

TEST_CASE("a record is remembered with the turn that it belongs to") {
  House house;
  const JobSpec spec = job();
  using Until = Store::Until;
  const auto remembered = [&] { return *house->remembered(); };
  const auto turn = [&](std::string_view record, Until until, int jobs) {
    house.begin();
    for (int i = 0; i < jobs; ++i) house->submit({&spec, 1});
    house->remember(record, until);
  };
  CHECK(remembered() == "");
  turn("nothing else", Until::next_turn, 0);
  house.commit();
  turn("undone", Until::replaced, 0);
  house->abandon();
  house.reopen();
  CHECK(remembered() == "nothing else");
  // With a job, and at once after it, without, and of any length.
  const std::string records[] = {"a job", "none", "a job again", std::string(5'000, 'x'), "many"};
  const int jobs[] = {1, 0, 1, 2, 1'000};
  for (int i = 0; i < 5; ++i) {
    turn(records[i], Until::next_turn, jobs[i]);
    house.commit();
    CHECK(remembered() == records[i]);
    house.reopen();
    CHECK(remembered() == records[i]);
    house.sound();
  }
  turn("undone", Until::next_turn, 1);
  house->abandon();
  CHECK(remembered() == "many");
  // Whatever becomes of the jobs of its turn and of later ones.
  turn("lasting", Until::replaced, 1);
  house.commit();
  house.submit(job());
  house.take("p", 5'000);
  house.reopen();
  CHECK(remembered() == "lasting");
  // A job that has gone again within its turn takes nothing along.
  house.begin();
  house->submit({&spec, 1});
  Selector all;
  all.states = 1u << unsigned(JobState::ready);
  house->apply(Verb::cancel, all, {}, 0, 5'000);
  house->remember("cancelled", Until::next_turn);
  house.commit();
  house.reopen();
  CHECK(remembered() == "cancelled");
  house.sound();
}
