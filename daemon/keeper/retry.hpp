// When a failed attempt is repeated: pure, with the chance as an argument.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "common/keeper/job.hpp"

namespace jobring::keeper {

// Whether `attempt` is one after which the job may be tried again, whatever its number.
inline bool may_retry(const Retry& retry, const Attempt& attempt) {
  switch (attempt.outcome) {
    case Outcome::failed:
      return attempt.signal != 0 || retry.exits.empty() ||
             std::find(retry.exits.begin(), retry.exits.end(), attempt.exit_code) !=
                 retry.exits.end();
    case Outcome::timed_out:
    case Outcome::crashed:
    case Outcome::lost:
      return true;
    default:
      return false;
  }
}

// The pause in milliseconds before retry number `retry_number` (from 1); none: give up.
// `chance`: anything, evenly spread over all 32-bit numbers.
inline std::optional<std::uint64_t> pause_ms(const Retry& retry, std::uint32_t retry_number,
                                             std::uint32_t chance) {
  if (retry_number == 0 || retry_number > retry.max) return std::nullopt;
  std::uint64_t pause = std::min(retry.base_ms, retry.cap_ms);
  for (std::uint32_t i = 1; i < retry_number && pause < retry.cap_ms && pause > 0; ++i)
    pause = pause > retry.cap_ms / 2 ? retry.cap_ms : pause * 2;
  const double spread = std::min<unsigned>(retry.jitter_percent, 100) / 100.0;
  const double factor = 1 + spread * (2.0 * chance / 4294967295.0 - 1);
  return std::uint64_t(double(pause) * factor);
}

}  // namespace jobring::keeper
