#include "worker/exec/spawn.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/closing_table.hpp"

namespace jobring {
namespace {

// Bit s-1: signal s is not at its default. Asked for once: 64 system calls are a tenth of a spawn.
// What a module changes later is caught by exec, except for signals that it ignores.
std::uint64_t find_changed_signals() {
  std::uint64_t changed = 0;
  for (int s = 1; s < NSIG; ++s) {
    struct sigaction action {};
    if (sigaction(s, nullptr, &action) != 0 || action.sa_handler == SIG_DFL) continue;
    // Ignored, our children would vanish without a status.
    if (s == SIGCHLD && action.sa_handler == SIG_IGN) {
      action.sa_handler = SIG_DFL;
      sigaction(s, &action, nullptr);
      continue;
    }
    changed |= std::uint64_t{1} << (s - 1);
  }
  return changed;
}

struct ChildSettings {
  std::uint64_t changed_signals;
  pid_t parent;
  int told = -1;  // closed as the last of what is not the command's; -1: nobody waits for that
};

[[noreturn]] void fail(const SpawnPlan& plan, StartStep step, int error) {
  plan.note->error = error;
  plan.note->step = step;
  _exit(127);
}

void reset_signals(std::uint64_t changed) {
  for (int s = 1; changed != 0; ++s, changed >>= 1) {
    if ((changed & 1) == 0) continue;
    struct sigaction action {};
    action.sa_handler = SIG_DFL;
    sigaction(s, &action, nullptr);
  }
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

void close_all_but_stdio(int last) {
  if (last < 0) {
    syscall(SYS_close_range, 3u, ~0u, 0u);
    return;
  }
  if (last > 3) syscall(SYS_close_range, 3u, unsigned(last) - 1, 0u);
  syscall(SYS_close_range, unsigned(last) + 1, ~0u, 0u);
  close(last);
}

void place_descriptors(const SpawnPlan& plan, int told) {
  int from[3] = {plan.stdio[0], plan.stdio[1], plan.stdio[2]};
  // One that stands at another's place must move away first.
  for (int i = 0; i < 3; ++i) {
    if (from[i] < 0 || from[i] > 2 || from[i] == i) continue;
    from[i] = fcntl(from[i], F_DUPFD_CLOEXEC, 3);
    if (from[i] < 0) fail(plan, StartStep::descriptors, errno);
  }
  for (int i = 0; i < 3; ++i) {
    if (from[i] < 0) continue;
    // dup2() onto itself would leave close-on-exec set.
    const int placed = from[i] == i ? fcntl(i, F_SETFD, 0) : dup2(from[i], i);
    if (placed < 0) fail(plan, StartStep::descriptors, errno);
  }
  // Not left to exec: whoever made us has to know when we hold nothing of others any more
  // (spawn_gate()). And what a module has opened may not be close-on-exec.
  close_all_but_stdio(told);
}

// Raw system calls: the C library's would tell all threads of the parent to change their user too.
void become(const SpawnPlan& plan) {
  const Identity& who = *plan.identity;
  if (syscall(SYS_setgroups, who.groups.size(), who.groups.data()) != 0 ||
      syscall(SYS_setresgid, who.gid, who.gid, who.gid) != 0 ||
      syscall(SYS_setresuid, who.uid, who.uid, who.uid) != 0) {
    fail(plan, StartStep::identity, errno);
  }
}

[[noreturn]] void execute(const SpawnPlan& plan) {
  // The last thing, and the address space, which is the first, as the last of them: until the exec
  // ours is the parent's, which may be larger already, so that the stack could not grow any more.
  for (std::size_t i = plan.limits.size(); i-- > 0;) {
    const SpawnLimit& limit = plan.limits[i];
    if (setrlimit(__rlimit_resource_t(limit.resource), &limit.value) != 0) {
      plan.note->path = int(i);
      fail(plan, StartStep::limits, errno);
    }
  }
  // As a shell does: the first that is there counts; one that may not be executed only if no other
  // is found.
  int error = ENOENT;
  int refused = -1;
  for (int i = 0; plan.paths[i] != nullptr; ++i) {
    execve(plan.paths[i], plan.argv, plan.env);
    error = errno;
    plan.note->path = i;
    if (error == EACCES) {
      // A directory that we may not search is as if it were not there.
      if (refused < 0 && (plan.paths[1] == nullptr || access(plan.paths[i], F_OK) == 0))
        refused = i;
    } else if (error != ENOENT && error != ENOTDIR && error != ENAMETOOLONG && error != ELOOP) {
      fail(plan, StartStep::exec, error);
    }
  }
  if (refused >= 0) {
    plan.note->path = refused;
    fail(plan, StartStep::exec, EACCES);
  }
  // ENOTDIR of some PATH entry is not what the caller wants to know.
  fail(plan, StartStep::exec, plan.paths[1] != nullptr ? ENOENT : error);
}

// Runs in the parent's memory, on its stack below spawn(): calls nothing that allocates, locks or
// runs handlers.
[[noreturn]] __attribute__((noinline)) void become_command(const SpawnPlan& plan,
                                                           const ChildSettings& settings) {
  if (setpgid(0, 0) != 0) fail(plan, StartStep::process_group, errno);
  reset_signals(settings.changed_signals);
  place_descriptors(plan, settings.told);
  if (plan.identity != nullptr) become(plan);
  // After the change of user, which clears it.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != settings.parent) _exit(127);  // it died before: nobody waits for us
  if (plan.umask >= 0) umask(mode_t(plan.umask));
  if (plan.directory != nullptr && chdir(plan.directory) != 0)
    fail(plan, StartStep::directory, errno);
  if (plan.input_file != nullptr) {
    const int file = open(plan.input_file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (file < 0 || (file == 0 ? fcntl(0, F_SETFD, 0) : dup2(file, 0)) < 0)
      fail(plan, StartStep::input, errno);
  }
  execute(plan);
}

// Apart from each other, so that nothing of the caller's lives in registers that the child could
// change.
__attribute__((noinline)) pid_t spawn_by_vfork(const SpawnPlan& plan,
                                               const ChildSettings& settings) {
  const pid_t pid = vfork();
  if (pid == 0) become_command(plan, settings);
  return pid;
}

__attribute__((noinline)) pid_t spawn_by_fork(const SpawnPlan& plan, ChildSettings settings) {
  int told[2];
  if (pipe2(told, O_CLOEXEC) != 0) return -1;
  settings.told = told[1];
  const pid_t pid = fork();
  if (pid == 0) become_command(plan, settings);
  const int error = errno;
  close(told[1]);
  // Both sides do it, so that the group is there when either goes on.
  if (pid > 0) {
    setpgid(pid, pid);
    char nothing;
    while (read(told[0], &nothing, 1) < 0 && errno == EINTR) {
    }
  }
  close(told[0]);
  errno = error;
  return pid;
}

// Of one thread: notes in pages that children share, since fork() is among the ways.
class NoteStock {
 public:
  ~NoteStock() {
    for (void* page : pages_) munmap(page, kPage);
  }
  StartNote* take() {
    if (free_.empty() && !add_page()) return nullptr;
    StartNote* note = free_.back();
    free_.pop_back();
    return note;
  }
  void give_back(StartNote* note) { free_.push_back(note); }

 private:
  static constexpr std::size_t kPage = 4096;  // bytes

  bool add_page() {
    void* page = mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) return false;
    pages_.push_back(page);
    auto* notes = static_cast<StartNote*>(page);
    for (std::size_t i = kPage / sizeof(StartNote); i > 0; --i) free_.push_back(notes + i - 1);
    return true;
  }

  std::vector<void*> pages_;
  std::vector<StartNote*> free_;
};

NoteStock& note_stock() {
  thread_local NoteStock stock;
  return stock;
}

}  // namespace

pid_t spawn(const SpawnPlan& plan) {
  static const std::uint64_t changed = find_changed_signals();
  const ChildSettings settings{changed, getpid()};
  const auto gate = spawn_gate();
  return plan.input_file != nullptr ? spawn_by_fork(plan, settings)
                                    : spawn_by_vfork(plan, settings);
}

NoteLease::~NoteLease() {
  if (note_ != nullptr) note_stock().give_back(note_);
}

StartNote* NoteLease::take() {
  if (note_ == nullptr) note_ = note_stock().take();
  if (note_ == nullptr) return nullptr;
  note_->step = StartStep::none;
  note_->error = 0;
  note_->path = 0;
  return note_;
}

}  // namespace jobring
