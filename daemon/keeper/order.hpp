// The order of ready jobs: one number each, which never changes while a job waits.
//
// A job of priority p is as if it had been submitted p * ageing jobs earlier. So of equal
// priorities the older one is first, a higher one overtakes at most `ageing` jobs for each level,
// and a low one is never starved. Of equal ranks the older one is first. No clock is involved.
#pragma once

#include <cstdint>

#include "common/keeper/job.hpp"

namespace jobring::keeper {

inline constexpr std::int64_t kAgeingDefault = 10'000;  // jobs
inline constexpr std::int64_t kAgeingMax = 1ll << 31;   // strict priorities, in effect

// Smaller is sooner. No overflow: 2^48 + 2^31 * 2^31.
constexpr std::int64_t rank(JobId id, std::int32_t priority, std::int64_t ageing) {
  return std::int64_t(id) - std::int64_t(priority) * ageing;
}
static_assert(rank(kJobIdMax, -2147483647 - 1, kAgeingMax) > 0);
static_assert(rank(1, 2147483647, kAgeingMax) < 0);

}  // namespace jobring::keeper
