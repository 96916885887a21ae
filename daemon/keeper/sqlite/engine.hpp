// The SQLite engine's one class. Its parts stand in files of their own, in the order of a job's
// life: open, turn, log, submit, take, finish, wake, verbs, then walk, scan, show, remember, clean,
// import, check.
// rows.cpp has what they share.
//
// Where a job is (docs/durable.md has the picture):
// 1. Its row in `job` says its state; a job in running_ has the row of a ready one. A plain job
// that
//    is ready or runs may be in a pack instead (packs.hpp).
// 2. A ready job with a row that does not run is in exactly one of ready, ranked and parked.
// 3. A delayed or failed job with a due time has one timer; one without waits for jobs only.
// 4. zones_ counts rows by pool and state.
// 5. If jobs of a concurrency key are parked in a pool, then one of that key runs, or one of that
//    key and pool is in ready or ranked: so whoever leaves these fetches one.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/keeper/job_codec.hpp"
#include "daemon/keeper/sqlite/in_flight.hpp"
#include "daemon/keeper/sqlite/packs.hpp"
#include "daemon/keeper/sqlite/sqlite_store.hpp"
#include "daemon/keeper/sqlite/zones.hpp"

namespace jobring::keeper {

class SqliteStore final : public Store {
 public:
  explicit SqliteStore(const SqliteOptions& options) : options_(options) {}
  ~SqliteStore() override;
  Result<void> open();

  void begin(Clock now, Durability level) override;
  Result<void> commit() override;
  void abandon() override;
  Result<void> flush() override;
  bool unflushed() const override { return unflushed_; }

  std::span<const Submitted> submit(std::span<const JobSpec> jobs) override;
  TakenBatch take(std::string_view pool, std::uint32_t most) override;
  void give_back(std::span<const JobId> jobs) override;
  std::uint32_t finish(std::span<const Ending> endings) override;
  bool wake(std::uint32_t most) override;
  void progress(std::span<const Progress> reports) override;
  Applied apply(Verb verb, const Selector& which, const Edit& edit, JobId from,
                std::uint32_t most) override;
  JobId new_group(std::uint32_t uid) override;
  void seal_group(JobId group) override;
  void pause(std::string_view pool, bool paused) override;
  void put_cron(const CronEntry& entry) override;
  bool remove_cron(std::string_view name) override;
  bool clean(std::uint32_t most) override;
  bool import_job(const JobRecord& record) override;
  void remember(std::string_view record, Until until) override;

  std::span<const Change> changes() const override { return changes_; }

  std::vector<Running> running() const override;
  std::vector<Counts> counts() const override;
  Result<ListPage> list(const Selector& which, JobId below, std::uint32_t most) override;
  Result<std::optional<JobRecord>> show(JobId id) override;
  Result<std::vector<JobId>> over(std::span<const std::pair<JobId, JobId>> ranges,
                                  std::optional<std::uint32_t> uid, std::size_t most) override;
  Result<std::optional<GroupView>> group(JobId id) override;
  Result<std::vector<CronEntry>> cron() override;
  Result<std::string> remembered() override;
  Result<Clock> next_due() override;
  Result<std::int64_t> next_clean() override;
  Clock last_clock() const override { return kept_clock_; }
  Result<std::vector<std::string>> check() override;

 private:
  // What a job has beside its row, so that the ordinary job's end looks nowhere else.
  enum Flag : std::uint32_t {
    kUnique = 1 << 0,
    kKeyed = 1 << 1,  // has a concurrency key
    kTagged = 1 << 2,
    kAttempts = 1 << 3,  // has rows in `attempt`
    kBigPayload = 1 << 4,
    kBigResult = 1 << 5,
    kNoted = 1 << 6,       // may have progress
    kRealDue = 1 << 7,     // due by the real clock
    kNoDeadline = 1 << 8,  // was kicked or retried: its deadline counts no more
    kParked = 1 << 9,
    kMember = 1 << 10,  // its specification is its group's
    kDeadlined = 1 << 11,
    kPacked = 1 << 12,  // in a pack; never written
  };
  enum TimerKind { kDueReal = 0, kDueSteady = 1, kDeadline = 2 };

