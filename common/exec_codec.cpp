// Layouts, little-endian, without padding. A count or length is followed at once by what it counts.
//
// Command (payload of "exec")            Report (head of the result of "exec")
//   u8   format = 1, or 2 with limits      u8   format = 1
//   u8   flags: 1 env_replaces             u8   flags: 1 timed_out, 2 killed, 4 stdout_truncated,
//   u16  umask; 0xffff: the worker's              8 stderr_truncated
//   u32  kill_grace_ms                     u16  start_step length
//   u64  output_max                        i32  exit_code
//   u32  argv count, then strings          i32  signal
//   u32  env count, then strings           i32  start_errno
//   string cwd                             u32  pid
//   string stdin_file                      u64  stdout_total, stderr_total, wall_us, user_us,
//   string stdin_text (may hold NUL)            system_us, max_rss_kib
//   of format 2, behind it:                u64  length of out, length of err
//   u16  which limits: 1 << place in       start_step, out, err
//        kCommandLimits
//   u64  for each of these, in order       string = u32 length, bytes
//
// If you change either layout, increment its format, and go on reading the older ones: stores hold
// them. A command is written in the oldest that has all of it, for workers that were started
// before.
#include "common/exec_codec.hpp"

#include <algorithm>
#include <cstring>
#include <type_traits>
#include <utility>

#include "common/byte_codec.hpp"
#include "common/command_limits.hpp"

