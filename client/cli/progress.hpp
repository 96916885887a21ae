// How far a map is and how long it will still take. Pure: the clock comes in as nanoseconds of
// now_ns().
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace jobring::cli {

struct ProgressCount {
  std::uint64_t done = 0;  // ended, failed ones included
  std::uint64_t failed = 0;
  std::uint64_t skipped = 0;  // by --resume: part of the total, but no work of this run
  std::size_t running = 0;    // queued or running
  std::optional<std::uint64_t> total;
};

class Progress {
 public:
  explicit Progress(std::uint64_t started_ns) : started_ns_(started_ns) {}

  // Jobs a second since the start; 0 before the first one ended.
  double rate(const ProgressCount& count, std::uint64_t now_ns) const;
  // What is left at that rate, in ns; nullopt before the first job ended, or without a total.
  std::optional<std::uint64_t> eta_ns(const ProgressCount& count, std::uint64_t now_ns) const;

  // "[#####>     ] 42% 420/1,000, 3 failed, 96/s, ETA 6.04 s", at most `width` columns; without
  // `bar` only the words.
  std::string line(const ProgressCount& count, std::uint64_t now_ns, int width, bool bar) const;
  // "1,000 done, 3 failed, in 10.4 s (96/s)".
  std::string summary(const ProgressCount& count, std::uint64_t now_ns) const;

 private:
  std::uint64_t started_ns_;
};

}  // namespace jobring::cli
