// What SIGTERM means to a worker: its supervisor is gone (PR_SET_PDEATHSIG), so leave at once, but
// not without the command that runs. A normal end is ordered over the control socket instead.
#pragma once

#include <atomic>
#include <csignal>

namespace jobring {

// Set by the signal while a command runs; run_command() then kills the command and returns.
extern std::atomic<int> leave_requested;

// Installs the handler.
void leave_on_sigterm();
// For a loop that sleeps in something that a signal does not end: SIGTERM, when it only sets the
// flag, also writes to this eventfd, and has alarm() end the process if the loop does not look
// within two seconds. -1: does not.
extern volatile std::sig_atomic_t leave_event;
// Kills and reaps all that this worker's commands have left, then ends the process.
[[noreturn]] void leave_now();

// A descriptor of the worker's own is not open any more: a job closed what it had not opened. Says
// so and leaves, to be replaced: those whom this process can no longer wake are woken by its
// recovery.
[[noreturn]] void leave_without_descriptors();

// While any of these lives, on whatever thread, SIGTERM only sets the flag; else it ends the
// process at once.
class CommandRunning {
 public:
  CommandRunning();
  ~CommandRunning();
  CommandRunning(const CommandRunning&) = delete;
  CommandRunning& operator=(const CommandRunning&) = delete;
};

}  // namespace jobring
