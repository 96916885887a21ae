// When jobs must be over at the latest, kept even if the event loop is blocked.
//
// A job that is over its time, or that somebody wants stopped, is asked first: its coroutine is
// cancelled. What then does not end within kill_grace ends with the whole process, by a signal that
// needs no loop; the supervisor sees by the exit status what happened, and by the worker's entry in
// the pool's page to which job.
#pragma once

#include <cstdint>
#include <map>

#include "worker/async/slice.hpp"

namespace jobring {

// As kExitTimedOut (job_timer.hpp): the job that the entry names did not stop when it was told to.
inline constexpr int kExitStopped = 125;

// One per process, on its only thread: it owns SIGALRM.
class Deadlines {
  struct Entry {
    const SliceOwner* owner;
    int exit_status;
  };
  using Entries = std::multimap<std::uint64_t, Entry>;

 public:
  using Key = Entries::iterator;

  Deadlines();
  ~Deadlines();
  Deadlines(const Deadlines&) = delete;
  Deadlines& operator=(const Deadlines&) = delete;

  // CLOCK_MONOTONIC nanoseconds. The owner must live until remove().
  Key add(std::uint64_t when_ns, const SliceOwner& owner, int exit_status);
  void remove(Key key);

 private:
  void publish();

  Entries entries_;
};

}  // namespace jobring
