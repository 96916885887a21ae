// What durable commands write, and what they and handlers are told of themselves.
#include <doctest/doctest.h>

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "common/exec_codec.hpp"
#include "tests/keeper_channels/lent_keeper.hpp"

using namespace jobring;
using namespace jobring::test;

namespace {

struct Ended {
  Outcome outcome = Outcome::lost;
  std::string bytes;
  CommandResult result{};
};

// A shell command as a durable job.
JobRef put(KeptChannel& kept, const std::string& tag, Command command) {
  JobOptions options;
  options.tag = tag;
  JobRef ref;
  REQUIRE(kept.channel.prepare(kept.channel.handler("exec"), encode(command), 0, options, &ref));
  kept.channel.submit();
  return ref;
}
Command shell(const std::string& line) {
  Command command;
  command.argv = {"sh", "-c", line};
  return command;
}
Ended end_of(KeptChannel& kept) {
  REQUIRE(kept.channel.wait(std::chrono::seconds(20)));
  const auto done = kept.channel.reap();
  REQUIRE(done.size() == 1);
  Ended ended;
  ended.outcome = done[0].outcome;
  ended.bytes.assign(reinterpret_cast<const char*>(done[0].result.data()), done[0].result.size());
  auto decoded = decode_command_result(
      {reinterpret_cast<const unsigned char*>(ended.bytes.data()), ended.bytes.size()});
  REQUIRE_MESSAGE(decoded.ok(), ended.bytes);
  ended.result = *decoded;
  return ended;
}

struct Scene {
  explicit Scene(const std::string& pool) : house("{\"default\": {" + pool + "}}") {
    house.start_keeper();
    core = house.borrow();
    auto opened = open_kept(core, "default", getuid(), getgid());
    REQUIRE(opened.ok());
    kept.emplace(std::move(*opened));
  }
  std::string output(const std::string& name) const { return house.state("outputs/" + name); }

  KeeperHouse house;
  std::shared_ptr<detail::ClientCore> core;
  std::optional<KeptChannel> kept;
};

const std::vector<std::string> kModels = {R"("model": "process", "workers": 1)",
                                          R"("model": "thread", "workers": 1, "threads": 2)",
                                          R"("model": "async", "workers": 1)"};

}  // namespace

TEST_CASE("the output of a durable command goes to files while it runs and not into its result") {
  for (const std::string& model : kModels) {
    CAPTURE(model);
    Scene scene(model);
    const std::string go = scene.house.file("go");
    put(*scene.kept, "12345.2",
        shell("echo one; echo two >&2; while [ ! -e " + go +
              " ]; do sleep 0.01; done; echo three"));
    CHECK(eventually([&] { return read_file(scene.output("12/12345.2.out")) == "one\n"; }));
    CHECK(eventually([&] { return read_file(scene.output("12/12345.2.err")) == "two\n"; }));
    write_file(go, "");
    const Ended ended = end_of(*scene.kept);
    CHECK(ended.outcome == Outcome::ok);
    CHECK(ended.result.out.empty());
    CHECK(ended.result.err.empty());
    CHECK(ended.result.report.stdout_total == 10);
    CHECK(ended.result.report.stderr_total == 4);
    CHECK(!ended.result.report.stdout_truncated);
    CHECK(read_file(scene.output("12/12345.2.out")) == "one\nthree\n");
    struct stat info;
    REQUIRE(stat(scene.output("12/12345.2.out").c_str(), &info) == 0);
    CHECK((info.st_mode & 07777) == 0600);
    REQUIRE(stat(scene.output("12").c_str(), &info) == 0);
    CHECK((info.st_mode & 07777) == 0700);
  }
}

