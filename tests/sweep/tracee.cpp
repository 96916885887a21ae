#include "tests/sweep/tracee.hpp"

#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <fstream>
#include <stdexcept>
#include <string>
#include <system_error>

#include "tests/sweep/proc.hpp"

namespace jobring::test {
namespace {

constexpr int kSyscallStop = SIGTRAP | 0x80;  // PTRACE_O_TRACESYSGOOD
// Longer than anything but a hang takes.
constexpr auto kPatience = std::chrono::seconds(20);

long trace(int request, pid_t pid, unsigned long address = 0, unsigned long data = 0) {
  errno = 0;
  return ptrace(static_cast<__ptrace_request>(request), pid, address, data);
}

std::uint64_t register_of(pid_t pid, std::size_t offset) {
  return std::uint64_t(trace(PTRACE_PEEKUSER, pid, offset));
}

bool waits_for_events(long call) {
  return call == SYS_epoll_wait || call == SYS_epoll_pwait || call == SYS_epoll_pwait2;
}

}  // namespace

Tracee::Tracee(pid_t pid) : pid_(pid) {
  if (trace(PTRACE_SEIZE, pid, 0, PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD) != 0)
    throw std::system_error(errno, std::generic_category(), "PTRACE_SEIZE");
  trace(PTRACE_INTERRUPT, pid);
  int status = 0;
  if (waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status))
    throw std::runtime_error("the process to trace did not stop");
  std::ifstream maps("/proc/" + std::to_string(pid) + "/maps");
  for (std::string line; std::getline(maps, line);) {
    unsigned long from = 0, to = 0;
    if (line.find("[vdso]") == std::string::npos ||
        std::sscanf(line.c_str(), "%lx-%lx", &from, &to) != 2)
      continue;
    vdso_begin_ = from;
    vdso_end_ = to;
  }
}

Tracee::~Tracee() {
  let_go();
}

std::uint64_t Tracee::pc() const {
  return register_of(pid_, offsetof(user_regs_struct, rip));
}

// Keeps in mind what kind of call the tracee is about to make. True if others may notice it.
bool Tracee::note_call() {
  user_regs_struct registers;
  trace(PTRACE_GETREGS, pid_, 0, reinterpret_cast<unsigned long>(&registers));
  const long call = long(in_call_ ? registers.orig_rax : registers.rax);
  idle_ = waits_for_events(call);
  if (call == SYS_sched_yield || (call == SYS_poll && int(registers.rdx) == 0) ||
      (call == SYS_epoll_wait && int(registers.r10) == 0)) {
    idle_ = false;
    return false;
  }
  last_call_ = call;
  return true;
}

Tracee::Code Tracee::code_at(std::uint64_t pc) {
  const auto [found, fresh] = code_.try_emplace(pc, Code::plain);
  if (fresh) {
    const long bytes = trace(PTRACE_PEEKTEXT, pid_, pc);
    if ((bytes & 0xff) == 0xcc) found->second = Code::marker;
    if ((bytes & 0xffff) == 0x050f) found->second = Code::call;
  }
  return found->second;
}

Tracee::At Tracee::step() {
  const std::uint64_t from = pc_ ? *pc_ : pc();
  const Code code = code_at(from);
  pc_.reset();
  if (code == Code::marker) return At::marker;
  const bool call = code == Code::call;
  called_ = call && note_call();
  At at = resume(PTRACE_SINGLESTEP, call);
  while (at == At::instruction) {
    const std::uint64_t next = pc();
    if (!in_vdso(next)) {
      pc_ = next;
      break;
    }
    at = in_vdso(from) || !return_from_vdso() ? resume(PTRACE_SINGLESTEP, false) : At::instruction;
  }
  return at;
}

// At full speed from where the vDSO was just called to where it returns to, by a breakpoint of the
// processor's, which other threads do not meet. Step by step it might never come there: it reads
// anew when a tick has moved the clock meanwhile, and on a busy machine one always has.
bool Tracee::return_from_vdso() {
  const auto debug = [](int n) {
    return offsetof(user, u_debugreg) + std::size_t(n) * sizeof(user::u_debugreg[0]);
  };
  constexpr unsigned long kBreakAtFirst = 1;  // DR7: the first one is on, for executing
  const std::uint64_t back = std::uint64_t(
      trace(PTRACE_PEEKDATA, pid_, register_of(pid_, offsetof(user_regs_struct, rsp))));
  if (trace(PTRACE_POKEUSER, pid_, debug(0), back) != 0 ||
      trace(PTRACE_POKEUSER, pid_, debug(7), kBreakAtFirst) != 0) {
    return false;
  }
  resume(PTRACE_CONT, false);
  trace(PTRACE_POKEUSER, pid_, debug(7), 0);
  return true;
}

