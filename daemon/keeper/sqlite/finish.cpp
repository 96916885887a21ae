// How jobs end, or are tried again.
#include <algorithm>

#include "daemon/keeper/sqlite/engine.hpp"

namespace jobring::keeper {
namespace {

constexpr std::size_t kInlineMax = 1024;     // bytes of a result in the job's row
constexpr std::uint32_t kAttemptsKept = 20;  // of former attempts, the newest

}  // namespace

std::uint32_t SqliteStore::finish(std::span<const Ending> endings) {
  std::uint32_t ignored = 0;
  for (const Ending& ending : endings) {
    if (!working()) break;
    InFlight::Entry* entry = in_flight_.find(ending.id);
    if (entry == nullptr || entry->attempt != ending.attempt.number) {
      ++ignored;
      continue;
    }
    finish_one(*entry, ending);
  }
  return ignored;
}

void SqliteStore::finish_one(InFlight::Entry& entry, const Ending& ending) {
  JobState next = ending.next;
  const bool again = next == JobState::failed || next == JobState::ready;
  if (!again && !is_ended(next)) next = JobState::dead;
  // Somebody has cancelled it meanwhile: not again.
  if (again && entry.stop) next = JobState::cancelled;
  if (is_ended(next)) {
    Row row;
    row.id = entry.id;
    row.state = next;
    row.pool = entry.pool;
    row.tries = entry.attempt;
    row.flags = entry.flags;
    row.group = entry.group;
    zones_.add(row.id, row.pool, JobState::ready, -1);
    zones_.add(row.id, row.pool, next, 1);
    changed(row);
    if (next == JobState::succeeded && entry.keep_ms == 0) {
      settle(row);
      remove(row);
    } else {
      write_end(row, ending.attempt, ending.result, entry.keep_ms);
      settle(row);
    }
  } else {
    Row row;
    if (!load_row(entry.id, row)) return db_.damaged("a running job is not there");
    keep_attempt(row.id, ending.attempt);
    zones_.add(row.id, row.pool, row.state, -1);
    row.tries = ending.attempt.number;
    row.flags = (entry.flags | kAttempts) & ~std::uint32_t(kRealDue);
    row.due = next == JobState::failed ? ending.due_ms : 0;
    row.state = waiting_state(row);
    if (row.state == JobState::ready) row.due = 0;
    save(row);
    enter(row);
    changed(row);
    watch_deadline(row);
  }
  key_free(entry);
  in_flight_.erase(entry.id);
}

// Its row: the state, the last attempt, the result, and when it may be forgotten.
void SqliteStore::write_end(const Row& row, const Attempt& attempt, std::string_view result,
                            std::uint64_t keep_ms) {
  std::uint32_t flags = row.flags & ~std::uint32_t(kBigResult | kParked | kRealDue | kPacked);
  if (result.size() > kInlineMax) {
    flags |= kBigResult;
    put_big_.bind(1, std::int64_t(row.id) << 1 | 1).bind(2, result).run();
    result = {};
  }
  const std::int64_t expiry = expiry_of(keep_ms);
  buffer_.clear();
  encode_ending(buffer_, attempt, result);
  if (row.has(kPacked)) {
    Row ended = row;
    ended.flags = flags;
    ended.due = expiry;
    const std::string_view last = buffer_;
    unpack(ended, &last);
  } else {
    save_end_.bind(1, std::int64_t(row.state)).bind_sparse(2, row.tries).bind(3, expiry);
    save_end_.bind_sparse(4, flags).bind(5, buffer_).bind(6, std::int64_t(row.id)).run();
  }
  zones_.expires(row.id, expiry);
}

// What an ended job means to others: its unique key, its group, those that wait for it.
void SqliteStore::settle(const Row& row) {
  if (row.has(kUnique) && spec_of(row, scratch_ = {}))
    release_unique(row, scratch_.unique, scratch_.uid, true);
  const bool good = row.state == JobState::succeeded;
  if (row.group != 0) {
    Group& g = group_of(row.group);
    g.open -= 1;
    g.bad += good ? 0 : 1;
    g.dirty = true;
  }
  if (!any_edges_) return;
  has_edge_.bind(1, std::int64_t(row.id));
  if (!has_edge_.step()) return;
  has_edge_.reset();
  put_settled_.bind(1, std::int64_t(row.id)).bind(2, good).run();
}

// Ends a job that does not run.
void SqliteStore::end(Row row, JobState state, Outcome outcome, std::string_view why) {
  leave(row);
  if (!spec_of(row, scratch_ = {})) return;
  const std::uint64_t keep_ms = scratch_.keep_ms;
  Attempt attempt;
  attempt.number = row.tries;
  attempt.outcome = outcome;
  attempt.started_ms = attempt.ended_ms = now_.real_ms;
  attempt.tail = why;
  row.state = state;
  row.unmet = 0;
  zones_.add(row.id, row.pool, state, 1);
  changed(row);
  write_end(row, attempt, {}, keep_ms);
  settle(row);
}

void SqliteStore::release_unique(const Row& row, const Unique& unique, std::uint32_t uid,
                                 bool ended) {
  if (unique.until == UniqueUntil::time) return;
  if (!ended && unique.until != UniqueUntil::started) return;
  drop_unique_.bind(1, uid).bind(2, unique.key).bind(3, std::int64_t(row.id)).run();
}

// Its timer may have fired while it ran.
void SqliteStore::watch_deadline(const Row& row) {
  if (!row.has(kDeadlined) || row.has(kNoDeadline) || !spec_of(row, scratch_ = {})) return;
  put_timer_.bind(1, kDeadline).bind(2, scratch_.deadline_ms).bind(3, std::int64_t(row.id)).run();
}

void SqliteStore::keep_attempt(JobId id, const Attempt& attempt) {
  buffer_.clear();
  encode_attempt(buffer_, attempt);
  put_attempt_.bind(1, std::int64_t(id)).bind(2, attempt.number).bind(3, buffer_).run();
  if (attempt.number > kAttemptsKept)
    trim_attempts_.bind(1, std::int64_t(id)).bind(2, attempt.number - kAttemptsKept).run();
}

void SqliteStore::key_free(const InFlight::Entry& entry) {
  if (entry.key.empty()) return;
  const auto used = key_use_.find(entry.key);
  if (used != key_use_.end() && --used->second == 0) key_use_.erase(used);
  fetch_parked_everywhere(entry.key);
}

void SqliteStore::progress(std::span<const Progress> reports) {
  for (const Progress& report : reports) {
    if (!working()) return;
    InFlight::Entry* entry = in_flight_.find(report.id);
    if (entry == nullptr) continue;
    if (!(entry->flags & kNoted)) {
      Row row;
      if (!load_row(report.id, row)) return db_.damaged("a running job is not there");
      row.flags = entry->flags |= kNoted;
      save(row);
      entry->flags = row.flags;
    }
    buffer_.clear();
    encode_progress(buffer_, report);
    put_note_.bind(1, std::int64_t(report.id)).bind(2, buffer_).run();
  }
}

}  // namespace jobring::keeper
