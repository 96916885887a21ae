// The jobs that ended their workers lately, with the evidence: for whoever asks in the morning, or
// at night, why workers die.
#pragma once

#include <sys/types.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>

namespace jobring {

struct CrashedJob {
  std::chrono::system_clock::time_point when;
  std::string handler;
  std::string client;  // the name that it gave itself
  pid_t client_pid = 0;
  uid_t uid = 0;
  std::uint32_t attempts = 0;
  int signal = 0;            // that ended the worker; 0 if it exited
  bool quarantined = false;  // attempts reached the pool's crash_limit
  std::string evidence;      // how the worker died, and the last it said: at most a few KiB
};

// Bounded. When it is full the oldest goes, and those that were not quarantined before those that
// were: one client whose jobs crash all the time must not push out what others need to know.
class CrashList {
 public:
  static constexpr std::size_t kKept = 32;

  void add(CrashedJob job) {
    if (job.quarantined) ++quarantined_;
    jobs_.push_back(std::move(job));
    if (jobs_.size() <= kKept) return;
    const auto victim = std::find_if(jobs_.begin(), jobs_.end() - 1,
                                     [](const CrashedJob& j) { return !j.quarantined; });
    jobs_.erase(victim != jobs_.end() - 1 ? victim : jobs_.begin());
  }
  const std::deque<CrashedJob>& jobs() const { return jobs_; }  // oldest first
  std::uint64_t quarantined() const { return quarantined_; }    // ever

 private:
  std::deque<CrashedJob> jobs_;
  std::uint64_t quarantined_ = 0;
};

}  // namespace jobring
