// A process under ptrace: stepped by instructions or by system calls, and killed where it stands.
//
// The tracer is the thread that makes it. A tracee dies with the test (PTRACE_O_EXITKILL).
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <unordered_map>

namespace jobring::test {

// A client process of the test executes this around an operation that is to be swept. Only while it
// is traced: it would die of it otherwise.
inline void sweep_marker() {
  asm volatile("int3" ::: "memory");
}

class Tracee {
 public:
  enum class At {
    instruction,  // stopped before an instruction
    asleep,       // blocked in a system call; wait_awake() goes on
    marker,       // stopped at a sweep_marker()
    dead
  };

  // Seizes the process and stops it where it is. A system call in which it sleeps returns with
  // EINTR. `pid` may name one thread of a process with several: the others run on freely.
  explicit Tracee(pid_t pid);
  // Lets it run freely, if it is not dead.
  ~Tracee();
  Tracee(const Tracee&) = delete;
  Tracee& operator=(const Tracee&) = delete;

  // Executes one instruction; a system call counts as one, and so does a call of the kernel's own
  // code (vDSO: it reads the clock, again and again while that moves, and writes nothing shared).
  At step();
  // True if that instruction was a system call that others may notice. Looking without waiting, and
  // yielding, is not: how often that happens depends on the time only.
  bool called() const { return called_; }
  long last_call() const { return last_call_; }  // its number
  // Runs at full speed until the next such system call has returned. Before each, and before each
  // that nobody notices, it stands still for this long.
  At next_syscall(std::chrono::microseconds rest = std::chrono::microseconds(0));
  // Runs at full speed until a marker, and past it.
  At run_to_marker();
  // When asleep: waits until the call returns. asleep if it does not.
  At wait_awake(std::chrono::milliseconds patience);

  // When asleep: has the call return at once, with EINTR.
  void rouse();

  std::uint64_t pc() const;  // of the next instruction
  // The system call it sleeps in waits for events in general (epoll), not for an answer.
  bool idle() const { return idle_; }
  pid_t pid() const { return pid_; }

  void kill();    // SIGKILL, and reaps it as its tracer; its parent learns of it then
  void let_go();  // it runs freely from here

 private:
  bool in_vdso(std::uint64_t pc) const { return pc >= vdso_begin_ && pc < vdso_end_; }
  bool return_from_vdso();
  At resume(int request, bool may_sleep);
  At settle(bool may_sleep);
  At classify(int status, bool& again);
  bool note_call();
  enum class Code : unsigned char { plain, call, marker };
  Code code_at(std::uint64_t pc);

  pid_t pid_;
  bool attached_ = true;
  bool asleep_ = false;
  bool idle_ = false;
  bool called_ = false;
  long last_call_ = -1;
  bool in_call_ = false;  // next_syscall() is between the entry and the exit of one
  int request_ = 0;
  std::uint64_t vdso_begin_ = 0, vdso_end_ = 0;
  // Between two steps: where the first one led. Each look at a register is a system call.
  std::optional<std::uint64_t> pc_;
  std::unordered_map<std::uint64_t, Code> code_;  // that was executed already; it never changes
};

}  // namespace jobring::test
