#include "tests/soak/audit_runs.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "tests/soak/job_spec.hpp"

namespace jobring::soak {
namespace {

struct WorkerRuns {
  std::uint32_t pool = kNoPool;
  std::vector<std::pair<std::uint64_t, bool>> edges;  // time; false: an end, true: a beginning
  std::uint32_t ran_again = 0;                        // jobs whose next run is elsewhere
  bool crashed = false;                               // of its own accord
};

std::uint32_t most_open(WorkerRuns& worker) {
  // Ends before beginnings: the next job may begin in the nanosecond in which one ended.
  std::sort(worker.edges.begin(), worker.edges.end());
  std::uint32_t open = 0, most = 0;
  for (const auto& [when, begins] : worker.edges) {
    if (begins) {
      most = std::max(most, ++open);
    } else {
      --open;
    }
  }
  return most;
}

// The daemon ends a worker over a job that does not stop, or one that does not read what it is
// told.
bool ended_by_daemon(const std::string& log, pid_t pid) {
  const std::string name = "(pid " + std::to_string(pid) + ")";
  for (const char* how : {" was killed because of another job", " exited with status 125",
                          ": does not read its orders; killing it"}) {
    if (log.find(name + how) != std::string::npos) return true;
  }
  return false;
}

// What the daemon said of it last.
std::string last_word(const std::string& log, pid_t pid) {
  const std::size_t at = log.rfind("(pid " + std::to_string(pid) + ")");
  if (at == log.npos) return "nothing";
  const std::size_t line = log.rfind('\n', at) + 1;
  return log.substr(line, log.find('\n', at) - line);
}

}  // namespace

void PoolRuns::add(const PoolRuns& other) {
  runs += other.runs;
  duplicates += other.duplicates;
  ended_by_daemon += other.ended_by_daemon;
  most_at_once = std::max(most_at_once, other.most_at_once);
  most_of_a_death = std::max(most_of_a_death, other.most_of_a_death);
}

RunsByPool audit_runs(Ledger& ledger, const std::set<ProcessName>& struck,
                      const std::string& daemon_log, std::vector<bool>& finished) {
  RunsByPool result;
  finished.assign(kJobsMax, false);
  std::vector<const Run*> runs;
  const std::uint64_t lines = std::min<std::uint64_t>(ledger.run_count.load(), kRunsMax);
  for (std::uint64_t i = 0; i < lines; ++i) {
    if (ledger.find(ledger.runs_[i].job.load(std::memory_order_acquire)) != nullptr)
      runs.push_back(&ledger.runs_[i]);
  }
  std::sort(runs.begin(), runs.end(), [](const Run* a, const Run* b) {
    return std::pair(a->job.load(), a->begin_ns) < std::pair(b->job.load(), b->begin_ns);
  });
  std::map<ProcessName, WorkerRuns> workers;
  const Run* before = nullptr;
  for (const Run* run : runs) {
    const std::uint64_t id = run->job.load();
    std::uint64_t end = run->end_ns.load();
    const JobRecord& job = *ledger.find(id);
    if (job.pool >= kNoPool) continue;
    if (end != 0) finished[std::uint32_t(id) % kJobsMax] = true;
    PoolRuns& pool = result[job.pool];
    ++pool.runs;
    WorkerRuns& worker = workers[run->worker];
    worker.pool = job.pool;
    worker.crashed = worker.crashed || run->self_made.load() != 0;
    // A command that has noted no end may have been killed alone: its worker lives on. And what a
    // command delegates may outlive it (NotedRun::may_be_late).
    if (Behaviour(job.behaviour) == Behaviour::delegate) end = 0;
    if (end != 0 || job.kind == Kind::function) worker.edges.emplace_back(run->begin_ns, true);
    if (end != 0) worker.edges.emplace_back(end, false);
    if (before != nullptr && before->job.load() == id) {
      if (before->end_ns.load() > run->begin_ns)
        ledger.complain("two runs of job %llx overlap", static_cast<unsigned long long>(id));
      ++pool.duplicates;
      ++workers[before->worker].ran_again;
    }
    before = run;
  }
  for (auto& [name, worker] : workers) {
    if (name == 0) continue;  // commands that were too late to see their worker
    PoolRuns& pool = result[worker.pool];
    const PoolPlan& plan = kPools[worker.pool];
    const std::uint32_t open = most_open(worker);
    pool.most_at_once = std::max(pool.most_at_once, open);
    pool.most_of_a_death = std::max(pool.most_of_a_death, worker.ran_again);
    const int pid = int(pid_of(name));
    if (open > plan.at_once)
      ledger.complain("worker %d of pool %s ran %u jobs at once, at most %u are allowed", pid,
                      plan.name, open, plan.at_once);
    if (worker.ran_again > plan.at_once)
      ledger.complain("%u jobs ran again after the death of worker %d of pool %s, which had %u",
                      worker.ran_again, pid, plan.name, plan.at_once);
    if (worker.ran_again == 0 || worker.crashed || struck.contains(name)) continue;
    if (ended_by_daemon(daemon_log, pid)) {
      ++pool.ended_by_daemon;
    } else {
      ledger.complain(
          "%u jobs of worker %d of pool %s ran again, and nothing had ended it; of it "
          "the daemon said: %s",
          worker.ran_again, pid, plan.name, last_word(daemon_log, pid).c_str());
    }
  }
  return result;
}

}  // namespace jobring::soak
