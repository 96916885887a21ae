// A disk that we command: SQLite's own file system, with every change of a file counted, recorded,
// refused, or taken as the moment to die.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace jobring::test {

struct DiskOp {
  enum class Kind { write, truncate, sync, erase } kind;
  std::string file;         // its name without the directory
  std::int64_t offset = 0;  // write; truncate: the new size
  std::string data;
};

// One for the whole process, as its name: give kShimVfs to SqliteOptions::vfs.
struct Shim {
  std::uint64_t ops = 0;  // changes so far
  bool recording = false;
  std::vector<DiskOp> recorded;
  // Called before each change; anything but 0 (SQLITE_OK) is returned instead of doing it.
  std::function<int(DiskOp::Kind)> before;
  // By so many bytes files may still grow before the disk is full; negative: there is no end.
  std::int64_t room = -1;

  void reset() { *this = {}; }
};
extern const char* const kShimVfs;
Shim& shim();  // registers it

// What is on disk after the power was cut behind the first `count` operations: of each file, what
// was synced, and of the rest some writes, whole, in part (sectors of 512 bytes) or not at all.
std::map<std::string, std::string> after_power_cut(const std::vector<DiskOp>& ops,
                                                   std::size_t count, std::mt19937_64& random);

}  // namespace jobring::test
