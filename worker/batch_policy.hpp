// How many jobs to claim at once. Pure: times are passed in.
#pragma once

#include <algorithm>
#include <cstdint>

namespace jobring {

// A batch saves a shared-memory round trip per job, but whoever is behind a slow job in it waits.
// So a batch is about kTarget of work by what jobs took lately, never more than a fair share of the
// backlog, and one job at a time while any other worker has nothing to do. (What is claimed and
// waits all the same can be stolen: worker.cpp, steal().)
class BatchPolicy {
 public:
  static constexpr std::uint64_t kTarget = 50'000;  // nanoseconds of work in one batch
  static constexpr std::uint64_t kShortJob =
      2'000;  // nanoseconds; below it, time is taken per batch, not per job

  void limit(std::uint32_t most) { most_ = std::max(1u, most); }

  std::uint32_t size(std::uint64_t backlog, std::uint32_t workers, bool others_idle) const {
    if (others_idle) return 1;
    const std::uint64_t share = (backlog + workers - 1) / workers;
    const std::uint64_t fits = kTarget / std::max<std::uint64_t>(1, mean_ns_);
    return std::uint32_t(std::clamp<std::uint64_t>(std::min(share, fits), 1, most_));
  }
  // A batch of `jobs` took `ns`. A moving mean over about eight batches; a slow batch counts at
  // once.
  void ran(std::uint32_t jobs, std::uint64_t ns) {
    const std::uint64_t each = ns / jobs;
    mean_ns_ = each > mean_ns_ ? each : (mean_ns_ * 7 + each) / 8;
  }
  bool short_jobs() const { return mean_ns_ < kShortJob; }
  std::uint64_t mean_ns() const { return mean_ns_; }

 private:
  std::uint32_t most_ = 1;
  std::uint64_t mean_ns_ = kTarget;  // nothing is known at first: one at a time
};

}  // namespace jobring
