// The registry as a pool: its name, its shape, and what its page shows beside that of any pool.
#pragma once

#include <cstddef>
#include <cstdint>

#include "common/pool_page.hpp"
#include "common/shared_atomic.hpp"

namespace jobring {

// The internal pool that takes the requests.
inline constexpr const char* kRegistryPool = "@registry";

// Bytes of a request beside its value, and of an answer beside its payload, at most.
inline constexpr std::size_t kRegistryRequestRest = 4096;
inline constexpr std::size_t kRegistryReplyRest = 4096;

struct RegistryPage {
  PoolPage pool;
  // Grants whose fencing token is not above this are of a life of the registry that is over: they
  // are lost. Stored by a registry before it grants anything, and, as the largest number, by
  // recovery after its death. Clients read it.
  alignas(kCacheLine) SharedAtomic<std::uint64_t> lost_tokens;
};

}  // namespace jobring
