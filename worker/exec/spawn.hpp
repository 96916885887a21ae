// Making the child process and turning it into the command.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <array>
#include <span>

#include "worker/exec/run_command.hpp"

namespace jobring {

// The steps from child to command, in order.
enum class StartStep : int {
  none,
  process_group,
  descriptors,
  identity,
  directory,
  input,
  limits,
  exec
};

// Where the child says why it could not become the command; in memory that both see. Read it when
// the child is dead.
struct StartNote {
  volatile StartStep step;  // none: it did become the command, or was killed before
  volatile int error;       // errno
  volatile int path;        // which of SpawnPlan::paths, or of SpawnPlan::limits
};

struct SpawnLimit {
  int resource;  // RLIMIT_...
  rlimit value;
};

// All that the child needs, prepared: it must not allocate, lock or write to the parent's memory.
struct SpawnPlan {
  char* const* argv;
  char* const* env;
  const char* const* paths;
  std::array<int, 3> stdio;  // -1 at 0 only: input_file is opened
  const char* input_file;    // or null
  const char* directory;     // or null
  const Identity* identity;  // or null
  int umask;                 // -1: unchanged
  std::span<const SpawnLimit> limits;
  StartNote* note;
};

// Returns the child's pid, or -1 with errno. All signals must be blocked (SignalGate). The child
// leads a process group of its own, has default signal dispositions and none blocked, and dies with
// the calling thread.
//
// Uses vfork(): twice as fast as fork() here, and a sixth faster than posix_spawn(). The caller
// stands still until the exec. That may take long in a foreign file system (directory, paths), but
// then the whole process can be killed. Opening a file can wait by design (a FIFO without a
// writer): with an input_file it forks.
pid_t spawn(const SpawnPlan& plan);

// A cleared note that nobody else has, until this dies: many commands may be under way on a thread.
// Takes and gives back on one thread; gives back when the child is dead.
class NoteLease {
 public:
  NoteLease() = default;
  ~NoteLease();
  NoteLease(const NoteLease&) = delete;
  NoteLease& operator=(const NoteLease&) = delete;

  // Null if there is no memory.
  StartNote* take();

 private:
  StartNote* note_ = nullptr;
};

}  // namespace jobring
