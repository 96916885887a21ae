// Limits of commands as people write them: "memory=2G", "cpu=90s", "open-files=64".
#pragma once

#include <string>

#include <jobring/command.hpp>

#include "client/cli/options.hpp"
#include "common/command_limits.hpp"
#include "common/result.hpp"

namespace jobring::cli {

// One or several, with commas between them; those that `limits` has already are replaced. Sizes
// take K, M, G and T (powers of 1024, as ulimit and systemd have them) besides the units of all
// sizes; processor time is a duration, or a number of seconds. Error: usage.
Result<void> parse_limits(const std::string& text, CommandLimits& limits);
// One value without its name: "2GiB", "1m30s", "64", "unlimited".
Result<std::uint64_t> parse_limit(const CommandLimit& limit, const std::string& text);
// The text that parses to it.
std::string limit_text(const CommandLimit& limit, std::uint64_t value);
// "memory 2GiB, cpu 1m30s"; empty: none.
std::string limits_text(const CommandLimits& limits);

// --limit
void add_limits_to(Options& options, CommandLimits& limits);

}  // namespace jobring::cli
