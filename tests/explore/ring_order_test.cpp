// Orders of the two rings (submission_ring.hpp, completion_queue.hpp) and of a job's progress
// (job_note.hpp): small scenarios, searched to their ends.
#include <doctest/doctest.h>

#include "common/job_note.hpp"
#include "tests/explore/bounds.hpp"
#include "tests/explore/tiny_rings.hpp"

using namespace explore::tiny;
using explore::require;
using explore::Scenario;
using explore::searched;

namespace {

constexpr std::uint32_t kCellsMax = 4;

// Claims one job. False if the ring makes no sense to it.
bool claim_one(Memory* m, std::uint32_t owner) {
  SubmissionConsumer<> ring(&m->submission, m->submission_cells, kRing);
  const auto seen = ring.visit(
      1, kCellsMax,
      [=](SubmissionWord word) {
        return m->slots[word.index()].move(word.queued(),
                                           word.queued().to(SlotState::claimed, owner));
      },
      [](SubmissionWord) {});
  return !seen.broken;
}

}  // namespace

// The cells, then the tail, against the tail, then the cells.
TEST_CASE("a worker that sees the tail sees the cells before it") {
  searched({.preemptions = 3, .stale = 2}, [](Scenario& s) {
    auto* m = make_memory(s);
    s.thread("client", [=] {
      Client client(m);
      client.put(0, 1);
      client.put(1, 2);
      client.producer.publish();
    });
    s.thread("worker", [=] { claim_one(m, 1); });
    s.at_end([=] {
      for (std::uint64_t p = 0; p < m->submission.head.load(); ++p) {
        const SubmissionWord word(m->submission_cells[p].load());
        require(m->slots[word.index()].word() != word.queued(), "no QUEUED job is behind the head");
      }
    });
  });
}

// The tail, then the head, of another worker, against the head, then the tail; and a head that is
// too old for the tail has moved when it is looked at again.
TEST_CASE("a worker that others overtake does not take the ring for nonsense") {
  searched({.preemptions = 2, .stale = 1}, [](Scenario& s) {
    auto* m = make_memory(s);
    s.thread("client and worker", [=] {
      Client client(m);
      for (std::uint32_t job = 0; job < 3; ++job) {
        client.put(job % kSlots, int(job) + 1);
        client.producer.publish();
        require(claim_one(m, 1), "the ring makes sense");
      }
    });
    s.thread("slow worker", [=] { require(claim_one(m, 2), "the ring makes sense"); });
  });
}

namespace {

// A completion queue of two cells. Never more than two words are under way.
struct Queue {
  explicit Queue(Scenario& s)
      : lines(s.make<CompletionLines<>>()), cells(s.make<SharedAtomic<std::uint64_t>>(kCells)) {
    s.label(&lines->tail, 8, "completion tail");
    s.label(&lines->head, 8, "completion head");
    s.label(cells, sizeof(std::uint64_t) * kCells, "completion cells");
  }
  CompletionProducer<> producer() const { return {lines, cells, kCells}; }
  CompletionConsumer<> consumer() const { return {lines, cells, kCells}; }

  static constexpr std::uint32_t kCells = 2;
  CompletionLines<>* lines;
  SharedAtomic<std::uint64_t>* cells;
};

void publish_and_take(CompletionProducer<>& producer, CompletionConsumer<>& consumer) {
  require(producer.publish(0, 1), "the queue has room");
  CompletionWord word(0);
  require(consumer.take(word), "there are no holes");
  consumer.publish_head();
}

}  // namespace

// The cells, then the tail, against the tail, then the cells. The job of the slow worker was reaped
// by a rescan before it comes to publish it.
TEST_CASE("a worker that comes laps late finds the end of the completion queue") {
  searched({.preemptions = 1, .stale = 9}, [](Scenario& s) {
    const Queue queue(s);
    s.thread("client and worker", [=] {
      auto producer = queue.producer();
      auto consumer = queue.consumer();
      for (std::uint32_t i = 0; i < Queue::kCells; ++i) {
        publish_and_take(producer, consumer);
        producer.move_tail();
      }
    });
    s.thread("slow worker", [=] {
      auto producer = queue.producer();
      require(producer.publish(7, 1), "the queue has room");
    });
  });
}

// Each of a lap's workers died before it moved the tail. A new one knows what its client had taken
// before it submitted the job.
TEST_CASE("a new worker finds the end of a completion queue whose tail was never moved") {
  searched({.preemptions = 2, .stale = 4}, [](Scenario& s) {
    const Queue queue(s);
    auto* submitted = s.make<explore::Atomic<int>>();
    s.thread("client and workers", [=] {
      auto producer = queue.producer();
      auto consumer = queue.consumer();
      for (std::uint32_t i = 0; i < Queue::kCells + 1; ++i) publish_and_take(producer, consumer);
      submitted->store(1, std::memory_order_release);
      publish_and_take(producer, consumer);
    });
    s.thread("new worker", [=] {
      while (submitted->load(std::memory_order_acquire) == 0) explore::yield();
      auto producer = queue.producer();
      require(producer.publish(7, 1), "the queue has room");
    });
  });
}

// The odd version, then the fields, against the fields, then the version again; and the version,
// then the fields. The cell holds an earlier job's.
TEST_CASE("progress is read as it was written in one call and by this job") {
  searched({.preemptions = 2, .stale = 3}, [](Scenario& s) {
    auto* note = s.make<JobNote>();
    s.label(note, sizeof *note, "note");
    const std::string texts[] = {"aaaaaaaaa", "bbbbbbbbb", "ccc"};
    note->progress.write(1, 0, 0, texts[0]);
    s.thread("worker", [=] {
      note->progress.write(2, 1, 1, texts[1]);
      note->progress.write(2, 2, 2, texts[2]);
    });
    s.thread("client", [=] {
      const auto seen = note->progress.read(2);
      if (!seen) return;
      require(seen->done == 1 || seen->done == 2, "it is this job's");
      require(seen->total == seen->done && seen->text == texts[seen->done], "it is of one call");
    });
  });
}
