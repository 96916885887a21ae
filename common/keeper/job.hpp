// A durable job as the keeper and its store know it: plain types, no engine, no process.
//
// Texts are views: of the request when a job is submitted, of the record's own bytes when it is
// read. Times end in _ms: `real` ones are milliseconds of the real-time clock, `steady` ones of the
// keeper's clock that does not jump (Clock). 0 means "none" unless said otherwise.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "common/include/jobring/types.hpp"

namespace jobring::keeper {

// From 1, growing, never used again. Groups have theirs from the same sequence.
using JobId = std::uint64_t;
inline constexpr JobId kJobIdMax = (JobId{1} << 48) - 1;

// The values are part of the stored format: never renumber them.
enum class JobState : std::uint8_t {
  delayed = 0,    // waits for its time or for other jobs
  ready = 1,      // waits for a worker
  running = 2,    // handed to its pool
  succeeded = 3,  // ended
  failed = 4,     // an attempt failed, the next one waits for its time
  dead = 5,       // ended: gave up, or was buried
  cancelled = 6,  // ended
  held = 7,       // waits for its release
};
inline constexpr std::size_t kJobStates = 8;
constexpr bool is_ended(JobState s) {
  return s == JobState::succeeded || s == JobState::dead || s == JobState::cancelled;
}
const char* to_string(JobState state);

// What an acknowledgement promises. The values are part of the stored format.
enum class Durability : std::uint8_t {
  none = 0,     // survives the keeper's death, not a power cut
  batched = 1,  // survives a power cut after the next flush()
  synced = 2,   // survives a power cut
};

struct Clock {
  std::int64_t real_ms = 0;
  std::int64_t steady_ms = 0;  // never goes back, not over restarts either
};

struct Retry {
  std::uint32_t max = 0;  // attempts after the first
  std::uint64_t base_ms = 1'000;
  std::uint64_t cap_ms = 3'600'000;
  std::uint8_t jitter_percent = 20;   // of the pause, added or taken away
  std::vector<std::int32_t> exits{};  // exit codes after which it is tried again; empty: all but 0
  bool operator==(const Retry&) const = default;
};

enum class After : std::uint8_t { success = 0, any = 1 };
struct Dependency {
  JobId on = 0;  // a job or a group; with in_batch: the place in the same submission, from 0
  After after = After::success;
  bool in_batch = false;
  bool operator==(const Dependency&) const = default;
};

enum class UniqueUntil : std::uint8_t { started = 0, ended = 1, time = 2 };
struct Unique {
  std::string_view key{};  // of one uid; empty: none
  UniqueUntil until = UniqueUntil::ended;
  std::uint64_t for_ms = 0;  // with UniqueUntil::time
  bool replace = false;      // the one that waits is cancelled; else the new one is refused
  bool operator==(const Unique&) const = default;
};

// first, first + step, ... up to last: one job each, all with the same specification.
struct Array {
  std::int64_t first = 0;
  std::int64_t last = 0;
  std::int64_t step = 1;      // above 0
  std::uint32_t at_once = 0;  // how many may run at a time; 0: all
  bool operator==(const Array&) const = default;
};

inline constexpr std::uint64_t kKeepDefault = ~std::uint64_t{0};

struct JobSpec {
  std::string_view handler{};  // "exec" for commands: the payload is an encoded Command
  std::string_view payload{};
  std::string_view pool{};
  std::string_view name{};
  std::vector<std::string_view> tags{};
  std::uint32_t uid = 0, gid = 0;  // whose it is
  std::int32_t priority = 0;       // higher is sooner
  Durability durability = Durability::synced;
  bool held = false;              // starts held
  std::int64_t submitted_ms = 0;  // real; set by the store
  std::uint64_t delay_ms = 0;     // after the submission
  std::int64_t run_at_ms = 0;     // real; with delay_ms: the delay counts
  std::int64_t deadline_ms = 0;   // real; no attempt begins later: dead, `expired`
  std::uint64_t timeout_ms = 0;
  Retry retry{};
  std::vector<Dependency> dependencies{};
  JobId group = 0;  // joins a group that is not sealed
  Unique unique{};
  std::string_view concurrency_key{};
  std::uint32_t concurrency_max = 0;     // jobs of the key that may run at once
  std::uint64_t keep_ms = kKeepDefault;  // once ended; 0: removed as soon as it has succeeded
  std::uint64_t output_max = 0;          // bytes
  std::optional<Array> array{};          // asks for an array
  std::optional<std::int64_t> index{};   // its place in one; set by the store
};

// One run of a job.
struct Attempt {
  std::uint32_t number = 0;                   // from 1
  std::uint32_t worker = 0;                   // pid
  std::int64_t started_ms = 0, ended_ms = 0;  // real
  Outcome outcome = Outcome::ok;
  std::int32_t exit_code = 0;
  std::int32_t signal = 0;
  std::uint64_t user_us = 0, system_us = 0;
  std::uint64_t max_rss_kib = 0;
  std::string_view tail{};  // the last lines of its output, or why it ended
};

struct Progress {
  JobId id = 0;
  std::uint64_t done = 0, total = 0;
  std::string_view text{};
};

// What there is to say of a job without its payload, result and former attempts.
struct JobView {
  JobId id = 0;
  JobState state = JobState::delayed;
  std::uint32_t attempts = 0;  // begun, with the one that runs
  std::int64_t due_ms = 0;     // delayed, failed: when; by `due_is_real`
  bool due_is_real = false;
  std::uint32_t unmet = 0;   // jobs that it waits for
  bool stop_wanted = false;  // running: somebody cancelled it
  bool result_big = false;   // its result is not here
  JobSpec spec;              // payload: empty if it is long (payload_big)
  bool payload_big = false;
  std::optional<Attempt> last{};  // of an ended job
  std::string_view result{};
  std::vector<std::vector<char>> bytes{};  // what the views look at: moving keeps them valid
};

// All of a job.
struct JobRecord {
  JobView job;                      // with payload and result
  std::vector<Attempt> attempts{};  // all that are kept, oldest first
  std::vector<JobId> waits_for{};
  std::optional<Progress> progress{};
};

}  // namespace jobring::keeper
