// The keeper as a pool: its name, its shape, and where it keeps what.
#pragma once

#include <cstddef>

namespace jobring {

// The internal pool that takes the requests.
inline constexpr const char* kKeeperPool = "@keeper";

// Bytes of a request beside what keeper.request_max counts, and of an answer beside
// keeper.reply_max, at most.
inline constexpr std::size_t kKeeperRequestRest = 4096;
inline constexpr std::size_t kKeeperReplyRest = 4096;

// In the state directory (keeper.state_dir).
inline constexpr const char* kKeeperStoreFile = "jobs.db";

}  // namespace jobring
