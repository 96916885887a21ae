// Jobs through the keeper: submitted, handed out, ended, tried again, looked at.
#include <algorithm>

#include "tests/keeper_service/world.hpp"

using namespace jobring;
using namespace jobring::test;

TEST_CASE("a job is submitted and taken in one turn and its end is told to who waits for it") {
  World world;
  const JobId id = world.submit(echo());
  CHECK(world.queued() == std::vector<JobId>{id});
  CHECK(world.state(id) == JobState::ready);  // nobody has begun it
  Request wait = request(Op::wait, id);
  wait.deadline_ns = kForever;
  const std::uint64_t token = world.begin(wait);
  REQUIRE(world.begin_one() == id);
  CHECK(world.state(id) == JobState::running);
  CHECK(world.slot_of(id)->tag == std::to_string(id) + ".1");
  CHECK_FALSE(world.answer_to(token));
  world.finish(id, Outcome::ok, "result");
  world.settle();
  REQUIRE(world.answer_to(token));
  JobView view;
  const std::string payload = world.answer_to(token)->payload;
  REQUIRE(decode_view(payload, view));
  CHECK(view.state == JobState::succeeded);
  CHECK(view.result == "result");
  CHECK(world.count("p", JobState::succeeded) == 1);
}

TEST_CASE("a job that is forgotten at its end still tells its result to who waited") {
  World world;
  JobSpec spec = echo();
  spec.keep_ms = 0;
  const JobId id = world.submit(spec);
  Request wait = request(Op::wait, id);
  wait.deadline_ns = kForever;
  const std::uint64_t token = world.begin(wait);
  world.begin_one();
  world.finish(id, Outcome::ok, "result");
  world.settle();
  REQUIRE(world.answer_to(token));
  CHECK(world.answer_to(token)->status == Status::ok);
  JobView view;
  const std::string payload = world.answer_to(token)->payload;
  REQUIRE(decode_view(payload, view));
  CHECK(view.result == "result");
  CHECK(world.ask(request(Op::show, id)).status == Status::not_found);
}

