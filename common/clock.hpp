// Time as jobring counts it: nanoseconds of CLOCK_MONOTONIC, the same in every process of the
// machine.
#pragma once

#include <ctime>

#include <cstdint>

namespace jobring {

inline std::uint64_t now_ns() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return std::uint64_t(t.tv_sec) * 1'000'000'000 + std::uint64_t(t.tv_nsec);
}

}  // namespace jobring
