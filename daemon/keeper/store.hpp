// Where durable jobs are kept: the interface of the engines (sqlite/; NATS JetStream later).
//
// Everything that changes jobs happens in a turn:
//
//   store->begin(clock, Durability::synced);
//   store->finish(endings);                       // what the pools have done
//   auto answers = store->submit(specs);          // what clients have asked for
//   store->wake(256);                             // whose time has come
//   auto batch = store->take(pool, room);         // what the pools get next
//   if (store->commit()) ...                      // now answer, now hand the jobs to their pools
//
// A turn is kept whole or not at all. What its calls returned may be told to nobody before commit()
// has succeeded. An error within a turn (disk full, say) is remembered: the calls after it do
// nothing, commit() reports it, and the store is as it was before begin().
//
// What was taken is `running` until it is finished or given back, over the keeper's death too:
// running() tells the next keeper. So a job may have run if and only if it is in there or has an
// attempt on record.
//
// Memory is bounded by what runs, not by what waits. One thread uses a store. Nothing but sync in
// commit() and flush() and the bounded reads and writes of each call blocks.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/keeper/job.hpp"
#include "common/keeper/query.hpp"
#include "common/result.hpp"

namespace jobring::keeper {

struct Taken {
  JobId id = 0;
  std::uint32_t attempt = 0;  // from 1
  std::uint32_t base = 0;     // so many before it do not count against its retries
  JobSpec spec;               // payload: complete
};
struct TakenBatch {
  std::vector<Taken> jobs;
  std::vector<std::vector<char>> bytes;  // what the views look at
  // More of the pool wait than were looked at.
  bool more = false;
};

struct Ending {
  JobId id = 0;
  Attempt attempt;  // its number must be the one that was taken, or the ending is ignored
  // succeeded, failed, dead, cancelled, or ready: at once again.
  JobState next = JobState::succeeded;
  std::int64_t due_ms = 0;  // steady; failed: when it is ready again
  std::string_view result{};
};

struct Running {
  JobId id = 0;
  std::uint32_t attempt = 0;
  std::uint32_t base = 0;     // as in Taken
  std::string_view pool;      // valid until the next call
  std::int64_t taken_ms = 0;  // real
  bool stop_wanted = false;
};

struct Applied {
  std::uint32_t changed = 0;
  std::uint32_t unfit = 0;    // selected, but the verb means nothing in their state
  std::vector<JobId> stop{};  // these run: the keeper has to end them
  JobId next = 0;             // go on with this one; 0: that was all
};

// What a turn has done to a job, in the order in which it was done.
struct Change {
  JobId id = 0;
  JobState state = JobState::ready;  // that it has now
  std::uint32_t attempt = 0;         // begun so far
  bool removed = false;              // it is forgotten
  std::string_view pool{};           // valid until the next turn
  std::uint64_t count = 1;           // so many, with ids from `id` on: members of a new array
};

struct ListPage {
  std::vector<JobView> jobs;  // newest first
  JobId next = 0;             // go on below this one; 0: that was all
};

class Store {
 public:
  virtual ~Store() = default;

  // ---- turns
  // `level`: the strongest that anything in the turn asks for. A weaker turn becomes as safe as the
  // next stronger one.
  virtual void begin(Clock now, Durability level) = 0;
  virtual Result<void> commit() = 0;
  virtual void abandon() = 0;  // as if the turn had not begun
  // Makes all `batched` turns power-safe.
  virtual Result<void> flush() = 0;
  // Whether there is something to flush.
  virtual bool unflushed() const = 0;

  // ---- in a turn; without one they do nothing
  // The answers are valid until the next call. Jobs of one call may depend on earlier ones in it.
  virtual std::span<const Submitted> submit(std::span<const JobSpec> jobs) = 0;
  // At most `most` of a pool, the highest priority first (order.hpp). They are running now.
  virtual TakenBatch take(std::string_view pool, std::uint32_t most) = 0;
  // Those that nobody has begun: ready again, without an attempt.
  virtual void give_back(std::span<const JobId> jobs) = 0;
  // Returns how many were ignored.
  virtual std::uint32_t finish(std::span<const Ending> endings) = 0;
  // Moves on whose time has come, whose deadline is over, and who waited for jobs that have ended.
  // At most about `most`; true: there is more to do at once.
  virtual bool wake(std::uint32_t most) = 0;
  virtual void progress(std::span<const Progress> reports) = 0;
  // At most `most` jobs are looked at, those from `from` on, in the order of their ids.
  virtual Applied apply(Verb verb, const Selector& which, const Edit& edit, JobId from,
                        std::uint32_t most) = 0;
  virtual JobId new_group(std::uint32_t uid) = 0;
  virtual void seal_group(JobId group) = 0;
  virtual void pause(std::string_view pool, bool paused) = 0;
  virtual void put_cron(const CronEntry& entry) = 0;
  virtual bool remove_cron(std::string_view name) = 0;
  // Forgets ended jobs whose time is over; at most `most`; true: there are more.
  virtual bool clean(std::uint32_t most) = 0;
  // A job as show() gave it, with its id. False: the id is taken, or the job makes no sense. What
  // ran when it was exported is ready. Members of groups come back as jobs of their own.
  virtual bool import_job(const JobRecord& record) = 0;

  // What the next keeper has to know of this turn if we die right after it. To be called after the
  // turn's submissions and verbs. `until`: it stays until something else is remembered so; or it
  // may be gone with the next turn, and what was there before in its place.
  enum class Until { next_turn, replaced };
  virtual void remember(std::string_view record, Until until) = 0;

  // What the turn has changed so far, after commit() the whole of it; valid until the next call
  // that changes something.
  virtual std::span<const Change> changes() const = 0;

  // ---- reading, in a turn or not; errors are in the result
  virtual std::vector<Running> running() const = 0;
  virtual std::vector<Counts> counts() const = 0;
  // At most `most`, ids below `below` (0: the newest). It may return fewer and a `next`: it looks
  // at a bounded number of jobs.
  virtual Result<ListPage> list(const Selector& which, JobId below, std::uint32_t most) = 0;
  virtual Result<std::optional<JobRecord>> show(JobId id) = 0;
  // Of the jobs in these ranges those that have ended or are not there, at most `most`; with a uid,
  // those of others are not there.
  virtual Result<std::vector<JobId>> over(std::span<const std::pair<JobId, JobId>> ranges,
                                          std::optional<std::uint32_t> uid, std::size_t most) = 0;
  virtual Result<std::optional<GroupView>> group(JobId id) = 0;
  virtual Result<std::vector<CronEntry>> cron() = 0;
  // As the last turn left it; empty: nothing.
  virtual Result<std::string> remembered() = 0;
  // The next moment at which wake() has something to do, for each clock; 0: none.
  virtual Result<Clock> next_due() = 0;
  // steady: when clean() has something to do; 0: never.
  virtual Result<std::int64_t> next_clean() = 0;
  // The pair that was kept last: a new keeper's steady clock goes on from it.
  virtual Clock last_clock() const = 0;
  // Reads everything. Each line is something that is wrong.
  virtual Result<std::vector<std::string>> check() = 0;
};

}  // namespace jobring::keeper
