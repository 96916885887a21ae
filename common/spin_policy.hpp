// How long to look for work before sleeping. Pure: times are passed in.
//
// Looking costs processor time that others may need; sleeping costs the wake-up. So the time spent
// looking follows its success: full while looking pays, down to nothing while it does not, with a
// short try now and then to notice a change. Whoever looks calls sched_yield() between looks: on a
// machine with as many runnable processes as processors, a spin without it keeps the very process
// waiting that one waits for.
#pragma once

#include <algorithm>
#include <cstdint>

namespace jobring {

// Looks between two sched_yield(): a system call takes as long as several looks, and what one waits
// for comes at any time. No pause instruction between them: on a virtual machine it may leave the
// guest.
inline constexpr int kLooksPerYield = 10;
// Nanoseconds of looking before the first sched_yield(): a partner on another processor answers
// within less, and an answer that comes during the call is seen late by what the call takes.
inline constexpr std::uint64_t kLookFirst = 2'000;

class SpinPolicy {
 public:
  void limit(std::uint64_t most_ns) { most_ns_ = most_ns; }

  // Nanoseconds to look this time.
  std::uint64_t budget() {
    // Never much less than what a sleeping partner takes to answer: two that wait for each other
    // would else both go on sleeping although looking would pay for both.
    if (credit_ > 0) return most_ns_ / 2 + most_ns_ / 2 * credit_ / kFull;
    return ++denied_ % kRetry == 0 ? most_ns_ / 2 : 0;
  }
  void found() { credit_ = std::min(credit_ + 1, kFull); }
  // Twice as fast down as up: looking that pays less than two times in three does not pay.
  void in_vain() { credit_ = credit_ > 2 ? credit_ - 2 : 0; }

 private:
  static constexpr std::uint32_t kFull = 8;
  static constexpr std::uint32_t kRetry = 16;  // every so many waits a short look
  std::uint64_t most_ns_ = 0;
  std::uint32_t credit_ = kFull;
  std::uint32_t denied_ = 0;
};

}  // namespace jobring
