#include "worker/leave.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "common/exit_at_once.hpp"
#include "worker/exec/run_command.hpp"

namespace jobring {

std::atomic<int> leave_requested{0};
static_assert(std::atomic<int>::is_always_lock_free, "signal handlers use it");
volatile std::sig_atomic_t leave_event = -1;

namespace {

constexpr int kExitSupervisorGone = 143;
constexpr int kExitDescriptorsLost = 70;
constexpr unsigned kLeaveWithin = 2;  // seconds
std::atomic<int> commands_running{0};

bool has_children() {
  const int before = errno;
  siginfo_t any;
  const bool found = waitid(P_ALL, 0, &any, WEXITED | WNOHANG | WNOWAIT) == 0;
  errno = before;
  return found;
}

// A command that has ended may have left something that is not dealt with yet: what is whose is
// told later where several run at once, and a pool may keep it for as long as its worker lives.
void on_term(int) {
  const bool command = commands_running != 0;
  if (!command && !has_children()) return exit_at_once(kExitSupervisorGone);
  leave_requested = 1;
  if (leave_event >= 0) {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t n = write(int(leave_event), &one, sizeof one);
  }
  // For a loop that does not look, being blocked or in a function's job. One that waits for a
  // command to die is left to that (run_command.cpp).
  if (leave_event >= 0 || !command) alarm(kLeaveWithin);
}

}  // namespace

void leave_on_sigterm() {
  struct sigaction action {};
  action.sa_handler = on_term;  // no SA_RESTART: poll() in run_command() returns
  for (const int signal : {SIGTERM, SIGHUP}) sigaction(signal, &action, nullptr);
}

void leave_when_alarmed() {
  if (leave_requested != 0) exit_at_once(kExitSupervisorGone);
}

void leave_now() {
  spare_nobody();
  reap_strays();
  _exit(kExitSupervisorGone);
}

void leave_without_descriptors() {
  static const char words[] =
      "a job closed descriptors of its worker, which leaves and is replaced\n";
  [[maybe_unused]] const ssize_t n = write(STDERR_FILENO, words, sizeof words - 1);
  _exit(kExitDescriptorsLost);
}

CommandRunning::CommandRunning() {
  ++commands_running;
}
CommandRunning::~CommandRunning() {
  --commands_running;
}

}  // namespace jobring
