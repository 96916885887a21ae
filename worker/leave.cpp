#include "worker/leave.hpp"

#include <unistd.h>

#include "worker/exec/run_command.hpp"

namespace jobring {

volatile std::sig_atomic_t leave_requested = 0;

namespace {

constexpr int kExitSupervisorGone = 143;
constexpr int kExitDescriptorsLost = 70;
volatile std::sig_atomic_t command_running = 0;

void on_term(int) {
  if (command_running == 0) _exit(kExitSupervisorGone);
  leave_requested = 1;
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
  command_running = 1;
}
CommandRunning::~CommandRunning() {
  command_running = 0;
}

}  // namespace jobring
