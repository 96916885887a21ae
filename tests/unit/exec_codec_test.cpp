#include "common/exec_codec.hpp"

#include <doctest/doctest.h>

#include <cerrno>
#include <cstring>
#include <random>

#include "common/command_limits.hpp"

using namespace jobring;

namespace {

std::span<const unsigned char> bytes(std::string_view text) {
  return {reinterpret_cast<const unsigned char*>(text.data()), text.size()};
}

Command full_command() {
  Command c;
  c.argv = {"/bin/sh", "-c", "", "a b"};
  c.env = {"A=1", "EMPTY=", "B=x=y"};
  c.env_replaces = true;
  c.cwd = "/var/tmp";
  c.stdin_text = std::string("one\0two", 7);
  c.stdin_file = "/etc/hostname";
  c.umask = 027;
  c.output_max = 1ull << 33;
  c.kill_grace_ms = 1500;
  c.limits.memory = 1ull << 33;
  c.limits.core = 0;
  c.limits.stack = CommandLimits::unlimited;
  return c;
}

CommandReport full_report() {
  CommandReport r;
  r.exit_code = 3;
  r.signal = 9;
  r.start_errno = ENOENT;
  r.start_step = "exec nothing";
  r.timed_out = true;
  r.stderr_truncated = true;
  r.stdout_total = 1ull << 40;
  r.stderr_total = 7;
  r.wall_us = 1;
  r.user_us = 2;
  r.system_us = 3;
  r.max_rss_kib = 4;
  r.pid = 4711;
  return r;
}

}  // namespace

TEST_CASE("a command comes back as it was encoded") {
  const Command sent = full_command();
  const std::string payload = encode(sent);
  auto got = decode_command(bytes(payload));
  REQUIRE(got.ok());
  CHECK(got->argv == sent.argv);
  CHECK(got->env == sent.env);
  CHECK(got->env_replaces);
  CHECK(got->cwd == sent.cwd);
  CHECK(got->stdin_text == sent.stdin_text);
  CHECK(got->stdin_file == sent.stdin_file);
  CHECK(got->umask == 027);
  CHECK(got->output_max == sent.output_max);
  CHECK(got->kill_grace_ms == 1500);
  CHECK(got->limits == sent.limits);
}

TEST_CASE("each limit of a command comes back alone and none is taken for another") {
  for (const CommandLimit& limit : kCommandLimits) {
    CAPTURE(limit.name);
    Command sent;
    sent.argv = {"true"};
    sent.limits.*limit.value = 77;
    auto got = decode_command(bytes(encode(sent)));
    REQUIRE(got.ok());
    CHECK(got->limits == sent.limits);
  }
}

// The bytes of versions before there were limits, as they stand in stores. They must be read for
// ever, and a command without limits is still written so, for workers of these versions.
TEST_CASE("a command of the format without limits is read and written as ever") {
  const unsigned char stored[] = {
      1,    1,                                                               // format, env_replaces
      0x17, 0,                                                               // umask 027
      0xdc, 5, 0, 0,                                                         // kill_grace_ms 1500
      0,    0, 0, 0, 2,   0,   0,   0,                                       // output_max 8 GiB
      2,    0, 0, 0,                                                         // argv
      4,    0, 0, 0, 'e', 'c', 'h', 'o', 1, 0, 0, 0,   'x', 1,   0,   0, 0,  // env
      3,    0, 0, 0, 'A', '=', '1', 4,   0, 0, 0, '/', 't', 'm', 'p',        // cwd
      2,    0, 0, 0, '/', 'f',                                               // stdin_file
      3,    0, 0, 0, 'a', 0,   'b'};                                         // stdin_text
  const auto got = decode_command(stored);
  REQUIRE(got.ok());
  CHECK(got->argv == std::vector<std::string>{"echo", "x"});
  CHECK(got->env == std::vector<std::string>{"A=1"});
  CHECK(got->env_replaces);
  CHECK(got->umask == 027);
  CHECK(got->kill_grace_ms == 1500);
  CHECK(got->output_max == 8ull << 30);
  CHECK(got->cwd == "/tmp");
  CHECK(got->stdin_file == "/f");
  CHECK(got->stdin_text == std::string("a\0b", 3));
  CHECK(got->limits == CommandLimits{});
  CHECK(encode(*got) == std::string(reinterpret_cast<const char*>(stored), sizeof stored));
}

TEST_CASE("a limit that this worker does not know is refused and not left out") {
  Command sent;
  sent.argv = {"true"};
  sent.limits.memory = 1;
  std::string payload = encode(sent);
  payload[payload.size() - 9] = char(0x80);  // the high byte of which there are
  const auto got = decode_command(bytes(payload));
  REQUIRE_FALSE(got.ok());
  CHECK(got.error().line() == "command: unknown limits are set");
}

TEST_CASE("a command of defaults comes back as defaults") {
  Command sent;
  sent.argv = {"true"};
  auto got = decode_command(bytes(encode(sent)));
  REQUIRE(got.ok());
  CHECK(got->umask == -1);
  CHECK_FALSE(got->env_replaces);
  CHECK(got->env.empty());
  CHECK(got->output_max == 0);
}

