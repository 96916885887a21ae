// The jobs that run: in memory, because they are few (the windows of all pools), and on disk in
// rows of up to 64, so that taking or ending a thousand jobs writes 16 small rows instead of a
// thousand.
//
// Each job has a place; places 64 n ... 64 n + 63 are row n. Only rows that changed are written.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/keeper/job.hpp"
#include "daemon/keeper/sqlite/database.hpp"

namespace jobring::keeper {

struct Pack;

class InFlight {
 public:
  struct Entry {
    JobId id = 0;  // 0: the place is free
    std::uint32_t attempt = 0;
    std::int64_t taken_ms = 0;  // real
    bool stop = false;
    // From its row, not stored again.
    std::uint32_t pool = 0, flags = 0, base = 0;
    std::int32_t priority = 0;
    JobId group = 0;
    Pack* pack = nullptr;  // it is in
    std::uint64_t keep_ms = kKeepDefault;
    std::string key{};  // of concurrency
  };

  void prepare(Database& db);
  // Reads what is on disk; only the stored part of the entries.
  void load(Database& db);
  Entry& add(JobId id);
  Entry* find(JobId id);
  void erase(JobId id);
  void changed(JobId id);
  // Writes the rows that changed.
  void store();

  std::size_t size() const { return places_by_id_.size(); }
  template <class F>
  void each(F f) {
    for (Entry& e : entries_)
      if (e.id != 0) f(e);
  }
  template <class F>
  void each(F f) const {
    for (const Entry& e : entries_)
      if (e.id != 0) f(e);
  }

 private:
  static constexpr std::size_t kChunk = 64;
  void touch(std::size_t place);

  std::vector<Entry> entries_;  // by place
  std::vector<std::uint32_t> free_;
  std::unordered_map<JobId, std::uint32_t> places_by_id_;
  std::vector<bool> touched_;  // by chunk
  std::vector<std::uint32_t> touched_list_;
  Statement put_, drop_;
  std::string buffer_;
};

}  // namespace jobring::keeper
