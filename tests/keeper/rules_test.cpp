// What holds jobs back: time, other jobs, keys.
#include <algorithm>

#include "tests/keeper/house.hpp"

using namespace jobring;
using namespace jobring::test;

using Status = Submitted::Status;

TEST_CASE("a delay follows the clock that does not jump and run-at follows the real one") {
  House house;
  JobSpec delay = job(), at = job();
  delay.delay_ms = 1'000;
  at.run_at_ms = house.clock.real_ms + 1'000;
  const JobId delayed = house.submit(delay), planned = house.submit(at);
  house.clock.real_ms += 1'000;  // the clock was set
  house.wake();
  CHECK(house.state(delayed) == JobState::delayed);
  CHECK(house.state(planned) == JobState::ready);
  house.clock.real_ms -= 1'000'000;
  house.clock.steady_ms += 1'000;
  house.wake();
  CHECK(house.state(delayed) == JobState::ready);
  house.sound();
}

TEST_CASE("a job that was not started before its deadline is dead") {
  House house;
  JobSpec spec = job();
  spec.deadline_ms = house.clock.real_ms + 100;
  const JobId waits = house.submit(spec), runs = house.submit(spec);
  house.apply(Verb::hold, waits);
  REQUIRE(house.take("p") == std::vector<JobId>{runs});
  CHECK(house->next_due()->real_ms == spec.deadline_ms);
  house.pass(100);
  house.wake();
  CHECK(house.state(waits) == JobState::dead);
  CHECK(house.show(waits).job.last->outcome == Outcome::expired);
  CHECK(house.state(runs) == JobState::running);
  house.sound();
}

TEST_CASE("a taker never gets a job whose deadline is over though nobody woke") {
  House house;
  JobSpec spec = job();
  spec.deadline_ms = house.clock.real_ms + 100;
  const JobId late = house.submit(spec), other = house.submit(job());
  house.pass(100);
  CHECK(house.take("p") == std::vector<JobId>{other});
  CHECK(house.state(late) == JobState::dead);
  house.sound();
}

TEST_CASE("a job waits for all those that it depends on") {
  House house;
  const JobId a = house.submit(job()), b = house.submit(job());
  JobSpec child = job();
  child.dependencies = {{a, After::success, false}, {b, After::any, false}, {a, After::any, false}};
  const JobId c = house.submit(child);
  CHECK(house.state(c) == JobState::delayed);
  CHECK(house.show(c).job.unmet == 2);
  house.take("p");
  house.finish(a);
  house.wake();
  CHECK(house.show(c).waits_for == std::vector<JobId>{b});
  house.reopen();
  house.finish(b, JobState::dead);
  house.wake();
  CHECK(house.take("p") == std::vector<JobId>{c});
  house.sound();
}

TEST_CASE("what depends on the success of a job that fails is cancelled and so on down the line") {
  House house;
  const JobId a = house.submit(job());
  JobId last = a;
  std::vector<JobId> line;
  for (int i = 0; i < 50; ++i) {
    JobSpec child = job();
    child.dependencies = {{last, After::success, false}};
    line.push_back(last = house.submit(child));
  }
  JobSpec anyway = job();
  anyway.dependencies = {{last, After::any, false}};
  const JobId cleanup = house.submit(anyway);
  house.take("p");
  house.finish(a, JobState::dead);
  house.wake();
  for (const JobId id : line) CHECK(house.state(id) == JobState::cancelled);
  CHECK(house.show(line[0]).job.last->tail == "job 1 did not succeed");
  CHECK(house.take("p") == std::vector<JobId>{cleanup});
  house.sound();
}

