// The directory in which the daemon keeps what outlives it: durable jobs, and the output of their
// commands.
//
//     jobs.db     the keeper's store
//     outputs/    by workers (worker/exec/output_file.hpp)
//     lives       a lock (flock) that the daemon has, its keeper, which has the store open, and
//                 every worker that may run a durable job: one open file, handed on. In it the
//                 daemon's pid
//     id          random: marks the commands of durable jobs, in $JOBRING_STATE
//
// After the death of a daemon its workers leave, and their commands with them, but not in the same
// instant; what a handler has forked, or a command has started, may even live on. So the next
// daemon waits for `lives`, ends those that still have it after kill_grace, then ends what bears
// its mark, and only then lets a keeper run again what was running. Commands do not inherit
// `lives`; one that has cleared its environment is not found.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "common/result.hpp"
#include "common/unique_fd.hpp"

namespace jobring {

class StateDir {
 public:
  // Makes it with its parents if it is not there, for nobody but us to enter. Refused: what is not
  // a directory, or belongs to somebody else.
  static Result<StateDir> open(const std::string& path);

  enum class Lock {
    ours,
    of_daemon,   // of another one, which lives
    of_workers,  // of one that is gone, or of what they have forked
  };
  // Takes it if nobody has it.
  Result<Lock> lock();
  pid_t daemon() const;  // the last that took it
  // Sends KILL to all that have it open but us. How many.
  std::size_t kill_holders() const;
  bool locked() const { return locked_; }

  const std::string& path() const { return path_; }
  std::string outputs() const;
  const std::string& id() const { return id_; }
  // To be handed to those who may run durable jobs.
  int lives() const { return lives_.get(); }
  // What durable commands bear in their environment: "NAME=id".
  std::string mark() const;

 private:
  std::vector<pid_t> holders() const;

  std::string path_, id_;
  UniqueFd lives_;
  bool locked_ = false;
};

// Sends KILL to every process but this one whose environment, as it was when it was executed, has
// the entry `mark`. Those that are still there; a call later tells whether they are gone.
std::vector<pid_t> kill_marked(const std::string& mark);

}  // namespace jobring
