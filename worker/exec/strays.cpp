// Processes that a command leaves: daemons that it made, and members of its group that are still
// dying.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>

#include "common/clock.hpp"
#include "worker/exec/run_command.hpp"
#include "worker/exec/signal_gate.hpp"

namespace jobring {
namespace {

constexpr std::uint64_t kGiveUpAfter = 1'000'000'000;  // nanoseconds
constexpr timespec kLookAgain{0, 20'000'000};          // 20 ms; a death wakes us earlier

void kill_children() {
  FILE* file = std::fopen("/proc/thread-self/children", "re");
  if (file == nullptr) return;
  // Safe against reuse of pids: a child keeps its pid until we reap it.
  for (int pid; std::fscanf(file, "%d", &pid) == 1;) kill(pid, SIGKILL);
  std::fclose(file);
}

// True when no child is left.
bool reap_the_dead() {
  for (;;) {
    const pid_t pid = waitpid(-1, nullptr, WNOHANG);
    if (pid == 0) return false;
    if (pid < 0) return true;
  }
}

}  // namespace

void reap_strays() {
  const SignalGate gate;  // a blocked SIGCHLD waits for us
  sigset_t death;
  sigemptyset(&death);
  sigaddset(&death, SIGCHLD);
  const std::uint64_t until = now_ns() + kGiveUpAfter;
  // Over and over: the children of what we kill become ours.
  while (!reap_the_dead() && now_ns() < until) {
    kill_children();
    sigtimedwait(&death, nullptr, &kLookAgain);
  }
}

}  // namespace jobring
