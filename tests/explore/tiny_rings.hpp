// A channel of two slots with rings as small, and its client and workers: the real slots and rings,
// nothing around them.
#pragma once

#include "common/completion_queue.hpp"
#include "common/doorbell.hpp"
#include "common/slot.hpp"
#include "common/submission_ring.hpp"
#include "tests/explore/atomic.hpp"
#include "tests/explore/explorer.hpp"

namespace explore::tiny {

using namespace jobring;

inline constexpr std::uint32_t kSlots = 2;
inline constexpr std::uint32_t kRing = 2;         // cells of the submission ring
inline constexpr std::uint32_t kCompletions = 4;  // cells of the completion queue

// One channel's shared memory without its pages of names and extents.
struct Memory {
  Slot slots[kSlots];
  SubmissionLines<> submission;
  CompletionLines<> completion;
  SharedAtomic<std::uint64_t> submission_cells[kRing], completion_cells[kCompletions];
  Data<int> payload[kSlots], result[kSlots];
  Data<int> running[kSlots];  // touched by whoever runs the job: two at once are a race
  DoorbellPage doorbell;
  Event bell[2], client_bell;
  SharedAtomic<std::uint32_t> waiting;
};

inline Memory* make_memory(Scenario& s) {
  auto* m = s.make<Memory>();
  s.guard(m->slots, sizeof m->slots);
  s.label(&m->submission.tail, 8, "tail");
  s.label(&m->submission.last, 8, "last");
  s.label(&m->submission.head, 8, "head");
  s.label(m->submission_cells, sizeof m->submission_cells, "cells");
  s.label(&m->completion.tail, 8, "completion tail");
  s.label(&m->completion.head, 8, "completion head");
  s.label(m->completion_cells, sizeof m->completion_cells, "completion cells");
  s.label(m->slots, sizeof m->slots, "slots");
  s.label(&m->doorbell, sizeof m->doorbell, "ready bits");
  s.label(&m->waiting, 4, "waiting");
  return m;
}

struct Client {
  explicit Client(Memory* memory)
      : m(memory),
        producer(&m->submission, m->submission_cells, kRing),
        consumer(&m->completion, m->completion_cells, kCompletions) {}

  void put(std::uint32_t index, int payload) {
    Slot& slot = m->slots[index];
    const StateWord queued = slot.word(std::memory_order_relaxed).to(SlotState::queued);
    m->payload[index].set(payload);
    slot.payload_len.set(std::uint32_t(payload));
    slot.state.store(queued.raw(), std::memory_order_release);
    while (producer.full()) {
      producer.skip_dead(
          [&](SubmissionWord w) { return m->slots[w.index()].word() == w.queued(); });
      yield();
    }
    producer.put(SubmissionWord(index, queued.generation()));
  }
  // The slot of the next completion, FREE again; -1 if there is none.
  int reap(int& payload) {
    CompletionWord word(0);
    if (!consumer.take(word)) return -1;
    Slot& slot = m->slots[word.index()];
    require(word.announces(slot.word()), "a completion word names a DONE slot");
    payload = m->result[word.index()].get();
    require(slot.result_len.get() == std::uint32_t(payload), "the result's length is the result's");
    slot.state.store(slot.word(std::memory_order_relaxed).to(SlotState::free).raw(),
                     std::memory_order_relaxed);
    consumer.publish_head();
    return int(word.index());
  }

  Memory* m;
  SubmissionProducer<> producer;
  CompletionConsumer<> consumer;
};

struct TinyWorker {
  TinyWorker(Memory* memory, std::uint32_t owner_id)
      : m(memory),
        owner(owner_id),
        ring(&m->submission, m->submission_cells, kRing),
        completions(&m->completion, m->completion_cells, kCompletions) {}

  // Claims up to `want` jobs, runs them, completes them. Returns how many.
  std::uint32_t turn(std::uint32_t want) {
    StateWord words[kSlots];
    std::uint32_t indexes[kSlots], count = 0;
    ring.visit(
        want, 4,
        [&](SubmissionWord word) {
          const StateWord claimed = word.queued().to(SlotState::claimed, owner);
          if (!m->slots[word.index()].move(word.queued(), claimed)) return false;
          indexes[count] = word.index();
          words[count++] = claimed;
          return true;
        },
        [](SubmissionWord) {});
    for (std::uint32_t i = 0; i < count; ++i) run(indexes[i], words[i]);
    if (count != 0) completions.move_tail();
    return count;
  }
  void run(std::uint32_t index, StateWord claimed) {
    Slot& slot = m->slots[index];
    const StateWord running = claimed.to(SlotState::running, owner);
    if (!slot.move(claimed, running)) return;
    m->running[index].set(int(owner));
    const int payload = m->payload[index].get();
    require(slot.payload_len.get() == std::uint32_t(payload), "the payload is the job's");
    m->result[index].set(payload);
    slot.result_len.set(std::uint32_t(payload));
    require(m->running[index].get() == int(owner), "nobody else runs the job");
    const StateWord done = running.to(SlotState::done);
    slot.state.store(done.raw(), std::memory_order_release);
    require(completions.publish(index, done.generation()), "the completion queue has room");
  }

  Memory* m;
  std::uint32_t owner;
  SubmissionConsumer<> ring;
  CompletionProducer<> completions;
};

}  // namespace explore::tiny
