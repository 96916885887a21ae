// Who waits is told, and who may look.
#include "tests/keeper_service/world.hpp"

using namespace jobring;
using namespace jobring::test;

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
