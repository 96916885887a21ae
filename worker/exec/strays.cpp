// Processes that a command leaves: daemons that it made, and members of its group that are still
// dying.
#include <dirent.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "common/clock.hpp"
#include "worker/exec/run_command.hpp"
#include "worker/exec/signal_gate.hpp"

namespace jobring {
namespace {

constexpr std::uint64_t kGiveUpAfter = 1'000'000'000;  // nanoseconds
constexpr timespec kLookAgain{0, 20'000'000};          // 20 ms; a death wakes us earlier

// Known to be ours when modules had been loaded.
std::vector<pid_t>& spared() {
  static std::vector<pid_t> pids;
  return pids;
}

// Of all threads: a module's may have started some. Zombies included.
std::vector<pid_t> children() {
  std::vector<pid_t> pids;
  DIR* tasks = opendir("/proc/self/task");
  if (tasks == nullptr) return pids;
  while (const dirent* task = readdir(tasks)) {
    if (task->d_name[0] == '.') continue;
    const std::string path = std::string("/proc/self/task/") + task->d_name + "/children";
    FILE* file = std::fopen(path.c_str(), "re");
    if (file == nullptr) continue;
    for (int pid; std::fscanf(file, "%d", &pid) == 1;) pids.push_back(pid);
    std::fclose(file);
  }
  closedir(tasks);
  return pids;
}

std::vector<pid_t> strays() {
  std::vector<pid_t> pids = children();
  std::erase_if(pids, [](pid_t pid) {
    return std::find(spared().begin(), spared().end(), pid) != spared().end();
  });
  return pids;
}

}  // namespace

void spare_children() {
  spared() = children();
}

void spare_nobody() {
  spared().clear();
}

bool may_have_strays() {
  siginfo_t any;
  return waitid(P_ALL, 0, &any, WEXITED | WNOHANG | WNOWAIT) == 0;
}

void reap_dead_strays() {
  for (const pid_t pid : strays()) waitpid(pid, nullptr, WNOHANG);
}

void reap_strays() {
  const SignalGate gate;  // a blocked SIGCHLD waits for us
  sigset_t death;
  sigemptyset(&death);
  sigaddset(&death, SIGCHLD);
  const std::uint64_t until = now_ns() + kGiveUpAfter;
  // Over and over: the children of what we kill become ours.
  for (;;) {
    const std::vector<pid_t> left = strays();
    if (left.empty() || now_ns() > until) return;
    bool reaped = false;
    for (const pid_t pid : left) {
      // Safe against reuse of pids: a child keeps its pid until we reap it.
      if (waitpid(pid, nullptr, WNOHANG) == pid) {
        reaped = true;
      } else {
        kill(pid, SIGKILL);
      }
    }
    if (!reaped) sigtimedwait(&death, nullptr, &kLookAgain);
  }
}

}  // namespace jobring
