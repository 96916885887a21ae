// The cron entries: each fires by submitting its job, in the turn that notes its next time, so it
// fires once.
//
// In the store an entry is called "<uid>/<name>", and its opaque schedule is the request that made
// it. A time counts as missed if it was more than a minute ago when it is looked at: no keeper ran,
// or the real clock was set forward. If the real clock is set back by more than three hours, next
// times are worked out anew; by less, nothing runs again that has run.
//
// An entry @reboot fires when it is looked at in another start of the machine than the one that it
// was made in or has fired in. The store has this instead of its next time.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/keeper/messages.hpp"
#include "daemon/keeper/service/cron.hpp"
#include "daemon/keeper/store.hpp"

namespace jobring::keeper {

class CronTable {
 public:
  // `boot`: which start of the machine this is, KeeperOptions::boot.
  explicit CronTable(std::int64_t boot) : boot_(boot) {}

  // As it is in the store; entries that make no sense (any more) are left out and told.
  Result<void> load(Store& store, std::vector<std::string>& troubles);

  struct Entry {
    std::string bytes;  // the request; what the views of `times` and `job` look at
    CronTimes times;    // next_ms, last_ms and uid are current
    JobSpec job;
    std::uint32_t gid = 0;
    CronRule rule;
    std::int64_t boot = 0;  // at_boot(): the last in which it has nothing more to do
  };
  // Of one uid, or of all. Views into the table: until the next change.
  std::vector<CronJob> list(const std::uint32_t* uid) const;
  const Entry* find(std::uint32_t uid, std::string_view name) const;
  // Whose entry of that name is meant: the caller's; of who may touch all, the only one, if he has
  // none himself.
  std::uint32_t owner(std::uint32_t uid, bool privileged, std::string_view name) const;
  static std::string key(std::uint32_t uid, std::string_view name) {
    return std::to_string(uid) + '/' + std::string(name);
  }
  // The entry that the request asks for, not yet in the table. Errc::bad_input with a line.
  static Result<std::unique_ptr<Entry>> make(std::string_view request, std::uint32_t uid,
                                             std::int64_t now_ms);

  // ---- in a turn; if it is not kept, load() again
  void put(Store& store, std::unique_ptr<Entry> entry);
  bool remove(Store& store, std::uint32_t uid, std::string_view name);
  // Submits what is due. How many jobs.
  std::uint32_t fire(Store& store, Clock clock);

  std::size_t size() const { return entries_.size(); }
  // The next moment at which something fires, real; 0: never.
  std::int64_t next_ms() const { return next_ms_; }
  bool due(std::int64_t real_ms) const { return next_ms_ != 0 && next_ms_ <= real_ms; }
  // The real clock was set back.
  void set_back(std::int64_t real_ms);

 private:
  static void store_entry(Store& store, const std::string& key, const Entry& entry);
  void find_next();

  std::map<std::string, std::unique_ptr<Entry>> entries_;  // by key
  std::int64_t next_ms_ = 0;
  const std::int64_t boot_;
};

}  // namespace jobring::keeper
