// Turns: one transaction each, and when it is on disk.
#include "daemon/keeper/sqlite/engine.hpp"

namespace jobring::keeper {
namespace {

constexpr std::int64_t kClockKeptEvery = 1'000;  // ms

}  // namespace

// FULL: COMMIT returns when the write-ahead log is on disk. NORMAL: it does not wait. Either way
// the file itself is only written after the log was synced.
bool SqliteStore::set_sync(Durability level) {
  if (level != Durability::synced) level = Durability::batched;
  if (sync_level_ == level) return true;
  sync_level_ = level;
  return db_.exec(level == Durability::synced ? "PRAGMA synchronous=FULL"
                                              : "PRAGMA synchronous=NORMAL");
}

void SqliteStore::begin(Clock now, Durability level) {
  if (in_turn_) abandon();
  in_turn_ = true;
  now_ = now;
  level_ = level;
  groups_.clear();
  changes_.clear();
  // Answers were given, jobs handed out: now there is time to write the log back.
  if (wal_frames_ >= int(options_.wal_pages) || broken_sync_ || short_of_disk()) checkpoint();
  if (broken_sync_) return db_.fail(SQLITE_IOERR_FSYNC);
  if (stale_ && !load()) return;
  set_sync(level);
  begin_.run();
  changes_before_ = sqlite3_total_changes64(db_.raw());
}

Result<void> SqliteStore::commit() {
  if (!in_turn_) return Error{Errc::internal, "the store: commit without begin", {}, {}};
  in_flight_.store();
  packs_.store();
  store_groups();
  zones_.store(next_job_);
  if (next_job_dirty_) set_meta_.bind(1, "next_job").bind(2, std::int64_t(next_job_)).run();
  if (now_.steady_ms - kept_clock_.steady_ms >= kClockKeptEvery) {
    set_meta_.bind(1, "real_ms").bind(2, now_.real_ms).run();
    set_meta_.bind(1, "steady_ms").bind(2, now_.steady_ms).run();
    kept_clock_ = now_;
  }
  const int frames = wal_frames_;
  if (db_.ok() && sqlite3_total_changes64(db_.raw()) != changes_before_) extend_log();
  commit_.run();
  if (!db_.ok()) {
    const Error error = *db_.error();
    roll_back();
    // The disk may be full of our own log: once that is in the file, it is written from its
    // beginning again.
    if (wal_frames_ > 0) checkpoint();
    return error;
  }
  in_turn_ = false;
  next_job_dirty_ = false;
  if (wal_frames_ != frames)
    unflushed_ = level_ == Durability::batched || (unflushed_ && level_ != Durability::synced);
  return {};
}

void SqliteStore::abandon() {
  if (in_turn_) roll_back();
}

void SqliteStore::roll_back() {
  in_turn_ = false;
  stale_ = true;
  changes_.clear();
  db_.forgive();
  if (!sqlite3_get_autocommit(db_.raw()))
    sqlite3_exec(db_.raw(), "ROLLBACK", nullptr, nullptr, nullptr);
  if (!load()) db_.forgive();  // begin() tries again
}

Result<void> SqliteStore::flush() {
  if (in_turn_) return Error{Errc::internal, "the store: flush within a turn", {}, {}};
  if (!unflushed_) return {};
  sqlite3_file* const log = log_file();
  const int rc = log != nullptr
                     ? log->pMethods->xSync(log, SQLITE_SYNC_NORMAL | SQLITE_SYNC_DATAONLY)
                     : SQLITE_OK;
  if (rc != SQLITE_OK) {
    // What the kernel could not write it may have forgotten. Our pages it still has: they go to
    // the file itself, or nothing more is accepted.
    broken_sync_ = true;
    checkpoint();
    if (broken_sync_) return db_.error_of(rc);
  }
  unflushed_ = false;
  return {};
}

}  // namespace jobring::keeper
