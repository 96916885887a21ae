// The real slots and rings, small enough to be searched far: two workers, a client, rings of two
// cells.
#include <doctest/doctest.h>

#include "tests/explore/bounds.hpp"
#include "tests/explore/tiny_rings.hpp"

using namespace explore::tiny;
using explore::Ends;
using explore::explored;
using explore::require;
using explore::Scenario;

TEST_CASE("jobs are claimed once, in rings that wrap, and none stays behind the head") {
  explored({.executions = 60'000, .preemptions = 3, .stale = 1}, [](Scenario& s) {
    auto* m = make_memory(s);
    s.thread("client", [=] {
      Client client(m);
      for (int job = 0; job < 3; ++job) {
        if (job >= int(kSlots)) {
          int payload;
          while (client.reap(payload) != job - int(kSlots)) explore::yield();
        }
        client.put(std::uint32_t(job) % kSlots, job + 1);
        client.producer.publish();
      }
    });
    for (std::uint32_t w = 1; w <= 2; ++w) {
      s.thread(
          "worker " + std::to_string(w),
          [=] {
            TinyWorker worker(m, w);
            for (;;) {
              if (worker.turn(1) == 0) explore::yield();
            }
          },
          Ends::with_all);
    }
    s.at_end([=] {
      const std::uint64_t head = m->submission.head.load(), tail = m->submission.tail.load();
      require(head <= tail && tail - head <= kRing, "the head is within the ring");
      for (std::uint64_t p = tail >= kRing ? tail - kRing : 0; p < head; ++p) {
        const SubmissionWord word(m->submission_cells[p % kRing].load());
        require(m->slots[word.index()].word() != word.queued(), "no QUEUED job is behind the head");
      }
    });
  });
}

TEST_CASE("every job completes once, with its own payload and result, over several laps") {
  explored({.executions = 60'000, .preemptions = 2, .stale = 1}, [](Scenario& s) {
    auto* m = make_memory(s);
    s.thread("client", [=] {
      constexpr int kJobs = 6;
      Client client(m);
      int submitted = 0, reaped = 0, payload = 0;
      bool seen[kJobs + 1] = {};
      while (submitted < int(kSlots))
        client.put(std::uint32_t(submitted), submitted + 1), ++submitted;
      client.producer.publish();
      while (reaped < kJobs) {
        const int slot = client.reap(payload);
        if (slot < 0) {
          explore::yield();
          continue;
        }
        ++reaped;
        require(payload >= 1 && payload <= kJobs && !seen[payload], "a job ends once");
        seen[payload] = true;
        if (submitted < kJobs) {
          client.put(std::uint32_t(slot), ++submitted);
          client.producer.publish();
        }
      }
    });
    for (std::uint32_t w = 1; w <= 2; ++w) {
      s.thread(
          "worker " + std::to_string(w),
          [=] {
            TinyWorker worker(m, w);
            for (;;) {
              if (worker.turn(w) == 0) explore::yield();
            }
          },
          Ends::with_all);
    }
  });
}

TEST_CASE("a job that is cancelled is not run, and a job that runs is not cancelled") {
  explored({.executions = 60'000, .preemptions = 3, .stale = 2}, [](Scenario& s) {
    auto* m = make_memory(s);
    auto* cancelled = s.make<explore::Data<int>>();
    s.thread("client", [=] {
      Client client(m);
      client.put(0, 1);
      client.put(1, 2);
      client.producer.publish();
      Slot& slot = m->slots[0];
      const StateWord word = slot.word();
      if (word.is(SlotState::queued) && slot.move(word, word.to(SlotState::done))) {
        cancelled->set(1);
        // Ours again, at once: what a worker still had of it would be a race now.
        m->result[0].set(0);
        slot.state.store(slot.word().to(SlotState::free).raw(), std::memory_order_relaxed);
        client.put(0, 3);
        client.producer.publish();
      }
      int left = 2, payload = 0;
      while (left > 0) {
        if (client.reap(payload) < 0) {
          explore::yield();
          continue;
        }
        --left;
        require(payload != 1 || cancelled->get() == 0, "a cancelled job is not run");
        require(payload != 3 || cancelled->get() == 1, "what was not cancelled is not replaced");
      }
    });
    for (std::uint32_t w = 1; w <= 2; ++w) {
      s.thread(
          "worker " + std::to_string(w),
          [=] {
            TinyWorker worker(m, w);
            for (;;) {
              if (worker.turn(2) == 0) explore::yield();
            }
          },
          Ends::with_all);
    }
  });
}