namespace jobring {
namespace {

constexpr std::uint8_t kCommandFormat = 1, kWithLimits = 2;
constexpr std::uint8_t kReportFormat = 1;
constexpr std::uint8_t kEnvReplaces = 1;
constexpr std::uint8_t kTimedOut = 1, kKilled = 2, kOutTruncated = 4, kErrTruncated = 8;
constexpr std::uint16_t kNoUmask = 0xffff;
constexpr std::size_t kReportFixed = 4 + 3 * 4 + 4 + 6 * 8 + 2 * 8;  // bytes before start_step
static_assert(kReportFixed < kCommandReportHead);

Error bad(const std::string& what, const char* where) {
  return Error{Errc::bad_input, what, where, {}};
}
Error bad_command(const std::string& what) {
  return bad(what, "command");
}
Error bad_result(const std::string& what) {
  return bad(what, "result of a command");
}

bool has_nul(std::string_view text) {
  return text.find('\0') != text.npos;
}

// What the kernel would read as the end of a string would silently run another command than the one
// asked for.
Result<void> check(const Command& command) {
  if (command.argv.empty()) return bad_command("argv is empty");
  for (std::size_t i = 0; i < command.argv.size(); ++i) {
    if (has_nul(command.argv[i]))
      return bad_command("argv[" + std::to_string(i) + "] contains a NUL byte");
  }
  for (std::size_t i = 0; i < command.env.size(); ++i) {
    if (has_nul(command.env[i]))
      return bad_command("env[" + std::to_string(i) + "] contains a NUL byte");
  }
  if (has_nul(command.cwd)) return bad_command("cwd contains a NUL byte");
  if (has_nul(command.stdin_file)) return bad_command("stdin_file contains a NUL byte");
  if (command.umask < -1 || command.umask > 0777)
    return bad_command("umask is not within 0 to 0777");
  return {};
}

void put_limits(ByteWriter& to, const CommandLimits& limits) {
  std::uint16_t which = 0;
  for (std::size_t i = 0; i < kCommandLimits.size(); ++i) {
    if (limits.*kCommandLimits[i].value) which = std::uint16_t(which | 1u << i);
  }
  to.number(which);
  for (const CommandLimit& limit : kCommandLimits) {
    if (const auto& value = limits.*limit.value) to.number(*value);
  }
}

// False: it is one that we do not know, and must not leave out.
bool take_limits(ByteReader& from, CommandLimits& limits) {
  const auto which = from.number<std::uint16_t>();
  if (which >> kCommandLimits.size() != 0) return false;
  for (std::size_t i = 0; i < kCommandLimits.size(); ++i) {
    if ((which & 1u << i) != 0) limits.*kCommandLimits[i].value = from.number<std::uint64_t>();
  }
  return true;
}

}  // namespace

std::string encode(const Command& command) {
  std::size_t size = 64 + sizeof(CommandLimits) + command.cwd.size() + command.stdin_file.size() +
                     command.stdin_text.size();
  for (const std::string& s : command.argv) size += s.size() + sizeof(std::uint32_t);
  for (const std::string& s : command.env) size += s.size() + sizeof(std::uint32_t);
  ByteWriter to;
  to.reserve(size);
  const bool limited = command.limits != CommandLimits{};
  to.number(limited ? kWithLimits : kCommandFormat);
  to.number(command.env_replaces ? kEnvReplaces : std::uint8_t{0});
  // One that is out of range must not turn into another that is not.
  const bool fits = command.umask >= -1 && command.umask < kNoUmask;
  to.number(command.umask == -1 ? kNoUmask : std::uint16_t(fits ? command.umask : kNoUmask - 1));
  to.number(command.kill_grace_ms);
  to.number(command.output_max);
  to.strings(command.argv);
  to.strings(command.env);
  to.string(command.cwd);
  to.string(command.stdin_file);
  to.string(command.stdin_text);
  if (limited) put_limits(to, command.limits);
  return to.take();
}

Result<Command> decode_command(std::span<const unsigned char> payload) {
  ByteReader from(payload);
  const auto format = from.number<std::uint8_t>();
  if (!from.ok()) return bad_command("the payload is empty");
  if (format != kCommandFormat && format != kWithLimits) {
    return bad_command("format " + std::to_string(format) +
                       " is unknown, this worker reads formats up to " +
                       std::to_string(kWithLimits));
  }
  Command command;
  const auto flags = from.number<std::uint8_t>();
  const auto umask = from.number<std::uint16_t>();
  command.env_replaces = (flags & kEnvReplaces) != 0;
  command.umask = umask == kNoUmask ? -1 : umask;
  command.kill_grace_ms = from.number<std::uint32_t>();
  command.output_max = from.number<std::uint64_t>();
  command.argv = from.strings();
  command.env = from.strings();
  command.cwd = from.string();
  command.stdin_file = from.string();
  command.stdin_text = from.string();
  if (format == kWithLimits && !take_limits(from, command.limits))
    return bad_command("unknown limits are set");
  if (!from.ok()) return bad_command("a count or length is larger than the payload");
  if (!from.at_end()) return bad_command("bytes are left over behind the last field");
  if ((flags & ~kEnvReplaces) != 0) return bad_command("unknown flags are set");
  if (auto checked = check(command); !checked) return checked.error();
  return command;
}

std::string encode_head(const CommandReport& report, std::size_t out_len, std::size_t err_len) {
  const std::string_view step =
      std::string_view(report.start_step).substr(0, kCommandReportHead - kReportFixed);
  ByteWriter to;
  to.reserve(kReportFixed + step.size());
  to.number(kReportFormat);
  to.number(std::uint8_t((report.timed_out ? kTimedOut : 0) | (report.killed ? kKilled : 0) |
                         (report.stdout_truncated ? kOutTruncated : 0) |
                         (report.stderr_truncated ? kErrTruncated : 0)));
  to.number(std::uint16_t(step.size()));
  to.number(report.exit_code);
  to.number(report.signal);
  to.number(report.start_errno);
  to.number(report.pid);
  to.number(report.stdout_total);
  to.number(report.stderr_total);
  to.number(report.wall_us);
  to.number(report.user_us);
  to.number(report.system_us);
  to.number(report.max_rss_kib);
  to.number(std::uint64_t(out_len));
  to.number(std::uint64_t(err_len));
  to.raw(step);
  return to.take();
}

Result<CommandResult> decode_command_result(std::span<const unsigned char> result) {
  ByteReader from(result);
  const auto format = from.number<std::uint8_t>();
  if (!from.ok()) return bad_result("it is empty");
  if (format != kReportFormat) {
    return bad_result("format " + std::to_string(format) +
                      " is unknown, this client reads format " + std::to_string(kReportFormat));
  }
  CommandResult decoded;
  CommandReport& report = decoded.report;
  const auto flags = from.number<std::uint8_t>();
  report.timed_out = (flags & kTimedOut) != 0;
  report.killed = (flags & kKilled) != 0;
  report.stdout_truncated = (flags & kOutTruncated) != 0;
  report.stderr_truncated = (flags & kErrTruncated) != 0;
  const auto step_len = from.number<std::uint16_t>();
  report.exit_code = from.number<std::int32_t>();
  report.signal = from.number<std::int32_t>();
  report.start_errno = from.number<std::int32_t>();
  report.pid = from.number<std::uint32_t>();
  report.stdout_total = from.number<std::uint64_t>();
  report.stderr_total = from.number<std::uint64_t>();
  report.wall_us = from.number<std::uint64_t>();
  report.user_us = from.number<std::uint64_t>();
  report.system_us = from.number<std::uint64_t>();
  report.max_rss_kib = from.number<std::uint64_t>();
  const auto out_len = from.number<std::uint64_t>();
  const auto err_len = from.number<std::uint64_t>();
  report.start_step = from.view(step_len);
  decoded.out = from.view(out_len);
  decoded.err = from.view(err_len);
  if (!from.ok()) return bad_result("a length is larger than the result");
  if (!from.at_end()) return bad_result("bytes are left over behind the last field");
  if (report.exit_code < -1 || report.exit_code > 255 || report.signal < 0 || report.signal > 127 ||
      report.start_errno < 0) {
    return bad_result("its exit status is out of range");
  }
  return decoded;
}

int CommandReport::shell_status() const {
  if (timed_out) return 124;
  if (start_errno != 0 || !start_step.empty()) {
    // 127 says "no such command", as a shell does; a directory that is missing is not that.
    return start_errno == ENOENT && start_step.starts_with("exec") ? 127 : 126;
  }
  return signal != 0 ? 128 + signal : exit_code;
}

}  // namespace jobring
