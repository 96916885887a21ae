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

TEST_CASE("the verbs of one user that are under way take so many bytes and no more") {
  constexpr std::size_t kMost = 16u << 20;
  constexpr JobId kJobs = 5'000;
  World world;
  Request batch = request(Op::submit);
  batch.jobs.assign(kJobs, echo());
  REQUIRE(world.ask(batch, 1000).status == Status::ok);
  // Each of them takes several turns and has a long list of ids.
  Request hold = request(Op::apply);
  hold.verb = Verb::hold;
  for (JobId id = 1; id <= 200'000; id += 2) hold.which.ids.emplace_back(id, id);
  const std::size_t each = encode(hold).size();
  std::vector<std::uint64_t> under_way;
  std::uint64_t refused = 0;
  while (refused == 0) {
    REQUIRE(under_way.size() * each <= kMost);
    const std::uint64_t token = world.begin(hold, 1000);
    const auto answer = world.answer_to(token);
    if (!answer) {
      under_way.push_back(token);
      continue;
    }
    CHECK(answer->status == Status::full);
    refused = token;
  }
  CHECK((under_way.size() + 1) * each > kMost);
  // They have begun, and are not over.
  world.keeper->turn(world.now);
  for (const std::uint64_t token : under_way) REQUIRE_FALSE(world.answer_to(token));
  CHECK(world.answer_to(world.begin(hold, 1000)).value().status == Status::full);
  // Others, and requests that are no verbs, have nothing to do with it.
  const std::uint64_t others = world.begin(hold, 1001);
  CHECK_FALSE(world.answer_to(others));
  CHECK(world.ask(request(Op::counts), 1000).status == Status::ok);
  // One that is withdrawn makes room, and so do all that are over.
  world.keeper->cancel(under_way.back());
  const std::uint64_t next = world.begin(hold, 1000);
  CHECK_FALSE(world.answer_to(next));
  for (std::size_t i = 1; i + 1 < under_way.size(); ++i) world.keeper->cancel(under_way[i]);
  world.settle();
  CHECK(world.answer_to(under_way.front()).value().status == Status::ok);
  CHECK(world.answer_to(next).value().status == Status::ok);
  CHECK(world.answer_to(others).value().status == Status::ok);
  CHECK(world.count("p", JobState::held) == kJobs / 2);
  CHECK(world.answer_to(world.begin(hold, 1000)) == std::nullopt);
}
