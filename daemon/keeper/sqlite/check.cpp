// Whether the store is as engine.hpp says: SQLite's own check, then ours.
#include <algorithm>
#include <map>
#include <set>

#include "daemon/keeper/sqlite/engine.hpp"

namespace jobring::keeper {

// Those that no row tells of. `count`: of each live job.
void SqliteStore::check_packs(const std::function<void(std::string)>& say,
                              const std::function<void(const Row&)>& count) {
  Statement rows, row;
  rows.prepare(db_, "SELECT DISTINCT k >> 48 FROM pack");
  row.prepare(db_, "SELECT 1 FROM job WHERE id=?");
  while (rows.step())
    if (rows.number(0) < 1 || rows.number(0) >= std::int64_t(pools_.size()))
      say("a pack names no pool");
  std::set<JobId> seen;
  for (std::uint32_t pool = 1; pool < pools_.size(); ++pool) {
    Pack pack;
    JobId last = 0;
    for (JobId from = 1; packs_.first(pool, from, kJobIdMax, pack); from = pack.last() + 1) {
      const std::string name = "the pack at job " + std::to_string(pack.first);
      if (pack.first <= last) say(name + " covers jobs of the one before");
      last = pack.last();
      if (last >= next_job_) say(name + " has jobs to come");
      for (std::uint64_t left = pack.live; left != 0; left &= left - 1) {
        const JobId id = pack.first + JobId(std::countr_zero(left));
        JobSpec spec;
        const Row job = packed_row(pack, id);
        if (!decode(job, spec_bytes(job, pack.spec(id)), spec, nullptr)) {
          db_.forgive();
          say("job " + std::to_string(id) + " makes no sense");
        }
        row.bind(1, std::int64_t(id));
        if (row.step()) {
          row.reset();
          say("job " + std::to_string(id) + " is in a pack and has a row");
        }
        if (!seen.insert(id).second) say("job " + std::to_string(id) + " is in two packs");
        count(job);
      }
    }
  }
  if (!db_.ok()) {
    say(db_.error()->what);
    db_.forgive();
  }
}

Result<std::vector<std::string>> SqliteStore::check() {
  std::vector<std::string> wrong;
  if (in_turn_) return Error{Errc::internal, "the store: check within a turn", {}, {}};
  const auto say = [&](std::string what) {
    if (wrong.size() < 100) wrong.push_back(std::move(what));
  };
  const auto none = [&](const char* sql, const char* what) {
    Statement s;
    s.prepare(db_, sql);
    while (s.step()) say(what + std::string(": ") + std::to_string(s.number(0)));
  };
  Statement integrity;
  integrity.prepare(db_, "PRAGMA integrity_check(20)");
  while (integrity.step())
    if (integrity.bytes(0) != "ok") say(std::string(integrity.bytes(0)));

  // All rows, once.
  std::map<std::int64_t, std::map<std::pair<std::uint32_t, int>, std::int64_t>> blocks;
  Statement all;
  all.prepare(db_,
              "SELECT j.id, j.state, j.pool, j.tries, j.due, j.prio, j.flags, j.base, j.unmet, "
              "j.grp, j.spec, j.last, "
              "EXISTS(SELECT 1 FROM ready r WHERE r.k = (j.pool << 48 | j.id)), "
              "(SELECT count(*) FROM edge e WHERE e.child = j.id) FROM job j ORDER BY j.id");
  Statement ranked, timer, parked;
  ranked.prepare(db_, "SELECT 1 FROM ranked WHERE pool=? AND rank=? AND id=?");
  timer.prepare(db_, "SELECT 1 FROM timer WHERE kind=? AND due=? AND id=?");
  parked.prepare(db_, "SELECT 1 FROM parked WHERE key=? AND pool=? AND rank=? AND id=?");
  const auto there = [](Statement& s) {
    const bool yes = s.step();
    if (yes) s.reset();
    return yes;
  };
  std::set<std::pair<std::string, std::uint32_t>> reachable, waiting;  // concurrency keys
  groups_.clear();
  while (all.step() && db_.ok()) {
    const Row row = row_of(all);
    const std::string name = "job " + std::to_string(row.id);
    if (row.pool == 0 || row.pool >= pools_.size()) {
      say(name + " names no pool");
      continue;
    }
    ++blocks[Zones::block(row.id)][{row.pool, int(row.state)}];
    JobSpec spec;
    if (row.state == JobState::running ||
        !decode(row, spec_bytes(row, all.bytes(kSpecColumn)), spec, nullptr)) {
      db_.forgive();
      say(name + " makes no sense");
      continue;
    }
    const bool runs = in_flight_.find(row.id) != nullptr;
    const auto place = rank(row.id, row.priority, options_.ageing);
    ranked.bind(1, row.pool).bind(2, place).bind(3, std::int64_t(row.id));
    bool is_parked = false;
    if (row.has(kKeyed)) {
      const std::string key = key_of(spec);
      parked.bind(1, key).bind(2, row.pool).bind(3, place).bind(4, std::int64_t(row.id));
      is_parked = there(parked);
      if (is_parked)
        waiting.emplace(key, row.pool);
      else if (row.state == JobState::ready && !runs)
        reachable.emplace(key, row.pool);
    }
    const int places = int(all.number(12)) + int(there(ranked)) + int(is_parked);
    if (places != (row.state == JobState::ready && !runs ? 1 : 0))
      say(name + " stands in " + std::to_string(places) + " orders, as " + to_string(row.state));
    if (is_parked != row.has(kParked)) say(name + " does not know whether it is parked");
    if ((row.state == JobState::delayed || row.state == JobState::failed) && row.due != 0) {
      timer.bind(1, row.has(kRealDue) ? kDueReal : kDueSteady).bind(2, row.due);
      if (!there(timer.bind(3, std::int64_t(row.id))))
        say(name + " waits for a time without a timer");
    }
    const bool waits = row.state == JobState::delayed || row.state == JobState::failed;
    if (waits && row.due == 0 && row.unmet == 0) say(name + " waits for nothing");
    if (row.unmet > all.number(13)) say(name + " waits for more jobs than tell it");
    if (is_ended(row.state) && row.due <= 0) say(name + " has ended and will never be forgotten");
  }
  std::map<JobId, std::int64_t> packed;  // by group
  std::set<JobId> long_payloads;         // in packs
  check_packs(say, [&](const Row& job) {
    ++blocks[Zones::block(job.id)][{job.pool, int(JobState::ready)}];
    if (job.group != 0) ++packed[job.group];
    if (job.has(kBigPayload)) long_payloads.insert(job.id);
  });
  Statement zones;
  zones.prepare(db_, "SELECT block, counts FROM zone");
  std::vector<ZoneCount> counts;
  while (zones.step()) {
    const std::int64_t block = zones.number(0);
    auto& real = blocks[block];
    if (!decode_zone(zones.bytes(1), counts)) say("a summary makes no sense");
    for (const ZoneCount& c : counts) real[{c.pool, int(c.state)}] -= c.jobs;
  }
  for (const ZoneCount& c : zones_.last_counts())
    blocks[zones_.last_block()][{c.pool, int(c.state)}] -= c.jobs;
  for (const auto& [block, real] : blocks)
    for (const auto& [what, jobs] : real)
      if (jobs != 0) say("the summary of block " + std::to_string(block) + " counts wrong");
  for (const auto& [key, pool] : waiting)
    if (!key_use_.contains(key) && !reachable.contains({key, pool}))
      say("nobody will fetch the jobs parked for the key " + key);
  in_flight_.each([&](const InFlight::Entry& e) {
    Row row;
    if (!load_row(e.id, row)) say("job " + std::to_string(e.id) + " runs and is not there");
  });
  none("SELECT id FROM tag WHERE id NOT IN (SELECT id FROM job)",
       "a tag of a job that is not there");
  none("SELECT id FROM ranked WHERE id NOT IN (SELECT id FROM job)", "an order has no such job");
  none(
      "SELECT k & 281474976710655 FROM ready WHERE k & 281474976710655 NOT IN (SELECT id FROM job)",
      "an order has no such job");
  none("SELECT id FROM parked WHERE id NOT IN (SELECT id FROM job)", "an order has no such job");
  none("SELECT id FROM attempt WHERE id NOT IN (SELECT id FROM job)", "an attempt of no job");
  none("SELECT id FROM note WHERE id NOT IN (SELECT id FROM job)", "progress of no job");
  Statement parts;
  parts.prepare(db_,
                "SELECT k >> 1, k & 1 FROM big WHERE k >> 1 NOT IN (SELECT id FROM job) AND k >> 1 "
                "NOT IN (SELECT id FROM grp)");
  while (parts.step())
    if (parts.number(1) != 0 || long_payloads.erase(JobId(parts.number(0))) == 0)
      say("a long payload or result of no job: " + std::to_string(parts.number(0)));
  for (const JobId id : long_payloads)
    say("the payload of a job is missing: " + std::to_string(id));
  none("SELECT grp FROM job WHERE grp IS NOT NULL AND grp NOT IN (SELECT id FROM grp)",
       "a group that is not there");
  Statement groups;
  groups.prepare(
      db_,
      "SELECT g.id, g.kept - (SELECT count(*) FROM job j WHERE j.grp = g.id), g.open - (SELECT "
      "count(*) FROM job j WHERE j.grp = g.id AND j.state NOT IN (3, 5, 6)) FROM grp g");
  while (groups.step()) {
    const auto id = JobId(groups.number(0));
    const std::int64_t waiting = packed.contains(id) ? packed[id] : 0;
    packed.erase(id);
    if (groups.number(1) != waiting || groups.number(2) != waiting)
      say("a group that counts its members wrong: " + std::to_string(id));
  }
  for (const auto& [id, jobs] : packed) say("a group that is not there: " + std::to_string(id));
  return reading(std::move(wrong));
}

}  // namespace jobring::keeper
