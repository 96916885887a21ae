// What the registry may use. Every limit pushes back with its own clear error.
#pragma once

#include <cstddef>
#include <cstdint>

namespace jobring::registry {

struct RegistryConfig {
  std::uint32_t objects_max = 100'000;
  std::uint32_t objects_per_uid_max = 20'000;
  // Accounted bytes (see kObjectCost and the others in object.hpp). All users together have what
  // the journal's segment can hold: Journal::live_max().
  std::uint64_t bytes_per_uid_max = std::uint64_t{32} << 20;
  std::uint32_t value_max = 1u << 20;  // bytes of one value or item
  std::uint32_t reply_max = 1u << 20;  // bytes of one reply's payload; longer listings are cut
  std::uint32_t sessions_max = 10'000;
  std::uint32_t waiters_max = 100'000;
  std::uint32_t waiters_per_uid_max = 50'000;
  std::uint64_t waiting_bytes_max = std::uint64_t{16} << 20;  // of items that wait for room
  std::uint16_t default_mode = 0700;                          // of objects whose creator names none
};

}  // namespace jobring::registry
