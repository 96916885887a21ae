// What SIGTERM means to a worker: its supervisor is gone (PR_SET_PDEATHSIG), so leave at once, but
// not without the command that runs, nor what others have left. SIGHUP is the same: the kernel
// sends it to a worker that is stopped when its supervisor dies. A normal end is ordered over the
// control socket instead.
#pragma once

#include <atomic>
#include <csignal>

namespace jobring {

// Set by the signal while a command runs, or while this process has any child; run_command() then
// kills the command and returns, and the loop calls leave_now().
extern std::atomic<int> leave_requested;

// Installs the handler of both.
void leave_on_sigterm();
// For a loop that sleeps in something that a signal does not end: SIGTERM, when it only sets the
// flag, also writes to this eventfd. -1: does not.
extern volatile std::sig_atomic_t leave_event;
// For the handler of a SIGALRM that is no timer's: the loop has not looked at the flag for two
// seconds. Ends the process if it is set. Async-signal-safe.
void leave_when_alarmed();
// Kills and reaps all that this worker's commands have left, then ends the process.
[[noreturn]] void leave_now();

// A descriptor of the worker's own is not open any more: a job closed what it had not opened. Says
// so and leaves, to be replaced: those whom this process can no longer wake are woken by its
// recovery.
[[noreturn]] void leave_without_descriptors();

// While any of these lives, on whatever thread, SIGTERM only sets the flag; else it ends a process
// without children at once.
class CommandRunning {
 public:
  CommandRunning();
  ~CommandRunning();
  CommandRunning(const CommandRunning&) = delete;
  CommandRunning& operator=(const CommandRunning&) = delete;
};

}  // namespace jobring
