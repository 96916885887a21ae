// The keeper as a pool: its name, its shape, and where it keeps what.
#pragma once

#include <cstddef>
#include <cstdint>

namespace jobring {

// The internal pool that takes the requests.
inline constexpr const char* kKeeperPool = "@keeper";

// Bytes of a request beside what keeper.request_max counts, and of an answer beside
// keeper.reply_max, at most.
inline constexpr std::size_t kKeeperRequestRest = 4096;
inline constexpr std::size_t kKeeperReplyRest = 4096;

// In the state directory (keeper.state_dir).
inline constexpr const char* kKeeperStoreFile = "jobs.db";
// The output of commands: outputs/<id / kOutputsPerDirectory>/<id>.<attempt>.out and .err.
inline constexpr const char* kKeeperOutputs = "outputs";
inline constexpr std::uint64_t kOutputsPerDirectory = 1000;

// Marks a durable command and all that it starts with the directory that its job is kept in.
inline constexpr const char* kStateVariable = "JOBRING_STATE";

}  // namespace jobring
