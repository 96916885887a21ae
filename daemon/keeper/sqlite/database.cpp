#include "daemon/keeper/sqlite/database.hpp"

#include <mutex>

namespace jobring::keeper {
namespace {

Errc errc_of(int rc) {
  switch (rc & 0xff) {
    case SQLITE_FULL:
      return Errc::full;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return Errc::permission;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return Errc::bad_input;
    default:
      return Errc::system;
  }
}

const char* hint_of(int rc) {
  switch (rc & 0xff) {
    case SQLITE_FULL:
      return "make room on its file system";
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_CANTOPEN:
      return "its directory must be there and writable";
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return "restore a copy, or move the file away to start afresh";
    case SQLITE_BUSY:
      return "another process has it open";
    default:
      return "";
  }
}

}  // namespace

Error Database::error_of(int rc) {
  std::string what = "the store: ";
  what += raw_ != nullptr && sqlite3_extended_errcode(raw_) == rc ? sqlite3_errmsg(raw_)
                                                                  : sqlite3_errstr(rc);
  const int error = raw_ != nullptr ? sqlite3_system_errno(raw_) : 0;
  if ((rc & 0xff) == SQLITE_IOERR && error != 0)
    what += std::string(" (") + std::strerror(error) + ")";
  if ((rc & 0xff) == SQLITE_IOERR && (error == ENOSPC || error == EDQUOT)) rc = SQLITE_FULL;
  return {errc_of(rc), what, path_, hint_of(rc)};
}

Database::~Database() {
  if (raw_ != nullptr) sqlite3_close(raw_);
}

Result<void> Database::open(const std::string& path, const char* vfs) {
  static std::once_flag once;
  // One connection, one thread: no locks, and no counting of every allocation. Refused if somebody
  // in this process has used SQLite before, which only costs speed.
  std::call_once(once, [] { sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); });
  path_ = path;
  const int rc = sqlite3_open_v2(
      path.c_str(), &raw_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, vfs);
  if (rc != SQLITE_OK) return error_of(rc);
  sqlite3_extended_result_codes(raw_, 1);
  return {};
}

bool Database::exec(const char* sql) {
  if (!ok()) return false;
  const int rc = sqlite3_exec(raw_, sql, nullptr, nullptr, nullptr);
  if (rc != SQLITE_OK) fail(rc);
  return rc == SQLITE_OK;
}

std::int64_t Database::number(const char* sql, std::int64_t otherwise) {
  Statement statement;
  statement.prepare(*this, sql);
  if (!statement.step() || statement.is_null(0)) return otherwise;
  return statement.number(0);
}

void Database::fail(int rc) {
  if (!error_) error_ = error_of(rc);
}

void Database::damaged(std::string what) {
  if (!error_) error_ = Error{Errc::bad_input, std::move(what), path_, hint_of(SQLITE_CORRUPT)};
}

void Statement::prepare(Database& db, const char* sql) {
  db_ = &db;
  sqlite3_finalize(raw_);
  raw_ = nullptr;
  if (!db.ok()) return;
  const int rc = sqlite3_prepare_v3(db.raw(), sql, -1, SQLITE_PREPARE_PERSISTENT, &raw_, nullptr);
  if (rc != SQLITE_OK) db.fail(rc);
}

}  // namespace jobring::keeper
