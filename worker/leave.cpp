#include "worker/leave.hpp"

#include <signal.h>
#include <unistd.h>

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
std::atomic<int> commands_running{0};

void on_term(int) {
  if (commands_running == 0) return exit_at_once(kExitSupervisorGone);
  leave_requested = 1;
  if (leave_event < 0) return;
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t n = write(int(leave_event), &one, sizeof one);
  alarm(2);
}

}  // namespace

void leave_on_sigterm() {
  struct sigaction action {};
  action.sa_handler = on_term;  // no SA_RESTART: poll() in run_command() returns
  sigaction(SIGTERM, &action, nullptr);
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
