// Every fixed limit of jobring, with its unit, in one place. What users may tune is in the config
// file (common/config); what stands here is part of the shared-memory format or protects a process.
#pragma once

#include <cstddef>
#include <cstdint>

namespace jobring {

inline constexpr std::size_t kCacheLine = 64;  // bytes; x86-64 and most AArch64

// Shared-memory format version; processes with another version refuse each other.
// If you change any layout in slot.hpp, submission_ring.hpp, completion_queue.hpp, doorbell.hpp,
// pool_page.hpp, job_note.hpp or channel_layout.hpp, increment this.
inline constexpr std::uint32_t kShmVersion = 6;
// Control-message format version (common/control.hpp).
inline constexpr std::uint32_t kControlVersion = 4;

// A slot's place is a 16-bit index in ring words.
inline constexpr std::uint32_t kSlotsMax = 1u << 15;
inline constexpr std::uint32_t kPriorities = 3;
inline constexpr std::uint32_t kBatchMax = 32;  // jobs one worker claims at once, at most

// One worker, or one lane of a thread pool's, is one bit in the sleepers' bitmap and one descriptor
// in the open-channel reply (SCM_RIGHTS carries at most 253).
inline constexpr std::uint32_t kWorkersMax = 128;
inline constexpr std::uint32_t kOwnerBits = 12;
inline constexpr std::uint32_t kSupervisorOwner =
    (1u << kOwnerBits) - 1;  // the supervisor ends a job itself
static_assert(kWorkersMax < kSupervisorOwner, "owner ids are worker index + 1");

// Channels that one uid may hold in one pool: a ready bit each.
inline constexpr std::uint32_t kChannelsPerDoorbell = 256;
// Different uids in one pool.
inline constexpr std::uint32_t kDoorbellsMax = 64;

inline constexpr std::size_t kHandlerNameMax = 47;      // bytes, without the closing NUL
inline constexpr std::uint32_t kHandlersMax = 64;       // different handler names per channel
inline constexpr std::size_t kInlinePayload = 192;      // bytes held in the slot itself
inline constexpr std::size_t kInlineResult = 192;       // bytes held in the slot itself
inline constexpr std::size_t kTagMax = 47;              // bytes of a job's tag
inline constexpr std::size_t kProgressTextMax = 80;     // bytes of what a job says of its progress
inline constexpr std::size_t kErrorTypeMax = 255;       // bytes of an exception's type
inline constexpr std::size_t kPayloadLimit = 1u << 30;  // bytes, what max_payload may be set to

inline constexpr std::size_t kControlMessageMax = 64 * 1024;  // bytes of one control message
inline constexpr std::size_t kControlFdsMax = 200;            // descriptors in one control message

}  // namespace jobring
