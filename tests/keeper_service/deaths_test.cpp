// The keeper's death at a certain moment, and the daemon's.
#include "tests/keeper_service/world.hpp"

using namespace jobring;
using namespace jobring::test;

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

TEST_CASE("what a dead keeper answered is known when its job has come and gone in a life between") {
  World world;
  Request r = request(Op::submit);
  r.jobs = {echo()};
  const std::uint64_t token = world.begin(r);
  world.settle();
  const World::Answer first = *world.answer_to(token);
  world.die();
  world.start();
  // Turns that answer nothing.
  const JobId job = world.begin_one();
  REQUIRE(job != 0);
  world.finish(job);
  world.settle();
  world.die();
  world.start();
  world.repeat(token, r);
  world.settle();
  CHECK(world.answer_to(token)->payload == first.payload);
  CHECK(world.count("p", JobState::succeeded) == 1);
  CHECK(world.count("p", JobState::ready) == 0);
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
