// Durations and sizes as people write them, in the config file and on the command line.
//
// Duration: whole numbers with the units d h m s ms us ns, largest first, each at most once:
// "50us", "1h30m", "2d". Size: one whole number with B, KiB MiB GiB TiB (powers of 1024) or KB (kB)
// MB GB TB (powers of 1000): "64MiB".
//
// A number without a unit is refused, as are "64M" (MiB or MB?) and fractions: whoever reads the
// file later should not have to know a rule. Only "0" needs no unit. No spaces; capital and small
// letters as above.
//
// Pure; any thread may call them.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "common/result.hpp"

namespace jobring {

// At most what 63 bits of nanoseconds hold (106751d). The error's `what` quotes the text, its
// `hint` says what to write.
Result<std::chrono::nanoseconds> parse_duration(const std::string& text);
// At most 2^64 - 1 bytes.
Result<std::uint64_t> parse_size(const std::string& text);

// The shortest text that parses to the same value: "1m30s", "0s". `value` is not negative.
std::string format_duration(std::chrono::nanoseconds value);
// In the largest power of 1024 that divides it: "64MiB", "1000B".
std::string format_size(std::uint64_t bytes);

}  // namespace jobring
