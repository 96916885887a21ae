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
// while it is DONE. The state word's release/acquire pairs order all of it. `attempts` is reset by
// the client with the request, and counted by recovery only. If a process dies between two writes
// here, the slot still is in the state that the word says, and the next writer writes every field
// of its half again.
#pragma once

#include <atomic>
#include <cstdint>

#include <jobring/types.hpp>

#include "common/limits.hpp"
#include "common/shared_atomic.hpp"
#include "common/shared_field.hpp"
#include "common/state_word.hpp"

namespace jobring {

// How often a job's worker died in it, and the generation of the RUNNING word in which it last did:
// one word, written by one store. So a recovery that is cut short after counting and run again
// knows the death that it has counted already (a generation never comes back), and counts it once.
class CrashCount {
 public:
  std::uint16_t get() const { return std::uint16_t(word_.get()); }
  void reset() { word_.set(0); }
  // Counts the death in `running`, once however often it is called; returns the count with it.
  std::uint16_t count(StateWord running) {
    const std::uint64_t before = word_.get();
    const std::uint16_t crashes = std::uint16_t(before);
    if (crashes != 0 && before >> 16 == running.generation()) return crashes;
    const std::uint16_t counted = crashes == UINT16_MAX ? crashes : std::uint16_t(crashes + 1);
    word_.set(running.generation() << 16 | counted);
    return counted;
  }

 private:
  SharedField<std::uint64_t> word_;  // generation:48 | count:16
};

enum JobFlags : std::uint8_t {
  kJobUsesStdio = 1,  // the command gets the channel's own descriptors as 0, 1 and 2
  kJobTagged = 2,     // the slot's note holds the job's tag
  kJobNamed = 4,      // and its handler's name, for which the channel's table had no room
};

struct alignas(kCacheLine) Slot {
  SharedAtomic<std::uint64_t> state;  // StateWord

  // request, written by the client
  SharedField<std::uint32_t> payload_len;   // bytes
  SharedField<std::uint16_t> handler;       // index into the channel's handler names; or kJobNamed
  SharedField<std::uint8_t> flags;          // JobFlags
  SharedField<std::uint8_t> crash_retries;  // how often a crash of its worker may requeue it
  SharedField<std::uint32_t> timeout_ms;    // 0: none
  // 1: its client wants it stopped. Set (seq_cst) by the client before it has the supervisor look
  // whether it is RUNNING; the worker makes it RUNNING, then looks here: one of the two sees the
  // other (all four seq_cst). Cooperative handlers look as well.
  SharedAtomic<std::uint8_t> kill_request;
  // outcome, written by the owner
  SharedField<std::uint8_t> outcome;  // Outcome
  SharedField<std::uint8_t> worker;   // index of the worker that ended it
  // Of an exception: so many bytes at the result's end are its type, the rest is its message. Valid
  // if the outcome is failed.
  SharedField<std::uint8_t> error_type_len;
  SharedField<std::uint32_t> result_len;  // bytes
  SharedField<std::int32_t> detail;  // exit status or -signal of a command; the signal of a crash
  SharedField<std::uint64_t> deadline_ns;  // CLOCK_MONOTONIC, 0: none (request)
  SharedField<std::uint64_t> started_ns;  // CLOCK_MONOTONIC; of the batch for jobs of a microsecond
  SharedField<std::uint32_t>
      run_us;  // microseconds it ran; of the batch's mean for jobs of a microsecond
  // Which job this is, of all that the slot will ever hold: the low bits of its QUEUED word's
  // generation (request). The state word cannot tell: steals and requeues let its generation grow.
  SharedField<std::uint32_t> job;
  CrashCount attempts;  // that crashed; by recovery

  alignas(kCacheLine) unsigned char payload[kInlinePayload];
  alignas(kCacheLine) unsigned char result[kInlineResult];

  StateWord word(std::memory_order order = std::memory_order_acquire) const {
    return StateWord(state.load(order));
  }
  // The generation of the QUEUED word of the job that is here, in whatever state `word` is: the
  // same however often it is requeued.
  std::uint64_t queued_generation(StateWord word) const {
    const std::uint64_t generation = word.generation();
    const std::uint64_t full = (generation & ~std::uint64_t{0xffffffff}) | job.get();
    return full > generation ? full - (std::uint64_t{1} << 32) : full;
  }
  // One transition. Acquire: the winner sees what the previous owner wrote. Release: the next owner
  // sees ours. Relaxed when it fails: nobody is told what the word was.
  bool move(StateWord from, StateWord to, std::memory_order order = std::memory_order_acq_rel) {
    std::uint64_t expected = from.raw();
    return state.compare_exchange_strong(expected, to.raw(), order, std::memory_order_relaxed);
  }
};

static_assert(sizeof(Slot) == 7 * kCacheLine);
static_assert(kWorkersMax <= 256 && kErrorTypeMax <= 255, "one byte each");

}  // namespace jobring
