// Random lives of keepers, which die anywhere: around commits, while they hand out jobs, free slots
// and answer. $JOBRING_KEEPER_LIVES says how many (60).
#include <cstdlib>
#include <map>
#include <random>

#include "tests/keeper_service/world.hpp"
#include "tests/support/seed.hpp"

using namespace jobring;
using namespace jobring::test;

namespace {

// A client's request that has no answer yet.
struct Asked {
  std::uint64_t token;
  std::vector<std::string> payloads;
};

}  // namespace

TEST_CASE("keepers may die anywhere and no job is lost or runs twice at a time") {
  const std::uint64_t seed = seed_of_test();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  const auto below = [&](std::uint64_t n) { return random() % n; };
  const char* set = std::getenv("JOBRING_KEEPER_LIVES");
  const int lives = set != nullptr ? std::atoi(set) : 60;

  World world({{"p", 2, 16, 1 << 20, 0}, {"q", 4, 8, 1 << 20, 0}});
  world.options.lost_limit = 1'000'000;
  world.start();
  std::uint64_t names = 0;
  std::map<std::uint64_t, Request> asked;  // by token, without an answer
  std::map<std::uint64_t, std::deque<std::string>> texts;
  std::map<JobId, std::string> acknowledged;  // with their payloads
  std::map<std::string, int> ends;            // how often a payload ran to its end
  int deaths = 0, in_the_middle = 0;

  const auto ask = [&] {
    Request r = request(Op::submit);
    std::deque<std::string> payloads;
    for (std::uint64_t n = 1 + below(5); n > 0; --n) {
      payloads.push_back("job " + std::to_string(++names));
      JobSpec spec = echo(below(2) == 0 ? "p" : "q");
      spec.payload = payloads.back();
      spec.retry = {1'000'000, 1, 4, 50, {}};
      spec.durability = Durability(below(3));
      if (below(4) == 0) spec.priority = std::int32_t(below(3));
      if (below(6) == 0) spec.delay_ms = below(20);
      if (below(6) == 0) {
        spec.concurrency_key = "key";
        spec.concurrency_max = 2;
      }
      if (!acknowledged.empty() && below(6) == 0)
        spec.dependencies = {{acknowledged.rbegin()->first, After::any, false}};
      r.jobs.push_back(spec);
    }
    const std::uint64_t token = world.begin(r);
    texts[token] = std::move(payloads);
    for (std::size_t i = 0; i < r.jobs.size(); ++i) r.jobs[i].payload = texts[token][i];
    asked[token] = r;
  };
  const auto hear = [&] {
    for (auto it = asked.begin(); it != asked.end();) {
      const auto answer = world.answer_to(it->first);
      if (!answer) {
        ++it;
        continue;
      }
      REQUIRE_MESSAGE(answer->status == Status::ok, answer->payload);
      std::vector<Submitted> told;
      REQUIRE(decode_submitted(answer->payload, told));
      REQUIRE(told.size() == it->second.jobs.size());
      for (std::size_t i = 0; i < told.size(); ++i) {
        REQUIRE(told[i].status == Submitted::Status::stored);
        REQUIRE(acknowledged.emplace(told[i].id, it->second.jobs[i].payload).second);
      }
      it = asked.erase(it);
    }
  };
  const auto work = [&] {
    for (const char* pool : {"p", "q"}) {
      if (below(2) == 0) world.begin_one(pool);
    }
    if (world.running.empty() || below(2) == 0) return;
    const JobId id = *std::next(world.running.begin(), long(below(world.running.size())));
    const std::string payload = world.slot_of(id)->payload;
    switch (below(4)) {
      case 0:
        return world.finish(id, Outcome::failed, "no", 1);
      case 1:
        return world.finish(id, Outcome::crashed, "signal", 11);
      default:
        ++ends[payload];
        return world.finish(id, Outcome::ok, payload);
    }
  };
  const auto come_back = [&] {
    ++deaths;
    world.steps_to_live = 0;
    world.die();
    if (below(5) == 0) world.lose_the_daemon();
    world.pass(std::int64_t(below(50)));
    if (below(4) == 0) world.now.system.real_ms -= std::int64_t(below(100'000));
    world.start();
    // Recovery requeues what the dead one had claimed and not answered.
    for (const auto& [token, r] : asked) world.repeat(token, r);
  };

  while (deaths < lives) {
    try {
      for (std::uint64_t n = below(6); n > 0; --n) ask();
      world.steps_to_live = std::uint32_t(1 + below(60));
      for (std::uint64_t n = 1 + below(12); n > 0; --n) {
        world.keeper->turn(world.now);
        work();
        world.pass(std::int64_t(below(8)));
        if (below(4) == 0) ask();
      }
      world.steps_to_live = 0;
      hear();
      if (below(3) == 0) come_back();
    } catch (const World::Death&) {
      ++in_the_middle;
      world.steps_to_live = 0;
      world.die();
      hear();
      come_back();
    }
  }
  world.settle();
  hear();
  // Now all of them may end.
  for (int i = 0; i < 100'000 && world.running.size() + names > 0; ++i) {
    while (world.begin_one("p") != 0 || world.begin_one("q") != 0) {
    }
    while (!world.running.empty()) {
      const JobId id = *world.running.begin();
      ++ends[world.slot_of(id)->payload];
      world.finish(id, Outcome::ok, world.slot_of(id)->payload);
    }
    world.settle();
    world.pass(5);
    std::uint64_t open = 0;
    for (const Counts& pool : world.keeper->store().counts())
      for (unsigned s = 0; s < kJobStates; ++s)
        if (!is_ended(JobState(s))) open += pool.jobs[s];
    if (open == 0) break;
  }
  REQUIRE(asked.empty());
  for (const auto& [id, payload] : acknowledged) {
    CAPTURE(id);
    const JobView job = world.show(id);
    CHECK(job.state == JobState::succeeded);
    CHECK(job.spec.payload == payload);
    CHECK(job.result == payload);
    CHECK(ends[payload] >= 1);
  }
  CHECK(acknowledged.size() == names);
  std::uint64_t stored = 0;
  for (const Counts& pool : world.keeper->store().counts())
    for (const std::uint64_t n : pool.jobs) stored += n;
  CHECK(stored == names);  // none twice
  const auto wrong = world.keeper->store().check();
  REQUIRE(wrong.ok());
  for (const std::string& what : *wrong) FAIL_CHECK(what);
  MESSAGE(deaths << " deaths, " << in_the_middle << " in the middle; " << names << " jobs");
}
