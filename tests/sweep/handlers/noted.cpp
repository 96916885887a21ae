// Handlers that note each run in the shared log. The payload is the job's tag, in decimal.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <string>

#include <jobring/handler.hpp>

#include "tests/sweep/run_log.hpp"

using jobring::test::RunLog;
using jobring::test::RunNote;

namespace {

RunLog& run_log() {
  static RunLog* const log = [] {
    const int fd = open(std::getenv(jobring::test::kRunLogVariable), O_RDWR | O_CLOEXEC);
    void* base = mmap(nullptr, sizeof(RunLog), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd < 0 || base == MAP_FAILED) std::abort();
    close(fd);
    return static_cast<RunLog*>(base);
  }();
  return *log;
}

template <class Body>
void noted(jobring::Job& job, Body body) {
  const std::uint64_t tag = std::stoull(std::string(job.text()));
  RunNote& note = run_log().note(tag);
  // A zombie would count as alive: the daemon reaps a worker before it gives its job to another.
  const int earlier = note.runner.exchange(getpid());
  if (earlier != 0 && earlier != getpid() && (kill(earlier, 0) == 0 || errno != ESRCH))
    ++note.overlaps;
  ++note.begins;
  body(tag);
  job.reply(job.text());
  ++note.ends;
  note.runner = 0;
}

}  // namespace

JOBRING_HANDLER(note, job) {
  noted(job, [](std::uint64_t) {});
}

// Ends when the test lets it go, or when it is asked to stop.
JOBRING_HANDLER(hold, job) {
  noted(job, [&](std::uint64_t tag) {
    while (run_log().holds(tag) && !job.stop_requested()) {
      const timespec moment{0, 200'000};
      nanosleep(&moment, nullptr);
    }
  });
}

// Ends when the test lets it go, whatever it is asked.
JOBRING_HANDLER(cling, job) {
  noted(job, [](std::uint64_t tag) {
    while (run_log().holds(tag)) {
      const timespec moment{0, 200'000};
      nanosleep(&moment, nullptr);
    }
  });
}