TEST_CASE("a failed attempt is repeated after its pause and only so often") {
  World world;
  JobSpec spec = echo();
  spec.retry = {2, 1'000, 60'000, 0, {}};
  const JobId id = world.submit(spec);
  REQUIRE(world.begin_one() == id);
  world.finish(id, Outcome::failed, "no", 1);
  world.settle();
  CHECK(world.state(id) == JobState::failed);
  CHECK(world.explain(id).find("the next attempt begins") != std::string::npos);
  world.pass(999);
  world.settle();
  CHECK(world.begin_one() == 0);
  world.pass(1);
  world.settle();
  REQUIRE(world.begin_one() == id);
  CHECK(world.slot_of(id)->tag == std::to_string(id) + ".2");
  world.finish(id, Outcome::crashed, "killed by signal 11", 11);
  world.settle();
  world.pass(2'000);
  world.settle();
  REQUIRE(world.begin_one() == id);
  world.finish(id, Outcome::failed, "no", 1);
  world.settle();
  CHECK(world.state(id) == JobState::dead);
  // All anew, with the next numbers.
  CHECK(world.apply(Verb::retry, one(id)).number == 1);
  REQUIRE(world.begin_one() == id);
  CHECK(world.slot_of(id)->tag == std::to_string(id) + ".4");
  world.finish(id, Outcome::failed, "no", 1);
  world.settle();
  CHECK(world.state(id) == JobState::failed);
}

TEST_CASE("attempts that were lost cost no retries but a job is not lost for ever") {
  World world;
  world.options.lost_limit = 3;
  world.start();
  const JobId id = world.submit(echo());
  for (int lost = 1; lost <= 3; ++lost) {
    REQUIRE(world.begin_one() == id);
    world.lose_the_daemon();
    world.start();
    world.settle();
    CHECK(world.state(id) == (lost < 3 ? JobState::ready : JobState::dead));
  }
  CHECK(world.show(id).last->outcome == Outcome::lost);
}

TEST_CASE("a job runs on over the keeper's death and its end is found in its slot") {
  World world;
  const JobId a = world.submit(echo()), b = world.submit(echo()), c = world.submit(echo());
  REQUIRE(world.begin_one() == a);
  REQUIRE(world.begin_one() == b);
  world.die();
  world.finish(a, Outcome::ok, "ended while nobody looked");
  world.start();
  world.settle();
  CHECK(world.show(a).result == "ended while nobody looked");
  CHECK(world.state(b) == JobState::running);
  CHECK(world.queued() == std::vector<JobId>{c});
  world.finish(b);
  CHECK(world.run_all() == 1);
  CHECK(world.show(c).attempts == 1);
}

TEST_CASE("jobs that the dead keeper had not put into a channel are given back") {
  World world;
  const JobId a = world.submit(echo());
  REQUIRE(world.begin_one() == a);
  // Taken in the store, in no slot: as after a death between commit and put.
  const JobId b = world.submit(echo());
  world.die();
  for (PlayedSlot& slot : world.channels[0]->slots)
    if (slot.tag == std::to_string(b) + ".1") slot = {};
  world.channels[0]->queue.clear();
  world.start();
  world.settle();
  CHECK(world.queued() == std::vector<JobId>{b});
  CHECK(world.state(a) == JobState::running);
}

TEST_CASE("a job that was withdrawn and handed out again is not taken for the slot it came from") {
  World world;
  const JobId a = world.submit(echo());
  const PlayedSlot before = *world.slot_of(a);
  REQUIRE(world.begin_one() == a);
  // The slot that it was withdrawn from, not reaped yet, stands first and has the same tag.
  auto& slots = world.channels[0]->slots;
  std::swap(slots[0], slots[5]);
  slots[0] = before;
  slots[0].state = PlayedSlot::State::done;
  slots[0].outcome = Outcome::cancelled;
  world.start();
  world.settle();
  CHECK(world.state(a) == JobState::running);
  CHECK(world.slot_of(a)->signal == 0);
  CHECK(world.queued().empty());
  world.finish(a);
  world.settle();
  CHECK(world.state(a) == JobState::succeeded);
}

TEST_CASE("a request that comes again after the keeper's death is done once and answered alike") {
  World world;
  Request r = request(Op::submit);
  r.jobs = {echo(), echo()};
  const std::uint64_t token = world.begin(r);
  world.settle();
  const World::Answer first = *world.answer_to(token);
  world.die();
  world.start();
  world.repeat(token, r);
  world.settle();
  CHECK(world.answer_to(token)->payload == first.payload);
  CHECK(world.count("p", JobState::ready) == 2);
}

TEST_CASE("requests of a dead keeper that come late are not done again by the next but one") {
  World world;
  Request r = request(Op::submit);
  r.jobs = {echo()};
  const std::uint64_t a = world.begin(r), b = world.begin(r);
  world.settle();
  world.die();
  world.start();
  world.repeat(a, r);
  world.submit(echo());  // a turn of the second life, which answers something
  world.die();
  world.start();
  world.repeat(b, r);
  world.settle();
  CHECK(world.answer_to(b)->status == Status::ok);
  CHECK(world.count("p", JobState::ready) == 3);
}

TEST_CASE("of a request that was not kept nothing is found and it is done when it comes again") {
  World world;
  Request r = request(Op::submit);
  r.jobs = {echo()};
  const std::uint64_t token = world.begin(r);
  world.die();  // before the turn
  world.start();
  world.repeat(token, r);
  world.settle();
  CHECK(world.answer_to(token)->status == Status::ok);
  CHECK(world.count("p", JobState::ready) == 1);
}

TEST_CASE("held and edited jobs come out of the channels as long as nobody has begun them") {
  World world;
  std::vector<JobId> ids;
  for (int i = 0; i < 4; ++i) ids.push_back(world.submit(echo()));
  REQUIRE(world.queued().size() == 4);
  REQUIRE(world.begin_one() == ids[0]);
  CHECK(world.apply(Verb::hold, one(ids[1])).number == 1);
  CHECK(world.state(ids[1]) == JobState::held);
  CHECK(world.apply(Verb::hold, one(ids[0])).id == 1);  // it runs: unfit
  Edit urgent;
  urgent.priority = 5;
  CHECK(world.apply(Verb::edit, one(ids[3]), urgent).number == 1);
  CHECK(world.queued() == std::vector<JobId>{ids[3], ids[2]});
  CHECK(world.show(ids[2]).attempts == 0);
}

TEST_CASE("what is much more urgent overtakes what was handed out and not begun") {
  World world({{"p", 1, 4, 1 << 20, 0}});
  std::vector<JobId> ids;
  for (int i = 0; i < 20; ++i) ids.push_back(world.submit(echo()));
  REQUIRE(world.begin_one() == ids[0]);
  const std::size_t handed_out = world.queued().size();
  JobSpec spec = echo();
  spec.priority = 1;
  const JobId urgent = world.submit(spec);
  CHECK(world.queued().size() == handed_out);
  const std::vector<JobId> queued = world.queued();
  CHECK(std::count(queued.begin(), queued.end(), urgent) == 1);
  world.settle();
}

TEST_CASE("a paused pool gives back what nobody has begun and goes on when it is resumed") {
  World world;
  std::vector<JobId> ids;
  for (int i = 0; i < 3; ++i) ids.push_back(world.submit(echo()));
  REQUIRE(world.begin_one() == ids[0]);
  Request r = request(Op::pool);
  r.text = "p";
  r.number = std::uint64_t(PoolVerb::pause);
  CHECK(world.ask(r, 1000).status == Status::permission);
  CHECK(world.ask(r).status == Status::ok);
  CHECK(world.queued().empty());
  CHECK(world.explain(ids[1]).find("paused") != std::string::npos);
  Request drain = r;
  drain.number = std::uint64_t(PoolVerb::drain);
  drain.deadline_ns = kForever;
  const std::uint64_t drained = world.begin(drain);
  world.settle();
  CHECK_FALSE(world.answer_to(drained));
  world.finish(ids[0]);
  world.settle();
  REQUIRE(world.answer_to(drained));
  CHECK(world.answer_to(drained)->number == 0);
  r.number = std::uint64_t(PoolVerb::resume);
  CHECK(world.ask(r).status == Status::ok);
  CHECK(world.run_all() == 2);
}

TEST_CASE("a cancelled job that runs is stopped and a killed one is not tried again") {
  World world;
  JobSpec spec = echo();
  spec.retry.max = 5;
  const JobId a = world.submit(spec), b = world.submit(spec), c = world.submit(spec);
  REQUIRE(world.begin_one() == a);
  REQUIRE(world.begin_one() == b);
  Request cancel = request(Op::apply);
  cancel.verb = Verb::cancel;
  cancel.which = one(a);
  cancel.signal = 2;
  CHECK(world.ask(cancel).number == 1);
  CHECK(world.slot_of(a)->signal == 2);
  CHECK(world.show(a).stop_wanted);
  world.finish(a, Outcome::killed, "");
  world.settle();
  Request kill = request(Op::kill);
  kill.which.states = 1u << unsigned(JobState::running);
  CHECK(world.ask(kill).number == 1);  // b; c has not begun
  CHECK(world.slot_of(b)->signal == 15);
  world.finish(b, Outcome::killed, "");
  world.settle();
  CHECK(world.state(a) == JobState::cancelled);
  CHECK(world.state(b) == JobState::dead);
  CHECK(world.state(c) == JobState::ready);
  CHECK(world.apply(Verb::cancel, one(c)).number == 1);
  CHECK(world.state(c) == JobState::cancelled);
  CHECK(world.begin_one() == 0);
}

TEST_CASE("users see and touch what is theirs") {
  World world;
  const JobId mine = world.submit(echo(), 1000);
  const JobId others = world.submit(echo(), 1001);
  CHECK(world.show(mine, 1000).id == mine);
  CHECK(world.ask(request(Op::show, others), 1000).status == Status::not_found);
  CHECK(world.apply(Verb::cancel, one(others), {}, 1000).number == 0);
  Selector theirs;
  theirs.uid = 1001;
  CHECK(world.apply(Verb::cancel, theirs, {}, 1000).status == Status::permission);
  CHECK(world.state(mine) == JobState::ready);
  CHECK(world.apply(Verb::cancel, Selector{}, {}, 1000).number == 1);
  CHECK(world.state(mine) == JobState::cancelled);
  CHECK(world.state(others) == JobState::ready);
  JobSpec spec = echo();
  spec.dependencies = {{others, After::any, false}};
  Request r = request(Op::submit);
  r.jobs = {spec};
  std::vector<Submitted> told;
  const std::string payload = world.ask(r, 1000).payload;
  REQUIRE(decode_submitted(payload, told));
  CHECK(told[0].status == Submitted::Status::no_such_job);
  CHECK(told[0].id == others);
  spec.uid = 0;  // what a request says of its owner counts for nothing
  spec.dependencies.clear();
  CHECK(world.show(world.submit(spec, 1000)).spec.uid == 1000);
  const JobId group = world.ask(request(Op::new_group), 1001).id;
  CHECK(world.ask(request(Op::seal_group, group), 1000).status == Status::not_found);
  CHECK(world.ask(request(Op::seal_group, group), 1001).status == Status::ok);
}

TEST_CASE("who waits for any of many is told of those that have ended") {
  World world;
  std::vector<JobId> ids;
  for (int i = 0; i < 3; ++i) ids.push_back(world.submit(echo()));
  Request wait = request(Op::wait_any);
  wait.which.ids = {{ids[0], ids[2]}};
  wait.deadline_ns = kForever;
  const std::uint64_t token = world.begin(wait);
  world.settle();
  CHECK_FALSE(world.answer_to(token));
  world.begin_one();
  world.begin_one();
  world.finish(ids[1]);
  world.settle();
  std::vector<JobId> ended;
  REQUIRE(world.answer_to(token));
  std::string payload = world.answer_to(token)->payload;
  REQUIRE(decode_ids(payload, ended));
  CHECK(ended == std::vector<JobId>{ids[1]});
  // What is over already is said at once; so is what is not there.
  wait.which.ids = {{ids[1], ids[1]}, {ids[2] + 100, ids[2] + 100}};
  payload = world.ask(wait).payload;
  ended.clear();
  REQUIRE(decode_ids(payload, ended));
  CHECK(ended == std::vector<JobId>{ids[1], ids[2] + 100});
}

TEST_CASE("a group is waited for until it is sealed and over") {
  World world;
  const JobId group = world.ask(request(Op::new_group)).id;
  JobSpec spec = echo();
  spec.group = group;
  const JobId id = world.submit(spec);
  Request wait = request(Op::wait, group);
  wait.deadline_ns = kForever;
  const std::uint64_t token = world.begin(wait);
  world.begin_one();
  world.finish(id);
  world.settle();
  CHECK_FALSE(world.answer_to(token));
  CHECK(world.ask(request(Op::seal_group, group)).status == Status::ok);
  REQUIRE(world.answer_to(token));
  CHECK(world.answer_to(token)->flags == kIsGroup);
}

TEST_CASE("waiting ends at its deadline and when it is withdrawn") {
  World world;
  const JobId id = world.submit(echo());
  Request wait = request(Op::wait, id);
  wait.deadline_ns = world.now.mono_ns + 1'000'000;
  const std::uint64_t first = world.begin(wait);
  wait.deadline_ns = kForever;
  const std::uint64_t second = world.begin(wait);
  CHECK(world.keeper->next_ns(world.now) <= world.now.mono_ns + 1'000'000);
  world.pass(1);
  world.settle();
  CHECK(world.answer_to(first)->status == Status::timed_out);
  world.keeper->cancel(second);
  CHECK(world.answer_to(second)->status == Status::cancelled);
  wait.deadline_ns = 0;
  CHECK(world.ask(wait).status == Status::timed_out);
  CHECK(world.ask(request(Op::wait, 999)).status == Status::not_found);
}

TEST_CASE("events tell in their order what happened and to whom it may concern") {
  World world;
  const JobId a = world.submit(echo(), 1000);
  const JobId b = world.submit(echo(), 1001);
  world.run_all();
  const auto states = [&](std::uint32_t uid, JobId id) {
    const World::Answer answer = world.ask(request(Op::events), uid);
    std::vector<Event> events;
    REQUIRE(decode_events(answer.payload, events));
    std::vector<JobState> all;
    for (const Event& e : events) {
      CHECK(e.pool == "p");
      if (e.id == id) all.push_back(e.state);
    }
    return all;
  };
  using S = JobState;
  const std::vector<S> life = {S::ready, S::running, S::succeeded};
  CHECK(states(1000, a) == life);
  CHECK(states(1000, b).empty());
  CHECK(states(0, b) == life);
  Request follow = request(Op::events, ~std::uint64_t{0});
  follow.deadline_ns = kForever;
  const std::uint64_t token = world.begin(follow, 1000);
  world.submit(echo(), 1001);
  CHECK_FALSE(world.answer_to(token));
  world.submit(echo(), 1000);
  CHECK(world.answer_to(token));
}

TEST_CASE("jobs of pools that are not there wait and say why") {
  World world;
  const JobId id = world.submit(echo("nowhere"));
  CHECK(world.state(id) == JobState::ready);
  CHECK(world.explain(id).find("no pool \"nowhere\"") != std::string::npos);
  CHECK_FALSE(world.keeper->turn(world.now));
  Edit edit;
  edit.pool = "p";
  CHECK(world.apply(Verb::edit, one(id), edit).number == 1);
  CHECK(world.run_all() == 1);
}

TEST_CASE("a pool that cannot be reached is tried again and again and not all the time") {
  World world;
  world.refuse_channels = Error{Errc::full, "too many", {}, {}};
  const JobId id = world.submit(echo());
  CHECK(world.state(id) == JobState::ready);
  CHECK(world.explain(id).find("too many") != std::string::npos);
  CHECK(world.troubles.size() == 1);
  CHECK_FALSE(world.keeper->turn(world.now));
  const std::int64_t next = world.keeper->next_ns(world.now);
  CHECK(next > world.now.mono_ns + 100'000'000);
  CHECK(next <= world.now.mono_ns + 2'000'000'000);
  world.refuse_channels.reset();
  world.pass(1'100);
  CHECK(world.run_all() == 1);
}

TEST_CASE("a pool with a rate gets no more than that") {
  World world({{"p", 8, 1024, 1 << 20, 10}});
  for (int i = 0; i < 100; ++i) world.submit(echo());
  std::size_t ran = 0;
  for (int i = 0; i < 200; ++i) {
    ran += world.run_all();
    world.pass(10);
  }
  CHECK(ran >= 18);
  CHECK(ran <= 22);
}

TEST_CASE("more jobs than may wait are refused all together") {
  World world;
  world.options.jobs_max = 3;
  world.options.jobs_per_user = 2;
  world.start();
  Request r = request(Op::submit);
  r.jobs = {echo(), echo(), echo(), echo()};
  CHECK(world.ask(r).status == Status::full);
  r.jobs = {echo(), echo()};
  CHECK(world.ask(r, 1000).status == Status::ok);
  r.jobs = {echo()};
  CHECK(world.ask(r, 1000).status == Status::full);
  CHECK(world.ask(r, 1001).status == Status::ok);
  CHECK(world.ask(r, 1002).status == Status::full);
  CHECK(world.run_all() == 3);
  world.pass(2'000);
  CHECK(world.ask(r, 1000).status == Status::ok);
}

TEST_CASE("members of an array know their place by their tags") {
  World world;
  JobSpec spec = echo();
  spec.array = Array{10, 30, 10, 2};
  const JobId group = world.submit(spec);
  CHECK(world.queued().size() == 2);
  REQUIRE(world.begin_one() == group + 1);
  CHECK(world.slot_of(group + 1)->tag == std::to_string(group + 1) + ".1.10");
  CHECK(world.explain(group + 3).find("concurrency key") != std::string::npos);
  world.finish(group + 1);
  CHECK(world.run_all() == 2);
}

TEST_CASE("a job is exported and imported with all that is known of it") {
  World world;
  JobSpec spec = echo();
  spec.tags = {"t"};
  const JobId id = world.submit(spec, 1000);
  world.run_all();
  Request show = request(Op::show, id);
  show.flags = kComplete;
  const std::string record = world.ask(show).payload;
  CHECK(world.apply(Verb::remove, one(id)).number == 1);
  Request import = request(Op::import_job);
  import.text = record;
  CHECK(world.ask(import).number == 1);
  CHECK(world.ask(import).number == 0);
  CHECK(world.state(id) == JobState::succeeded);
  CHECK(world.show(id).spec.uid == 1000);
}

TEST_CASE("a channel whose words make no sense loses what it held and nothing else") {
  World world;
  const JobId a = world.submit(echo(), 1000), b = world.submit(echo(), 1001);
  world.begin_one();
  world.begin_one();
  for (const auto& channel : world.channels)
    if (channel->uid == 1000) channel->broken = true;
  world.settle();
  CHECK(world.state(b) == JobState::running);
  CHECK(world.show(a).state == JobState::ready);
  CHECK(world.show(a).attempts >= 1);
  // One that is closed while nothing is in it is let go of.
  world.finish(b);
  world.settle();
  for (const auto& channel : world.channels) channel->broken = true;
  world.settle();
  for (const auto& channel : world.channels) CHECK(channel->closed == channel->broken);
}

TEST_CASE("a channel that takes no more handler names is replaced when it is empty") {
  World world;
  JobSpec spec = echo();
  for (const char* name : {"a", "b", "c", "d"}) {
    spec.handler = name;
    world.submit(spec);
  }
  const JobId first = world.begin_one();
  for (int i = 0; i < 2; ++i) world.finish(world.begin_one());
  world.settle();
  spec.handler = "e";
  const JobId fifth = world.submit(spec);
  CHECK(world.state(fifth) == JobState::failed);
  spec.handler = "a";
  const JobId known = world.submit(spec);  // goes on meanwhile
  CHECK(world.run_all() == 2);
  CHECK(world.state(known) == JobState::succeeded);
  world.finish(first);
  world.settle();
  CHECK_FALSE(world.keeper->turn(world.now));
  world.pass(1'000);
  CHECK(world.run_all() == 1);
  CHECK(world.state(fifth) == JobState::succeeded);
  CHECK(world.channels[0]->closed);
}

TEST_CASE("an ended job is forgotten when its time is over though nobody asks for anything") {
  World world;
  JobSpec spec = echo();
  spec.keep_ms = 5'000;
  const JobId id = world.submit(spec);
  world.run_all();
  // As its process does: it sleeps until it is to look again.
  for (int i = 0; i < 10; ++i) {
    const std::int64_t next = world.keeper->next_ns(world.now);
    if (next == kForever) break;
    world.pass(std::max<std::int64_t>(1, (next - world.now.mono_ns + 999'999) / 1'000'000));
    world.settle();
  }
  CHECK(world.ask(request(Op::show, id)).status == Status::not_found);
  CHECK(world.now.mono_ns < 60'000'000'000);
}

TEST_CASE("what a client asked for before it left is done and answered to nobody") {
  World world;
  Request r = request(Op::submit);
  r.jobs = {echo()};
  const std::uint64_t token = world.begin(r, 1000);
  Request apply = request(Op::apply);
  apply.verb = Verb::hold;
  world.begin(apply, 1000);
  world.keeper->session_ended(1001);
  world.settle();
  CHECK_FALSE(world.answer_to(token));
  CHECK(world.answers.empty());
  CHECK(world.count("p", JobState::held) == 1);
}

TEST_CASE("progress is seen while a job runs and kept on record") {
  World world;
  const JobId id = world.submit(echo());
  world.begin_one();
  world.slot_of(id)->progress = 42;
  const auto progress = [&] {
    const World::Answer answer = world.ask(request(Op::show, id));
    JobRecord record;
    REQUIRE(decode_record(answer.payload, record));
    return record.progress ? record.progress->done : 0;
  };
  CHECK(progress() == 42);
  world.pass(1'500);
  world.settle();
  world.finish(id);
  world.settle();
  CHECK(progress() == 42);
}

TEST_CASE("when the daemon goes down what nobody has begun waits for the next one") {
  World world;
  const JobId a = world.submit(echo()), b = world.submit(echo());
  REQUIRE(world.begin_one() == a);
  world.keeper->drain();
  world.settle();
  CHECK(world.queued().empty());
  CHECK(world.explain(b).find("going down") != std::string::npos);
  // Its worker is killed because it takes too long: that is not its fault.
  world.finish(a, Outcome::crashed, "killed", 9);
  world.settle();
  world.lose_the_daemon();
  world.start();
  world.settle();
  CHECK(world.state(a) == JobState::ready);
  CHECK(world.run_all() == 2);
  CHECK(world.show(a).attempts == 2);
  CHECK(world.show(b).attempts == 1);
}
