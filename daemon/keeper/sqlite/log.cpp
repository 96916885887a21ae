// The write-ahead log: when it is written back to the file, and how it grows.
#include <sys/statvfs.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "daemon/keeper/sqlite/engine.hpp"

namespace jobring::keeper {
namespace {

constexpr int kDiskSeenEvery = 64;  // pages of the log
constexpr std::uint64_t kPage = 4'096;
constexpr std::int64_t kLogHead = 32, kFrame = 24 + std::int64_t(kPage);  // of SQLite's file format
constexpr std::int64_t kAhead = 32 * kFrame;
constexpr std::int64_t kStepMost = 2 << 20;
constexpr int kZeros = 64 << 10;  // of a write; SQLite takes no more than 128 KiB

}  // namespace

// Null: there is none yet.
sqlite3_file* SqliteStore::log_file() {
  sqlite3_file* log = nullptr;
  sqlite3_file_control(db_.raw(), "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
  return log != nullptr && log->pMethods != nullptr ? log : nullptr;
}

std::uint64_t SqliteStore::disk_left() const {
  if (options_.disk_left != nullptr) return options_.disk_left();
  struct statvfs disk {};
  if (statvfs(options_.path.c_str(), &disk) != 0) return std::numeric_limits<std::uint64_t>::max();
  return disk.f_bavail * disk.f_frsize;
}

// A log that has taken the last of the disk could never be written back, because the file grows by
// that: nothing would work again until as much is free. So when there is less left than the log may
// need, it is kept short.
bool SqliteStore::short_of_disk() {
  if (wal_frames_ < disk_seen_at_ + kDiskSeenEvery) return false;
  disk_seen_at_ = wal_frames_;
  return disk_left() < options_.wal_pages * kPage;
}

// Pages from the log to the file. If it fails, the log just grows, and the next turn tries again.
void SqliteStore::checkpoint() {
  const int mode = broken_sync_ ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE;
  const int rc = sqlite3_wal_checkpoint_v2(db_.raw(), nullptr, mode, nullptr, nullptr);
  log_size_ = 0;
  if (rc != SQLITE_OK) return;
  wal_frames_ = disk_seen_at_ = 0;
  // It synced the log before it wrote, and the file after that.
  broken_sync_ = false;
  unflushed_ = false;
}

// A sync of a file that has grown waits for the file system to note that, too (in its journal, in
// an inode), which may take as long as the pages themselves. So the log grows ahead, in a few
// steps, by zeros: for SQLite it ends before them. (Room that is only reserved would not do: that
// it has been written to is noted as well.) Where that fails it grows as it is used.
void SqliteStore::extend_log() {
  const std::int64_t whole = kLogHead + std::int64_t(options_.wal_pages) * kFrame;
  const std::int64_t used = kLogHead + std::int64_t(wal_frames_) * kFrame;
  const std::int64_t enough = std::min(used + kAhead, whole);
  if (log_size_ >= enough) return;
  sqlite3_file* const log = log_file();
  sqlite3_int64 size = 0;
  if (log == nullptr || log->pMethods->xFileSize(log, &size) != SQLITE_OK) return;
  log_size_ = size;
  if (log_size_ >= enough) return;
  std::int64_t at = log_size_;
  const std::int64_t to = std::min(std::max(at + std::min(at, kStepMost), enough + kAhead), whole);
  log_size_ = whole;  // whatever comes: not again before the log is written back
  if (disk_left() < 2 * options_.wal_pages * kPage) return;
  const std::vector<char> zeros(kZeros);
  while (at < to) {
    const int some = int(std::min<std::int64_t>(kZeros, to - at));
    if (log->pMethods->xWrite(log, zeros.data(), some, at) != SQLITE_OK) return;
    at += some;
  }
  log_size_ = to;
}

}  // namespace jobring::keeper
