// Opening: the file, its version, the statements, and the little that is kept in memory.
#include <sys/stat.h>

#include <algorithm>

#include "daemon/keeper/sqlite/engine.hpp"
#include "daemon/keeper/sqlite/schema.hpp"

namespace jobring::keeper {

Result<std::unique_ptr<Store>> open_sqlite_store(const SqliteOptions& options) {
  auto store = std::make_unique<SqliteStore>(options);
  if (auto opened = store->open(); !opened) return opened.error();
  return std::unique_ptr<Store>(std::move(store));
}

SqliteStore::~SqliteStore() {
  if (in_turn_) abandon();
}

Result<void> SqliteStore::open() {
  // What is in it belongs to its users.
  const mode_t old_mask = umask(0077);
  auto opened = db_.open(options_.path, options_.vfs);
  if (opened) {
    db_.exec("PRAGMA locking_mode=EXCLUSIVE");
    // The first thing that reads the file. An exclusive lock is taken now, and the index of the
    // write-ahead log stays in our own memory.
    db_.exec("PRAGMA journal_mode=WAL");
    db_.exec("PRAGMA synchronous=FULL");
    db_.exec("BEGIN IMMEDIATE; COMMIT");
    db_.exec(("PRAGMA cache_size=-" + std::to_string(options_.cache_kib)).c_str());
    db_.exec("PRAGMA wal_autocheckpoint=0");
    db_.exec("PRAGMA temp_store=MEMORY");
    db_.exec(
        ("PRAGMA journal_size_limit=" + std::to_string(std::int64_t(options_.wal_pages) * 8192))
            .c_str());
    if (db_.ok()) opened = migrate(db_, migrations());
  }
  umask(old_mask);
  if (!opened) return opened;
  if (!db_.ok()) return *db_.error();
  sqlite3_wal_hook(
      db_.raw(),
      [](void* self, sqlite3*, const char*, int frames) {
        static_cast<SqliteStore*>(self)->wal_frames_ = frames;
        return SQLITE_OK;
      },
      this);
  prepare();
  if (!load()) return *db_.error();
  rerank();
  if (!db_.ok()) return *db_.error();
  // What a killed process has written and not synced stands in the log and counts from now on:
  // jobs that are acknowledged next, if only to those who ask for them again.
  unflushed_ = true;
  return flush();
}

#define JOB_COLUMNS "id, state, pool, tries, due, prio, flags, base, unmet, grp, spec, last"

void SqliteStore::prepare() {
  zones_.prepare(db_);
  in_flight_.prepare(db_);
  packs_.prepare(db_);
  const auto p = [&](Statement& s, const char* sql) { s.prepare(db_, sql); };
  p(begin_, "BEGIN IMMEDIATE");
  p(commit_, "COMMIT");
  p(insert_, "INSERT INTO job(" JOB_COLUMNS ") VALUES(?,?,?,?,?,?,?,?,?,?,?,?)");
  p(get_row_, "SELECT " JOB_COLUMNS " FROM job WHERE id = ?");
  p(save_,
    "UPDATE job SET state=?, pool=?, tries=?, due=?, prio=?, flags=?, base=?, unmet=? "
    "WHERE id=?");
  p(save_end_, "UPDATE job SET state=?, tries=?, due=?, flags=?, unmet=NULL, last=? WHERE id=?");
  p(drop_job_, "DELETE FROM job WHERE id = ?");
  p(put_ready_, "INSERT OR IGNORE INTO ready(k) VALUES(?)");
  p(drop_ready_, "DELETE FROM ready WHERE k = ?");
  p(put_ranked_, "INSERT OR IGNORE INTO ranked(pool, rank, id) VALUES(?,?,?)");
  p(drop_ranked_, "DELETE FROM ranked WHERE pool=? AND rank=? AND id=?");
  p(put_parked_, "INSERT INTO parked(key, pool, rank, id) VALUES(?,?,?,?)");
  p(drop_parked_, "DELETE FROM parked WHERE key=? AND pool=? AND rank=? AND id=?");
  p(find_parked_, "SELECT id FROM parked WHERE key=? AND pool=? ORDER BY rank, id LIMIT 1");
  p(parked_pools_, "SELECT pool FROM parked WHERE key=? AND pool>? ORDER BY pool LIMIT 1");
  p(put_timer_, "INSERT OR IGNORE INTO timer(kind, due, id) VALUES(?,?,?)");
  p(drop_timer_, "DELETE FROM timer WHERE kind=? AND due=? AND id=?");
  p(due_, "SELECT due, id FROM timer WHERE kind=? AND due<=? ORDER BY due, id LIMIT ?");
  p(next_timer_, "SELECT min(due) FROM timer WHERE kind=?");
  p(put_big_, "INSERT OR REPLACE INTO big(k, bytes) VALUES(?,?)");
  p(get_big_, "SELECT bytes FROM big WHERE k=?");
  p(drop_big_, "DELETE FROM big WHERE k=?");
  p(get_group_, "SELECT size, open, bad, kept, sealed, first, step, spec FROM grp WHERE id=?");
  p(get_group_spec_, "SELECT spec FROM grp WHERE id=?");
  p(put_group_,
    "INSERT INTO grp(id, size, open, bad, kept, sealed, first, step) VALUES(?,?,?,?,?,?,?,?) "
    "ON CONFLICT(id) DO UPDATE SET size=excluded.size, open=excluded.open, bad=excluded.bad, "
    "kept=excluded.kept, sealed=excluded.sealed");
  p(drop_group_, "DELETE FROM grp WHERE id=?");
  p(put_pool_, "INSERT INTO pool(id, name, paused) VALUES(?,?,0)");
  p(set_paused_, "UPDATE pool SET paused=? WHERE id=?");
  p(set_meta_, "INSERT OR REPLACE INTO meta(key, value) VALUES(CAST(? AS TEXT),?)");
  p(put_tag_, "INSERT OR IGNORE INTO tag(tag, id) VALUES(?,?)");
  p(drop_tag_, "DELETE FROM tag WHERE tag=? AND id=?");
  p(get_unique_, "SELECT id, until FROM uniq WHERE uid=? AND key=?");
  p(put_unique_, "INSERT OR REPLACE INTO uniq(uid, key, id, until) VALUES(?,?,?,?)");
  p(keep_unique_, "INSERT OR IGNORE INTO uniq(uid, key, id) VALUES(?,?,?)");
  p(old_uniques_, "SELECT uid, key, id FROM uniq WHERE until <= ? AND until IS NOT NULL LIMIT ?");
  p(clear_last_, "UPDATE job SET last=NULL WHERE id=?");
  p(drop_unique_, "DELETE FROM uniq WHERE uid=? AND key=? AND id=?");
  p(put_edge_, "INSERT OR IGNORE INTO edge(parent, child, kind) VALUES(?,?,?)");
  p(has_edge_, "SELECT 1 FROM edge WHERE parent=? LIMIT 1");
  p(edges_of_, "SELECT child, kind FROM edge WHERE parent=? ORDER BY child LIMIT ?");
  p(parents_of_, "SELECT 1 FROM edge WHERE parent=? AND child=?");
  p(drop_edge_, "DELETE FROM edge WHERE parent=? AND child=?");
  p(put_settled_, "INSERT OR REPLACE INTO settled(parent, good) VALUES(?,?)");
  p(first_settled_, "SELECT parent, good FROM settled ORDER BY parent LIMIT 1");
  p(drop_settled_, "DELETE FROM settled WHERE parent=?");
  p(take_ready_,
    "SELECT j.id, j.state, j.pool, j.tries, j.due, j.prio, j.flags, j.base, j.unmet, j.grp, j.spec "
    "FROM ready r CROSS JOIN job j ON j.id = r.k - ?1 WHERE r.k BETWEEN ?1 AND ?2 ORDER BY r.k");
  p(take_ranked_,
    "SELECT j.id, j.state, j.pool, j.tries, j.due, j.prio, j.flags, j.base, j.unmet, j.grp, j.spec "
    "FROM ranked r CROSS JOIN job j ON j.id = r.id WHERE r.pool = ? ORDER BY r.rank, r.id");
  p(take_drop_ready_, "DELETE FROM ready WHERE k BETWEEN ? AND ?");
  p(take_drop_ranked_, "DELETE FROM ranked WHERE pool=? AND (rank, id) <= (?, ?)");
  p(put_attempt_, "INSERT OR REPLACE INTO attempt(id, n, record) VALUES(?,?,?)");
  p(get_attempts_, "SELECT record FROM attempt WHERE id=? ORDER BY n");
  p(drop_attempts_, "DELETE FROM attempt WHERE id=?");
  p(trim_attempts_, "DELETE FROM attempt WHERE id=? AND n<=?");
  p(put_note_, "INSERT OR REPLACE INTO note(id, progress) VALUES(?,?)");
  p(get_note_, "SELECT progress FROM note WHERE id=?");
  p(drop_note_, "DELETE FROM note WHERE id=?");
  p(scan_up_, "SELECT " JOB_COLUMNS " FROM job WHERE id BETWEEN ? AND ? ORDER BY id");
  p(scan_down_, "SELECT " JOB_COLUMNS " FROM job WHERE id BETWEEN ? AND ? ORDER BY id DESC");
#define TAGGED                                                                                \
  "SELECT j.id, j.state, j.pool, j.tries, j.due, j.prio, j.flags, j.base, j.unmet, j.grp, "   \
  "j.spec, j.last FROM tag t CROSS JOIN job j ON j.id = t.id WHERE t.id BETWEEN ? AND ? AND " \
  "t.tag = ? ORDER BY t.id"
  p(tag_up_, TAGGED);
  p(tag_down_, TAGGED " DESC");
#undef TAGGED
  p(zones_up_, "SELECT block, counts FROM zone WHERE block BETWEEN ? AND ? ORDER BY block");
  p(zones_down_, "SELECT block, counts FROM zone WHERE block BETWEEN ? AND ? ORDER BY block DESC");
  p(zones_due_, "SELECT block FROM zone WHERE expiry <= ? ORDER BY block LIMIT 1");
  p(put_cron_, "INSERT OR REPLACE INTO cron(name, schedule, next, last) VALUES(?,?,?,?)");
  p(put_record_, "INSERT OR REPLACE INTO remembered(one, ids, record) VALUES(1,?,?)");
  p(get_record_, "SELECT ids, record FROM remembered");
  p(drop_cron_, "DELETE FROM cron WHERE name=?");
}

// Brings the memory to what the file says.
bool SqliteStore::load() {
  groups_.clear();
  key_use_.clear();
  pools_by_name_.clear();
  group_spec_of_ = 0;
  pools_.assign(1, {});
  Statement pools;
  pools.prepare(db_, "SELECT id, name, paused FROM pool ORDER BY id");
  while (pools.step()) {
    if (pools.number(0) != std::int64_t(pools_.size())) {
      db_.damaged("the numbers of the pools make no sense");
      break;
    }
    const std::string name(pools.bytes(1));
    pools_by_name_.emplace(name, std::uint32_t(pools_.size()));
    pools_.push_back({name, pools.number(2) != 0});
  }
  packs_.load(std::uint32_t(pools_.size() - 1));
  in_flight_.load(db_);
  in_flight_.each([&](InFlight::Entry& entry) { load_entry(entry); });
  next_job_ = JobId(std::max({db_.number("SELECT value FROM meta WHERE key = 'next_job'", 1),
                              db_.number("SELECT max(id) FROM job") + 1,
                              db_.number("SELECT max(id) FROM grp") + 1}));
  Pack pack;
  for (std::uint32_t pool = 1; pool < pools_.size(); ++pool)
    if (packs_.last(pool, 1, kJobIdMax, pack)) next_job_ = std::max(next_job_, pack.last() + 1);
  next_job_dirty_ = false;
  zones_.load(db_, next_job_);
  // Of the last block, in packs.
  const auto open = JobId(zones_.last_block()) << Zones::kShift;
  for (std::uint32_t pool = 1; pool < pools_.size(); ++pool)
    for (JobId from = open; packs_.first(pool, from, kJobIdMax, pack); from = pack.last() + 1)
      for (std::uint64_t left = pack.live; left != 0; left &= left - 1)
        zones_.add(pack.first + JobId(std::countr_zero(left)), pool, JobState::ready, 1);
  kept_clock_.real_ms = db_.number("SELECT value FROM meta WHERE key = 'real_ms'");
  kept_clock_.steady_ms = db_.number("SELECT value FROM meta WHERE key = 'steady_ms'");
  any_edges_ =
      db_.number("SELECT EXISTS(SELECT 1 FROM edge) OR EXISTS(SELECT 1 FROM settled)") != 0;
  any_ranked_ = db_.number("SELECT EXISTS(SELECT 1 FROM ranked)") != 0;
  any_parked_ = db_.number("SELECT EXISTS(SELECT 1 FROM parked)") != 0;
  stale_ = !db_.ok();
  return db_.ok();
}

void SqliteStore::load_entry(InFlight::Entry& entry) {
  Row row;
  scratch_ = {};
  if (!load_row(entry.id, row) || row.state != JobState::ready || !spec_of(row, scratch_))
    return db_.damaged("job " + std::to_string(entry.id) + " runs, but is not there");
  if (row.has(kPacked)) entry.pack = packs_.run(entry.id);
  entry.pool = row.pool;
  entry.flags = row.flags;
  entry.base = row.base;
  entry.priority = row.priority;
  entry.group = row.group;
  entry.keep_ms = scratch_.keep_ms;
  if (row.has(kKeyed)) ++key_use_[entry.key = key_of(scratch_)];
}

// The order of what waits was written with another ageing: write it anew.
void SqliteStore::rerank() {
  if (!db_.ok()) return;
  options_.ageing = std::clamp<std::int64_t>(options_.ageing, 1, kAgeingMax);
  const std::int64_t before = db_.number("SELECT value FROM meta WHERE key = 'ageing'");
  if (before == options_.ageing || !db_.ok()) return;
  db_.exec("BEGIN IMMEDIATE");
  const std::string ageing = std::to_string(options_.ageing);
  for (const char* table : {"ranked", "parked"}) {
    const std::string key = *table == 'p' ? "key, " : "";
    const std::string name = table;
    db_.exec(("CREATE TEMP TABLE anew AS SELECT t.*, j.prio AS p FROM " + name +
              " t JOIN job j ON j.id = t.id; DELETE FROM " + name + "; INSERT INTO " + name + "(" +
              key + "pool, rank, id) SELECT " + key + "pool, id - coalesce(p, 0) * " + ageing +
              ", id FROM anew; DROP TABLE anew")
                 .c_str());
  }
  set_meta_.bind(1, "ageing").bind(2, options_.ageing).run();
  if (!db_.exec("COMMIT")) sqlite3_exec(db_.raw(), "ROLLBACK", nullptr, nullptr, nullptr);
}

}  // namespace jobring::keeper