  // The small columns of a job.
  struct Row {
    JobId id = 0;
    JobState state = JobState::delayed;
    std::uint32_t pool = 0, tries = 0, flags = 0, base = 0, unmet = 0;
    std::int64_t due = 0;
    std::int32_t priority = 0;
    JobId group = 0;
    bool has(Flag f) const { return (flags & f) != 0; }
  };
  struct Pool {
    std::string name;
    bool paused = false;
  };
  struct Group {
    std::int64_t size = 0, open = 0, bad = 0, kept = 0;
    bool sealed = false, there = false, dirty = false;
    std::uint32_t uid = 0;
    std::int64_t first = 0, step = 1;
    bool array = false;  // its members stand behind it
  };
  // A statement that reads all columns of jobs.
  static constexpr int kSpecColumn = 10, kLastColumn = 11;
  // A job as it is stored. The views are of what it was read from.
  struct Found {
    Row row;
    std::string_view spec, last;
  };

  // rows.cpp
  // Concurrency keys are of one uid, as unique ones.
  static std::string key_of(const JobSpec& spec) {
    return std::to_string(spec.uid) + ' ' + std::string(spec.concurrency_key);
  }
  static Row row_of(Statement& s);
  static Row packed_row(const Pack& pack, JobId id);
  // Of the job that `s` stands on.
  Found found_at(Statement& s);
  bool load_row(JobId id, Row& row);  // false: not there
  // A copy, valid until the next call.
  bool find(JobId id, Found& found);
  // Its small columns. One that was in a pack gets a row, and the row knows.
  void save(Row& row);
  // From its pack into a row as `row` says, in which it is no longer packed.
  void unpack(const Row& row, const std::string_view* last);
  // A new row. `spec`: null of members; `last`: null of those that have not ended.
  void insert_row(const Row& row, const std::string_view* spec, const std::string_view* last);
  // `count` of them, with ids from the row's on.
  void changed(const Row& row, bool removed = false, std::uint64_t count = 1) {
    // A damaged row may name any pool.
    const std::string_view pool =
        row.pool < pools_.size() ? std::string_view(pools_[row.pool].name) : std::string_view();
    changes_.push_back({row.id, row.state, row.tries, removed, pool, count});
  }
  // Into and out of what its state keeps it in, and the summaries.
  void enter(const Row& row);
  void leave(const Row& row);
  void fetch_parked(std::string_view key, std::uint32_t pool);
  void fetch_parked_everywhere(std::string_view key);
  JobState waiting_state(const Row& row) const;
  // `stored`, or of a member its group's: a view into group_spec_.
  std::string_view spec_bytes(const Row& row, std::string_view stored);
  // Views into `bytes`. False: damaged.
  bool decode(const Row& row, std::string_view bytes, JobSpec& spec, bool* payload_elsewhere);
  // Reads the specification of a job by itself, without a long payload; valid until the next call.
  bool spec_of(const Row& row, JobSpec& spec);
  std::int64_t expiry_of(std::uint64_t keep_ms) const;
  Group& group_of(JobId id);
  void store_groups();
  std::uint32_t pool_id(std::string_view name, bool make);
  void remove(Row row);

  // turn.cpp
  bool working() { return in_turn_ && db_.ok(); }
  void roll_back();
  bool set_sync(Durability level);

  // log.cpp
  sqlite3_file* log_file();
  std::uint64_t disk_left() const;
  bool short_of_disk();
  void checkpoint();
  void extend_log();

  // open.cpp
  void prepare();
  bool load();
  void load_entry(InFlight::Entry& entry);
  void rerank();

  // submit.cpp
  Submitted submit_one(const JobSpec& spec, std::size_t at);
  Submitted submit_array(const JobSpec& spec, std::size_t at);
  Submitted check_spec(const JobSpec& spec, std::size_t at);
  Submitted depend(const JobSpec& spec);
  std::span<const Dependency> resolved(const JobSpec& spec);
  Submitted claim_key(const JobSpec& spec, JobId id);
  void insert(Row& row, const JobSpec& spec, std::string_view blob);
  void joined(const Row& row);
  void schedule(Row& row, const JobSpec& spec);
  bool plain(const JobSpec& spec) const;

  // finish.cpp
  // An ended job: everything but its row, which has its new state already.
  void settle(const Row& row);
  void end(Row row, JobState state, Outcome outcome, std::string_view why);
  void release_unique(const Row& row, const Unique& unique, std::uint32_t uid, bool ended);
  void watch_deadline(const Row& row);
  void keep_attempt(JobId id, const Attempt& attempt);
  void key_free(const InFlight::Entry& entry);
  void write_end(const Row& row, const Attempt& attempt, std::string_view result,
                 std::uint64_t keep_ms);
  void finish_one(InFlight::Entry& entry, const Ending& ending);

  // wake.cpp
  std::uint32_t fire(TimerKind kind, std::int64_t now, std::uint32_t most);
  void due(Row row);
  std::uint32_t tell_children(std::uint32_t most);

