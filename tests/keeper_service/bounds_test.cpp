// What one user's requests may take of the keeper's memory.
#include <algorithm>

#include "tests/keeper_service/world.hpp"

using namespace jobring;
using namespace jobring::test;

TEST_CASE("a long batch is decoded when its turn comes and kept like a short one") {
  World world;
  Request r = request(Op::submit);
  // Above 64 KiB.
  r.jobs.assign(10'000, echo());
  const World::Answer answer = world.ask(r);
  REQUIRE(answer.status == Status::ok);
  std::vector<Submitted> stored;
  REQUIRE(decode_submitted(answer.payload, stored));
  REQUIRE(stored.size() == 10'000);
  CHECK(std::all_of(stored.begin(), stored.end(),
                    [](const Submitted& s) { return s.status == Submitted::Status::stored; }));
  CHECK(world.count("p", JobState::ready) + world.count("p", JobState::running) == 10'000);

  SUBCASE("one whose bytes make no sense is refused and keeps nothing") {
    r.jobs.assign(kJobsMax + 1, echo());
    const World::Answer refused = world.ask(r);
    CHECK(refused.status == Status::bad_argument);
    CHECK(refused.payload.find("100000 jobs") != std::string::npos);
    CHECK(world.count("p", JobState::ready) + world.count("p", JobState::running) == 10'000);
  }
}

TEST_CASE("the waits of one user hold on to so many ranges of ids and no more") {
  World world;
  Request wait = request(Op::wait_any);
  wait.deadline_ns = kForever;
  // Jobs that are there, so that the waits last: every other id.
  Request batch = request(Op::submit);
  batch.jobs.assign(kJobsMax, echo());
  REQUIRE(world.ask(batch).status == Status::ok);
  for (JobId id = 1; id <= kJobsMax; id += 2) wait.which.ids.emplace_back(id, id);
  std::vector<std::uint64_t> tokens;
  for (int i = 0; i < 20; ++i) tokens.push_back(world.begin(wait));
  world.settle();
  CHECK_FALSE(world.answer_to(tokens.back()));
  CHECK(world.ask(wait).status == Status::full);
  // One that is withdrawn makes room.
  world.keeper->cancel(tokens.front());
  const std::uint64_t next = world.begin(wait);
  world.settle();
  CHECK_FALSE(world.answer_to(next));
}
