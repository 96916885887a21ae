// A channel's completion queue: many producers (workers), one consumer (the client).
//
// A cell is empty for lap L while its word carries lap L-1, and filled once it carries L. A worker
// publishes by CASing the first empty cell at or after the tail from its old word to the new one;
// the tail itself is a hint that any worker moves forward, once per batch. The client needs no
// tail: the next cell's lap tells whether it is filled.
//
// Invariants
// 1. Producers look at positions one after the other from the tail and fill the first empty one:
//    there are no holes.
// 2. A cell is published by one CAS, whole. A worker that dies before it leaves an empty cell (and
//    a DONE slot, which the client finds by its rescan); a worker that dies after it leaves a tail
//    that the next one helps forward.
// 3. It does not overflow: words are at most one per slot that is DONE and not reaped, plus one per
//    worker that publishes a job which a rescan already reaped (at most kWorkersMax of those);
//    capacity() covers both.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "common/limits.hpp"
#include "common/ring_word.hpp"
#include "common/submission_ring.hpp"

namespace jobring {

// Cells for a channel of `slots` slots; a power of two.
constexpr std::uint32_t completion_capacity(std::uint32_t slots) {
  return std::bit_ceil(slots + 2 * kWorkersMax);
}

template <template <class> class Atomic = SharedAtomic>
struct CompletionLines {
  alignas(kCacheLine) Atomic<std::uint64_t> tail;  // a hint, moved by workers
  alignas(kCacheLine)
      Atomic<std::uint64_t> head;  // written by the client; a floor for workers whose view is old
};

// Lap of a position. The first lap is 1, because fresh memory is 0.
constexpr std::uint64_t completion_lap(std::uint64_t position, std::uint32_t shift) {
  return (position >> shift) + 1;
}

template <template <class> class Atomic = SharedAtomic>
class CompletionProducer {
 public:
  CompletionProducer() = default;
  CompletionProducer(CompletionLines<Atomic>* lines, Atomic<std::uint64_t>* cells,
                     std::uint32_t capacity)
      : lines_(lines),
        cells_(cells),
        mask_(capacity - 1),
        shift_(std::uint32_t(std::countr_zero(capacity))) {}

  // Publishes that slot `index` is DONE with `generation`. False if the queue makes no sense (a
  // broken client).
  bool publish(std::uint32_t index, std::uint64_t generation) {
    // Acquire: the cells before this tail are filled for us too, so the one at it is not of a lap
    // long ago (for a worker that comes so late that a rescan has reaped its job).
    cursor_ = std::max(cursor_, lines_->tail.load(std::memory_order_acquire));
    for (std::uint64_t tries = 0; tries <= 2 * mask_ + 2; ++tries) {
      auto& cell = cells_[cursor_ & mask_];
      std::uint64_t old = cell.load(std::memory_order_relaxed);
      const std::uint64_t lap = completion_lap(cursor_, shift_);
      const std::uint8_t seen = CompletionWord(old).lap();
      if (seen == std::uint8_t(lap - 1)) {
        // seq_cst: release for the slot's DONE word, and the store half of "publish, then look
        // whether the client sleeps" (ClientLine::waiting).
        if (cell.compare_exchange_strong(old, CompletionWord(lap, index, generation).raw(),
                                         std::memory_order_seq_cst, std::memory_order_relaxed)) {
          ++cursor_;
          return true;
        }
        continue;  // somebody filled it: look again, then step on
      }
      if (seen == std::uint8_t(lap)) {
        ++cursor_;  // filled, by a worker that has not moved the tail (or died before it could)
        continue;
      }
      // Our view is older than a whole lap. So is the tail, if every worker for a lap died before
      // it moved it; the client's head never is: it is published before a slot is used again.
      // Relaxed: with our job we have acquired a head less than a lap old, and the cells before it.
      cursor_ = std::max(cursor_, lines_->head.load(std::memory_order_relaxed));
    }
    return false;
  }
  // Position behind the last word that we published.
  std::uint64_t position() const { return cursor_; }
  // Tells the other workers how far the queue is filled; once per batch is enough.
  void move_tail() { advance_to(lines_->tail, cursor_); }

 private:
  CompletionLines<Atomic>* lines_ = nullptr;
  Atomic<std::uint64_t>* cells_ = nullptr;
  std::uint64_t mask_ = 0;
  std::uint32_t shift_ = 0;
  std::uint64_t cursor_ = 0;  // no empty cell is before it
};

// The client's end. Not thread-safe: the client's lock guards it.
template <template <class> class Atomic = SharedAtomic>
class CompletionConsumer {
 public:
  CompletionConsumer() = default;
  CompletionConsumer(CompletionLines<Atomic>* lines, Atomic<std::uint64_t>* cells,
                     std::uint32_t capacity)
      : lines_(lines),
        cells_(cells),
        mask_(capacity - 1),
        shift_(std::uint32_t(std::countr_zero(capacity))) {}

  // True if at least `count` words are there.
  bool ready(std::size_t count = 1) const {
    const std::uint64_t last = position_ + count - 1;
    return CompletionWord(cells_[last & mask_].load(std::memory_order_seq_cst)).lap() ==
           std::uint8_t(completion_lap(last, shift_));
  }
  // Takes the next word; false if there is none. Acquire: the slot that the word names is DONE for
  // us.
  bool take(CompletionWord& word) {
    const CompletionWord next(peek(std::memory_order_acquire));
    if (next.lap() != lap()) return false;
    word = next;
    ++position_;
    return true;
  }
  // Goes on where the consumer before us, which is dead, has shown that it was; words that it took
  // since come again. False if the cells make no sense with that.
  bool resume() {
    position_ = lines_->head.load(std::memory_order_acquire);
    // Downwards: whoever fills a cell has seen all before it filled. Acquire, so have we then.
    bool filled = false;
    for (std::uint64_t at = position_ + mask_ + 1; at-- != position_;) {
      const std::uint8_t lap =
          CompletionWord(cells_[at & mask_].load(std::memory_order_acquire)).lap();
      const bool here = lap == std::uint8_t(completion_lap(at, shift_));
      const bool empty = lap == std::uint8_t(completion_lap(at, shift_) - 1);
      if (!here && (filled || !empty)) return false;
      filled = filled || here;
    }
    return true;
  }
  // Shows the workers (and `jobring status`) how far we are. Relaxed: it is submitting the next job
  // that shows them this and the cells before it.
  void publish_head() { lines_->head.store(position_, std::memory_order_relaxed); }
  std::uint64_t position() const { return position_; }

 private:
  std::uint64_t peek(std::memory_order order) const {
    return cells_[position_ & mask_].load(order);
  }
  std::uint8_t lap() const { return std::uint8_t(completion_lap(position_, shift_)); }

  CompletionLines<Atomic>* lines_ = nullptr;
  Atomic<std::uint64_t>* cells_ = nullptr;
  std::uint64_t mask_ = 0;
  std::uint32_t shift_ = 0;
  std::uint64_t position_ = 0;
};

}  // namespace jobring
