// What is done to jobs while they wait and run: held, edited, overtaken, paused, cancelled, killed.
#include <algorithm>

#include "tests/keeper_service/world.hpp"

using namespace jobring;
using namespace jobring::test;

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
