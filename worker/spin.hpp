// Looking for work before sleeping, as all loops that serve channels do it.
#pragma once

#include <sched.h>

#include <cstdint>

#include "common/clock.hpp"
#include "common/spin_policy.hpp"

namespace jobring {

// Calls `find` until it returns true, for as long as `policy` says. `time` is the caller's clock
// (CLOCK_MONOTONIC, nanoseconds), kept up to date here and, if it does something, by `find`.
template <class Find>
bool spin(SpinPolicy& policy, std::uint64_t& time, Find find) {
  const std::uint64_t budget = policy.budget();
  if (budget == 0) return false;
  const std::uint64_t start = time;
  do {
    for (int i = 0; i < kLooksPerYield; ++i) {
      if (find()) {
        policy.found();
        return true;
      }
    }
    if (time - start > kLookFirst) sched_yield();
    time = now_ns();
  } while (time - start < budget);
  policy.in_vain();
  return false;
}

}  // namespace jobring
