// Handlers that note each run in the shared log. The payload is the job's tag, in decimal. For
// process and thread pools.
#include <ctime>

#include "tests/sweep/handlers/noted.hpp"

using namespace jobring::test;

namespace {

template <class Body>
void noted(jobring::Job& job, Body body) {
  NotedRun run(job);
  body(run.tag());
  run.ends();
}

}  // namespace

JOBRING_THREAD_SAFE_HANDLER(note, job) {
  noted(job, [](std::uint64_t) {});
}

// Ends when the test lets it go, or when it is asked to stop.
JOBRING_THREAD_SAFE_HANDLER(hold, job) {
  noted(job, [&](std::uint64_t tag) {
    while (run_log().holds(tag) && !job.stop_requested()) {
      const timespec moment{0, 200'000};
      nanosleep(&moment, nullptr);
    }
  });
}

// Ends when the test lets it go, whatever it is asked.
JOBRING_THREAD_SAFE_HANDLER(cling, job) {
  noted(job, [](std::uint64_t tag) {
    while (run_log().holds(tag)) {
      const timespec moment{0, 200'000};
      nanosleep(&moment, nullptr);
    }
  });
}
