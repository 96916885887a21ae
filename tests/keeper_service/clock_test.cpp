// Time: cron entries, and clocks that are set.
#include "tests/keeper_service/world.hpp"

using namespace jobring;
using namespace jobring::test;

namespace {

constexpr std::int64_t kMinute = 60'000, kHour = 3'600'000;

Request every(const char* schedule, CatchUp catch_up = CatchUp::once) {
  Request r = request(Op::cron_put);
  r.cron.name = "entry";
  r.cron.schedule = schedule;
  r.cron.zone = "Etc/UTC";
  r.cron.catch_up = catch_up;
  r.jobs = {echo()};
  return r;
}

}  // namespace

TEST_CASE("the steady clock goes on over restarts and never back") {
  const KeeperClock clock({1'000'000, 500}, {1'060'000, 10});
  CHECK(clock.at({1'060'000, 10}).steady_ms == 60'500);
  CHECK(clock.at({9'000'000, 20}).steady_ms == 60'510);
  const KeeperClock set_back({1'000'000, 500}, {400'000, 10});
  CHECK(set_back.at({400'000, 11}).steady_ms == 501);
}

TEST_CASE("a cron entry fires each time once and over restarts too") {
  World world;
  const World::Answer put = world.ask(every("*/10 * * * *"), 1000);
  REQUIRE_MESSAGE(put.status == Status::ok, put.payload);
  CHECK(put.number > world.now.system.real_ms);
  CHECK(put.number - world.now.system.real_ms <= 10 * kMinute);
  CHECK(world.ask(every("@daily"), 1000).status == Status::exists);
  world.pass(put.number - world.now.system.real_ms - 1);
  CHECK(world.run_all() == 0);
  world.pass(1);
  CHECK(world.run_all() == 1);
  world.die();
  world.start();
  CHECK(world.run_all() == 0);
  world.pass(10 * kMinute);
  CHECK(world.run_all() == 1);
  Request run = request(Op::cron_run);
  run.text = "entry";
  CHECK(world.ask(run, 1001).status == Status::not_found);
  const JobId id = world.ask(run, 1000).id;
  CHECK(world.show(id).spec.uid == 1000);
  CHECK(world.run_all() == 1);
  const World::Answer listed = world.ask(request(Op::cron_list), 1000);
  std::vector<CronJob> entries;
  REQUIRE(decode_cron(listed.payload, entries));
  REQUIRE(entries.size() == 1);
  CHECK(entries[0].times.schedule == "*/10 * * * *");
  CHECK(entries[0].job.handler == "echo");
  CHECK(world.ask(request(Op::cron_list), 1001).payload.size() < 3);
  CHECK(world.ask(run).id == id + 1);  // root may touch all
  CHECK(world.run_all() == 1);
  Request remove = request(Op::cron_remove);
  remove.text = "entry";
  CHECK(world.ask(remove, 1000).status == Status::ok);
  CHECK(world.ask(remove, 1000).status == Status::not_found);
  world.pass(kHour);
  CHECK(world.run_all() == 0);
}

TEST_CASE("an entry for starts of the machine fires once in each that comes after it was made") {
  World world;
  const auto start_keeper = [&](std::int64_t boot) {
    world.options.boot = boot;
    world.die();
    world.start();
  };
  start_keeper(7);
  const World::Answer put = world.ask(every("@reboot", CatchUp::skip), 1000);
  REQUIRE_MESSAGE(put.status == Status::ok, put.payload);
  CHECK(put.number == 0);
  CHECK(world.run_all() == 0);
  start_keeper(7);
  CHECK(world.run_all() == 0);
  world.pass(100 * kHour);
  start_keeper(8);
  CHECK(world.run_all() == 1);
  start_keeper(8);
  world.pass(100 * kHour);
  world.now.system.real_ms -= 50 * kHour;
  CHECK(world.run_all() == 0);
  // A start in which the machine does not say which it is is none.
  start_keeper(0);
  CHECK(world.run_all() == 0);
  // Made good by the keeper that comes, if the one that submitted it died before that was kept.
  world.options.boot = 9;
  world.die();
  world.steps_to_live = 1;
  try {
    world.start();
    world.settle();
  } catch (const World::Death&) {
    world.die();
  }
  world.steps_to_live = 0;
  start_keeper(9);
  CHECK(world.run_all() == 1);
  start_keeper(9);
  CHECK(world.run_all() == 0);
  Request run = request(Op::cron_run);
  run.text = "entry";
  CHECK(world.ask(run, 1000).status == Status::ok);
  CHECK(world.run_all() == 1);
}

TEST_CASE("what was missed is skipped or done once or all made good") {
  const auto missed = [](CatchUp catch_up) {
    World world;
    const std::int64_t next = world.ask(every("*/10 * * * *", catch_up)).number;
    world.die();
    world.pass(next - world.now.system.real_ms + 35 * kMinute);
    world.start();
    const std::size_t ran = world.run_all();
    world.pass(5 * kMinute);
    CHECK(world.run_all() == 1);
    return ran;
  };
  CHECK(missed(CatchUp::skip) == 0);
  CHECK(missed(CatchUp::once) == 1);
  CHECK(missed(CatchUp::all) == 4);
}

TEST_CASE("a clock that is set back a little repeats nothing and a lot begins anew") {
  World world;
  const std::int64_t next = world.ask(every("*/10 * * * *")).number;
  world.pass(next - world.now.system.real_ms);
  CHECK(world.run_all() == 1);
  world.now.system.real_ms -= kHour;
  CHECK(world.run_all() == 0);
  world.pass(20 * kMinute);
  CHECK(world.run_all() == 0);
  world.pass(50 * kMinute);
  CHECK(world.run_all() == 1);
  world.now.system.real_ms -= 48 * kHour;
  CHECK(world.run_all() == 0);
  world.pass(10 * kMinute);
  CHECK(world.run_all() == 1);
}

TEST_CASE("delays feel no jumps of the real clock and appointed times follow it") {
  World world;
  JobSpec delayed = echo(), appointed = echo();
  delayed.delay_ms = std::uint64_t(kHour);
  appointed.run_at_ms = world.now.system.real_ms + kHour;
  const JobId a = world.submit(delayed), b = world.submit(appointed);
  world.now.system.real_ms += 2 * kHour;
  world.settle();
  CHECK(world.state(a) == JobState::delayed);
  CHECK(world.state(b) == JobState::ready);
  world.now.system.real_ms -= 48 * kHour;
  world.pass(kHour);
  world.settle();
  CHECK(world.state(a) == JobState::ready);
}

TEST_CASE("a schedule that makes no sense is refused with its reason") {
  World world;
  const World::Answer answer = world.ask(every("61 * * * *"));
  CHECK(answer.status == Status::bad_argument);
  CHECK(answer.payload.find("minute") != std::string::npos);
}
