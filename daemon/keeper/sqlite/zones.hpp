// Summaries of 1,024 consecutive jobs each: how many of which pool in which state, and when the
// first of them may be forgotten. They are what makes counting free, and what lists, selectors and
// the clean-up skip by, without an index that every job would pay for: a batch of a thousand jobs
// changes one or two of these rows.
//
// The last block, where new jobs arrive, has no row: its summary is counted when the store is
// opened and kept in memory until the next block begins. So a turn of one new job writes no
// summary.
//
// Changes of a turn are gathered in memory and written by store(). A row without jobs is removed.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/keeper/job.hpp"
#include "daemon/keeper/sqlite/database.hpp"

namespace jobring::keeper {

struct ZoneCount {
  std::uint32_t pool = 0;
  JobState state = JobState::delayed;
  std::int64_t jobs = 0;
  bool operator==(const ZoneCount&) const = default;
};
void encode_zone(std::string& to, const std::vector<ZoneCount>& counts);
bool decode_zone(std::string_view bytes, std::vector<ZoneCount>& counts);

class Zones {
 public:
  static constexpr unsigned kShift = 10;
  static constexpr std::int64_t kJobs = 1 << kShift;
  static std::int64_t block(JobId id) { return std::int64_t(id >> kShift); }

  void prepare(Database& db);
  // `next`: the id of the next job.
  void load(Database& db, JobId next);
  void add(JobId id, std::uint32_t pool, JobState state, std::int64_t jobs);
  // An ended job may be forgotten at `when` (steady ms, above 0).
  void expires(JobId id, std::int64_t when);
  // The clean-up has looked at the whole block: the earliest that is left, 0: none.
  void set_expiry(std::int64_t block, std::int64_t when);
  void store(JobId next);
  // The last block, which has no row.
  std::int64_t last_block() const { return open_; }
  const std::vector<ZoneCount>& last_counts();
  std::int64_t last_expiry();

  // By pool and state, all jobs; what runs is ready here.
  std::int64_t total(std::uint32_t pool, JobState state) const;

 private:
  struct Change {
    std::vector<ZoneCount> counts;
    std::int64_t expiry = 0;
    bool expiry_set = false;
  };
  Change& change(std::int64_t block);

  Database* db_ = nullptr;
  std::vector<std::array<std::int64_t, kJobStates>> totals_;  // by pool
  std::unordered_map<std::int64_t, Change> changes_;
  std::int64_t open_ = 0;
  std::int64_t recent_block_ = -1;
  Change* recent_ = nullptr;  // of recent_block_
  Statement get_, put_, drop_;
  std::string buffer_;
  std::vector<ZoneCount> counts_;
};

}  // namespace jobring::keeper
