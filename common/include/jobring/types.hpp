// Words that jobring's processes, its C++ library and its users share.
#pragma once

#include <cstdint>

namespace jobring {

// How a job ended. The values are part of the shared-memory format: never renumber them.
enum class Outcome : std::uint8_t {
  ok = 0,
  failed = 1,           // the handler said so; the result is its message
  unknown_handler = 2,  // the pool has no handler of that name
  result_too_big = 3,   // more than the pool's max_result
  timed_out = 4,        // ended by its time-out
  killed = 5,           // ended on somebody's request
  crashed = 6,          // its worker died under it; the result says how
  expired = 7,          // not started before its deadline
  cancelled = 8,        // withdrawn before it started
  lost = 9,             // the daemon went away before the job ended
  bad_request = 10,     // the payload makes no sense to the handler
};
inline constexpr std::uint8_t kOutcomes = 11;

constexpr const char* to_string(Outcome o) {
  switch (o) {
    case Outcome::ok:
      return "ok";
    case Outcome::failed:
      return "failed";
    case Outcome::unknown_handler:
      return "unknown_handler";
    case Outcome::result_too_big:
      return "result_too_big";
    case Outcome::timed_out:
      return "timed_out";
    case Outcome::killed:
      return "killed";
    case Outcome::crashed:
      return "crashed";
    case Outcome::expired:
      return "expired";
    case Outcome::cancelled:
      return "cancelled";
    case Outcome::lost:
      return "lost";
    case Outcome::bad_request:
      return "bad_request";
  }
  return "unknown";
}

// Jobs of a higher level are claimed first; a lower level still gets one claim in every 32.
enum class Priority : std::uint8_t { high = 0, normal = 1, low = 2 };

}  // namespace jobring
