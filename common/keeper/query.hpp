// What is asked about durable jobs: which ones, what is to be done with them, and what there is
// beside jobs.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/keeper/job.hpp"

namespace jobring::keeper {

// What became of one that was submitted.
struct Submitted {
  enum class Status : std::uint8_t {
    stored,
    duplicate,       // its unique key is taken, by `id`
    no_such_job,     // depends on what is not there: `id`
    cannot_succeed,  // depends on the success of one that ended without: `id`
    no_such_group,   // or it is sealed
    bad,             // makes no sense: an empty handler or pool, a step below 1, ...
  };
  Status status = Status::stored;
  JobId id = 0;             // of the job; of the group if an array was asked for
  std::uint32_t count = 1;  // members of the array: id + 1 ... id + count
  JobId replaced = 0;       // cancelled for it
};

// Which jobs: those that fit all that is said.
struct Selector {
  std::vector<std::pair<JobId, JobId>> ids{};  // ranges, both ends included; empty: all
  std::string_view pool{};
  std::uint32_t states = 0;  // bits, 1 << JobState; 0: all
  std::string_view tag{};
  std::string_view name{};
  std::optional<std::uint32_t> uid{};
  std::int64_t ended_before_ms = 0;  // real
  JobId group = 0;                   // in this group or array; 0: all
};

enum class Verb : std::uint8_t {
  hold,     // delayed, ready, failed → held
  release,  // held → where it was
  cancel,   // all that have not ended → cancelled; running ones are only marked
  bury,     // delayed, ready, failed, held → dead
  kick,     // dead, delayed, failed → ready, with all retries
  retry,    // succeeded, dead, cancelled → ready, with all retries
  edit,     // delayed, ready, failed, held: as Edit says
  remove,   // succeeded, dead, cancelled: forgotten
};
struct Edit {
  std::optional<std::int32_t> priority{};
  std::optional<std::string_view> pool{};
  std::optional<std::uint64_t> delay_ms{};  // from now
};
struct Counts {
  std::string pool;
  bool paused = false;
  std::array<std::uint64_t, kJobStates> jobs{};  // by state
};

struct GroupView {
  JobId id = 0;
  std::uint64_t size = 0, open = 0, bad = 0;  // members; not ended; ended without success
  bool sealed = false;
  std::uint32_t uid = 0;  // whose it is; not told to clients
  bool operator==(const GroupView&) const = default;
};

struct CronEntry {
  std::string name;
  std::string schedule;                   // opaque to the store: text, zone, policy, specification
  std::int64_t next_ms = 0, last_ms = 0;  // real
  bool operator==(const CronEntry&) const = default;
};

}  // namespace jobring::keeper
