// SQLite as the engine uses it: one connection, prepared statements, one error that sticks.
//
// The first failure of a statement is remembered; from then on all statements do nothing and find
// nothing, until forgive(). So a turn is a straight line of code, and its end looks once.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/result.hpp"

namespace jobring::keeper {

class Database {
 public:
  Database() = default;
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // `vfs`: null for the system's own.
  Result<void> open(const std::string& path, const char* vfs);
  bool exec(const char* sql);                                        // false: failed
  std::int64_t number(const char* sql, std::int64_t otherwise = 0);  // of the first row

  bool ok() const { return !error_; }
  const std::optional<Error>& error() const { return error_; }
  void forgive() { error_.reset(); }
  // Remembers what SQLite says of `rc`, unless there is an error already.
  void fail(int rc);
  // What is in the file makes no sense to us.
  void damaged(std::string what);

  sqlite3* raw() { return raw_; }
  const std::string& path() const { return path_; }
  Error error_of(int rc);

 private:
  sqlite3* raw_ = nullptr;
  std::string path_;
  std::optional<Error> error_;
};

class Statement {
 public:
  Statement() = default;
  ~Statement() { sqlite3_finalize(raw_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  void prepare(Database& db, const char* sql);

  // Parameters are numbered from 1. Texts must outlive the step.
  Statement& bind(int at, std::int64_t value) {
    sqlite3_bind_int64(raw_, at, value);
    return *this;
  }
  // 0 is kept as NULL, which takes no room.
  Statement& bind_sparse(int at, std::int64_t value) {
    value == 0 ? sqlite3_bind_null(raw_, at) : sqlite3_bind_int64(raw_, at, value);
    return *this;
  }
  Statement& bind(int at, std::string_view bytes) {
    sqlite3_bind_blob64(raw_, at, bytes.data() != nullptr ? bytes.data() : "", bytes.size(),
                        SQLITE_STATIC);
    return *this;
  }
  Statement& bind_null(int at) {
    sqlite3_bind_null(raw_, at);
    return *this;
  }

  // True: there is a row. A statement that has no more rows is ready to be used again.
  bool step() {
    if (!db_->ok()) return false;
    const int rc = sqlite3_step(raw_);
    if (rc == SQLITE_ROW) return true;
    sqlite3_reset(raw_);
    if (rc != SQLITE_DONE) db_->fail(rc);
    return false;
  }
  void run() {
    if (step()) reset();
  }
  void reset() { sqlite3_reset(raw_); }

  std::int64_t number(int column) { return sqlite3_column_int64(raw_, column); }
  bool is_null(int column) { return sqlite3_column_type(raw_, column) == SQLITE_NULL; }
  // Valid until the next step or reset.
  std::string_view bytes(int column) {
    const void* data = sqlite3_column_blob(raw_, column);
    return {static_cast<const char*>(data), std::size_t(sqlite3_column_bytes(raw_, column))};
  }

 private:
  Database* db_ = nullptr;
  sqlite3_stmt* raw_ = nullptr;
};

// Resets a statement whose rows were not all read.
class Rows {
 public:
  explicit Rows(Statement& statement) : statement_(statement) {}
  ~Rows() { statement_.reset(); }
  Rows(const Rows&) = delete;
  Rows& operator=(const Rows&) = delete;

 private:
  Statement& statement_;
};

}  // namespace jobring::keeper
