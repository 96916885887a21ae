// The soak's ledger: what clients, handlers and commands note about every job, in memory that they
// all map and that outlives any of them.
//
// A note is one atomic store or exchange, so whoever is killed has noted something or nothing:
//   job      announced by its client before it submits it: `id` is stored last
//   run      entered by the handler before it does anything else: `job` is stored last
//   ending   counted by the client for every completion that it is handed
// The harness is never killed; it wipes the ledger between rounds, when no job is under way.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "common/clock.hpp"
#include "tests/soak/job_spec.hpp"
#include "tests/soak/plan.hpp"

namespace jobring::soak {

inline constexpr std::uint32_t kJobsMax = 1u << 19;  // a round
inline constexpr std::uint32_t kRunsMax = 1u << 20;  // a round
inline constexpr std::uint32_t kClientsMax = 32;
inline constexpr std::uint32_t kComplaintsMax = 64;
inline constexpr const char* kLedgerVariable = "JOBRING_SOAK_LEDGER";

enum class Phase : std::uint32_t {
  run,    // submit; be killed
  drain,  // submit nothing more, get all that is outstanding, keep the channels
  close,  // close the channels and the connection
};

// A process, for as long as the machine runs: a pid alone comes again.
using ProcessName = std::uint64_t;  // pid:24 | start time in clock ticks:40

// 0 if there is no such process or it is dead. A zombie runs nothing, unless it is the main thread
// of a process whose other threads have not died yet.
inline ProcessName name_process(pid_t pid) {
  char path[48], text[1024];
  std::snprintf(path, sizeof path, "/proc/%d/stat", int(pid));
  const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  const ssize_t n = ::read(fd, text, sizeof text - 1);
  ::close(fd);
  if (n <= 0) return 0;
  text[n] = '\0';
  const char* field = std::strrchr(text, ')');
  if (field == nullptr || field[2] == 'X') return 0;
  const bool zombie = field[2] == 'Z';
  // The number of threads is field 20 of proc(5), the start time field 22.
  for (int skip = 0; skip < 18 && field != nullptr; ++skip) field = std::strchr(field + 1, ' ');
  if (field == nullptr || (zombie && std::strtoul(field + 1, nullptr, 10) <= 1)) return 0;
  for (int skip = 0; skip < 2 && field != nullptr; ++skip) field = std::strchr(field + 1, ' ');
  if (field == nullptr) return 0;
  const std::uint64_t started = std::strtoull(field + 1, nullptr, 10);
  return std::uint64_t(pid) << 40 | (started & ((std::uint64_t{1} << 40) - 1));
}
inline pid_t pid_of(ProcessName name) {
  return pid_t(name >> 40);
}
// kill(), but never the groups of processes that 0 and negative numbers mean.
inline void send_signal(pid_t pid, int signal) {
  if (pid > 1) ::kill(pid, signal);
}
inline bool lives(ProcessName name) {
  return name != 0 && name_process(pid_of(name)) == name;
}

enum JobFlag : std::uint32_t {
  kAccepted = 1,   // the library took it
  kWithdrawn = 2,  // the library refused it
  kAbandoned = 4,  // its client closed the channel first: no completion is due
  kKillAsked = 8,
  kCancelAsked = 16,
  kMayFinish = 32,  // part of a map that failed: its completion is not shown
};

enum class Kind : std::uint8_t { function, command };

struct alignas(64) JobRecord {
  std::atomic<std::uint64_t> id;  // round << 32 | index; not 0 once announced
  std::uint64_t client;           // ProcessName
  std::uint32_t epoch;            // of the daemon, read before its client connected
  Kind kind;
  std::uint8_t behaviour;  // Behaviour
  std::uint8_t crash_retries;
  std::uint8_t start_within;         // 1: it has a deadline
  std::atomic<std::uint32_t> flags;  // JobFlag
  std::atomic<std::uint32_t> endings;
  std::atomic<std::uint32_t> runs;
  std::uint8_t outcome;  // of its first ending; written before it is counted
  std::uint8_t attempts;
  std::uint16_t crash_limit;  // of its pool
  std::uint32_t ended_epoch;
  std::uint32_t pool;               // index in kPools
  std::atomic<ProcessName> runner;  // runs it now, or died in it; 0: none
  std::atomic<ProcessName> worker;  // of its last run; 0: none, or that had died before
};
static_assert(sizeof(JobRecord) == 64);

struct Run {
  std::atomic<std::uint64_t> job;  // its id; 0: whoever took this line was killed before the run
  ProcessName runner;
  ProcessName worker;  // the runner itself, or that of a command; 0: it had died before
  std::uint64_t begin_ns;
  std::atomic<std::uint64_t> end_ns;     // 0: it did not end
  std::atomic<std::uint32_t> self_made;  // 1: it is about to crash its process of its own accord
};

struct ClientCell {
  std::atomic<std::uint64_t> heartbeat;    // grows with all that the client does
  std::atomic<std::uint32_t> outstanding;  // jobs it waits for
  std::atomic<std::uint32_t> done;         // 1 + Phase that it is through with
  std::atomic<std::uint32_t> doing;        // where it is, for the watchdog's report
};

struct Ledger {
  std::atomic<std::uint32_t> phase;  // Phase
  std::atomic<std::uint32_t> round;
  std::atomic<std::uint32_t> epoch;  // daemons killed so far; grows before the kill
  std::atomic<std::uint64_t> job_count, run_count;
  // Workers of each pool that crash in a job of their own accord; all rounds.
  std::atomic<std::uint64_t> self_crashes[kPools.size()];
  std::atomic<std::uint64_t>
      stall_ns_max;  // a client that waited and was handed nothing; all rounds
  std::atomic<std::uint64_t> latency_ns_max;  // submission to completion; a round
  std::atomic<std::uint64_t>
      latency[64];  // jobs by the binary logarithm of nanoseconds; all rounds
  std::atomic<std::uint32_t> complaint_count;
  char complaints[kComplaintsMax][256];
  ClientCell clients[kClientsMax];
  alignas(4096) JobRecord jobs[kJobsMax];
  alignas(4096) Run runs_[kRunsMax];

