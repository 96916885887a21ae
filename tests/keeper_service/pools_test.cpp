// Pools that are not there, cannot be reached, have a rate, or no more room.
#include "tests/keeper_service/world.hpp"

using namespace jobring;
using namespace jobring::test;

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
