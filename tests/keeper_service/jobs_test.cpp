// Jobs through the keeper: submitted, handed out, ended, tried again, looked at.
#include <algorithm>
#include <filesystem>
#include <fstream>

#include "common/exec_codec.hpp"
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

TEST_CASE("a job that is imported after it was forgotten keeps what it writes then") {
  World world;
  const auto write = [&](JobId id, int attempt) {
    const std::string name = std::to_string(id) + "." + std::to_string(attempt) + ".out";
    const std::filesystem::path directory = world.options.outputs_directory + "/0";
    std::filesystem::create_directories(directory);
    std::ofstream(directory / name) << "said";
    return directory / name;
  };
  Command command;
  command.argv = {"echo", "said"};
  const std::string payload = encode(command);
  JobSpec spec = echo();
  spec.handler = kExecHandler;
  spec.payload = payload;
  CommandReport report;
  report.exit_code = 0;
  report.stdout_total = 4;
  // No time passes: the sweep, which was at the start, is not due again.
  const JobId id = world.submit(spec);
  REQUIRE(world.begin_one() == id);
  const auto first = write(id, 1);
  world.finish(id, Outcome::ok, encode_head(report, 0, 0));
  world.settle();
  Request show = request(Op::show, id);
  show.flags = kComplete;
  const std::string record = world.ask(show).payload;
  REQUIRE(std::filesystem::exists(first));
  CHECK(world.apply(Verb::remove, one(id)).number == 1);
  Request import = request(Op::import_job);
  import.text = record;
  CHECK(world.ask(import).number == 1);
  CHECK_FALSE(std::filesystem::exists(first));
  CHECK(world.apply(Verb::retry, one(id)).number == 1);
  REQUIRE(world.begin_one() == id);
  const auto second = write(id, 2);
  world.finish(id, Outcome::ok, encode_head(report, 0, 0));
  world.settle();
  world.pass(1'000);
  world.settle();
  CHECK(std::filesystem::exists(second));
  // And goes with it.
  CHECK(world.apply(Verb::remove, one(id)).number == 1);
  world.pass(1'000);
  world.settle();
  CHECK_FALSE(std::filesystem::exists(second));
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
