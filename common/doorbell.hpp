// How a submitter finds a sleeper, and a worker finds work, without a system call while nobody
// sleeps.
//
// A doorbell belongs to one pool and one uid: one page of ready bits (a bit per channel and
// priority), written by that uid's clients and by the workers, and one eventfd per worker. A
// hostile client can spoil its own uid's doorbell only.
//
//   submitter                                worker
//   S1 store ring tail                       W1 clear the channel's ready bit
//   S2 load ready bit; set it if clear       W2 load ring tail; set the bit again if there is work
//   S3 load sleepers; ring one               W3 set own sleeping bit
//                                            W4 load ready bits; get up again if any is set
//                                            W5 sleep; on waking clear own sleeping bit, then look
//                                            for work
//
// All of these are seq_cst, so they have one total order, and then:
// - Either S2 sees the bit cleared by W1 and sets it, or W2 sees the tail stored by S1: the bit is
//   set if there is work.
// - Either S3 sees the bit set by W3 and rings, or W4 sees the ready bit: nobody sleeps on work
//   unless all are told.
// A submitter rings one sleeper, once per sleep (the epoch); that worker, when it wakes and leaves
// work behind, in whatever channel, rings the next.
//
// Deaths: ready bits and rings lost with a killed
// process are made good by recovery, which sets all ready bits and rings everybody whenever any
// process dies.
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>

#include "common/limits.hpp"
#include "common/pool_page.hpp"

namespace jobring {

inline constexpr std::uint32_t kReadyWords = kChannelsPerDoorbell / 64;

template <template <class> class Atomic = SharedAtomic>
struct BasicDoorbellPage {
  struct alignas(kCacheLine) Level {
    Atomic<std::uint64_t> words[kReadyWords];
  };
  Level ready[kPriorities];  // 0 is the highest priority

  // S2. True if the bit had to be set.
  bool set_ready(std::uint32_t priority, std::uint32_t bit) {
    auto& word = ready[priority].words[bit / 64];
    const std::uint64_t mask = std::uint64_t{1} << (bit % 64);
    if (word.load(std::memory_order_seq_cst) & mask) return false;
    word.fetch_or(mask, std::memory_order_seq_cst);
    return true;
  }
  // W1.
  void clear_ready(std::uint32_t priority, std::uint32_t bit) {
    ready[priority].words[bit / 64].fetch_and(~(std::uint64_t{1} << (bit % 64)),
                                              std::memory_order_seq_cst);
  }
  // W4.
  bool any_ready() const {
    for (const Level& level : ready) {
      for (const auto& word : level.words) {
        if (word.load(std::memory_order_seq_cst) != 0) return true;
      }
    }
    return false;
  }
};
using DoorbellPage = BasicDoorbellPage<>;

// Remembers, for one waker, which sleep of each worker it has already ended. Not shared, not
// thread-safe.
class WakeMemory {
 public:
  // S3: picks a worker to ring: one that sleeps, whose current sleep we have not ended yet, and
  // that is not `self`. -1 if there is none.
  template <template <class> class Atomic>
  int pick(const BasicPoolPage<Atomic>& page, std::uint32_t workers,
           std::uint32_t self = kWorkersMax) {
    for (std::uint32_t w = 0; w * 64 < workers; ++w) {
      std::uint64_t mask = page.sleeping[w].load(std::memory_order_seq_cst);
      while (mask != 0) {
        const std::uint32_t index = w * 64 + std::uint32_t(std::countr_zero(mask));
        mask &= mask - 1;
        if (index == self || index >= workers) continue;
        // Relaxed: an older epoch than the sleep we saw costs one needless ring; a newer one is
        // right as well.
        const std::uint32_t epoch = page.worker(index).sleep_epoch.load(std::memory_order_relaxed);
        if (ended_[index] == epoch) continue;
        ended_[index] = epoch;
        return int(index);
      }
    }
    return -1;
  }

 private:
  std::uint32_t ended_[kWorkersMax] = {};
};

static_assert(sizeof(DoorbellPage) <= 4096);

}  // namespace jobring
