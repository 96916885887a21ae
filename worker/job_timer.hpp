// The time-out of a function: it cannot be interrupted from outside, so a signal asks it to stop,
// and after the grace another one ends the worker (recovery then ends the job as timed_out).
#pragma once

#include <csignal>
#include <cstdint>
#include <ctime>

#include "common/pool_page.hpp"

namespace jobring {

// The exit status of a worker that ended because its job was over its time; `timed_out` in its page
// entry says which job that was.
inline constexpr int kExitTimedOut = 124;

// For the thread that makes it: its signals come there.
class JobTimer {
 public:
  explicit JobTimer(WorkerEntry& entry);
  ~JobTimer();
  JobTimer(const JobTimer&) = delete;
  JobTimer& operator=(const JobTimer&) = delete;
  // At most one job at a time is timed; milliseconds.
  void start(std::uint32_t timeout_ms, std::uint32_t grace_ms);
  void stop();
  // The job is over its time. For JobRun, whose handler asks.
  const volatile std::sig_atomic_t& late() const { return late_; }

 private:
  static void on_alarm(int, siginfo_t* info, void*);

  WorkerEntry& entry_;
  timer_t timer_{};
  volatile std::sig_atomic_t late_ = 0;
};

}  // namespace jobring
