// Numbers as a person reads them.
#pragma once

#include <cstdint>
#include <string>

namespace jobring::cli {

// Nanoseconds with three digits: "850 ns", "12.3 µs", "4.56 ms", "1.50 s"; from a minute on
// "1m05s", "3h07m", "2d04h".
std::string human_duration(std::uint64_t ns);
// Bytes: "512 B", "1.5 KiB", "64 MiB".
std::string human_size(std::uint64_t bytes);
// "7", "1,234,567".
std::string human_count(std::uint64_t count);
// Jobs a second: "12.3", "1,234", "4.56 M".
std::string human_rate(double per_second);

// "3 of 10 (30%): words", as far as there are such.
std::string progress_text(std::uint64_t done, std::uint64_t total, const std::string& words);

}  // namespace jobring::cli
