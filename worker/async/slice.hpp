// Whose code holds the event loop: the slices of jobs, shown in the worker's entry of the pool's
// page.
#pragma once

#include <cstdint>

#include "common/clock.hpp"
#include "common/pool_page.hpp"
#include "worker/crash_report.hpp"

namespace jobring {

// What a job is called while it runs.
struct SliceOwner {
  WorkerEntry* entry = nullptr;  // of our worker
  const char* handler = nullptr;
  std::uint32_t channel = 0;
  std::uint32_t slot = 0;
  std::uint64_t running = 0;  // the generation of its RUNNING word

  // Has the page name this job. Async-signal-safe.
  void show(std::uint64_t since_ns) const {
    entry->job_channel.set(channel);
    entry->job_slot.set(slot);
    entry->job_generation.set(running);
    entry->job_started_ns.set(since_ns);
  }
  // Names it as the job over which its worker ends itself. Async-signal-safe.
  void condemn() const {
    show(1);
    entry->timed_out.set(running);
  }
};

// While one lives, its owner's code runs. job_started_ns of the entry is 0 while the loop runs
// nobody's: so the supervisor sees a handler that blocks the loop.
class Slice {
 public:
  explicit Slice(const SliceOwner& owner) : before_(current_), since_(now_ns()) {
    current_ = &owner;
    running_handler.store(owner.handler, std::memory_order_relaxed);
    owner.show(since_);
  }
  ~Slice() {
    WorkerEntry& entry = *current_->entry;
    current_ = before_;
    running_handler.store(before_ != nullptr ? before_->handler : nullptr,
                          std::memory_order_relaxed);
    const std::uint64_t now = now_ns();
    if (before_ != nullptr) {
      before_->show(now);
    } else {
      entry.job_started_ns.set(0);
      busy_ns_ += now - since_;
      entry.busy_us.set(busy_ns_ / 1000);
    }
  }
  Slice(const Slice&) = delete;
  Slice& operator=(const Slice&) = delete;

 private:
  static inline const SliceOwner* current_ = nullptr;
  static inline std::uint64_t busy_ns_ = 0;
  const SliceOwner* before_;
  const std::uint64_t since_;
};

}  // namespace jobring
