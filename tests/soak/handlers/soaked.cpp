// The soak's handler: does what its payload says, and notes it in the ledger.
#include <sched.h>

#include <csignal>
#include <stdexcept>

#include <jobring/handler.hpp>

#include "tests/soak/job_spec.hpp"
#include "tests/soak/ledger.hpp"

using namespace jobring::soak;

namespace {

void nap(std::uint64_t ns) {
  timespec left{time_t(ns / 1'000'000'000), long(ns % 1'000'000'000)};
  while (nanosleep(&left, &left) != 0) {
  }
}

// One in two the way of a bug, the other the way of an out-of-memory killer.
[[noreturn]] void crash(Ledger& ledger, std::uint64_t id) {
  ++ledger.self_crashes;
  const int signal = id % 2 == 0 ? SIGSEGV : SIGKILL;
  if (signal == SIGSEGV) std::signal(SIGSEGV, SIG_DFL);
  raise(signal);
  std::abort();
}

}  // namespace

JOBRING_HANDLER(soak, job) {
  static const ProcessName self = name_process(getpid());
  Ledger& ledger = ledger_of_environment();
  JobSpec spec;
  if (job.payload().size() < sizeof spec) throw std::runtime_error("the payload is cut short");
  std::memcpy(&spec, job.payload().data(), sizeof spec);
  const NotedRun run(ledger, spec.id, self);
  if (job.payload().size() != spec.payload_size ||
      !matches(spec.id, sizeof spec, job.text().substr(sizeof spec)))
    ledger.complain("job %llx has the wrong payload", (unsigned long long)spec.id);

  const std::uint64_t until = jobring::now_ns() + std::uint64_t(spec.us) * 1000;
  switch (spec.behaviour) {
    case Behaviour::spin:
      while (jobring::now_ns() < until) {
      }
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
      if (run.number() == 0) crash(ledger, spec.id);
      break;
    case Behaviour::crash:
      crash(ledger, spec.id);
    case Behaviour::hold:
      while (run.number() == 0 && !job.stop_requested()) nap(1'000'000);
      break;
    case Behaviour::leave_child:
    case Behaviour::delegate:
      break;
  }
  const auto room = job.reserve(spec.result_size);
  fill(spec.id, 0, {reinterpret_cast<char*>(room.data()), room.size()});
  job.commit(room.size());
}
