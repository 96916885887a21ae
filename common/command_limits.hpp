// The limits of a command as a table, for all that go through them: codec, worker, command line, C.
#pragma once

#include <sys/resource.h>

#include <array>
#include <cstdint>
#include <optional>

#include <jobring/command.hpp>

namespace jobring {

struct CommandLimit {
  enum class Unit { bytes, seconds, number };
  const char* name;
  int resource;  // RLIMIT_...
  Unit unit;
  std::optional<std::uint64_t> CommandLimits::*value;
};

// The place of each is its bit in payloads (exec_codec.cpp) and its number in C (submit.h): new
// ones go to the end.
inline constexpr std::array<CommandLimit, 7> kCommandLimits = {{
    {"memory", RLIMIT_AS, CommandLimit::Unit::bytes, &CommandLimits::memory},
    {"cpu", RLIMIT_CPU, CommandLimit::Unit::seconds, &CommandLimits::cpu},
    {"open_files", RLIMIT_NOFILE, CommandLimit::Unit::number, &CommandLimits::open_files},
    {"processes", RLIMIT_NPROC, CommandLimit::Unit::number, &CommandLimits::processes},
    {"file_size", RLIMIT_FSIZE, CommandLimit::Unit::bytes, &CommandLimits::file_size},
    {"core", RLIMIT_CORE, CommandLimit::Unit::bytes, &CommandLimits::core},
    {"stack", RLIMIT_STACK, CommandLimit::Unit::bytes, &CommandLimits::stack},
}};
static_assert(CommandLimits::unlimited == RLIM_INFINITY);

}  // namespace jobring
