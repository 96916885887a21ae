// What the workers of a pool show: who sleeps, who holds claims, what each is doing, how much each
// did.
//
// One page per pool. Workers map it writable; clients map it read-only (the descriptor they get
// cannot be mapped otherwise), so that no client can disturb another uid's wake-ups. Every
// WorkerEntry is written by its worker alone, and by recovery after the worker's death.
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>

#include "common/limits.hpp"
#include "common/shared_atomic.hpp"
#include "common/shared_field.hpp"

namespace jobring {

inline constexpr std::uint32_t kSleeperWords = kWorkersMax / 64;

template <template <class> class Atomic = SharedAtomic>
struct BasicWorkerEntry {
  // Grows each time the worker lies down: lets a waker know that it has woken this very sleep
  // already.
  alignas(kCacheLine) Atomic<std::uint32_t> sleep_epoch;
  // How many jobs of `batch` may still be CLAIMED and not started: what an idle worker may steal.
  // Stored seq_cst before looking for sleepers; a worker lies down, then looks here: one of the two
  // sees the other.
  Atomic<std::uint32_t> batch_count;
  SharedField<std::uint64_t> batch_ns;       // CLOCK_MONOTONIC when the batch was claimed
  SharedField<std::uint32_t> batch_channel;  // channel id
  SharedField<std::uint32_t> busy;           // 1 while a job runs
  SharedField<std::uint32_t> job_channel;    // channel id of the current job
  SharedField<std::uint32_t> job_slot;
  SharedField<std::uint64_t> job_generation;  // of its RUNNING word
  SharedField<std::uint64_t> job_started_ns;  // CLOCK_MONOTONIC
  // job_generation of the job that was over its time and did not stop, for which the worker is
  // about to end its process; else 0.
  SharedField<std::uint64_t> timed_out;

  // A list of hints: who follows one looks at the slot's state word.
  alignas(kCacheLine) SharedField<std::uint16_t> batch[kBatchMax];

  // Counters, since the worker started.
  alignas(kCacheLine) SharedField<std::uint64_t> jobs;
  SharedField<std::uint64_t> failed;  // jobs whose outcome is not ok
  SharedField<std::uint64_t>
      busy_us;  // microseconds spent in handlers, measured per batch for short jobs
  SharedField<std::uint64_t> sleeps;
  SharedField<std::uint64_t> stolen;  // jobs taken from another worker's batch
  SharedField<std::uint64_t> wakes;   // other workers and clients woken
};
using WorkerEntry = BasicWorkerEntry<>;

template <template <class> class Atomic = SharedAtomic>
struct BasicPoolPage {
  SharedField<std::uint32_t> version;  // kShmVersion
  SharedField<std::uint32_t> workers;  // entries in use
  // A bit per worker that sleeps or is about to. Set by the worker before its last look for work,
  // cleared by it when it wakes, by recovery when it is dead.
  alignas(kCacheLine) Atomic<std::uint64_t> sleeping[kSleeperWords];
  BasicWorkerEntry<Atomic> workers_[kWorkersMax];

  BasicWorkerEntry<Atomic>& worker(std::uint32_t index) { return workers_[index]; }
  const BasicWorkerEntry<Atomic>& worker(std::uint32_t index) const { return workers_[index]; }
};
using PoolPage = BasicPoolPage<>;

static_assert(sizeof(WorkerEntry) == 3 * kCacheLine);

}  // namespace jobring
