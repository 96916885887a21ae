#include "daemon/strays.hpp"

#include <signal.h>
#include <sys/wait.h>

#include <cstdio>
#include <vector>

namespace jobring {
namespace {

std::vector<pid_t> children() {
  std::vector<pid_t> pids;
  FILE* file = std::fopen("/proc/thread-self/children", "re");
  if (file == nullptr) return pids;
  for (long pid; std::fscanf(file, "%ld", &pid) == 1;) pids.push_back(pid_t(pid));
  std::fclose(file);
  return pids;
}

}  // namespace

bool reap_strays(const std::function<bool(pid_t)>& is_ours) {
  for (;;) {
    bool alive = false;
    bool reaped = false;
    for (const pid_t pid : children()) {
      if (is_ours(pid)) continue;
      kill(pid, SIGKILL);
      if (waitpid(pid, nullptr, WNOHANG) == pid) {
        reaped = true;
      } else {
        alive = true;
      }
    }
    // What we reaped may have left children to us: look again. What is dying will send SIGCHLD.
    if (alive) return false;
    if (!reaped) return true;
  }
}

}  // namespace jobring
