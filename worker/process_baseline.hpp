// What a job may change of the process that it runs in, and is put back before the next one.
//
// Put back: the working directory, umask, the main thread's signal mask, descriptors 0, 1 and 2,
// and the handlers of the worker's own signals. Not put back, because it cannot be or costs too
// much: the environment, locale, limits, user and group ids, memory, other descriptors, threads,
// other signal handlers. A pool whose jobs change those sets max_jobs to 1, or runs commands.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <array>

#include "common/unique_fd.hpp"

namespace jobring {

class ProcessBaseline {
 public:
  // Takes the state as it is as the one to go back to. After modules have been loaded: what they
  // set up for all their jobs stays.
  void record();
  // About ten system calls.
  void restore() const;

 private:
  UniqueFd directory_;
  std::array<UniqueFd, 3> stdio_;
  mode_t umask_ = 0;
  sigset_t mask_{};
  struct sigaction alarm_ {
  }, term_{};
};

}  // namespace jobring
