#include "tests/soak/audit.hpp"

#include <algorithm>
#include <vector>

#include <jobring/types.hpp>

#include "tests/soak/job_spec.hpp"

namespace jobring::soak {
namespace {

struct Story {
  const JobRecord& job;
  Behaviour behaviour;
  std::uint32_t runs, attempts, flags;
  bool finished;  // one of its runs came to its end
};

// The ways in which a job may end, given what was asked of it and what happened around it. Null:
// this is one of them; else what is wrong.
const char* fault_of(const Story& s) {
  const bool command = s.job.kind == Kind::command;
  if (s.attempts >
      std::min<std::uint32_t>(std::uint32_t(s.job.crash_retries) + 1, s.job.crash_limit))
    return "it crashed more often than its retries allow";
  // Of a job that is lost nobody can say any more how often it crashed.
  const std::uint32_t crashes =
      Outcome(s.job.outcome) == Outcome::lost
          ? std::min<std::uint32_t>(s.job.crash_retries, s.job.crash_limit)
          : s.attempts;
  if (s.runs > crashes + 1) return "it ran more often than its workers crashed";
  switch (Outcome(s.job.outcome)) {
    case Outcome::ok:
      if (!s.finished) return "ok, and no run of it came to its end";
      if (s.behaviour == Behaviour::fail || s.behaviour == Behaviour::crash)
        return "ok, though it was to fail";
      if (s.behaviour == Behaviour::crash_once && s.runs < 2)
        return "ok, though its one run was to crash";
      return s.attempts > s.job.crash_retries ? "ok after more crashes than its retries" : nullptr;
    case Outcome::failed:
      if (s.behaviour == Behaviour::fail) return nullptr;
      return command && s.behaviour == Behaviour::crash_once
                 ? nullptr
                 : "failed, though nothing made it fail";
    case Outcome::crashed:
      // A completion tells of 255 attempts at most.
      return s.attempts == std::min<std::uint32_t>(
                               {std::uint32_t(s.job.crash_retries) + 1, s.job.crash_limit, 255})
                 ? nullptr
                 : "crashed, though it had attempts left";
    case Outcome::killed:
      return s.flags & kKillAsked ? nullptr : "killed, and nobody asked for it";
    case Outcome::cancelled:
      if (!(s.flags & kCancelAsked)) return "cancelled, and nobody asked for it";
      return s.runs > s.attempts ? "cancelled, though it ran" : nullptr;
    case Outcome::expired:
      return s.job.start_within ? nullptr : "expired without a deadline";
    case Outcome::lost:
      return s.job.ended_epoch > s.job.epoch ? nullptr : "lost, and no daemon died";
    default:
      return "an outcome that nothing explains";
  }
}

}  // namespace

void Audit::add(const Audit& other) {
  jobs += other.jobs;
  completions += other.completions;
  runs += other.runs;
  duplicates += other.duplicates;
  for (std::size_t i = 0; i < pools.size(); ++i) pools[i].add(other.pools[i]);
  lost += other.lost;
  for (std::size_t i = 0; i < outcomes.size(); ++i) outcomes[i] += other.outcomes[i];
}

Audit audit(Ledger& ledger, const Deaths& deaths) {
  Audit result;
  std::vector<bool> finished;
  result.pools = audit_runs(ledger, deaths.workers, deaths.daemon_log, finished);
  for (const PoolRuns& pool : result.pools) result.runs += pool.runs;
  const std::uint64_t count = std::min<std::uint64_t>(ledger.job_count.load(), kJobsMax);
  for (std::uint64_t i = 0; i < count; ++i) {
    const JobRecord& job = ledger.jobs[i];
    const auto id = static_cast<unsigned long long>(job.id.load(std::memory_order_acquire));
    if (id == 0) continue;
    const std::uint32_t flags = job.flags, runs = job.runs, endings = job.endings;
    const std::uint32_t runs_max =
        std::min<std::uint32_t>(std::uint32_t(job.crash_retries) + 1, job.crash_limit);
    if (runs > 1) result.duplicates += runs - 1;
    if (runs > runs_max)
      ledger.complain("job %llx ran %u times, at most %u are allowed", id, runs, runs_max);
    if (lives(job.runner))
      ledger.complain("job %llx still runs in process %d", id, int(pid_of(job.runner)));
    if (flags & kWithdrawn) {
      if (runs + endings != 0) ledger.complain("job %llx was refused, and ran or completed", id);
      continue;
    }
    if (flags & kAccepted) ++result.jobs;
    result.completions += endings;
    if (endings == 0) {
      const bool excused =
          (flags & (kAbandoned | kMayFinish)) != 0 || deaths.clients.contains(job.client);
      if (excused) continue;
      ++result.lost;
      ledger.complain("job %llx (flags %u) of a living client is lost: %u runs, no completion", id,
                      flags, runs);
      continue;
    }
    ++result.outcomes[job.outcome % 16];
    const Story story{job, Behaviour(job.behaviour), runs, job.attempts, flags, finished[i]};
    if (const char* fault = fault_of(story)) {
      ledger.complain(
          "job %llx: %s (outcome %d, kind %d, behaviour %d, runs %u, attempts %u, retries %u, "
          "flags %u)",
          id, fault, int(job.outcome), int(job.kind), int(job.behaviour), runs,
          unsigned(job.attempts), unsigned(job.crash_retries), flags);
    }
  }
  return result;
}

}  // namespace jobring::soak
