// Plain jobs that wait or run, up to 64 a row.
//
// Most jobs have a handler, a payload, a pool, perhaps a group, and nothing else: ready at once, of
// priority 0, with no key, tag, deadline or dependency that is open. Such a job has no row of its
// own, and none in an order: it is in the pack of its pool that covers its id, a row of `pack`.
// (A payload above 1 KiB, such as that of a command with its environment, is in `big` as ever.)
// SQLite's cost is by rows, so a batch of a thousand is 16 rows to accept instead of two thousand,
// and taking them writes none (they are in `running` then, as all that run).
//
// A job leaves its pack when there is more to say of it: it has ended, is tried again, reports
// progress, or somebody holds, edits or cancels it. Then it gets a row in `job`, or is gone, and
// its bit in the pack is cleared; a pack without bits is gone. So a job is in `job` or live in one
// pack, never both.
//
// Packs of a pool do not overlap: all ids of one are below the first of the next.
//
// In memory: packs with jobs that run, and those that the turn has changed. store() writes them.
#pragma once

#include <bit>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/keeper/job.hpp"
#include "daemon/keeper/sqlite/database.hpp"

namespace jobring::keeper {

struct Pack {
  JobId first = 0;
  std::uint32_t pool = 0;
  JobId group = 0;  // of all of them; 0: none
  // Bit n is job first + n.
  std::uint64_t members = 0;  // since it was made
  std::uint64_t live = 0;     // of those: still here
  std::uint64_t runs = 0;     // of those: taken
  std::string specs{};        // of the members, in order; empty ones: the group's, an array
  std::vector<std::uint32_t> ends{};
  std::string record{};  // remembered in it (remember.cpp); only before it has a row

  static constexpr JobId kJobs = 64;
  std::uint64_t bit(JobId id) const {
    return id >= first && id - first < kJobs ? std::uint64_t{1} << (id - first) : 0;
  }
  // Of a member.
  std::string_view spec(JobId id) const {
    const auto n = std::size_t(std::popcount(members & (bit(id) - 1)));
    const std::uint32_t from = n == 0 ? 0 : ends[n - 1];
    return std::string_view(specs).substr(from, ends[n] - from);
  }
  JobId last() const { return first + 63 - JobId(std::countl_zero(members)); }

 private:
  friend class Packs;
  bool stored_ = false;  // has a row
  bool dirty_ = false;   // its row says something else
  bool listed_ = false;  // store() will look at it
};

// Not thread-safe; of one store.
class Packs {
 public:
  void prepare(Database& db);
  // Forgets what is in memory. `pools`: the highest number of a pool.
  void load(std::uint32_t pools);

  // A new plain job; ids only grow.
  void add(JobId id, std::uint32_t pool, JobId group, std::string_view spec);
  // The pack in which the job is live, or null. Valid until the next call of anything here.
  Pack* find(JobId id);
  // The same for a job that runs: it stays valid while it does.
  Pack* run(JobId id);
  // It runs no more, but stays.
  void rest(Pack& pack, JobId id);
  // It has a row of its own now, or is gone.
  void drop(Pack& pack, JobId id);
  // Writes what has changed.
  void store();

  // Puts a short record into the newest pack. False: none was made that has no row yet.
  bool remember(std::string_view record);
  // Which pack of all that store() has written has the newest first job, and the record in it.
  struct Newest {
    JobId first = 0;
    std::string record;
  };
  std::optional<Newest> newest();

  // Those that wait, in the order of their ids, for take(). One at a time; packs are written first.
  class Line {
   public:
    Line(Packs& packs, std::uint32_t pool);
    ~Line();
    Line(const Line&) = delete;
    Line& operator=(const Line&) = delete;
    // 0: none is left.
    JobId id() const { return id_; }
    const Pack& pack() const { return *pack_; }
    // The one that it stands on runs now; goes on. The pack is valid while it runs.
    Pack& take();

   private:
    void advance();
    Packs& packs_;
    std::uint32_t pool_;
    Pack* pack_ = nullptr;
    std::uint64_t left_ = 0;
    JobId id_ = 0;
  };

  // A copy of the first pack of the pool with live jobs in [from, to], or of the last one. False:
  // there is none. Only what store() has written.
  bool first(std::uint32_t pool, JobId from, JobId to, Pack& into) {
    return next(first_, pool, from, to, into);
  }
  bool last(std::uint32_t pool, JobId from, JobId to, Pack& into) {
    return next(last_, pool, from, to, into);
  }
  // May the pool have packs?
  bool any(std::uint32_t pool) const { return pool < lanes_.size() && lanes_[pool].any; }
  std::uint32_t pools() const { return std::uint32_t(lanes_.size()); }

 private:
  struct Lane {
    bool any = false;
    Pack* open = nullptr;  // takes new jobs
    JobId waits_from = 0;  // none below waits
  };
  static std::int64_t key(std::uint32_t pool, JobId first) {
    return std::int64_t(pool) << 48 | std::int64_t(first);
  }
  Lane& lane(std::uint32_t pool);
  bool parse(Statement& row, Pack& into);
  // In memory, from a row that a statement stands on if need be. Null: damaged.
  Pack* hold(Statement& row);
  void list(Pack& pack);
  bool copy(Statement& row, JobId from, JobId to, Pack& into);
  bool next(Statement& order, std::uint32_t pool, JobId from, JobId to, Pack& into);

  Database* db_ = nullptr;
  std::vector<Lane> lanes_;                       // by pool
  std::unordered_map<std::int64_t, Pack> packs_;  // by key; nodes stay where they are
  std::vector<Pack*> listed_;
  bool fresh_ = false;  // some have no row yet
  Pack found_;
  std::string buffer_;
  Statement put_, update_, drop_, at_, first_, last_, line_, newest_;
};

}  // namespace jobring::keeper