TEST_CASE("the output of a durable command is bounded and the rest is counted") {
  for (const std::string& model : kModels) {
    CAPTURE(model);
    Scene scene(model);
    Command command = shell("head -c 300000 /dev/zero; echo end >&2");
    command.output_max = 100'000;
    put(*scene.kept, "1.1", command);
    const Ended ended = end_of(*scene.kept);
    CHECK(ended.outcome == Outcome::ok);
    CHECK(ended.result.report.stdout_total == 300'000);
    CHECK(ended.result.report.stdout_truncated);
    CHECK(!ended.result.report.stderr_truncated);
    CHECK(read_file(scene.output("0/1.1.out")) == std::string(100'000, '\0'));
    CHECK(read_file(scene.output("0/1.1.err")) == "end\n");
  }
}

TEST_CASE("a command goes on if its output cannot be kept") {
  for (const std::string& model : kModels) {
    CAPTURE(model);
    Scene scene(model + R"(, "limits": {"file_size": "64KiB"})");
    // More than the worker may write to a file; and a place that is not to be had.
    put(*scene.kept, "1.1", shell("head -c 200000 /dev/zero"));
    const Ended limited = end_of(*scene.kept);
    CHECK(limited.outcome == Outcome::ok);
    CHECK(limited.result.report.stdout_total == 200'000);
    CHECK(limited.result.report.stdout_truncated);
    CHECK(read_file(scene.output("0/1.1.out")).size() == 64 * 1024);
    write_file(scene.output("1"), "in the way");
    put(*scene.kept, "1000.1", shell("echo lost; exit 3"));
    const Ended ended = end_of(*scene.kept);
    CHECK(ended.outcome == Outcome::failed);
    CHECK(ended.result.report.exit_code == 3);
    CHECK(ended.result.report.stdout_total == 5);
    CHECK(ended.result.report.stdout_truncated);
    CHECK(read_file(scene.output("1")) == "in the way");
    CHECK(eventually([&] {
      return scene.house.daemon().log().find("the output of a durable command is not kept") !=
             std::string::npos;
    }));
    // The same worker runs the next one.
    put(*scene.kept, "2.1", shell("echo again"));
    CHECK(end_of(*scene.kept).outcome == Outcome::ok);
    CHECK(read_file(scene.output("0/2.1.out")) == "again\n");
    CHECK(scene.house.daemon().status_number("restarts") == 0);
  }
}

TEST_CASE("a durable command does not follow a link where its output is to be") {
  Scene scene(kModels[0]);
  mkdir(scene.output("0").c_str(), 0700);
  write_file(scene.house.file("precious"), "kept");
  REQUIRE(symlink(scene.house.file("precious").c_str(), scene.output("0/1.1.out").c_str()) == 0);
  put(*scene.kept, "1.1", shell("echo mine"));
  CHECK(end_of(*scene.kept).outcome == Outcome::ok);
  CHECK(read_file(scene.house.file("precious")) == "kept");
  CHECK(read_file(scene.output("0/1.1.out")) == "mine\n");
  std::filesystem::remove_all(scene.output("0"));
  REQUIRE(symlink(scene.house.file("").c_str(), scene.output("0").c_str()) == 0);
  put(*scene.kept, "2.1", shell("echo mine"));
  const Ended ended = end_of(*scene.kept);
  CHECK(ended.outcome == Outcome::ok);
  CHECK(ended.result.report.stdout_truncated);
  CHECK(access(scene.house.file("2.1.out").c_str(), F_OK) != 0);
}

TEST_CASE("a durable command knows which job it is whatever its environment says") {
  for (const std::string& model : kModels) {
    CAPTURE(model);
    Scene scene(model);
    for (const bool replaces : {false, true}) {
      Command command = shell(
          "echo $JOBRING_JOB_ID $JOBRING_ATTEMPT $JOBRING_JOB_KEY; "
          "test \"$JOBRING_STATE\" = \"$(cat " +
          scene.house.state("id") + ")\"");
      command.env = {"JOBRING_JOB_ID=9", "JOBRING_STATE=none", "PATH=/usr/bin:/bin"};
      command.env_replaces = replaces;
      put(*scene.kept, "77.3.-5", command);
      CHECK(end_of(*scene.kept).outcome == Outcome::ok);
      CHECK(read_file(scene.output("0/77.3.out")) == "77 3 77\n");
    }
  }
}

TEST_CASE("a job in a kept channel without a sensible tag is an attached one") {
  Scene scene(kModels[0]);
  for (const std::string tag : {"", "0.1", "1", "1.", "1.0", "x.1", "1.1.", "1.1.x", "../1.1",
                                "99999999999999999999.1", "1.99999999999"}) {
    CAPTURE(tag);
    put(*scene.kept, tag, shell("echo ${JOBRING_JOB_ID-none}"));
    const Ended ended = end_of(*scene.kept);
    CHECK(ended.outcome == Outcome::ok);
    CHECK(ended.result.out == "none\n");
  }
}

TEST_CASE("an attached command has its output in its result and is no durable job") {
  Scene scene(kModels[0]);
  Client client = scene.house.daemon().connect();
  Channel own = client.channel("default");
  JobOptions options;
  options.tag = "5.1";
  REQUIRE(
      own.prepare(own.handler("exec"), encode(shell("echo ${JOBRING_JOB_ID-none}")), 0, options));
  own.submit();
  REQUIRE(own.wait(std::chrono::seconds(10)));
  const auto done = own.reap();
  const std::string text(reinterpret_cast<const char*>(done[0].result.data()),
                         done[0].result.size());
  CHECK(text.ends_with("none\n"));
}

TEST_CASE("handlers know which durable job they run") {
  const std::string modules = R"(, "modules": [")" + test_module("noting") + "\"]";
  Scene scene(kModels[0] + modules);
  const HandlerId handler = scene.kept->channel.handler("who");
  const auto answer = [&](const std::string& tag) {
    JobOptions options;
    options.tag = tag;
    REQUIRE(scene.kept->channel.prepare(handler, "", 0, options));
    scene.kept->channel.submit();
    REQUIRE(scene.kept->channel.wait(std::chrono::seconds(10)));
    const auto done = scene.kept->channel.reap();
    return std::string(reinterpret_cast<const char*>(done[0].result.data()), done[0].result.size());
  };
  CHECK(answer("17.4") == "17 4 0");
  CHECK(answer("18446744073709551615.1.-3") == "18446744073709551615 1 -3");
  CHECK(answer("") == "0 0 0");
  Client client = scene.house.daemon().connect();
  CHECK(client.pool("default").submit("who", "").get() == "0 0 0");
}
