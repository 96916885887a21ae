// Commands from clients that the daemon does not trust.
#include <doctest/doctest.h>
#include <unistd.h>

#include <random>

#include "common/exec_codec.hpp"
#include "tests/hostile/raw_client.hpp"
#include "tests/hostile/stranger.hpp"
#include "tests/support/seed.hpp"

using namespace jobring;
using namespace jobring::test;

namespace {

// Runs one job to its end; its outcome and the bytes of its result.
struct Ended {
  Outcome outcome;
  std::string result;
};
Ended run(RawChannel& channel, std::uint16_t handler, const std::string& payload) {
  const std::uint32_t index = channel.submit(handler, payload);
  const Slot& slot = channel.view().slot(index);
  if (!eventually([&] { return slot.word().is(SlotState::done); }))
    throw std::runtime_error("a job does not end");
  const std::size_t size = slot.result_len.get();
  const unsigned char* bytes = channel.view().result(index, size);
  return {Outcome(slot.outcome.get()), std::string(bytes, bytes + size)};
}

Command harmless() {
  Command command;
  command.argv = {"/bin/true", "an", "argument"};
  command.env = {"A=1", "B=2"};
  command.cwd = "/";
  command.stdin_text = "text";
  return command;
}

std::string output_of(RawChannel& channel, std::uint16_t exec, const Command& command) {
  const Ended ended = run(channel, exec, encode(command));
  const auto result = decode_command_result(
      std::as_bytes(std::span(ended.result)).size() == 0
          ? std::span<const unsigned char>()
          : std::span(reinterpret_cast<const unsigned char*>(ended.result.data()),
                      ended.result.size()));
  if (!result) throw std::runtime_error("the report makes no sense: " + ended.result);
  return std::string(result->out) + std::string(result->err) + result->report.start_step;
}

}  // namespace

TEST_CASE("commands that are malformed end as bad requests, and their worker lives") {
  const std::uint64_t seed = seed_of_test();
  CAPTURE(seed);
  OpenDaemon daemon;
  GoodClient good(daemon.connect());
  Stranger hostile(kStranger, [&] {
    std::mt19937_64 random(seed);
    RawConnection connection(daemon.socket());
    RawChannel channel(connection, 8);
    const std::uint16_t exec = channel.name_handler("exec");
    const std::string whole = encode(harmless());
    int bad = 0;
    const auto expect = [&](const std::string& payload, bool must_be_bad) {
      const Ended ended = run(channel, exec, payload);
      bad += ended.outcome == Outcome::bad_request ? 1 : 0;
      if (must_be_bad && ended.outcome != Outcome::bad_request)
        throw std::runtime_error("not a bad request");
    };
    for (std::size_t length = 0; length < whole.size(); ++length)
      expect(whole.substr(0, length), true);
    expect(whole + "x", true);
    expect(std::string(70'000, '\xff'), true);
    for (int i = 0; i < 300; ++i) {
      // Only the head, and counts and lengths: what is run stays harmless.
      std::string broken = whole;
      const std::size_t at = random() % 24;
      broken[at] = char(random());
      if (random() % 2 == 0) broken.resize(random() % broken.size());
      expect(broken, false);
    }
    return bad > 100;
  });
  while (hostile.running()) good.work(5);
  CHECK(hostile.good());
  good.work(20);
  daemon.check_unharmed();
}

TEST_CASE("a stranger's command has the stranger's rights and nothing of the daemon's") {
  OpenDaemon daemon(1, R"(, "environment": {"POOL_SECRET": "hush"})");
  Stranger hostile(kStranger, [&] {
    RawConnection connection(daemon.socket());
    RawChannel channel(connection, 8);
    const std::uint16_t exec = channel.name_handler("exec");
    const auto shell = [&](const std::string& script) {
      Command command;
      command.argv = {"/bin/sh", "-c", script};
      return output_of(channel, exec, command);
    };
    const auto check = [](bool good, const char* what) {
      if (!good) throw std::runtime_error(what);
    };
    check(shell("id -u; id -ru; id -G") == "65534\n65534\n65534\n",
          "it has other rights than the stranger's");
    check(shell("env").find("hush") == std::string::npos, "the worker's environment is seen");
    check(shell("ls /proc/self/fd | wc -l; ls /proc/self/fd").starts_with("4\n"),
          "it has descriptors of the worker");
    check(shell("grep -c . /proc/self/environ; cat /proc/$PPID/environ").find("hush") ==
              std::string::npos,
          "the worker's environment can be read");
    check(shell("kill -9 $PPID 2>&1").find("ermitted") != std::string::npos,
          "the worker can be killed");
    check(
        shell("grep -E '^(CapEff|CapPrm|CapInh)' /proc/self/status | grep -vc 0000000000000000") ==
            "0\n",
        "it has capabilities");
    Command secret;
    secret.argv = {"/bin/cat"};
    secret.stdin_file = "/etc/shadow";
    check(output_of(channel, exec, secret).find("root:") == std::string::npos,
          "stdin_file is opened as root");
    Command elsewhere;
    elsewhere.argv = {"/bin/pwd"};
    elsewhere.cwd = "/root";
    check(output_of(channel, exec, elsewhere).find("chdir") != std::string::npos,
          "the directory is entered as root");
    Command nameless = harmless();
    nameless.argv = {"env"};
    nameless.env = {"without_equals"};
    check(output_of(channel, exec, nameless).find("PATH=") != std::string::npos,
          "an addition takes all others away");
    return true;
  });
  CHECK(hostile.good());
  GoodClient(daemon.connect()).work(10);
  daemon.check_unharmed();
}
