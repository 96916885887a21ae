// What the sweep's handlers have in common: a note of each run in the log that all map.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <string>

#include <jobring/handler.hpp>

#include "tests/sweep/run_log.hpp"

namespace jobring::test {

inline RunLog& run_log() {
  static RunLog* const log = [] {
    const int fd = open(std::getenv(kRunLogVariable), O_RDWR | O_CLOEXEC);
    void* base = mmap(nullptr, sizeof(RunLog), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd < 0 || base == MAP_FAILED) std::abort();
    close(fd);
    return static_cast<RunLog*>(base);
  }();
  return *log;
}

class NotedRun {
 public:
  explicit NotedRun(Job& job) : job_(job), tag_(std::stoull(std::string(job.text()))) {
    // A zombie would count as alive: the daemon reaps a worker before it gives its job to another.
    // A run of ours that has not ended is another lane's, or another coroutine.
    const int earlier = note().runner.exchange(getpid());
    if (earlier != 0 && (earlier == getpid() || kill(earlier, 0) == 0 || errno != ESRCH))
      ++note().overlaps;
    ++note().begins;
  }
  std::uint64_t tag() const { return tag_; }
  // Its result is the tag.
  void ends() {
    job_.reply(job_.text());
    ++note().ends;
    note().runner = 0;
  }

 private:
  RunNote& note() { return run_log().note(tag_); }
  Job& job_;
  std::uint64_t tag_;
};

}  // namespace jobring::test
