// What a test has in store for its keeper (mortal_keeper.cpp): at which step it dies, what the disk
// refuses, what its clocks say. In a file that both have mapped, named by $JOBRING_TEST_FATE.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "tests/support/steps.hpp"

namespace jobring::test {

struct FateWords {
  // Deaths to come, one after the other: the steps of this kind (kSteps: any) that are still to be
  // taken. 0 of them: it does not die.
  static constexpr unsigned kDeaths = 2;
  struct Death {
    std::atomic<std::uint32_t> step;
    std::atomic<std::uint32_t> left;
  };
  Death deaths[kDeaths];
  std::atomic<std::uint32_t> died;  // how many of them have come to pass
  std::atomic<std::uint64_t> taken[kSteps];
  // 0, or the error of every write (or growth) and sync of the store's files.
  std::atomic<std::int32_t> write_error, sync_error;
  std::atomic<std::uint32_t> refused;  // how often that was said
  std::atomic<bool> unsynced;          // the store's files were written since they were synced
  std::atomic<std::uint32_t> answered_unsynced;  // requests, while that was so
  // CLOCK_REALTIME stands still here, milliseconds; 0: as the system's, plus the offset.
  std::atomic<std::int64_t> real_ms, real_offset_ms;
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

// The test's side. All of it may be changed while the keeper runs.
class Fate {
 public:
  Fate();  // a long and peaceful life
  ~Fate();
  Fate(const Fate&) = delete;
  Fate& operator=(const Fate&) = delete;
  FateWords* operator->() const { return words_; }

  // It dies when it comes to the `nth` such step from now, from 1; its successor at the `then_nth`
  // of that one.
  void die_at(Step step, std::uint32_t nth, Step then = Step::count_, std::uint32_t then_nth = 0);
  void live_on();
  std::uint32_t died() const { return words_->died; }
  std::uint64_t taken(Step step) const { return words_->taken[unsigned(step)]; }

  const std::string& file() const { return file_; }

 private:
  std::string file_;
  FateWords* words_;
};

}  // namespace jobring::test
