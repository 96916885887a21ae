// A channel's submission ring of one priority: one producer (the client), many consumers (the
// pool's workers).
//
//      head                      tail
//       │ cells of queued jobs    │
//   ────┼──┬──┬──┬──┬──┬──┬──┬──┬─┼──── positions grow for ever; cell = position mod size
//       ▼  ▼  ▼
//      slots: QUEUED(g) ─CAS─► CLAIMED(w)
//
// Claim before pop. A worker reads the cell at the head, CASes the *slot* from QUEUED to CLAIMED,
// and only then moves the head. The ring only says in which order to look; the slot says who has
// the job.
//
// Invariants
// 1. Cells in [head, tail) were written before the tail passed them (release/acquire on tail).
// 2. The head passes a position only after its slot was seen to be no longer QUEUED with the cell's
//    generation. It can never be so again (generations grow), so no QUEUED job is ever behind the
//    head.
// 3. The producer writes position p only when p - head < size, so [head, tail) is never
//    overwritten.
//
// Deaths: a worker that dies after its CAS leaves a cell at the head whose slot names
// it; the next worker finds the slot taken, helps the head over it, and recovery deals with the
// slot. A client that dies between writing a cell and moving the tail takes its channel with it.
//
// Atomic is std::atomic in the product (shared_atomic.hpp); tests put instrumented ones in its
// place.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "common/limits.hpp"
#include "common/ring_word.hpp"
#include "common/shared_atomic.hpp"

namespace jobring {

template <template <class> class Atomic = SharedAtomic>
struct SubmissionLines {
  alignas(kCacheLine) Atomic<std::uint64_t> tail;  // written by the client
  // The word of the last cell before the tail: who polls the tail has it in its cache, and may
  // fetch that slot while it still waits for the cell. A hint only.
  Atomic<std::uint64_t> last;
  alignas(kCacheLine)
      Atomic<std::uint64_t> head;  // moved by workers, and by the client over cancelled jobs
};

// Moves `counter` to at least `target`. Whoever does it, it is the same move; so it may be done
// twice or by a helper.
template <class AtomicWord>
void advance_to(AtomicWord& counter, std::uint64_t target) {
  std::uint64_t seen = counter.load(std::memory_order_relaxed);
  // Release: the producer that sees this head may overwrite the cells behind it, which we have read
  // by now; a worker that sees it sees no older tail than we did; and one that sees this tail of a
  // completion queue sees the cells before it.
  while (seen < target && !counter.compare_exchange_weak(seen, target, std::memory_order_release,
                                                         std::memory_order_relaxed)) {
  }
}

// The client's end. Not thread-safe: the client's lock guards it.
template <template <class> class Atomic = SharedAtomic>
class SubmissionProducer {
 public:
  SubmissionProducer() = default;
  SubmissionProducer(SubmissionLines<Atomic>* lines, Atomic<std::uint64_t>* cells,
                     std::uint32_t size)
      : lines_(lines), cells_(cells), mask_(size - 1) {}

  bool full() {
    if (next_ - head_seen_ <= mask_) return false;
    // Acquire pairs with advance_to: the workers have read the cells that we are about to
    // overwrite.
    head_seen_ = lines_->head.load(std::memory_order_acquire);
    return next_ - head_seen_ > mask_;
  }
  // Puts a word behind the tail, invisible until publish(). Precondition: !full().
  void put(SubmissionWord word) {
    // Relaxed: the tail's store publishes it.
    last_ = word.raw();
    cells_[next_++ & mask_].store(word.raw(), std::memory_order_relaxed);
  }
  // Goes on where the producer before us, which is dead, had published to, and calls `visit(word)`
  // for every cell that workers may not have taken yet. False if head and tail cannot both be
  // right.
  template <class Visit>
  bool resume(Visit visit) {
    // Acquire, as in visit() below: the tail is not behind this head.
    head_seen_ = lines_->head.load(std::memory_order_acquire);
    next_ = published_ = lines_->tail.load(std::memory_order_acquire);
    last_ = lines_->last.load(std::memory_order_relaxed);
    if (next_ - head_seen_ > mask_ + 1) return false;
    for (std::uint64_t at = head_seen_; at != next_; ++at)
      visit(SubmissionWord(cells_[at & mask_].load(std::memory_order_relaxed)));
    return true;
  }
  bool pending() const { return next_ != published_; }
  // seq_cst: release for the cells, and the store half of "publish, then look who sleeps"
  // (doorbell.hpp).
  void publish() {
    published_ = next_;
    lines_->last.store(last_, std::memory_order_relaxed);
    lines_->tail.store(next_, std::memory_order_seq_cst);
  }
  std::uint64_t published() const { return published_; }
  // Moves the head over cells whose jobs are gone (cancelled), as a worker would. `is_live(word)`
  // says if one is not.
  template <class IsLive>
  void skip_dead(IsLive is_live) {
    // Relaxed: cells and tail are our own, and a slot that we put does not look taken too early.
    std::uint64_t head = lines_->head.load(std::memory_order_relaxed);
    while (head != published_ &&
           !is_live(SubmissionWord(cells_[head & mask_].load(std::memory_order_relaxed)))) {
      advance_to(lines_->head, ++head);
    }
  }