TEST_CASE("a thousand children are told in bounded steps that survive the keeper") {
  House house;
  const JobId a = house.submit(job());
  JobSpec child = job();
  child.dependencies = {{a, After::success, false}};
  house.submit_all(std::vector<JobSpec>(1'000, child));
  house.take("p");
  house.finish(a);
  house.begin();
  CHECK(house->wake(300));
  house.commit();
  house.reopen();
  CHECK(house.count("p", JobState::ready) == 300);
  house.wake();
  CHECK(house.count("p", JobState::ready) == 1'000);
  house.sound();
}

TEST_CASE(
    "jobs of one submission may depend on earlier ones of it and on nothing else that is not "
    "there") {
  House house;
  JobSpec first = job(), second = job(), third = job(), fourth = job();
  second.dependencies = {{0, After::success, true}};
  third.dependencies = {{3, After::success, true}};
  fourth.dependencies = {{99, After::success, false}};
  const auto answers = house.submit_all({first, second, third, fourth});
  CHECK(answers[1].status == Status::stored);
  CHECK(answers[2].status == Status::bad);
  CHECK(answers[3].status == Status::no_such_job);
  CHECK(answers[3].id == 99);
  CHECK(house.show(answers[1].id).waits_for == std::vector<JobId>{answers[0].id});
  CHECK(house.take("p") == std::vector<JobId>{answers[0].id});
  house.finish(answers[0].id, JobState::dead);
  JobSpec late = job();
  late.dependencies = {{answers[0].id, After::success, false}};
  CHECK(house.offer(late).status == Status::cannot_succeed);
  late.dependencies[0].after = After::any;
  CHECK(house.state(house.submit(late)) == JobState::ready);
  house.wake();
  house.sound();
}

TEST_CASE("an array is one specification and many jobs that know their index") {
  House house;
  const std::string payload(3'000, 'a');
  JobSpec spec = job();
  spec.payload = payload;
  spec.array = Array{10, 30, 10, 0};
  const Submitted answer = house.offer(spec);
  REQUIRE(answer.status == Status::stored);
  CHECK(answer.count == 3);
  house.begin();
  const TakenBatch batch = house->take("p", 10);
  house.commit();
  REQUIRE(batch.jobs.size() == 3);
  for (int i = 0; i < 3; ++i) {
    CHECK(batch.jobs[std::size_t(i)].id == answer.id + 1 + JobId(i));
    CHECK(batch.jobs[std::size_t(i)].spec.index == 10 * (i + 1));
    CHECK(batch.jobs[std::size_t(i)].spec.payload == payload);
    CHECK(batch.jobs[std::size_t(i)].spec.group == answer.id);
  }
  JobSpec after = job();
  after.dependencies = {{answer.id, After::success, false}};
  const JobId last = house.submit(after);
  house.finish(answer.id + 1);
  house.finish(answer.id + 2);
  house.wake();
  CHECK(house.state(last) == JobState::delayed);
  CHECK((*house->group(answer.id))->open == 1);
  house.finish(answer.id + 3);
  house.wake();
  CHECK(house.state(last) == JobState::ready);
  CHECK((*house->group(answer.id))->bad == 0);
  house.apply(Verb::remove, Selector{.ids = {{answer.id, answer.id + 3}}});
  CHECK_FALSE(house->group(answer.id)->has_value());
  house.sound();
}

TEST_CASE("of an array with a limit only so many run at a time") {
  House house;
  JobSpec spec = job();
  spec.array = Array{1, 20, 1, 3};
  const JobId group = house.submit(spec);
  std::vector<JobId> running = house.take("p", 10);
  CHECK(running.size() == 3);
  CHECK(house.take("p", 10).empty());
  house.sound();
  std::size_t done = 0;
  house.reopen();
  while (!running.empty()) {
    house.finish(running.back());
    running.pop_back();
    ++done;
    const auto more = house.take("p", 10);
    running.insert(running.end(), more.begin(), more.end());
    CHECK(running.size() <= 3);
    house.sound();
  }
  CHECK(done == 20);
  CHECK((*house->group(group))->open == 0);
}

TEST_CASE("a group is over when it is sealed and its last job has ended") {
  House house;
  house.begin();
  const JobId group = house->new_group(1000);
  house.commit();
  JobSpec member = job();
  member.group = group;
  const JobId a = house.submit(member);
  JobSpec after = job();
  after.dependencies = {{group, After::success, false}};
  const JobId last = house.submit(after);
  house.take("p");
  house.finish(a);
  house.wake();
  CHECK(house.state(last) == JobState::delayed);
  house.begin();
  house->seal_group(group);
  house->wake(100);
  house.commit();
  CHECK(house.state(last) == JobState::ready);
  CHECK(house.offer(member).status == Status::no_such_group);
  house.sound();
}

TEST_CASE("many jobs of one key at the front do not keep others from being taken") {
  House house;
  JobSpec keyed = job();
  keyed.concurrency_key = "db";
  keyed.concurrency_max = 2;
  house.submit_all(std::vector<JobSpec>(5'000, keyed));
  const JobId other = house.submit(job());
  std::vector<JobId> taken;
  // What is looked at in one call is bounded.
  for (int turns = 0; std::find(taken.begin(), taken.end(), other) == taken.end(); ++turns) {
    REQUIRE(turns < 10);
    const auto more = house.take("p", 100);
    taken.insert(taken.end(), more.begin(), more.end());
  }
  CHECK(taken.size() == 3);
  house.sound();
  // The next of the key comes at its own place, and nobody looks at the others again.
  house.finish(taken[0]);
  CHECK(house.take("p", 100) == std::vector<JobId>{3});
}

TEST_CASE("a key counts over all pools and a paused pool does not hold up another") {
  House house;
  JobSpec p = job("p"), q = job("q");
  for (JobSpec* spec : {&p, &q}) spec->concurrency_key = "k", spec->concurrency_max = 1;
  const JobId first = house.submit(p), in_p = house.submit(p), in_q = house.submit(q);
  REQUIRE(house.take("p") == std::vector<JobId>{first});
  CHECK(house.take("q").empty());
  CHECK(house.take("p").empty());
  house.begin();
  house->pause("p", true);
  house.commit();
  house.finish(first);
  CHECK(house.take("p").empty());
  CHECK(house.take("q") == std::vector<JobId>{in_q});
  house.begin();
  house->pause("p", false);
  house.commit();
  CHECK(house.take("p").empty());
  house.finish(in_q);
  CHECK(house.take("p") == std::vector<JobId>{in_p});
  house.sound();
}

TEST_CASE("when the next of a key is cancelled or held the one behind it comes") {
  House house;
  JobSpec spec = job();
  spec.concurrency_key = "k", spec.concurrency_max = 1;
  std::vector<JobId> ids;
  for (int i = 0; i < 5; ++i) ids.push_back(house.submit(spec));
  house.take("p");
  house.finish(ids[0]);  // ids[1] is in the order again
  house.apply(Verb::cancel, ids[1]);
  house.sound();
  house.apply(Verb::hold, ids[2]);
  house.sound();
  house.apply(Verb::edit, ids[3], Edit{.pool = "q"});
  house.sound();
  CHECK(house.take("p") == std::vector<JobId>{ids[4]});
  CHECK(house.take("q").empty());
  house.finish(ids[4]);
  CHECK(house.take("q") == std::vector<JobId>{ids[3]});
  house.sound();
}

TEST_CASE("a unique key refuses the newer one until the older one has started or ended") {
  House house;
  JobSpec queued = job(), ended = job();
  queued.unique = {"q", UniqueUntil::started, 0, false};
  ended.unique = {"e", UniqueUntil::ended, 0, false};
  const JobId a = house.submit(queued), b = house.submit(ended);
  const auto refused = house.submit_all({queued, ended});
  CHECK(refused[0].status == Status::duplicate);
  CHECK(refused[0].id == a);
  CHECK(refused[1].status == Status::duplicate);
  CHECK(refused[1].id == b);
  JobSpec stranger = ended;
  stranger.uid = 5;
  CHECK(house.offer(stranger).status == Status::stored);
  house.take("p", 2);
  house.reopen();
  CHECK(house.offer(queued).status == Status::stored);
  CHECK(house.offer(ended).status == Status::duplicate);
  house.finish(b);
  CHECK(house.offer(ended).status == Status::stored);
  house.sound();
}

TEST_CASE("a unique key may be for a time however long the job lives") {
  House house;
  JobSpec spec = job();
  spec.unique = {"t", UniqueUntil::time, 1'000, false};
  spec.keep_ms = 0;
  const JobId a = house.submit(spec);
  house.take("p");
  house.finish(a);
  CHECK(house.gone(a));
  CHECK(house.offer(spec).status == Status::duplicate);
  house.pass(1'000);
  CHECK(house.offer(spec).status == Status::stored);
  house.pass(1'000);
  CHECK(*house->next_clean() == house.clock.steady_ms);
  house.clean();
  CHECK(*house->next_clean() == 0);
  house.sound();
}

TEST_CASE("a replacing job cancels the one that waits but not the one that runs") {
  House house;
  JobSpec spec = job();
  spec.unique = {"r", UniqueUntil::ended, 0, true};
  const JobId a = house.submit(spec);
  const Submitted second = house.offer(spec);
  CHECK(second.status == Status::stored);
  CHECK(second.replaced == a);
  CHECK(house.state(a) == JobState::cancelled);
  CHECK(house.take("p") == std::vector<JobId>{second.id});
  CHECK(house.offer(spec).status == Status::duplicate);
  house.finish(second.id);
  CHECK(house.offer(spec).status == Status::stored);
  house.sound();
}

TEST_CASE("pauses between attempts double up to their cap and spread by their jitter") {
  const Retry retry{5, 100, 500, 0, {}};
  CHECK(pause_ms(retry, 1, 0) == 100);
  CHECK(pause_ms(retry, 2, 0) == 200);
  CHECK(pause_ms(retry, 3, 0) == 400);
  CHECK(pause_ms(retry, 4, 0) == 500);
  CHECK(pause_ms(retry, 5, 0) == 500);
  CHECK(pause_ms(retry, 6, 0) == std::nullopt);
  CHECK(pause_ms(Retry{}, 1, 0) == std::nullopt);
  const Retry spread{1, 1'000, 10'000, 20, {}};
  CHECK(pause_ms(spread, 1, 0) == 800);
  CHECK(pause_ms(spread, 1, 0x80000000u) == 1'000);
  CHECK(*pause_ms(spread, 1, 0xffffffffu) >= 1'199);
  CHECK(pause_ms(Retry{3, ~0ull, ~0ull, 0, {}}, 3, 0).has_value());
}

TEST_CASE("only attempts that ended as the job says are repeated") {
  Attempt exited, killed, lost, unknown;
  exited.outcome = killed.outcome = Outcome::failed;
  exited.exit_code = 75;
  killed.signal = 9;
  lost.outcome = Outcome::lost;
  unknown.outcome = Outcome::unknown_handler;
  const Retry any{1, 1, 1, 0, {}}, some{1, 1, 1, 0, {1, 75}}, others{1, 1, 1, 0, {1}};
  CHECK(may_retry(any, exited));
  CHECK(may_retry(some, exited));
  CHECK_FALSE(may_retry(others, exited));
  CHECK(may_retry(others, killed));
  CHECK(may_retry(others, lost));
  CHECK_FALSE(may_retry(any, unknown));
}
