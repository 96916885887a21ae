// Durable jobs as JSON: what is printed, and what a batch says.
#include "client/cli/durable/job_json.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "client/cli/durable/job_text.hpp"
#include "common/exec_codec.hpp"
#include "tests/support/seed.hpp"

using namespace jobring;
using namespace jobring::cli;
using namespace std::chrono_literals;
using Json = nlohmann::json;
using Words = std::vector<std::string>;

namespace {

DurableJob read(const std::string& line, const BatchDefaults& defaults = {}) {
  auto job = parse_job_json(line, defaults);
  CAPTURE(line);
  if (!job) MESSAGE(job.error().line());
  REQUIRE(job);
  return *job;
}

std::string refused(const std::string& line) {
  const auto job = parse_job_json(line, {});
  CAPTURE(line);
  REQUIRE_FALSE(job);
  CHECK(exit_status(job.error().code) == 65);
  CHECK(job.error().line().find('\n') == std::string::npos);
  return job.error().line();
}

Command command_of(const DurableJob& job) {
  CHECK(job.handler == "exec");
  const auto command = decode_command(
      {reinterpret_cast<const unsigned char*>(job.payload.data()), job.payload.size()});
  REQUIRE(command);
  return *command;
}

DurableInfo info_of(const DurableJob& job) {
  DurableInfo info;
  info.id = 12;
  info.handler = job.handler;
  info.payload = job.payload;
  info.options = job.options;
  info.submitted = WallTime(1795330800s);
  return info;
}

DurableJob random_job(std::mt19937_64& random) {
  const auto chance = [&](unsigned n) { return random() % n == 0; };
  const auto bytes = [&](std::size_t most) {
    std::string text(random() % most + 1, '\0');
    const bool ascii = random() % 2 == 0;
    for (char& c : text) c = ascii ? char('!' + random() % 90) : char(random());
    return text;
  };
  const auto word = [&] { return "w" + std::to_string(random() % 1000); };
  DurableJob job;
  DurableOptions& o = job.options;
  job.handler = word();
  job.payload = bytes(50);
  o.name = word();
  if (chance(2)) o.pool = word();
  if (chance(2)) o.tags = {word(), word()};
  if (chance(2)) o.priority = std::int32_t(random());
  if (chance(2)) o.durability = Durability(random() % 3);
  o.held = chance(2);
  if (chance(2)) o.delay = std::chrono::milliseconds(random() % 100'000);
  if (chance(2)) o.run_at = WallTime(std::chrono::milliseconds(random() % 4'000'000'000'000));
  if (chance(2)) o.deadline = WallTime(std::chrono::milliseconds(random() % 4'000'000'000'000));
  if (chance(2)) o.timeout = std::chrono::milliseconds(random() % 100'000);
  if (chance(2)) {
    o.retry.max = std::uint32_t(random() % 100 + 1);
    o.retry.base = std::chrono::milliseconds(random() % 1000);
    o.retry.cap = std::chrono::milliseconds(1000 + random() % 1000);
    o.retry.jitter_percent = unsigned(random() % 101);
    if (chance(2)) o.retry.exits = {1, 75};
  }
  if (chance(2)) {
    o.after = {{.on = random() % 1000 + 1, .after = JobDependency::After::any},
               {.on = random() % 1000 + 1, .after = JobDependency::After::success}};
  }
  if (chance(3)) o.group = random() % 1000 + 1;
  if (chance(2)) {
    o.unique.key = word();
    o.unique.until = UniqueKey::Until(random() % 3);
    if (o.unique.until == UniqueKey::Until::time) {
      o.unique.for_time = std::chrono::milliseconds(random() % 10'000);
    }
    o.unique.replace = chance(2);
  }
  if (chance(2)) {
    o.concurrency_key = word();
    o.concurrency_max = std::uint32_t(random() % 10 + 1);
  }
  if (chance(2)) o.keep = std::chrono::milliseconds(random() % 100'000);
  if (chance(2)) o.output_max = random() % 100'000;
  if (chance(3)) o.array = JobArray{.first = -3, .last = 10, .step = 2, .at_once = 4};
  return job;
}

}  // namespace

TEST_CASE("what is printed of a job makes the same job again") {
  const std::uint64_t seed = test::seed_of_test();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  for (int i = 0; i < 500; ++i) {
    const DurableJob job = random_job(random);
    const std::string line = job_json(info_of(job), JobDetail::complete);
    const DurableJob again = read(line);
    CHECK(again.handler == job.handler);
    CHECK(again.payload == job.payload);
    CHECK(job_json(info_of(again), JobDetail::complete) == line);
  }
}

TEST_CASE("what is printed of a command makes the same command again") {
  Command command;
  command.argv = {"printf", "%s\n", "a b"};
  command.env = {"A=1", "B=x=y"};
  command.env_replaces = true;
  command.cwd = "/tmp";
  command.stdin_text = std::string("\0\xff", 2);
  command.umask = 022;
  command.kill_grace_ms = 1500;
  command.limits.memory = 1 << 30;
  command.limits.core = CommandLimits::unlimited;
  DurableJob job = {.handler = "exec", .payload = encode(command)};
  job.options.name = "p";
  const DurableJob again = read(job_json(info_of(job), JobDetail::complete));
  CHECK(again.payload == job.payload);
  // Lists leave out the environment: it is long, and may be secret.
  CHECK(Json::parse(job_json(info_of(job), JobDetail::brief)).count("env") == 0);
}

TEST_CASE("a line of a batch may be short") {
  BatchDefaults defaults;
  defaults.options.pool = "fast";
  defaults.command.cwd = "/srv";
  defaults.command.env = {"A=1", "PATH=/bin"};
  const DurableJob job =
      read(R"({"argv":["make","all"],"timeout":"90s","retries":2,"env":{"A":"2"},"cwd":"sub",)"
           R"("tags":["x"],"after":[3,{"id":4,"after":"any"},{"line":1}],"unique":"k"})",
           defaults);
  const Command command = command_of(job);
  CHECK(command.argv == Words{"make", "all"});
  CHECK(command.env == Words{"PATH=/bin", "A=2"});
  CHECK(command.cwd == "/srv/sub");
  CHECK(job.options.pool == "fast");
  CHECK(job.options.name == "make all");
  CHECK(job.options.timeout == 90s);
  CHECK(job.options.retry.max == 2);
  CHECK(job.options.unique.key == "k");
  REQUIRE(job.options.after.size() == 3);
  CHECK(job.options.after[0].on == 3);
  CHECK(job.options.after[1].after == JobDependency::After::any);
  CHECK(job.options.after[2].in_batch);
  CHECK(job.options.after[2].on == 0);
  CHECK(command_of(read(R"({"shell":"a | b"})")).argv == Words{"/bin/sh", "-c", "a | b"});
  CHECK(read(R"({"handler":"h","payload_base64":"/w=="})").payload == "\xff");
}

TEST_CASE("a line that makes no sense is told by what is wrong with it") {
  CHECK(refused("x").find("not JSON") != std::string::npos);
  CHECK(refused("[]").find("object") != std::string::npos);
  CHECK(refused("{}").find("nothing to do") != std::string::npos);
  CHECK(refused(R"({"argv":["a"],"retires":3})").find("\"retries\"") != std::string::npos);
  for (const char* line : {R"({"argv":[]})",
                           R"({"argv":"a"})",
                           R"({"argv":[1]})",
                           R"({"argv":["a"],"shell":"b"})",
                           R"({"argv":["a"],"handler":"h"})",
                           R"({"argv":["a"],"payload":"x"})",
                           R"({"argv":["a"],"priority":"high"})",
                           R"({"argv":["a"],"priority":9999999999})",
                           R"({"argv":["a"],"priority":1.5})",
                           R"({"argv":["a"],"timeout":90})",
                           R"({"argv":["a"],"timeout_ms":-1})",
                           R"({"argv":["a"],"run_at":"soon"})",
                           R"({"argv":["a"],"durability":"strong"})",
                           R"({"argv":["a"],"after":3})",
                           R"({"argv":["a"],"after":[{"id":1,"line":2}]})",
                           R"({"argv":["a"],"after":[{}]})",
                           R"({"argv":["a"],"key":"gpu"})",
                           R"({"argv":["a"],"array":"9-1"})",
                           R"({"argv":["a"],"env":{"A":1}})",
                           R"({"argv":["a"],"env":["A"]})",
                           R"({"argv":["a"],"unique":{"ky":"x"}})",
                           R"({"argv":["a"],"umask":999})",
                           R"({"handler":"h","payload":"a","payload_base64":"YQ=="})",
                           R"({"handler":"h","payload_base64":"?"})",
                           R"({"argv":["a"],"held":1})"}) {
    refused(line);
  }
}

TEST_CASE("a line of an export holds the record unharmed") {
  const std::uint64_t seed = test::seed_of_test();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  std::string record(1000, '\0');
  for (char& c : record) c = char(random());
  DurableJob job = {.handler = "h", .payload = "p"};
  const std::string line = export_json(info_of(job), record);
  CHECK(line.find('\n') == std::string::npos);
  CHECK(imported_record(line).value() == record);
  CHECK(read(line).payload == "p");  // and can be submitted anew
  CHECK_FALSE(imported_record("x"));
  CHECK_FALSE(imported_record("{}"));
  CHECK_FALSE(imported_record(R"({"record":"?"})"));
}
