// When a dead worker is started again. Pure: the clock is passed in.
//
// A worker that had started and died at work is replaced at once: a crash of a job is that job's,
// and must not slow its pool. A worker that dies before it is ready waits: backoff_min, doubled
// each time, up to backoff_max. After crash_loop_count such deaths within crash_loop_window the
// breaker opens: the pool counts as broken until a worker gets ready.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>

#include "common/config/config.hpp"

namespace jobring {

class RestartPolicy {
 public:
  using Time = std::chrono::steady_clock::time_point;

  explicit RestartPolicy(const RestartConfig& config)
      : config_(config), backoff_(config.backoff_min) {}

  // How long to wait before starting it again.
  std::chrono::nanoseconds died_at_work() {
    backoff_ = config_.backoff_min;
    return std::chrono::nanoseconds(0);
  }
  std::chrono::nanoseconds died_starting(Time now) {
    deaths_.push_back(now);
    while (!deaths_.empty() && now - deaths_.front() > config_.crash_loop_window)
      deaths_.pop_front();
    while (deaths_.size() > config_.crash_loop_count) deaths_.pop_front();
    if (deaths_.size() >= config_.crash_loop_count) open_ = true;
    if (open_) return config_.backoff_max;
    const auto wait = backoff_;
    backoff_ = std::min(backoff_ * 2, config_.backoff_max);
    return wait;
  }
  // It reported that it is ready.
  void started() {
    backoff_ = config_.backoff_min;
    open_ = false;
    deaths_.clear();
  }
  // It left on its own accord (recycled): nothing to hold against it.
  void retired() { backoff_ = config_.backoff_min; }
  bool open() const { return open_; }
  void force_open() { open_ = true; }

 private:
  RestartConfig config_;
  std::chrono::nanoseconds backoff_;
  std::deque<Time> deaths_;
  bool open_ = false;
};

}  // namespace jobring
