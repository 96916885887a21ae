// What people do to jobs, and finding them.
#include <algorithm>

#include "tests/keeper/house.hpp"

using namespace jobring;
using namespace jobring::test;

namespace {

std::uint32_t states(std::initializer_list<JobState> all) {
  std::uint32_t bits = 0;
  for (const JobState s : all) bits |= 1u << unsigned(s);
  return bits;
}

}  // namespace

TEST_CASE("a held job is not taken until it is released") {
  House house;
  const JobId id = house.submit(job());
  CHECK(house.apply(Verb::hold, id).changed == 1);
  CHECK(house.state(id) == JobState::held);
  CHECK(house.take("p").empty());
  house.reopen();
  CHECK(house.apply(Verb::hold, id).unfit == 1);
  CHECK(house.apply(Verb::release, id).changed == 1);
  CHECK(house.apply(Verb::release, id).unfit == 1);
  CHECK(house.take("p") == std::vector<JobId>{id});
  CHECK(house.apply(Verb::hold, id).unfit == 1);
  JobSpec spec = job();
  spec.held = true;
  CHECK(house.state(house.submit(spec)) == JobState::held);
  house.sound();
}

TEST_CASE("a delayed job that is held keeps its time") {
  House house;
  JobSpec spec = job();
  spec.delay_ms = 1'000;
  const JobId early = house.submit(spec), late = house.submit(spec);
  house.apply(Verb::hold, Selector{});
  house.apply(Verb::release, early);
  CHECK(house.state(early) == JobState::delayed);
  house.pass(1'000);
  house.wake();
  CHECK(house.state(early) == JobState::ready);
  CHECK(house.state(late) == JobState::held);
  house.apply(Verb::release, late);
  CHECK(house.state(late) == JobState::ready);
  house.sound();
}

TEST_CASE("cancelling ends what waits and marks what runs") {
  House house;
  const JobId runs = house.submit(job());
  house.take("p");
  JobSpec delayed = job();
  delayed.delay_ms = 5;
  const JobId ready = house.submit(job()), later = house.submit(delayed);
  const Applied applied = house.apply(Verb::cancel, Selector{});
  CHECK(applied.changed == 3);
  CHECK(applied.stop == std::vector<JobId>{runs});
  CHECK(house.state(ready) == JobState::cancelled);
  CHECK(house.state(later) == JobState::cancelled);
  CHECK(house.show(later).job.last->tail == "cancelled");
  house.reopen();
  REQUIRE(house->running().size() == 1);
  CHECK(house->running()[0].stop_wanted);
  CHECK(house.show(runs).job.stop_wanted);
  // Its end says "again", but somebody has cancelled it.
  house.finish(runs, JobState::failed, house.clock.steady_ms + 10);
  CHECK(house.state(runs) == JobState::cancelled);
  CHECK(house.apply(Verb::cancel, Selector{}).unfit == 3);
  house.pass(100);
  house.wake();
  CHECK(house.take("p").empty());
  house.sound();
}

TEST_CASE("a cancelled job that nobody had begun ends when it is given back") {
  House house;
  const JobId id = house.submit(job());
  house.take("p");
  house.apply(Verb::cancel, id);
  house.begin();
  house->give_back({&id, 1});
  house.commit();
  CHECK(house.state(id) == JobState::cancelled);
  house.sound();
}

TEST_CASE("buried jobs are dead until they are kicked") {
  House house;
  const JobId id = house.submit(job());
  CHECK(house.apply(Verb::bury, id).changed == 1);
  CHECK(house.state(id) == JobState::dead);
  CHECK(house.take("p").empty());
  CHECK(house.apply(Verb::kick, id).changed == 1);
  CHECK(house.take("p") == std::vector<JobId>{id});
  house.sound();
}

TEST_CASE("kick makes delayed and failed jobs ready now") {
  House house;
  JobSpec spec = job();
  spec.run_at_ms = house.clock.real_ms + 1'000'000;
  const JobId delayed = house.submit(spec), failed = house.submit(job());
  CHECK(house.state(delayed) == JobState::delayed);
  house.take("p");
  house.finish(failed, JobState::failed, house.clock.steady_ms + 1'000'000);
  CHECK(house.apply(Verb::kick, Selector{}).changed == 2);
  CHECK(house.take("p") == std::vector<JobId>{delayed, failed});
  CHECK(house->next_due()->real_ms == 0);
  CHECK(house->next_due()->steady_ms == 0);
  house.sound();
}

TEST_CASE(
    "a retried job runs again with its former attempts on record and its deadline forgotten") {
  House house;
  JobSpec spec = job();
  spec.deadline_ms = house.clock.real_ms + 50;
  const JobId id = house.submit(spec);
  house.take("p");
  house.finish(id, JobState::dead);
  house.pass(100);
  house.wake();
  CHECK(house.state(id) == JobState::dead);
  CHECK(house.apply(Verb::retry, id).changed == 1);
  CHECK(house.state(id) == JobState::ready);
  CHECK(house.show(id).attempts.size() == 1);
  house.begin();
  const TakenBatch batch = house->take("p", 1);
  house.commit();
  REQUIRE(batch.jobs.size() == 1);
  CHECK(batch.jobs[0].attempt == 2);
  house.finish(id);
  CHECK(house.show(id).attempts.size() == 2);
  house.sound();
}

TEST_CASE("edits of pool priority and delay move a job to its new place") {
  House house;
  const JobId a = house.submit(job()), b = house.submit(job());
  house.apply(Verb::edit, b, Edit{.priority = 5});
  CHECK(house.take("p", 1) == std::vector<JobId>{b});
  house.apply(Verb::edit, a, Edit{.pool = "other"});
  CHECK(house.take("p").empty());
  house.apply(Verb::edit, a, Edit{.delay_ms = 10});
  CHECK(house.state(a) == JobState::delayed);
  house.pass(10);
  house.wake();
  CHECK(house.take("other") == std::vector<JobId>{a});
  CHECK(house.apply(Verb::edit, a, Edit{.priority = 1}).unfit == 1);
  CHECK(house.show(a).job.spec.pool == "other");
  CHECK(house.show(b).job.spec.priority == 5);
  house.sound();
}

TEST_CASE("removed jobs are forgotten with all they had and others are left alone") {
  House house;
  JobSpec spec = job();
  spec.tags = {"t"};
  const JobId a = house.submit(spec), b = house.submit(spec);
  house.take("p", 1);
  house.finish(a);
  const Applied applied = house.apply(Verb::remove, Selector{});
  CHECK(applied.changed == 1);
  CHECK(applied.unfit == 1);
  CHECK(house.gone(a));
  CHECK(house.state(b) == JobState::ready);
  CHECK(house.list({.tag = "t"}) == std::vector<JobId>{b});
  house.sound();
}

TEST_CASE("selectors choose by ids and pool and state and tag and name and uid together") {
  House house;
  std::vector<JobSpec> specs;
  for (int i = 0; i < 40; ++i) {
    JobSpec spec = job(i % 2 ? "p" : "q");
    spec.name = i % 4 == 3 ? "named" : "";
    spec.uid = i < 20 ? 1000 : 1001;
    if (i % 5 == 0) spec.tags = {"five", "all"};
    if (i % 8 == 7) spec.held = true;
    specs.push_back(spec);
  }
  house.submit_all(specs);  // ids 1 to 40
  const auto newest = [&](auto fits) {
    std::vector<JobId> ids;
    for (int i = 39; i >= 0; --i)
      if (fits(i)) ids.push_back(JobId(i + 1));
    return ids;
  };
  CHECK(house.list({}) == newest([](int) { return true; }));
  CHECK(house.list({.pool = "p"}) == newest([](int i) { return i % 2 == 1; }));
  CHECK(house.list({.pool = "none"}).empty());
  CHECK(house.list({.tag = "five"}) == newest([](int i) { return i % 5 == 0; }));
  CHECK(house.list({.name = "named"}) == newest([](int i) { return i % 4 == 3; }));
  CHECK(house.list({.uid = 1001u}) == newest([](int i) { return i >= 20; }));
  CHECK(house.list({.states = states({JobState::held})}) ==
        newest([](int i) { return i % 8 == 7; }));
  CHECK(house.list({.ids = {{30, 35}, {3, 5}, {4, 6}}}) ==
        std::vector<JobId>{35, 34, 33, 32, 31, 30, 6, 5, 4, 3});
  CHECK(house.list({.ids = {{1, 30}}, .pool = "p", .tag = "five"}) ==
        newest([](int i) { return i < 30 && i % 2 == 1 && i % 5 == 0; }));
  house.take("p", 3);
  CHECK(house.list({.states = states({JobState::running})}) == std::vector<JobId>{6, 4, 2});
  CHECK(house.list({.states = states({JobState::ready, JobState::held}), .uid = 1000u}) ==
        newest([](int i) { return i < 20 && i != 1 && i != 3 && i != 5; }));
}

TEST_CASE("a list goes on where it stopped and skips what does not fit without reading it") {
  House house;
  std::vector<JobSpec> specs(30'000, job());
  house.submit_all(specs);
  JobSpec rare = job("rare");
  rare.name = "rare";
  house.submit(rare);
  house.submit_all(specs);
  // By summary: one call suffices though 60,000 do not fit.
  auto page = house->list({.pool = "rare"}, 0, 10);
  REQUIRE(page.ok());
  CHECK(page->jobs.size() == 1);
  CHECK(page->next == 0);
  // By name: in bounded steps.
  page = house->list({.name = "rare"}, 0, 10);
  REQUIRE(page.ok());
  CHECK(page->jobs.empty());
  CHECK(page->next != 0);
  CHECK(house.list({.name = "rare"}) == std::vector<JobId>{30'001});
  CHECK(house.list({}, 50).size() == 50);
  CHECK(house.count("p", JobState::ready) == 60'000);
  house.sound();
}

TEST_CASE("verbs on many jobs go on where they stopped") {
  House house;
  house.submit_all(std::vector<JobSpec>(3'000, job()));
  house.begin();
  const Applied some = house->apply(Verb::hold, {}, {}, 0, 1'000);
  house.commit();
  CHECK(some.changed == 1'000);
  CHECK(some.next == 1'001);
  CHECK(house.apply(Verb::hold, {.states = states({JobState::ready})}).changed == 2'000);
  CHECK(house.count("p", JobState::held) == 3'000);
  house.sound();
}

TEST_CASE("ended jobs are forgotten when their time is over and no sooner") {
  House house({.keep_ms = 10'000});
  JobSpec shorter = job(), forever = job();
  shorter.keep_ms = 1'000;
  forever.keep_ms = kKeepDefault - 1;
  const JobId a = house.submit(job()), b = house.submit(shorter), c = house.submit(forever);
  const JobId waits = house.submit(job("q"));
  house.submit_all(std::vector<JobSpec>(2'000, job("q")));  // so that theirs is not the last block
  for (const JobId id : house.take("p")) house.finish(id);
  CHECK(*house->next_clean() == house.clock.steady_ms + 1'000);
  house.pass(999);
  house.clean();
  CHECK_FALSE(house.gone(b));
  house.pass(1);
  house.clean();
  CHECK(house.gone(b));
  CHECK_FALSE(house.gone(a));
  house.reopen();
  CHECK(*house->next_clean() == house.clock.steady_ms + 9'000);
  house.pass(9'000);
  house.clean();
  CHECK(house.gone(a));
  house.pass(1'000'000'000);
  house.clean();
  CHECK_FALSE(house.gone(c));
  CHECK_FALSE(house.gone(waits));
  house.sound();
}

TEST_CASE("an exported store that is imported elsewhere has the same jobs") {
  House house, other;
  JobSpec spec = job();
  spec.tags = {"t"};
  spec.priority = 3;
  const std::string long_payload(5'000, 'l');
  const JobId a = house.submit(spec);
  spec.payload = long_payload;
  const JobId b = house.submit(spec);
  JobSpec child = job();
  child.dependencies = {{b, After::success, false}};
  const JobId c = house.submit(child);
  JobSpec delayed = job();
  delayed.delay_ms = 1'000;
  const JobId d = house.submit(delayed);
  JobSpec array = job("arrays");
  array.array = Array{5, 7, 2, 0};
  const JobId group = house.submit(array);
  house.take("p", 1);
  house.finish(a);

  other.begin();
  for (const JobId id : {a, b, c, d, group + 1, group + 2}) {
    const JobRecord record = house.show(id);
    CHECK(other->import_job(record));
    CHECK_FALSE(other->import_job(record));
  }
  other.commit();
  other.sound();
  CHECK(other.state(a) == JobState::succeeded);
  CHECK(other.show(a).attempts.size() == 1);
  CHECK(other.show(b).job.spec.payload == long_payload);
  CHECK(other.show(b).job.spec.tags == spec.tags);
  CHECK(other.show(c).waits_for == std::vector<JobId>{b});
  CHECK(other.state(d) == JobState::delayed);
  CHECK(other.show(group + 2).job.spec.index == 7);
  CHECK(other.take("p") == std::vector<JobId>{b});
  other.finish(b);
  other.pass(1'000);
  other.wake();
  CHECK(other.take("p") == std::vector<JobId>{c, d});
  CHECK(other.submit(job()) == group + 3);
  other.sound();
}

TEST_CASE("cron entries are kept and fire in the turn that submits their job") {
  House house;
  const CronEntry entry{"nightly", "0 3 * * *\nEurope/Berlin", 100, 0};
  house.begin();
  house->put_cron(entry);
  house->put_cron({"hourly", "0 * * * *", 200, 0});
  house.commit();
  house.begin();
  CronEntry fired = entry;
  fired.next_ms = 300, fired.last_ms = 100;
  house->put_cron(fired);
  house->abandon();
  house.reopen();
  REQUIRE(house->cron()->size() == 2);
  CHECK((*house->cron())[1] == entry);
  house.begin();
  CHECK(house->remove_cron("hourly"));
  CHECK_FALSE(house->remove_cron("hourly"));
  house.commit();
  CHECK(*house->cron() == std::vector<CronEntry>{entry});
}

TEST_CASE("the order is written anew when the store is opened with another ageing") {
  House house({.ageing = 1});
  JobSpec high = job();
  high.priority = 5;
  std::vector<JobId> plain;
  for (int i = 0; i < 10; ++i) plain.push_back(house.submit(job()));
  const JobId last = house.submit(high);
  house.options.ageing = 100;
  house.reopen();
  house.sound();
  CHECK(house.take("p", 2) == std::vector<JobId>{last, plain[0]});
}

TEST_CASE("a turn says in their order what it has changed") {
  House house;
  house.begin();
  JobSpec spec = job();
  const JobId first = house->submit({&spec, 1})[0].id;
  spec.held = true;
  const JobId held = house->submit({&spec, 1})[0].id;
  house->take("p", 10);
  house.commit();
  const auto told = [&] {
    std::vector<std::tuple<JobId, JobState, std::uint32_t, bool>> all;
    for (const Change& c : house->changes()) all.emplace_back(c.id, c.state, c.attempt, c.removed);
    return all;
  };
  using Told = std::vector<std::tuple<JobId, JobState, std::uint32_t, bool>>;
  CHECK(told() == Told{{first, JobState::ready, 0, false},
                       {held, JobState::held, 0, false},
                       {first, JobState::running, 1, false}});
  house.finish(first, JobState::failed, house.clock.steady_ms + 10);
  CHECK(told() == Told{{first, JobState::failed, 1, false}});
  house.pass(20);
  house.wake();
  CHECK(told() == Told{{first, JobState::ready, 1, false}});
  house.apply(Verb::cancel, Selector{});
  CHECK(told() ==
        Told{{first, JobState::cancelled, 1, false}, {held, JobState::cancelled, 0, false}});
  house.apply(Verb::remove, held);
  CHECK(told() == Told{{held, JobState::cancelled, 0, true}});
  house.begin();
  house->submit({&spec, 1});
  house->abandon();
  CHECK(told().empty());
}

TEST_CASE("jobs that depend on one that ended are told of in the turn that wakes them") {
  House house;
  const JobId parent = house.submit(job());
  JobSpec spec = job();
  spec.dependencies = {{parent, After::success, false}};
  const JobId child = house.submit(spec);
  house.take("p");
  house.finish(parent, JobState::dead);
  house.wake();
  REQUIRE(house->changes().size() == 1);
  CHECK(house->changes()[0].id == child);
  CHECK(house->changes()[0].state == JobState::cancelled);
}

TEST_CASE("a group knows whose it is") {
  House house;
  house.begin();
  const JobId group = house->new_group(1000);
  house.commit();
  JobSpec spec = job();
  spec.uid = 1001;
  spec.array = Array{1, 3, 1, 0};
  const JobId array = house.submit(spec);
  house.reopen();
  CHECK(house->group(group)->value().uid == 1000);
  CHECK(house->group(array)->value().uid == 1001);
}

TEST_CASE("attempts before a kick do not count against the retries") {
  House house;
  const JobId id = house.submit(job());
  house.take("p");
  house.finish(id, JobState::dead);
  house.apply(Verb::kick, id);
  house.begin();
  const TakenBatch batch = house->take("p", 1);
  house.commit();
  REQUIRE(batch.jobs.size() == 1);
  CHECK(batch.jobs[0].attempt == 2);
  CHECK(batch.jobs[0].base == 1);
  house.reopen();
  CHECK(house->running()[0].base == 1);
}