  Phase now() const { return Phase(phase.load(std::memory_order_acquire)); }
  // A promise was broken: the round fails.
  template <class... Args>
  void complain(const char* format, Args... args) {
    const std::uint32_t at = complaint_count.fetch_add(1);
    if (at < kComplaintsMax) std::snprintf(complaints[at], sizeof complaints[at], format, args...);
  }
  JobRecord* find(std::uint64_t id) {
    const std::uint32_t index = std::uint32_t(id);
    return index < kJobsMax && jobs[index].id.load(std::memory_order_acquire) == id ? &jobs[index]
                                                                                    : nullptr;
  }
};

inline Ledger* map_ledger(int fd) {
  void* base = mmap(nullptr, sizeof(Ledger), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  return base == MAP_FAILED ? nullptr : static_cast<Ledger*>(base);
}

// The one that the environment names; for handlers and commands.
inline Ledger& ledger_of_environment() {
  static Ledger* const ledger = [] {
    const char* path = std::getenv(kLedgerVariable);
    const int fd = path != nullptr ? ::open(path, O_RDWR | O_CLOEXEC) : -1;
    Ledger* mapped = fd >= 0 ? map_ledger(fd) : nullptr;
    if (mapped == nullptr) std::abort();
    ::close(fd);
    return mapped;
  }();
  return *ledger;
}

// Which of the soak's pools this process works for: its environment says it.
inline std::uint32_t pool_of_environment() {
  static const std::uint32_t pool = [] {
    const char* name = std::getenv("JOBRING_POOL");
    return name != nullptr ? pool_named(name) : kNoPool;
  }();
  return pool;
}

// One run of a job in this process: entered on construction, ended on destruction. It lies within
// the time in which its slot is RUNNING.
class NotedRun {
 public:
  // `worker`: see Run.
  NotedRun(Ledger& ledger, std::uint64_t id, ProcessName self, ProcessName worker)
      : ledger_(ledger), self_(self) {
    const std::uint64_t line = ledger.run_count.fetch_add(1);
    const auto name = static_cast<unsigned long long>(id);
    record_ = ledger.find(id);
    if (record_ == nullptr) {
      ledger.complain("job %llx runs and was never submitted", name);
      return;
    }
    if (record_->pool != pool_of_environment())
      ledger.complain("job %llx of pool %u runs in a process of pool %u", name, record_->pool,
                      pool_of_environment());
    const ProcessName earlier = record_->runner.exchange(self);
    if (earlier == self || lives(earlier)) {
      ledger.complain("job %llx runs in process %d while process %d still runs it", name,
                      int(pid_of(self)), int(pid_of(earlier)));
    }
    // Also one that had come to its end before its worker died, and a command's.
    const ProcessName before = record_->worker.exchange(worker);
    if (lives(before)) {
      ledger.complain("job %llx runs again in process %d, though worker %d of its last run lives",
                      name, int(pid_of(self)), int(pid_of(before)));
    }
    if (record_->endings.load() != 0 && !may_be_late())
      ledger.complain("job %llx of pool %u runs after it has completed (outcome %d, behaviour %d)",
                      name, record_->pool, int(record_->outcome), int(record_->behaviour));
    run_number_ = record_->runs.fetch_add(1);
    if (line < kRunsMax) {
      run_ = &ledger.runs_[line];
      run_->runner = self;
      run_->worker = worker;
      run_->begin_ns = now_ns();
      run_->job.store(id, std::memory_order_release);
    }
  }
  ~NotedRun() {
    if (run_ != nullptr) run_->end_ns.store(now_ns(), std::memory_order_release);
    ProcessName mine = self_;
    if (record_ != nullptr) record_->runner.compare_exchange_strong(mine, 0);
  }
  NotedRun(const NotedRun&) = delete;
  NotedRun& operator=(const NotedRun&) = delete;

  std::uint32_t number() const { return run_number_; }  // 0: the job's first
  // Before the run ends its worker.
  void about_to_crash() {
    if (run_ != nullptr) run_->self_made.store(1);
    if (pool_of_environment() < kNoPool) ++ledger_.self_crashes[pool_of_environment()];
  }

 private:
  // May this run begin after its job has completed?
  bool may_be_late() const {
    constexpr std::uint8_t kKilled = 5, kLost = 9;
    // A daemon's death completes a job as lost at its client before its workers have left.
    if (record_->outcome == kLost) return true;
    // What has left a command's group and session is told from other commands' in a worker with one
    // job only: there it is dead before its job ends. Several lanes, or an async worker, end what a
    // command that was killed has left as soon as they know whose it is.
    return record_->outcome == kKilled && Behaviour(record_->behaviour) == Behaviour::delegate &&
           record_->pool < kNoPool && kPools[record_->pool].model != Model::process;
  }

  Ledger& ledger_;
  ProcessName self_;
  JobRecord* record_ = nullptr;
  Run* run_ = nullptr;
  std::uint32_t run_number_ = 0;
};

}  // namespace jobring::soak
