// Thread-safe handlers whose jobs know of each other: they are threads of one process.
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <thread>

#include <jobring/typed_handler.hpp>

namespace {

std::atomic<int> together{0}, doubling{0};

void rest() {
  std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

bool exists(const std::string& path) {
  return access(path.c_str(), F_OK) == 0;
}

void touch(const std::string& path) {
  close(open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

}  // namespace

// The same with values; the job is the first parameter, as it may be.
JOBRING_THREAD_SAFE_TYPED_HANDLER(int, meet_and_double, jobring::Job& job, int wanted) {
  ++doubling;
  while (doubling < wanted) {
    if (job.stop_requested()) throw std::runtime_error("nobody came");
    rest();
  }
  return 2 * wanted;
}

// Returns when as many of its jobs as the payload says are here at once; replies with the process.
JOBRING_THREAD_SAFE_HANDLER(meet, job) {
  const int wanted = std::stoi(std::string(job.text()));
  ++together;
  while (together < wanted) {
    if (job.stop_requested()) return job.fail("nobody came");
    rest();
  }
  job.reply(std::to_string(getpid()));
}

JOBRING_THREAD_SAFE_HANDLER(pid, job) {
  job.reply(std::to_string(getpid()));
}

// "PATH": leaves a line in PATH.runs, then waits until PATH is there, or somebody asks it to stop.
JOBRING_THREAD_SAFE_HANDLER(wait_for_file, job) {
  const std::string path(job.text());
  const int runs = open((path + ".runs").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  [[maybe_unused]] const ssize_t n = write(runs, "run\n", 4);
  close(runs);
  while (!exists(path)) {
    if (job.stop_requested()) return job.reply("stopped");
    rest();
  }
  job.reply("seen");
}

// The same, but does not listen. Says that it runs by PATH.runs.
JOBRING_THREAD_SAFE_HANDLER(stubborn, job) {
  const std::string path(job.text());
  touch(path + ".runs");
  while (!exists(path)) rest();
  job.reply("seen");
}

// As the real thing, not as a sanitizer tells it.
JOBRING_THREAD_SAFE_HANDLER(crash, job) {
  std::fprintf(stderr, "last words of %s\n", std::string(job.text()).c_str());
  std::signal(SIGSEGV, SIG_DFL);
  std::raise(SIGSEGV);
}

// Sleeps so many microseconds, then replies with its payload.
JOBRING_THREAD_SAFE_HANDLER(nap, job) {
  const std::string text(job.text());
  const int us = std::atoi(text.c_str()) % 50;
  if (us > 40) std::this_thread::sleep_for(std::chrono::microseconds(us));
  job.reply(text);
}
