// The time-out of a function: it cannot be interrupted from outside, so a signal asks it to stop,
// and after the grace another one ends the worker (recovery then ends the job as timed_out).
#pragma once

#include <cstdint>
#include <ctime>

namespace jobring {

// The exit status by which the supervisor knows that a worker ended because its job was over its
// time.
inline constexpr int kExitTimedOut = 124;

class JobTimer {
 public:
  JobTimer();
  ~JobTimer();
  JobTimer(const JobTimer&) = delete;
  JobTimer& operator=(const JobTimer&) = delete;
  // At most one job at a time is timed; milliseconds.
  void start(std::uint32_t timeout_ms, std::uint32_t grace_ms);
  void stop();

 private:
  timer_t timer_{};
};

}  // namespace jobring