Tracee::At Tracee::next_syscall(std::chrono::microseconds rest) {
  pc_.reset();
  for (;;) {
    bool counts = false;
    if (!in_call_) {
      const At at = resume(PTRACE_SYSCALL, false);
      if (at != At::instruction) return at;
      in_call_ = true;
      counts = note_call();
      if (rest.count() != 0) usleep(useconds_t(rest.count()));
    }
    const At at = resume(PTRACE_SYSCALL, true);
    if (at != At::instruction) return at;
    in_call_ = false;
    if (counts) return at;
  }
}

Tracee::At Tracee::run_to_marker() {
  pc_.reset();
  return resume(PTRACE_CONT, false);
}

Tracee::At Tracee::wait_awake(std::chrono::milliseconds patience) {
  const auto end = std::chrono::steady_clock::now() + patience;
  int status = 0;
  for (;;) {
    const pid_t got = waitpid(pid_, &status, __WALL | WNOHANG);
    if (got == pid_) {
      bool again = false;
      const At at = classify(status, again);
      if (!again) {
        asleep_ = false;
        in_call_ = false;
        return at;
      }
    }
    if (std::chrono::steady_clock::now() > end) return At::asleep;
    usleep(50);
  }
}

void Tracee::rouse() {
  if (!asleep_) return;
  trace(PTRACE_INTERRUPT, pid_);
  wait_awake(kPatience);
}

Tracee::At Tracee::resume(int request, bool may_sleep) {
  request_ = request;
  if (trace(request, pid_) != 0 && errno != ESRCH)
    throw std::system_error(errno, std::generic_category(), "resuming a tracee");
  return settle(may_sleep);
}

Tracee::At Tracee::settle(bool may_sleep) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  int status = 0;
  for (;;) {
    // A step takes some microseconds; only what may sleep is worth looking at meanwhile.
    const pid_t got = waitpid(pid_, &status, may_sleep ? __WALL | WNOHANG : __WALL);
    if (got == pid_) {
      bool again = false;
      const At at = classify(status, again);
      if (!again) return at;
      continue;
    }
    if (got < 0 && errno != EINTR) return At::dead;
    if (process_state(pid_) == 'S') {
      asleep_ = true;
      return At::asleep;
    }
    if (std::chrono::steady_clock::now() > end)
      throw std::runtime_error("a system call of process " + std::to_string(pid_) +
                               " neither returns nor sleeps");
    sched_yield();
  }
}

// What a stop means. Signals that are not ours are passed on, and the tracee resumed: `again`.
Tracee::At Tracee::classify(int status, bool& again) {
  if (!WIFSTOPPED(status)) {
    attached_ = false;
    return At::dead;
  }
  const int signal = WSTOPSIG(status);
  if (signal == kSyscallStop) return At::instruction;
  if (signal == SIGTRAP && status >> 16 == 0) {
    // A step's trap, or a marker's: after that the next instruction is behind its byte.
    if (request_ == PTRACE_SINGLESTEP) return At::instruction;
    return At::marker;
  }
  if (status >> 16 != 0) return At::instruction;  // our own PTRACE_INTERRUPT
  again = true;
  trace(request_, pid_, 0, static_cast<unsigned long>(signal));
  return At::instruction;
}

void Tracee::kill() {
  if (!attached_) return;
  attached_ = false;
  ::kill(pid_, SIGKILL);  // the process, also if we trace one of its threads only
  int status = 0;
  while (waitpid(pid_, &status, __WALL) == pid_ && WIFSTOPPED(status)) {
  }
}

void Tracee::let_go() {
  if (!attached_) return;
  attached_ = false;
  if (asleep_) {
    trace(PTRACE_INTERRUPT, pid_);
    int status = 0;
    if (waitpid(pid_, &status, __WALL) != pid_ || !WIFSTOPPED(status)) return;
  }
  trace(PTRACE_DETACH, pid_);
}

}  // namespace jobring::test
