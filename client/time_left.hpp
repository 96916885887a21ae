// Time-outs of the public API: for ever, some time, or (zero and less) just a look.
#pragma once

#include <algorithm>
#include <chrono>

#include "common/clock.hpp"

namespace jobring::detail {

inline constexpr std::chrono::nanoseconds kForEver = std::chrono::nanoseconds::max();

// What is left of `timeout`, counted from `start` (CLOCK_MONOTONIC); never less than nothing.
inline std::chrono::nanoseconds time_left(std::chrono::nanoseconds timeout, std::uint64_t start) {
  if (timeout == kForEver) return kForEver;
  if (timeout.count() <= 0) return std::chrono::nanoseconds(0);
  return std::max(std::chrono::nanoseconds(0),
                  timeout - std::chrono::nanoseconds(now_ns() - start));
}

}  // namespace jobring::detail