 private:
  SubmissionLines<Atomic>* lines_ = nullptr;
  Atomic<std::uint64_t>* cells_ = nullptr;
  std::uint64_t mask_ = 0;
  std::uint64_t next_ = 0;
  std::uint64_t published_ = 0;
  std::uint64_t head_seen_ = 0;
  std::uint64_t last_ = 0;
};

// A worker's end. Holds no state of the ring: any number of workers, any of which may die anywhere.
template <template <class> class Atomic = SharedAtomic>
class SubmissionConsumer {
 public:
  SubmissionConsumer() = default;
  SubmissionConsumer(SubmissionLines<Atomic>* lines, Atomic<std::uint64_t>* cells,
                     std::uint32_t size)
      : lines_(lines), cells_(cells), mask_(size - 1) {}

  // Jobs waiting, as far as one look tells. More than size() means that the client wrote nonsense.
  // The order matters: a tail loaded after the head is never behind it.
  std::uint64_t backlog() const {
    std::uint64_t head = lines_->head.load(std::memory_order_acquire);
    return lines_->tail.load(std::memory_order_seq_cst) -
           head;  // seq_cst: the recheck half of doorbell.hpp
  }
  std::uint64_t size() const { return mask_ + 1; }

  struct Visit {
    std::uint32_t claimed = 0;  // how many jobs `take` won
    std::uint64_t left = 0;     // jobs still behind the new head when we looked
    bool broken = false;        // tail and head cannot both be right: the client wrote nonsense
  };

  // Goes over at most `cells_max` cells from the head, calling `take(word)` for each until it has
  // won `want` jobs; then moves the head once. `prefetch(word)` is called for every cell ahead of
  // the takes.
  template <class Take, class Prefetch>
  Visit visit(std::uint32_t want, std::uint32_t cells_max, Take take, Prefetch prefetch) {
    // Acquire: the tail below is not behind this head, which would look like nonsense.
    const std::uint64_t head = lines_->head.load(std::memory_order_acquire);
    // Acquire: the cells before this tail are written.
    const std::uint64_t tail = lines_->tail.load(std::memory_order_acquire);
    const std::uint64_t backlog = tail - head;
    Visit seen;
    if (backlog == 0) return seen;
    if (backlog > size()) {
      // Other workers may have moved on since we loaded the head; if not, this client's words make
      // no sense. Relaxed: with the tail we have acquired a head that leaves room for it.
      seen.broken = lines_->head.load(std::memory_order_relaxed) == head;
      seen.left = backlog;
      return seen;
    }
    if (backlog == 1) prefetch(SubmissionWord(lines_->last.load(std::memory_order_relaxed)));
    const std::uint64_t span = std::min<std::uint64_t>(backlog, cells_max);
    const std::uint64_t ahead = std::min<std::uint64_t>(span, want);
    for (std::uint64_t i = 0; i < ahead; ++i) prefetch(cell(head + i));
    std::uint64_t position = head;
    while (position != head + span && seen.claimed != want) {
      if (take(cell(position))) ++seen.claimed;
      ++position;
    }
    advance_to(lines_->head, position);
    seen.left = tail - position;
    return seen;
  }

 private:
  SubmissionWord cell(std::uint64_t position) const {
    return SubmissionWord(cells_[position & mask_].load(std::memory_order_relaxed));
  }

  SubmissionLines<Atomic>* lines_ = nullptr;
  Atomic<std::uint64_t>* cells_ = nullptr;
  std::uint64_t mask_ = 0;
};

}  // namespace jobring
