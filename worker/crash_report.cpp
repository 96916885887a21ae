#include "worker/crash_report.hpp"

#include <dlfcn.h>
#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>

namespace jobring {

constinit thread_local std::atomic<const char*> running_handler{nullptr};

namespace {

// That of the main thread, which is the one that runs jobs, but in thread pools.
const std::atomic<const char*>* main_handler = nullptr;

constexpr int kFatal[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
constexpr int kFramesMax = 64;  // walked
constexpr int kLinesMax = 24;   // printed, so that the job's own last words stay in the tail
constexpr std::uintptr_t kNearStack = 64 << 10;  // bytes
constexpr std::size_t kStackSize = 128 << 10;    // bytes; the unwinder takes some 10 KiB of it

// The supervisor's pipe, as it was when we started: a job may have redirected stderr.
int evidence_fd = -1;
dev_t evidence_device;
ino_t evidence_inode;

std::atomic<int> reporting_thread{0};
std::atomic<int> reported_signal{0};

// One line, put together without the C library's help.
class Line {
 public:
  Line& text(const char* s) {
    for (; *s != '\0' && size_ < sizeof buffer_ - 1; ++s) buffer_[size_++] = *s;
    return *this;
  }
  Line& decimal(std::uint64_t n) { return number(n, 10); }
  Line& hex(std::uint64_t n) { return text("0x").number(n, 16); }
  void write_to(int fd) {
    buffer_[size_++] = '\n';
    for (std::size_t done = 0; done < size_;) {
      const ssize_t n = ::write(fd, buffer_ + done, size_ - done);
      if (n < 0 && errno != EINTR) break;
      if (n > 0) done += std::size_t(n);
    }
    size_ = 0;
  }

 private:
  Line& number(std::uint64_t n, unsigned base) {
    char digits[24];
    char* at = digits + sizeof digits;
    *--at = '\0';
    do *--at = "0123456789abcdef"[n % base];
    while ((n /= base) != 0);
    return text(at);
  }
  char buffer_[256];
  std::size_t size_ = 0;
};

const char* name_of(int signal) {
  switch (signal) {
    case SIGSEGV:
      return "SIGSEGV";
    case SIGBUS:
      return "SIGBUS";
    case SIGFPE:
      return "SIGFPE";
    case SIGILL:
      return "SIGILL";
    default:
      return "SIGABRT";
  }
}

std::uintptr_t program_counter(const ucontext_t& context) {
#if defined(__x86_64__)
  return std::uintptr_t(context.uc_mcontext.gregs[REG_RIP]);
#elif defined(__aarch64__)
  return std::uintptr_t(context.uc_mcontext.pc);
#else
  return 0;
#endif
}

std::uintptr_t stack_pointer(const ucontext_t& context) {
#if defined(__x86_64__)
  return std::uintptr_t(context.uc_mcontext.gregs[REG_RSP]);
#elif defined(__aarch64__)
  return std::uintptr_t(context.uc_mcontext.sp);
#else
  return 0;
#endif
}

// Where the interrupted function returns to if it has not built its frame yet, or 0.
std::uintptr_t return_address(const ucontext_t& context) {
#if defined(__x86_64__)
  std::uintptr_t address = 0;
  const iovec to{&address, sizeof address};
  // Not by a plain read: there may be no stack.
  const iovec from{reinterpret_cast<void*>(stack_pointer(context)), sizeof address};
  return process_vm_readv(getpid(), &to, 1, &from, 1, 0) == sizeof address ? address : 0;
#elif defined(__aarch64__)
  return std::uintptr_t(context.uc_mcontext.regs[30]);
#else
  (void)context;
  return 0;
#endif
}

// What the kernel says about the fault.
void describe(Line& line, const siginfo_t& info, const ucontext_t& context) {
  if (info.si_code <= 0) {  // sent, by abort() for example
    if (info.si_pid != getpid())
      line.text(" (sent by pid ").decimal(std::uint64_t(info.si_pid)).text(")");
    return;
  }
  const auto address = reinterpret_cast<std::uintptr_t>(info.si_addr);
  if (info.si_signo == SIGFPE) {
    line.text(info.si_code == FPE_INTDIV ? " (integer division by zero)" : " (arithmetic error)");
  } else if (info.si_signo == SIGILL) {
    line.text(" (illegal instruction at ").hex(address).text(")");
  } else if (info.si_code == SI_KERNEL) {
    line.text(" (an address that cannot exist)");
  } else {
    line.text(" (address ").hex(address);
    if (info.si_signo == SIGBUS) {
      line.text(" is beyond the end of its file, or misaligned)");
    } else if (info.si_code == SEGV_MAPERR) {
      const std::uintptr_t sp = stack_pointer(context);
      const bool near = sp != 0 && address + kNearStack > sp && address < sp + kNearStack;
      line.text(near ? " is beyond the stack: stack overflow)" : " is not mapped)");
    } else {
      line.text(" may not be accessed like that)");
    }
  }
}

const char* base_name(const char* path) {
  const char* slash = std::strrchr(path, '/');
  return slash != nullptr ? slash + 1 : path;
}

// `after`: a return address, which belongs to the call before it.
void print_frame(int fd, int number, std::uintptr_t at, bool after) {
  Line line;
  line.text("  #").decimal(std::uint64_t(number)).text(" ");
  Dl_info where{};
  const std::uintptr_t look = after ? at - 1 : at;
  if (dladdr(reinterpret_cast<void*>(look), &where) == 0 || where.dli_fname == nullptr) {
    line.hex(at).text(" (in no module)").write_to(fd);
    return;
  }
  line.text(base_name(where.dli_fname))
      .text("+")
      .hex(look - reinterpret_cast<std::uintptr_t>(where.dli_fbase));
  if (where.dli_sname != nullptr) {
    line.text(" ")
        .text(where.dli_sname)
        .text("+")
        .hex(look - reinterpret_cast<std::uintptr_t>(where.dli_saddr));
  }
  line.write_to(fd);
}

void print_stack(int fd, const ucontext_t& context) {
  const std::uintptr_t crashed_at = program_counter(context);
  void* frames[kFramesMax];
  const int count = backtrace(frames, kFramesMax);
  const auto at = [&](int i) { return reinterpret_cast<std::uintptr_t>(frames[i]); };
  // Ours and the kernel's come first. They end where the program was interrupted, unless it had
  // jumped to where no unwinder finds its way.
  int first = 0;
  while (first < count && at(first) != crashed_at) ++first;
  int number = 0;
  if (first + 1 >= count) {
    print_frame(fd, 0, crashed_at, false);
    // A call through a bad pointer: who made it is all that is known.
    if (const std::uintptr_t caller = return_address(context)) print_frame(fd, 1, caller, true);
    return;
  }
  int same = 0;
  for (int i = first; i < count && number < kLinesMax; ++i) {
    if (i > first + 1 && at(i) == at(i - 1)) {
      ++same;
      continue;
    }
    if (same != 0)
      Line().text("     and ").decimal(std::uint64_t(same)).text(" more of it").write_to(fd);
    same = 0;
    print_frame(fd, number++, at(i), i > first);
  }
  if (same != 0 || count == kFramesMax) Line().text("     and more").write_to(fd);
}

int evidence_goes_to() {
  struct stat now;
  if (evidence_fd >= 0 && fstat(evidence_fd, &now) == 0 && now.st_dev == evidence_device &&
      now.st_ino == evidence_inode) {
    return evidence_fd;
  }
  return STDERR_FILENO;
}

// The default action, on this thread, as soon as nothing of ours is in its way any more.
void pass_on(int signal, siginfo_t* info) {
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  sigaction(signal, &action, nullptr);
  // With what the kernel told us: it lets a process say so to itself. The signal is blocked until
  // the handler returns, so the core file shows the state of the crash.
  if (info == nullptr || syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), signal, info) != 0) {
    syscall(SYS_tgkill, getpid(), gettid(), signal);
  }
}

void die_now(int signal) {
  pass_on(signal, nullptr);
  sigset_t only;
  sigemptyset(&only);
  sigaddset(&only, signal);
  sigprocmask(SIG_UNBLOCK, &only, nullptr);
}

void on_stuck(int, siginfo_t* info, void*) {
  if (info->si_code == SI_TIMER) return;  // a job's time-out, not our alarm
  Line().text("  (no more: the report took too long)").write_to(evidence_goes_to());
  die_now(reported_signal.load());
}

// However long the rest takes, and whatever lock it waits for.
void bound_the_time() {
  struct sigaction action {};
  action.sa_sigaction = on_stuck;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigaction(SIGALRM, &action, nullptr);
  sigset_t alarms;
  sigemptyset(&alarms);
  sigaddset(&alarms, SIGALRM);
  sigprocmask(SIG_UNBLOCK, &alarms, nullptr);
  alarm(kCrashReportTime);
}

void on_fatal(int signal, siginfo_t* info, void* raw_context) {
  const int thread = int(gettid());
  int nobody = 0;
  if (!reporting_thread.compare_exchange_strong(nobody, thread)) {
    // Another thread crashed first and is about to end us all; or this one did so in its report.
    while (nobody != thread) pause();
    die_now(reported_signal.load());
    return;
  }
  reported_signal.store(signal);
  bound_the_time();
  const ucontext_t& context = *static_cast<const ucontext_t*>(raw_context);
  const int fd = evidence_goes_to();
  Line line;
  line.text("jobring-worker: ").text(name_of(signal));
  describe(line, *info, context);
  const char* handler = running_handler.load(std::memory_order_relaxed);
  // A thread that a handler started.
  if (handler == nullptr && main_handler != nullptr)
    handler = main_handler->load(std::memory_order_relaxed);
  if (handler != nullptr) line.text(" in handler \"").text(handler).text("\"");
  line.text(", pid ").decimal(std::uint64_t(getpid())).write_to(fd);
  print_stack(fd, context);
  pass_on(signal, info);
}

// With a page below it that nobody may touch.
bool set_alternate_stack() {
  stack_t current{};
  if (sigaltstack(nullptr, &current) == 0 && (current.ss_flags & SS_DISABLE) == 0) return true;
  const std::size_t page = std::size_t(sysconf(_SC_PAGESIZE));
  const std::size_t least = std::size_t(std::max(0L, sysconf(_SC_MINSIGSTKSZ))) + (32 << 10);
  const std::size_t size = (std::max(kStackSize, least) + page - 1) / page * page;
  void* room = mmap(nullptr, size + page, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (room == MAP_FAILED) return false;
  mprotect(room, page, PROT_NONE);
  stack_t ours{};
  ours.ss_sp = static_cast<char*>(room) + page;
  ours.ss_size = size;
  return sigaltstack(&ours, nullptr) == 0;
}

}  // namespace

void prepare_crash_stack() {
  set_alternate_stack();
}

void report_crashes() {
  main_handler = &running_handler;
  struct stat now;
  evidence_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
  if (evidence_fd >= 0 && fstat(evidence_fd, &now) == 0) {
    evidence_device = now.st_dev;
    evidence_inode = now.st_ino;
  }
  // The first call loads the unwinder's library and allocates; later ones do neither.
  void* frame[2];
  backtrace(frame, 2);
  const bool own_stack = set_alternate_stack();
  for (const int signal : kFatal) {
    struct sigaction before {};
    if (sigaction(signal, nullptr, &before) != 0 ||
        (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN)) {
      continue;
    }
    struct sigaction action {};
    action.sa_sigaction = on_fatal;
    action.sa_flags = SA_SIGINFO | (own_stack ? SA_ONSTACK : 0);
    // No other handler of ours or of a module runs in between.
    sigfillset(&action.sa_mask);
    for (const int other : kFatal) sigdelset(&action.sa_mask, other);
    sigdelset(&action.sa_mask, SIGALRM);
    sigaction(signal, &action, nullptr);
  }
}

}  // namespace jobring
