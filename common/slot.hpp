// One job's place in a channel.
//
//   line 0      control: the state word, what the client asks, what the worker answers
//   lines 1-3   payload, if it fits (kInlinePayload); else the slot's payload extent holds it
//   lines 4-6   result, if it fits (kInlineResult); else the slot's result extent holds it
//
// Seven lines, an odd number, so that consecutive slots spread over all sets of a cache.
//
// Who writes: the client writes the request fields while the slot is FREE, the owner writes the
// outcome fields while it is RUNNING (recovery in its place after its death), the client reads them
// while it is DONE. The state word's release/acquire pairs order all of it. `attempts` is written
// by recovery only. If a process dies between two writes here, the slot still is in the state that
// the word says, and the next writer writes every field of its half again.
#pragma once

#include <atomic>
#include <cstdint>

#include <jobring/types.hpp>

#include "common/limits.hpp"
#include "common/shared_field.hpp"
#include "common/state_word.hpp"

namespace jobring {

enum JobFlags : std::uint8_t {
  kJobUsesStdio = 1,  // the command gets the channel's own descriptors as 0, 1 and 2
};

struct alignas(kCacheLine) Slot {
  std::atomic<std::uint64_t> state;  // StateWord

  // request, written by the client
  SharedField<std::uint32_t> payload_len;   // bytes
  SharedField<std::uint16_t> handler;       // index into the channel's handler names
  SharedField<std::uint8_t> flags;          // JobFlags
  SharedField<std::uint8_t> crash_retries;  // how often a crash of its worker may requeue it
  SharedField<std::uint32_t> timeout_ms;    // 0: none
  // 1: somebody wants it stopped. Set (seq_cst) by client or supervisor before they look whether it
  // is RUNNING; the worker makes it RUNNING, then looks here: one of the two sees the other.
  // Cooperative handlers look as well.
  std::atomic<std::uint8_t> kill_request;
  // outcome, written by the owner
  SharedField<std::uint8_t> outcome;   // Outcome
  SharedField<std::uint8_t> attempts;  // crashed attempts so far, written by recovery
  SharedField<std::uint8_t> reserved;
  SharedField<std::uint32_t> result_len;  // bytes
  SharedField<std::int32_t> detail;  // exit status or -signal of a command; the signal of a crash
  SharedField<std::uint64_t> deadline_ns;   // CLOCK_MONOTONIC, 0: none (request)
  SharedField<std::uint64_t> started_ns;  // CLOCK_MONOTONIC; of the batch for jobs of a microsecond
  SharedField<std::uint32_t>
      run_us;  // microseconds it ran; of the batch's mean for jobs of a microsecond
  SharedField<std::uint16_t> worker;  // index of the worker that ended it
  SharedField<std::uint16_t> reserved2;

  alignas(kCacheLine) unsigned char payload[kInlinePayload];
  alignas(kCacheLine) unsigned char result[kInlineResult];

  StateWord word(std::memory_order order = std::memory_order_acquire) const {
    return StateWord(state.load(order));
  }
  // One transition. Acquire: the winner sees what the previous owner wrote. Release: the next owner
  // sees ours.
  bool move(StateWord from, StateWord to) {
    std::uint64_t expected = from.raw();
    return state.compare_exchange_strong(expected, to.raw(), std::memory_order_acq_rel,
                                         std::memory_order_acquire);
  }
};

static_assert(sizeof(Slot) == 7 * kCacheLine);
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

}  // namespace jobring
