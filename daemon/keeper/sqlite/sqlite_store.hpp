// The embedded engine of the store: one SQLite file in WAL mode, one connection.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "common/result.hpp"
#include "daemon/keeper/order.hpp"
#include "daemon/keeper/store.hpp"

namespace jobring::keeper {

struct SqliteOptions {
  std::string path{};
  std::int64_t ageing = kAgeingDefault;           // jobs, 1 to kAgeingMax
  std::uint64_t keep_ms = 7ull * 24 * 3'600'000;  // ended jobs that say nothing else
  std::uint32_t cache_kib = 16 * 1024;            // of pages
  std::uint32_t wal_pages = 4'000;                // written back to the file when there are more
  // For tests: a registered SQLite VFS, and the bytes that its disk has left.
  const char* vfs = nullptr;
  std::uint64_t (*disk_left)() = nullptr;
};

// Makes the file if there is none. Refused with one line: a file of a newer version, of another
// program, damaged, in use by another process, or where nothing can be written. Jobs that ran when
// the last keeper died are in running().
Result<std::unique_ptr<Store>> open_sqlite_store(const SqliteOptions& options);

}  // namespace jobring::keeper
