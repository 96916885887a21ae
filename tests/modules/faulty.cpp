// Handlers that do everything a handler should not.
#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <stdexcept>
#include <string>

#include <jobring/handler.hpp>

namespace {

[[noreturn]] void segfault() {
  // A sanitizer's or a test framework's handler would make something else of it.
  std::signal(SIGSEGV, SIG_DFL);
  std::raise(SIGSEGV);
  std::abort();
}

void sleep_ms(long ms) {
  timespec left{ms / 1000, ms % 1000 * 1'000'000};
  while (nanosleep(&left, &left) != 0) {
  }
}

}  // namespace

JOBRING_HANDLER(crash, job) {
  segfault();
}
JOBRING_HANDLER(abort, job) {
  std::abort();
}
// The payload is the exit status.
JOBRING_HANDLER(exit, job) {
  std::_Exit(std::atoi(std::string(job.text()).c_str()));
}
JOBRING_HANDLER(throw_int, job) {
  throw 7;
}
JOBRING_HANDLER(throw_std, job) {
  throw std::runtime_error("thrown: " + std::string(job.text()));
}

// Runs until it is asked to stop.
JOBRING_HANDLER(spin, job) {
  while (!job.stop_requested()) sleep_ms(1);
  job.reply("stopped when asked");
}
// Runs for ever, whatever it is asked.
JOBRING_HANDLER(stubborn, job) {
  for (;;) sleep_ms(1000);
}
// A result of one byte more than the pool takes.
JOBRING_HANDLER(too_big, job) {
  job.reply(std::string(job.max_result() + 1, 'x'));
}
// The payload goes to stderr, line by line, before the crash.
JOBRING_HANDLER(stderr_then_crash, job) {
  std::fprintf(stderr, "first line\n%s\nlast words\n", std::string(job.text()).c_str());
  std::fflush(stderr);
  segfault();
}
// The payload is milliseconds. Does not look whether it is asked to stop.
JOBRING_HANDLER(sleep_ms, job) {
  sleep_ms(std::atol(std::string(job.text()).c_str()));
  job.reply("slept");
}

// The payload names a FIFO. Blocks, asleep, until somebody opens it for writing.
JOBRING_HANDLER(wait_at_fifo, job) {
  close(open(std::string(job.text()).c_str(), O_RDONLY));
}

// Keeps this many MiB for good, as a handler with a leak does.
JOBRING_HANDLER(leak, job) {
  const std::size_t size = std::size_t(std::stoul(std::string(job.text()))) << 20;
  static void* volatile kept;  // so that the compiler does not see that nobody reads it
  kept = std::malloc(size);
  std::memset(kept, 1, size);
}
