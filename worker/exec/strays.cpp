// Processes that a command leaves: daemons that it made, and members of its group that are still
// dying.
#include <dirent.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "common/clock.hpp"
#include "worker/exec/run_command.hpp"
#include "worker/exec/signal_gate.hpp"

namespace jobring {
namespace {

constexpr std::uint64_t kGiveUpAfter = 1'000'000'000;  // nanoseconds
constexpr timespec kLookAgain{0, 20'000'000};          // 20 ms; a death wakes us earlier

struct LaneThread {
  pid_t tid;
  const WorkerEntry* entry;
};

// Guards all of the below, and every wait for a child that is not a lane's running command: so a
// pid that was found in a list stays that child's until the lock is released.
std::mutex mutex;
// Known to be ours when modules had been loaded.
std::vector<pid_t> spared;
std::vector<LaneThread> lanes;
bool everybody = false;  // the process is about to end: no child is anybody's any more

const LaneThread* other_lane(pid_t tid) {
  for (const LaneThread& lane : lanes) {
    if (lane.tid == tid && tid != gettid()) return &lane;
  }
  return nullptr;
}

void add_children(pid_t tid, std::vector<pid_t>& pids) {
  const std::string path = "/proc/self/task/" + std::to_string(tid) + "/children";
  FILE* file = std::fopen(path.c_str(), "re");
  if (file == nullptr) return;
  for (int pid; std::fscanf(file, "%d", &pid) == 1;) {
    if (std::find(spared.begin(), spared.end(), pid) == spared.end()) pids.push_back(pid);
  }
  std::fclose(file);
}

// Children, zombies included, but those that are spared and those of other lanes' threads.
struct Children {
  std::vector<pid_t> own;      // of this thread, or of all if there are no lanes
  std::vector<pid_t> orphans;  // with lanes: of the main thread, to which orphans go, and of
                               // threads of modules
};

Children children() {
  Children found;
  DIR* tasks = opendir("/proc/self/task");
  if (tasks == nullptr) return found;
  while (const dirent* task = readdir(tasks)) {
    if (task->d_name[0] == '.') continue;
    const pid_t tid = std::atoi(task->d_name);
    if (everybody || lanes.empty() || tid == gettid()) {
      add_children(tid, found.own);
    } else if (other_lane(tid) == nullptr) {
      add_children(tid, found.orphans);
    }
  }
  closedir(tasks);
  return found;
}

struct Start {
  bool zombie = false;
  std::uint64_t ticks = 0;  // since boot
};

std::optional<Start> start_of(pid_t pid) {
  FILE* file = std::fopen(("/proc/" + std::to_string(pid) + "/stat").c_str(), "re");
  if (file == nullptr) return std::nullopt;
  char text[1024];
  const std::size_t size = std::fread(text, 1, sizeof text - 1, file);
  std::fclose(file);
  text[size] = '\0';
  const char* rest = std::strrchr(text, ')');  // the name may hold anything
  Start start;
  char state = 0;
  unsigned long long ticks = 0;
  // State, then 18 fields, then the start (proc(5)).
  if (rest == nullptr ||
      std::sscanf(rest + 1,
                  " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
                  "%llu",
                  &state, &ticks) != 2) {
    return std::nullopt;
  }
  start.zombie = state == 'Z';
  start.ticks = ticks;
  return start;
}

// When the first of the jobs that other lanes run now began, in ticks since boot; far away if none
// does. Never later than it did: the machine's sleeps count for the boot's clock only, so what has
// passed since makes the estimate earlier.
std::uint64_t oldest_job() {
  static const std::uint64_t ahead = [] {
    timespec boot{}, now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    clock_gettime(CLOCK_BOOTTIME, &boot);
    const auto ns = [](const timespec& t) {
      return std::uint64_t(t.tv_sec) * 1'000'000'000 + std::uint64_t(t.tv_nsec);
    };
    return ns(boot) > ns(now) ? ns(boot) - ns(now) : 0;
  }();
  static const std::uint64_t tick = 1'000'000'000 / std::uint64_t(sysconf(_SC_CLK_TCK));
  std::uint64_t oldest = ~std::uint64_t{0};
  for (const LaneThread& lane : lanes) {
    if (lane.tid == gettid() || lane.entry->busy.get() == 0) continue;
    oldest = std::min(oldest, (lane.entry->job_started_ns.get() + ahead) / tick);
  }
  return oldest;
}

// The list of orphans first, and what the lanes run afterwards: an orphan that is there before a
// job begins is not that job's.
std::vector<pid_t> strays() {
  Children found = children();
  std::vector<pid_t> pids = std::move(found.own);
  if (found.orphans.empty()) return pids;
  const std::uint64_t oldest = oldest_job();
  for (const pid_t pid : found.orphans) {
    const auto start = start_of(pid);
    // A tick more, for the clocks are not read at the same moment.
    if (start && (start->zombie || start->ticks + 1 < oldest)) pids.push_back(pid);
  }
  return pids;
}

}  // namespace

StraysOfLane::StraysOfLane(const WorkerEntry& entry) {
  const std::lock_guard lock(mutex);
  lanes.push_back({gettid(), &entry});
}

StraysOfLane::~StraysOfLane() {
  const std::lock_guard lock(mutex);
  std::erase_if(lanes, [](const LaneThread& lane) { return lane.tid == gettid(); });
}

void spare_children() {
  const std::lock_guard lock(mutex);
  spared.clear();
  spared = children().own;
}

void spare_nobody() {
  const std::lock_guard lock(mutex);
  spared.clear();
  everybody = true;
}

bool may_have_strays() {
  siginfo_t any;
  if (waitid(P_ALL, 0, &any, WEXITED | WNOHANG | WNOWAIT) != 0) return false;
  const std::lock_guard lock(mutex);
  if (lanes.empty() || waitid(P_ALL, 0, &any, WEXITED | WNOHANG | WNOWAIT | __WNOTHREAD) == 0)
    return true;
  std::vector<pid_t> orphans;
  add_children(getpid(), orphans);
  return !orphans.empty();
}

void reap_dead_strays(pid_t except) {
  const std::lock_guard lock(mutex);
  const Children found = children();
  for (const auto& pids : {found.own, found.orphans}) {
    for (const pid_t pid : pids) {
      if (pid != except) waitpid(pid, nullptr, WNOHANG);
    }
  }
}

bool end_strays(const std::function<StrayFate(pid_t)>& fate) {
  const std::lock_guard lock(mutex);
  bool dying = false;
  for (const pid_t pid : strays()) {
    const StrayFate what = fate(pid);
    if (what == StrayFate::not_one) continue;
    if (what == StrayFate::dies) kill(pid, SIGKILL);
    if (waitpid(pid, nullptr, WNOHANG) != pid && what == StrayFate::dies) dying = true;
  }
  return dying;
}

void reap_strays() {
  const SignalGate gate;  // a blocked SIGCHLD waits for us
  sigset_t death;
  sigemptyset(&death);
  sigaddset(&death, SIGCHLD);
  const std::uint64_t until = now_ns() + kGiveUpAfter;
  // Over and over: the children of what we kill become ours.
  for (;;) {
    bool reaped = false;
    {
      const std::lock_guard lock(mutex);
      const std::vector<pid_t> left = strays();
      if (left.empty() || now_ns() > until) return;
      for (const pid_t pid : left) {
        // Safe against reuse of pids: a child keeps its pid until it is reaped, under this lock.
        if (waitpid(pid, nullptr, WNOHANG) == pid) {
          reaped = true;
        } else {
          kill(pid, SIGKILL);
        }
      }
    }
    if (!reaped) sigtimedwait(&death, nullptr, &kLookAgain);
  }
}

}  // namespace jobring
