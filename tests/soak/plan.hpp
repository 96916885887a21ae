// What the soak's pools are like; clients, killer and auditor agree on it here.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace jobring::soak {

enum class Model : std::uint8_t { process, thread, async };

struct PoolPlan {
  const char* name;
  Model model;
  std::uint32_t workers;  // processes
  std::uint32_t at_once;  // jobs that one of them runs: 1, or its lanes, or max_in_flight
  std::uint32_t slots;
  std::uint32_t crash_limit;
  std::uint32_t commands;  // in a hundred jobs; the rest are functions
  const char* more;        // further members of its config, each with a leading comma
};

inline constexpr std::uint64_t kMaxPayload = 256 << 10, kMaxResult = 256 << 10;  // bytes

// "wide" has workers that steal and wake each other; "one" has nobody to take over; "narrow" has
// rings that are always full and workers that never spin. A death in "lanes" or in "async" crashes
// the jobs of several lanes, or coroutines and commands at once; "loop" is for an async worker what
// "one" and "narrow" are for others.
inline constexpr std::array<PoolPlan, 7> kPools{{
    {"wide", Model::process, 3, 1, 1024, 5, 0, ""},
    {"one", Model::process, 1, 1, 256, 256, 0, R"(, "max_jobs": 5000)"},
    {"narrow", Model::process, 2, 1, 16, 5, 0, R"(, "spin": "0s", "on_client_death": "finish")"},
    {"commands", Model::process, 2, 1, 64, 5, 87, ""},
    {"lanes", Model::thread, 2, 3, 256, 20, 20, ""},
    {"async", Model::async, 2, 64, 512, 20, 20, ""},
    {"loop", Model::async, 1, 16, 64, 20, 0,
     R"(, "spin": "0s", "max_jobs": 5000, "on_client_death": "finish")"},
}};
inline constexpr std::uint32_t kNoPool = std::uint32_t(kPools.size());

// kNoPool if there is none of that name.
constexpr std::uint32_t pool_named(std::string_view name) {
  std::uint32_t pool = 0;
  while (pool < kNoPool && name != kPools[pool].name) ++pool;
  return pool;
}

}  // namespace jobring::soak
