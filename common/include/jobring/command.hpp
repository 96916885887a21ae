// Commands as jobs: what a client asks of the built-in handler "exec", and what it answers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace jobring {

// Resource limits of a command and of each process that it starts (setrlimit(2)). Unset: those of
// its worker, which are the pool's; above these none is set: the command cannot be started then.
struct CommandLimits {
  static constexpr std::uint64_t unlimited = ~std::uint64_t{0};
  std::optional<std::uint64_t> memory{};      // bytes of address space
  std::optional<std::uint64_t> cpu{};         // seconds of processor time: SIGXCPU, then SIGKILL
                                              // after one more
  std::optional<std::uint64_t> open_files{};  // descriptors
  std::optional<std::uint64_t> processes{};   // processes and threads of the user that it runs as;
                                              // not heeded for root
  std::optional<std::uint64_t> file_size{};   // bytes of a file that is written: SIGXFSZ
  std::optional<std::uint64_t> core{};        // bytes of a core file
  std::optional<std::uint64_t> stack{};       // bytes
  bool operator==(const CommandLimits&) const = default;
};

// A command. Strings must not contain NUL.
struct Command {
  std::vector<std::string>
      argv{};  // at least one; run directly, without a shell; argv[0] is looked up in env's PATH
  std::vector<std::string>
      env{};  // "NAME=value"; the whole environment if env_replaces, else additions to the worker's
  bool env_replaces = false;
  std::string cwd{};         // empty: the worker's
  std::string stdin_text{};  // fed to the command if stdin_file is empty; both empty: /dev/null
  std::string stdin_file{};  // opened as the command's user
  int umask = -1;            // -1: the worker's
  std::uint64_t output_max =
      0;  // bytes kept of stdout and of stderr each; 0: as much as the result has room for
  std::uint32_t kill_grace_ms = 0;  // between TERM and KILL; 0: the daemon's
  CommandLimits limits{};
};

// How a command went.
struct CommandReport {
  // Exactly one of the three describes the end.
  std::int32_t exit_code = -1;    // 0 .. 255 if it exited
  std::int32_t signal = 0;        // the signal that ended it
  std::int32_t start_errno = 0;   // it could not be started: errno of the step named in start_step
  std::string start_step;         // "exec /usr/bin/foo", "chdir /x", ...; empty if it started
  bool timed_out = false;         // we ended it because of its time-out
  bool killed = false;            // we ended it because somebody asked
  bool stdout_truncated = false;  // more came than was kept
  bool stderr_truncated = false;
  std::uint64_t stdout_total = 0;  // bytes written by the command, kept or not
  std::uint64_t stderr_total = 0;
  std::uint64_t wall_us = 0;  // microseconds
  std::uint64_t user_us = 0;
  std::uint64_t system_us = 0;
  std::uint64_t max_rss_kib = 0;  // KiB, peak resident memory
  std::uint32_t pid = 0;

  // As a shell reports it: the exit code, 128+signal, 124 for a time-out, 126 or 127 if it could
  // not be started.
  int shell_status() const;
};

// A report and the output that was kept. `out` and `err` are views into the result they were
// decoded from.
struct CommandResult {
  CommandReport report;
  std::string_view out;
  std::string_view err;
};

}  // namespace jobring