  // verbs.cpp
  bool apply_one(Verb verb, const Edit& edit, Row row, Applied& applied);

  // walk.cpp
  // The jobs of [from, to] in the order of their ids. One at a time, and nothing may change.
  class Walk {
   public:
    Walk(SqliteStore& store, JobId from, JobId to, bool down);
    ~Walk();
    Walk(const Walk&) = delete;
    Walk& operator=(const Walk&) = delete;
    // False: that was all. The views are valid until the next call.
    bool next(Found& found);

   private:
    struct Lane {
      Pack pack{};  // live: what is left of it
      JobId next(bool down) const;
    };
    enum class Shown { nothing, row, pack };
    bool fetch(Lane& lane, std::uint32_t pool, JobId from, JobId to);

    SqliteStore& store_;
    Statement& rows_;
    JobId from_, to_;
    bool down_, row_there_ = false;
    std::vector<Lane> lanes_{};  // of the pools that have packs here
    Shown shown_ = Shown::nothing;
    std::size_t lane_ = 0;
    JobId found_ = 0;
  };

  // scan.cpp
  struct Range {
    JobId from = 1, to = kJobIdMax;
    bool newest_first = false;
  };
  // Calls `visit` for the jobs that fit, until it says no. Returns where to go on, 0: at the end.
  JobId scan(const Selector& which, Range range, std::uint32_t budget,
             const std::function<bool(const Found&)>& visit);
  bool fits(const Selector& which, std::uint32_t pool, const Found& job);
  bool zone_fits(const std::vector<ZoneCount>& zone, const Selector& which,
                 std::uint32_t pool) const;

  // check.cpp
  void check_packs(const std::function<void(std::string)>& say,
                   const std::function<void(const Row&)>& count);

  // show.cpp
  JobView view_of(const Found& job);
  template <class T>
  Result<T> reading(T value);

  SqliteOptions options_;
  Database db_;
  Zones zones_;
  InFlight in_flight_;
  Packs packs_;
  std::unordered_map<std::string, std::uint32_t> key_use_;  // how many of a key run
  std::map<std::string, std::uint32_t, std::less<>> pools_by_name_;
  std::deque<Pool> pools_;                   // by id; 0 is none; their names stay where they are
  std::unordered_map<JobId, Group> groups_;  // of this turn
  JobId next_job_ = 1;
  bool next_job_dirty_ = false;
  bool any_edges_ = false, any_ranked_ = false, any_parked_ = false;  // may there be some?

  Clock now_, kept_clock_;
  bool in_turn_ = false;
  bool stale_ = false;  // memory does not say what the file says: load() before anything else
  bool unflushed_ = false;
  bool broken_sync_ = false;  // a sync failed: only a checkpoint makes things safe again
  Durability sync_level_ = Durability::synced;
  Durability level_ = Durability::synced;
  int wal_frames_ = 0;               // pages in the log that are not in the file
  std::int64_t changes_before_ = 0;  // of rows, before the turn
  std::int64_t log_size_ = 0;        // it is no shorter; 0: has to be asked for
  int disk_seen_at_ = 0;             // how many there were when we last looked at the disk

  std::vector<Change> changes_;
  std::vector<Submitted> answers_;
  std::vector<Dependency> waits_, resolved_;
  std::string buffer_, group_spec_, spec_copy_, last_copy_;
  JobId group_spec_of_ = 0;
  JobSpec scratch_;

  Statement insert_, put_ready_, put_ranked_, drop_ready_, drop_ranked_;
  Statement put_timer_, drop_timer_, put_parked_, drop_parked_, find_parked_, parked_pools_;
  Statement get_row_, save_, save_end_, drop_job_, put_big_, get_big_, drop_big_;
  Statement get_group_, put_group_, drop_group_, get_group_spec_;
  Statement put_pool_, set_paused_, set_meta_;
  Statement put_tag_, drop_tag_, get_unique_, put_unique_, keep_unique_, drop_unique_;
  Statement old_uniques_, clear_last_;
  Statement put_edge_, has_edge_, edges_of_, drop_edge_, put_settled_, first_settled_,
      drop_settled_;
  Statement parents_of_;
  Statement take_ready_, take_ranked_, take_drop_ready_, take_drop_ranked_;
  Statement put_attempt_, get_attempts_, drop_attempts_, trim_attempts_;
  Statement put_note_, get_note_, drop_note_;
  Statement due_, next_timer_;
  Statement scan_up_, scan_down_, tag_up_, tag_down_, zones_up_, zones_down_, zones_due_;
  Statement put_cron_, drop_cron_, put_record_, get_record_, begin_, commit_;
};

}  // namespace jobring::keeper
