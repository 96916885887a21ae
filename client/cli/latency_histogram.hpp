// Counts of durations in buckets that are at most 1/32 wide: percentiles of any number of samples
// in 16 KiB.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace jobring::cli {

class LatencyHistogram {
 public:
  void add(std::uint64_t ns) {
    ++buckets_[bucket(ns)];
    ++count_;
    max_ = std::max(max_, ns);
  }
  std::uint64_t count() const { return count_; }
  std::uint64_t max() const { return max_; }

  // The duration that `fraction` (0.99) of the samples do not exceed, rounded up to its bucket's
  // end; 0 without samples.
  std::uint64_t percentile(double fraction) const {
    const auto wanted = std::uint64_t(fraction * double(count_));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < buckets_.size(); ++i) {
      seen += buckets_[i];
      if (seen > wanted || (seen == count_ && count_ > 0)) return std::min(last_of(i), max_);
    }
    return 0;
  }

 private:
  // Values below 32 have a bucket each; above, every power of two is divided into 32.
  static constexpr unsigned kBits = 5;
  static constexpr std::uint64_t kParts = 1u << kBits;

  static std::size_t bucket(std::uint64_t ns) {
    if (ns < kParts) return std::size_t(ns);
    const unsigned shift = unsigned(std::bit_width(ns)) - 1 - kBits;
    return std::size_t((shift + 1) * kParts + ((ns >> shift) - kParts));
  }
  static std::uint64_t last_of(std::size_t index) {
    if (index < kParts) return index;
    const unsigned shift = unsigned(index / kParts) - 1;
    return ((kParts + index % kParts + 1) << shift) - 1;
  }

  std::array<std::uint64_t, (64 - kBits + 1) * kParts> buckets_{};
  std::uint64_t count_ = 0;
  std::uint64_t max_ = 0;
};

}  // namespace jobring::cli
