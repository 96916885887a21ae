// Handlers that hurt their worker in every way that the tests of this folder need.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <stdexcept>
#include <string>

#define JOBRING_OWN_INIT
#include <jobring/handler.hpp>

namespace {

void sleep_ms(long ms) {
  timespec left{ms / 1000, ms % 1000 * 1'000'000};
  while (nanosleep(&left, &left) != 0) {
  }
}

void note(const std::string& file, const std::string& line) {
  FILE* f = std::fopen(file.c_str(), "ae");
  if (f == nullptr) return;
  std::fprintf(f, "%s\n", line.c_str());
  std::fclose(f);
}

}  // namespace

// Their names stand in the stack traces.
extern "C" {
__attribute__((noinline, visibility("default"))) void hurtful_write_to(volatile int* where) {
  *where = 1;
}
__attribute__((noinline, visibility("default"))) int hurtful_recurse(volatile char* before) {
  volatile char here[4096];
  here[0] = before[0];
  return hurtful_recurse(here) + here[0];
}
__attribute__((noinline, visibility("default"))) int hurtful_divide(int a, int b) {
  return a / b;
}
}

// ---- crashes

JOBRING_HANDLER(null_write, job) {
  std::fprintf(stderr, "about to write to nowhere\n");
  hurtful_write_to(nullptr);
}
JOBRING_HANDLER(print_and_crash, job) {
  std::printf("printed, not flushed: %s\n", std::string(job.text()).c_str());
  hurtful_write_to(nullptr);
}
JOBRING_HANDLER(stack_overflow, job) {
  char first[1] = {0};
  job.reply(std::to_string(hurtful_recurse(first)));
}
JOBRING_HANDLER(divide_by_zero, job) {
  job.reply(std::to_string(hurtful_divide(1, 0)));
}
JOBRING_HANDLER(abort, job) {
  std::abort();
}
// glibc finds its heap corrupt, and aborts from within free().
JOBRING_HANDLER(free_twice, job) {
  void* volatile block = std::malloc(24);
  std::free(block);
  std::free(block);
}
JOBRING_HANDLER(jump_to_nowhere, job) {
  void (*volatile nowhere)() = nullptr;
  nowhere();
}
// Closes stderr, so that its evidence has nowhere to go but the way that the worker kept.
JOBRING_HANDLER(crash_without_stderr, job) {
  close(1);
  close(2);
  hurtful_write_to(nullptr);
}
// The payload is a library whose loading crashes in a thread, with the loader's lock held.
JOBRING_HANDLER(crash_in_loader, job) {
  dlopen(std::string(job.text()).c_str(), RTLD_NOW);
}
// The module's own handler, which leaves by its own way.
JOBRING_HANDLER(crash_with_own_handler, job) {
  std::signal(SIGSEGV, [](int) {
    static const char words[] = "the module's own handler was here\n";
    [[maybe_unused]] const ssize_t n = write(2, words, sizeof words - 1);
    _exit(7);
  });
  hurtful_write_to(nullptr);
}
// The payload names a file, in which each run leaves a line.
JOBRING_HANDLER(note_and_crash, job) {
  note(std::string(job.text()), "run");
  hurtful_write_to(nullptr);
}
JOBRING_HANDLER(kill_own_group, job) {
  kill(0, SIGKILL);
}

// ---- descriptors

// Every descriptor but 0, 1 and 2; then works on for the payload's milliseconds.
JOBRING_HANDLER(close_all, job) {
  close_range(3, ~0u, 0);
  sleep_ms(std::atol(std::string(job.text()).c_str()));
  job.reply("closed");
}
// Every descriptor but its control socket.
JOBRING_HANDLER(close_most, job) {
  close_range(4, ~0u, 0);
  job.reply("closed");
}
// Opens files until there are no descriptors left, and keeps them.
JOBRING_HANDLER(leak_descriptors, job) {
  int opened = 0;
  while (open("/dev/null", O_RDONLY) >= 0) ++opened;
  job.reply(std::to_string(opened));
}

// ---- processes

// A daemon as of old: two forks, a session of its own. The payload names a file for its pid.
JOBRING_HANDLER(daemonize, job) {
  const std::string file(job.text());
  const pid_t child = fork();
  if (child == 0) {
    setsid();
    if (fork() != 0) _exit(0);
    note(file, std::to_string(getpid()));
    for (;;) pause();
  }
  while (access(file.c_str(), F_OK) != 0) sleep_ms(1);
  // Its first child is left as a zombie.
}

// ---- what a process is

JOBRING_HANDLER(change_everything, job) {
  [[maybe_unused]] const int changed = chdir("/");
  umask(0777);
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  std::signal(SIGALRM, SIG_IGN);
  alarm(1);
  close(0);
  close(1);
  dup2(open("/dev/null", O_WRONLY), 2);
}
JOBRING_HANDLER(show_everything, job) {
  char directory[4096] = {};
  [[maybe_unused]] const char* got = getcwd(directory, sizeof directory);
  const mode_t mask = umask(0);
  umask(mask);
  sigset_t signals;
  sigprocmask(SIG_SETMASK, nullptr, &signals);
  int blocked = 0;
  for (int s = 1; s < NSIG; ++s) blocked += sigismember(&signals, s) == 1;
  std::string text = "cwd " + std::string(directory) + " umask " + std::to_string(mask) +
                     " blocked " + std::to_string(blocked);
  for (const char* fd : {"0", "1", "2"}) {
    char target[256] = {};
    [[maybe_unused]] const ssize_t n =
        readlink((std::string("/proc/self/fd/") + fd).c_str(), target, sizeof target - 1);
    text += std::string(" ") + fd + " " + target;
  }
  job.reply(text);
}

// ---- memory

// Takes memory, and touches it, until there is no more.
JOBRING_HANDLER(eat_memory, job) {
  for (;;) {
    char* block = static_cast<char*>(std::malloc(1 << 20));
    if (block == nullptr) return job.fail("malloc() gave nothing");
    std::memset(block, 1, 1 << 20);
  }
}

// ---- ordinary things

JOBRING_HANDLER(pid, job) {
  job.reply(std::to_string(getpid()));
}
// The payload is milliseconds. Does not look whether it is asked to stop.
JOBRING_HANDLER(sleep_ms, job) {
  sleep_ms(std::atol(std::string(job.text()).c_str()));
  job.reply("slept");
}
// The payload names a file, in which each run leaves its pid; ends when FILE.end exists.
JOBRING_HANDLER(note_and_wait, job) {
  const std::string file(job.text());
  note(file, std::to_string(getpid()));
  while (access((file + ".end").c_str(), F_OK) != 0) sleep_ms(1);
  job.reply(std::to_string(getpid()));
}

// ---- a handler in the C manner, that throws through its C caller

namespace {

int compare(const void*, const void*) {
  throw std::runtime_error("thrown through qsort()");
}
void throw_through_c(jobring_job*, void*) {
  int numbers[] = {3, 1, 2};
  std::qsort(numbers, 3, sizeof numbers[0], &compare);
}

}  // namespace

extern "C" __attribute__((visibility("default"))) int jobring_module_init(
    const jobring_registry* registry) {
  for (const jobring_registration* r = jobring_registrations; r != nullptr; r = r->next) {
    if (registry->add(registry->host, r->name, r->fn, r->user) != 0) return -1;
  }
  return registry->add(registry->host, "throw_through_c", &throw_through_c, nullptr);
}
