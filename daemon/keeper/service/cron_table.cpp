#include "daemon/keeper/service/cron_table.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace jobring::keeper {
namespace {

constexpr std::int64_t kMissed = 60'000;      // ms
constexpr std::int64_t kNow = 1;              // ms: a time that has come
constexpr std::uint32_t kCatchUpMax = 1'000;  // missed times that are made good, of one entry

}  // namespace

Result<std::unique_ptr<CronTable::Entry>> CronTable::make(std::string_view request,
                                                          std::uint32_t uid, std::int64_t now_ms) {
  auto entry = std::make_unique<Entry>();
  entry->bytes = request;
  auto decoded = decode_request(entry->bytes);
  if (!decoded) return decoded.error();
  if (decoded->op != Op::cron_put || decoded->jobs.size() != 1)
    return Error{Errc::bad_input, "a cron entry has one job", {}, {}};
  entry->times = decoded->cron;
  entry->times.uid = uid;
  entry->times.last_ms = 0;
  entry->job = decoded->jobs[0];
  auto rule = CronRule::make(entry->times.schedule, entry->times.zone);
  if (!rule) return rule.error();
  entry->rule = *rule;
  entry->times.next_ms = entry->rule.next(now_ms);
  return entry;
}

Result<void> CronTable::load(Store& store, std::vector<std::string>& troubles) {
  auto all = store.cron();
  if (!all) return all.error();
  entries_.clear();
  for (const CronEntry& stored : *all) {
    std::uint32_t uid = 0;
    std::from_chars(stored.name.data(), stored.name.data() + stored.name.size(), uid);
    auto entry = make(stored.schedule, uid, 0);
    if (!entry) {
      troubles.push_back("cron entry " + stored.name + ": " + entry.error().line());
      continue;
    }
    if ((*entry)->rule.at_boot()) {
      (*entry)->boot = stored.next_ms;
      (*entry)->times.next_ms = boot_ == 0 || stored.next_ms == boot_ ? 0 : kNow;
    } else {
      (*entry)->times.next_ms = stored.next_ms;
    }
    (*entry)->times.last_ms = stored.last_ms;
    entries_[stored.name] = std::move(*entry);
  }
  find_next();
  return {};
}

std::vector<CronJob> CronTable::list(const std::uint32_t* uid) const {
  std::vector<CronJob> all;
  for (const auto& [key, entry] : entries_)
    if (uid == nullptr || entry->times.uid == *uid) all.push_back({entry->times, entry->job});
  return all;
}

const CronTable::Entry* CronTable::find(std::uint32_t uid, std::string_view name) const {
  const auto found = entries_.find(key(uid, name));
  return found == entries_.end() ? nullptr : found->second.get();
}

std::uint32_t CronTable::owner(std::uint32_t uid, bool privileged, std::string_view name) const {
  if (!privileged || find(uid, name) != nullptr) return uid;
  std::uint32_t found = uid;
  int count = 0;
  for (const auto& [key, entry] : entries_) {
    if (entry->times.name != name) continue;
    found = entry->times.uid;
    ++count;
  }
  return count == 1 ? found : uid;
}

void CronTable::store_entry(Store& store, const std::string& key, const Entry& entry) {
  const std::int64_t next = entry.rule.at_boot() ? entry.boot : entry.times.next_ms;
  store.put_cron({key, entry.bytes, next, entry.times.last_ms});
}

void CronTable::put(Store& store, std::unique_ptr<Entry> entry) {
  const std::string name = key(entry->times.uid, entry->times.name);
  entry->boot = boot_;
  store_entry(store, name, *entry);
  entries_[name] = std::move(entry);
  find_next();
}

bool CronTable::remove(Store& store, std::uint32_t uid, std::string_view name) {
  const auto found = entries_.find(key(uid, name));
  if (found == entries_.end()) return false;
  store.remove_cron(found->first);
  entries_.erase(found);
  find_next();
  return true;
}

std::uint32_t CronTable::fire(Store& store, Clock clock) {
  std::uint32_t fired = 0;
  for (auto& [name, entry] : entries_) {
    CronTimes& t = entry->times;
    if (t.next_ms == 0 || t.next_ms > clock.real_ms) continue;
    const bool missed = !entry->rule.at_boot() && clock.real_ms - t.next_ms > kMissed;
    std::uint32_t times = 1;
    std::int64_t next = entry->rule.next(t.next_ms);
    if (missed && t.catch_up == CatchUp::skip) {
      times = 0;
    } else if (missed && t.catch_up == CatchUp::all) {
      while (next != 0 && next <= clock.real_ms && times < kCatchUpMax) {
        ++times;
        next = entry->rule.next(next);
      }
    }
    if (next != 0 && next <= clock.real_ms) next = entry->rule.next(clock.real_ms);
    const std::vector<JobSpec> jobs(times, entry->job);
    if (times > 0) {
      store.submit(jobs);
      t.last_ms = clock.real_ms;
    }
    t.next_ms = next;
    entry->boot = boot_;
    store_entry(store, name, *entry);
    fired += times;
  }
  find_next();
  return fired;
}

void CronTable::find_next() {
  next_ms_ = 0;
  for (const auto& [name, entry] : entries_) {
    const std::int64_t at = entry->times.next_ms;
    if (at != 0 && (next_ms_ == 0 || at < next_ms_)) next_ms_ = at;
  }
}

void CronTable::set_back(std::int64_t real_ms) {
  for (auto& [name, entry] : entries_)
    if (!entry->rule.at_boot()) entry->times.next_ms = entry->rule.next(real_ms);
  find_next();
}

}  // namespace jobring::keeper
