// The soak's handler: does what its payload says, and notes it in the ledger. For process and
// thread pools.
#include <ctime>

#include "tests/soak/handlers/soaked.hpp"

using namespace jobring::soak;

namespace {

void nap(std::uint64_t ns) {
  timespec left{time_t(ns / 1'000'000'000), long(ns % 1'000'000'000)};
  while (nanosleep(&left, &left) != 0) {
  }
}

}  // namespace

JOBRING_THREAD_SAFE_HANDLER(soak, job) {
  const JobSpec spec = read_spec(job);
  HandlerRun run(spec);
  check_payload(job, spec);
  const std::uint64_t until = jobring::now_ns() + std::uint64_t(spec.us) * 1000;
  switch (spec.behaviour) {
    case Behaviour::spin:
      burn(spec.us);
      break;
    case Behaviour::nap:
      nap(std::uint64_t(spec.us) * 1000);
      break;
    case Behaviour::cooperate:
      while (jobring::now_ns() < until && !job.stop_requested()) nap(200'000);
      break;
    case Behaviour::fail:
      return job.fail("as it was told");
    case Behaviour::crash_once:
      if (run.number() == 0) run.crash();
      break;
    case Behaviour::crash:
      run.crash();
    case Behaviour::hold:
      while (run.number() == 0 && !job.stop_requested()) nap(1'000'000);
      break;
    case Behaviour::leave_child:
    case Behaviour::delegate:
      break;
  }
  give_result(job, spec);
}