TEST_CASE("a command that makes no sense is refused with one line that names the field") {
  const auto refusal = [](auto change) {
    Command c = full_command();
    change(c);
    auto got = decode_command(bytes(encode(c)));
    REQUIRE_FALSE(got.ok());
    CHECK(got.error().code == Errc::bad_input);
    return got.error().line();
  };
  const std::string nul("a\0b", 3);
  CHECK(refusal([](Command& c) { c.argv.clear(); }) == "command: argv is empty");
  CHECK(refusal([&](Command& c) { c.argv[2] = nul; }) == "command: argv[2] contains a NUL byte");
  CHECK(refusal([&](Command& c) { c.env[1] = nul; }) == "command: env[1] contains a NUL byte");
  CHECK(refusal([&](Command& c) { c.cwd = nul; }) == "command: cwd contains a NUL byte");
  CHECK(refusal([&](Command& c) { c.stdin_file = nul; }) ==
        "command: stdin_file contains a NUL byte");
  CHECK(refusal([](Command& c) { c.umask = 01000; }) == "command: umask is not within 0 to 0777");
  CHECK(refusal([](Command& c) { c.umask = 0x1000f; }) == "command: umask is not within 0 to 0777");
  CHECK(refusal([](Command& c) { c.umask = -2; }) == "command: umask is not within 0 to 0777");
}

TEST_CASE("every prefix of a command is refused, and so is anything behind it") {
  const std::string payload = encode(full_command());
  for (std::size_t size = 0; size < payload.size(); ++size) {
    CHECK_FALSE(decode_command(bytes(payload).first(size)).ok());
  }
  CHECK_FALSE(decode_command(bytes(payload + "x")).ok());
}

TEST_CASE("a count that the payload cannot hold is refused before memory is reserved for it") {
  Command c;
  c.argv = {"true"};
  std::string payload = encode(c);
  const std::uint32_t huge = 0xffffffff;
  std::memcpy(payload.data() + 16, &huge, sizeof huge);  // the count of argv
  CHECK_FALSE(decode_command(bytes(payload)).ok());
}

TEST_CASE("random damage to a command or a result never does more than fail to decode") {
  std::mt19937 random(20240611);
  const std::string command = encode(full_command());
  const std::string result = encode_head(full_report(), 3, 2) + "outer";
  for (int i = 0; i < 20'000; ++i) {
    std::string a = command, b = result;
    for (int k = 0; k < 3; ++k) {
      a[random() % a.size()] = char(random());
      b[random() % b.size()] = char(random());
    }
    if (auto got = decode_command(bytes(a)); got.ok()) CHECK_FALSE(got->argv.empty());
    if (auto got = decode_command_result(bytes(b)); got.ok()) {
      CHECK(got->out.size() + got->err.size() <= b.size());
    }
  }
}

TEST_CASE("a report comes back with views of the output that was kept") {
  const CommandReport sent = full_report();
  const std::string result = encode_head(sent, 3, 2) + "outer";
  auto got = decode_command_result(bytes(result));
  REQUIRE(got.ok());
  CHECK(got->out == "out");
  CHECK(got->err == "er");
  CHECK(static_cast<const void*>(got->out.data()) == result.data() + result.size() - 5);
  const CommandReport& r = got->report;
  CHECK(r.exit_code == 3);
  CHECK(r.signal == 9);
  CHECK(r.start_errno == ENOENT);
  CHECK(r.start_step == "exec nothing");
  CHECK(r.timed_out);
  CHECK_FALSE(r.killed);
  CHECK_FALSE(r.stdout_truncated);
  CHECK(r.stderr_truncated);
  CHECK(r.stdout_total == 1ull << 40);
  CHECK(r.stderr_total == 7);
  CHECK(r.wall_us == 1);
  CHECK(r.user_us == 2);
  CHECK(r.system_us == 3);
  CHECK(r.max_rss_kib == 4);
  CHECK(r.pid == 4711);
}

TEST_CASE("every prefix of a result is refused, and so is anything behind it") {
  const std::string result = encode_head(full_report(), 3, 2) + "outer";
  for (std::size_t size = 0; size < result.size(); ++size) {
    CHECK_FALSE(decode_command_result(bytes(result).first(size)).ok());
  }
  CHECK_FALSE(decode_command_result(bytes(result + "x")).ok());
}

TEST_CASE("a head stays within its limit however long the name of the step is") {
  CommandReport r = full_report();
  r.start_step = "exec /" + std::string(5000, 'x');
  const std::string head = encode_head(r, 0, 0);
  CHECK(head.size() == kCommandReportHead);
  auto got = decode_command_result(bytes(head));
  REQUIRE(got.ok());
  CHECK(r.start_step.starts_with(got->report.start_step));
}

TEST_CASE("an end is reported as a shell would") {
  const auto status = [](auto change) {
    CommandReport r;
    change(r);
    return r.shell_status();
  };
  CHECK(status([](auto& r) { r.exit_code = 0; }) == 0);
  CHECK(status([](auto& r) { r.exit_code = 255; }) == 255);
  CHECK(status([](auto& r) { r.signal = 15; }) == 143);
  CHECK(status([](auto& r) { r.signal = 9, r.timed_out = true; }) == 124);
  CHECK(status([](auto& r) { r.exit_code = 0, r.timed_out = true; }) == 124);
  CHECK(status([](auto& r) { r.start_errno = ENOENT, r.start_step = "exec foo"; }) == 127);
  CHECK(status([](auto& r) { r.start_errno = EACCES, r.start_step = "exec foo"; }) == 126);
  CHECK(status([](auto& r) { r.start_errno = ENOENT, r.start_step = "chdir /x"; }) == 126);
}
