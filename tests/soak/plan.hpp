// What the soak's pools are like; clients, killer and auditor agree on it here.
#pragma once

#include <array>
#include <cstdint>

namespace jobring::soak {

struct PoolPlan {
  const char* name;
  std::uint32_t workers;
  std::uint32_t slots;
  std::uint32_t crash_limit;
  bool commands;     // mostly commands
  const char* more;  // further members of its config, each with a leading comma
};

inline constexpr std::uint64_t kMaxPayload = 256 << 10, kMaxResult = 256 << 10;  // bytes

// "wide" has workers that steal and wake each other; "one" has nobody to take over; "narrow" has
// rings that are always full and workers that never spin.
inline constexpr std::array<PoolPlan, 4> kPools{{
    {"wide", 3, 1024, 5, false, ""},
    {"one", 1, 256, 256, false, ", \"max_jobs\": 5000"},
    {"narrow", 2, 16, 5, false, ", \"spin\": \"0s\", \"on_client_death\": \"finish\""},
    {"commands", 2, 64, 5, true, ""},
}};

}  // namespace jobring::soak
