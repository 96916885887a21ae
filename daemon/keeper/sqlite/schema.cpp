#include "daemon/keeper/sqlite/schema.hpp"

#include <string>

namespace jobring::keeper {
namespace {

// Columns have no types: names and keys are blobs. NULL stands for 0, because it takes no room.
constexpr Migration kVersion1 = R"sql(
-- next_job, real_ms, steady_ms, ageing
CREATE TABLE meta(key PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE pool(id INTEGER PRIMARY KEY, name UNIQUE NOT NULL, paused);
-- One row a job, but for those in packs. state: JobState, but what runs is ready here, and in
-- `running`.
-- due: delayed, failed: when; ended: when it may be forgotten. base: attempts that do not count
-- against its retries. spec: NULL for a member of an array. last: its last attempt and result.
CREATE TABLE job(id INTEGER PRIMARY KEY, state, pool, tries, due, prio, flags, base, unmet, grp,
                 spec, last);
-- Ready jobs of priority 0: k is pool << 48 | id.
CREATE TABLE ready(k INTEGER PRIMARY KEY);
-- Ready jobs of other priorities.
CREATE TABLE ranked(pool, rank, id, PRIMARY KEY(pool, rank, id)) WITHOUT ROWID;
-- Ready jobs that were looked at while as many of their key ran as may.
CREATE TABLE parked(key, pool, rank, id, PRIMARY KEY(key, pool, rank, id)) WITHOUT ROWID;
-- kind: 0 due by the real clock, 1 due by the steady clock, 2 deadline (real), which may be stale.
CREATE TABLE timer(kind, due, id, PRIMARY KEY(kind, due, id)) WITHOUT ROWID;
-- What runs, up to 64 jobs a row.
CREATE TABLE running(chunk INTEGER PRIMARY KEY, jobs);
-- Summaries of 1,024 jobs each: how many of which pool in which state; the earliest expiry.
CREATE TABLE zone(block INTEGER PRIMARY KEY, counts, expiry);
CREATE TABLE tag(tag, id, PRIMARY KEY(tag, id)) WITHOUT ROWID;
CREATE TABLE uniq(uid, key, id, until, PRIMARY KEY(uid, key)) WITHOUT ROWID;
CREATE INDEX uniq_until ON uniq(until) WHERE until IS NOT NULL;
-- child waits for parent, a job or a group; kind: After.
CREATE TABLE edge(parent, child, kind, PRIMARY KEY(parent, child)) WITHOUT ROWID;
-- Ended ones whose children have not all been told.
CREATE TABLE settled(parent INTEGER PRIMARY KEY, good);
CREATE TABLE grp(id INTEGER PRIMARY KEY, size, open, bad, kept, sealed, spec, first, step);
-- Long payloads and results: k is id << 1 | (0 payload, 1 result).
CREATE TABLE big(k INTEGER PRIMARY KEY, bytes);
-- Former attempts of jobs that were tried again.
CREATE TABLE attempt(id, n, record, PRIMARY KEY(id, n)) WITHOUT ROWID;
CREATE TABLE note(id INTEGER PRIMARY KEY, progress);
-- The last answer to each slot of a client's channel.
CREATE TABLE answer(session, slot, generation, bytes, PRIMARY KEY(session, slot)) WITHOUT ROWID;
CREATE TABLE cron(name PRIMARY KEY, schedule, next, last) WITHOUT ROWID;
)sql";

constexpr Migration kVersion2 = R"sql(
-- Plain jobs without rows of their own (packs.hpp). k: pool << 48 | the first id; live: 8 bytes, a
-- bit for each of the 64 ids from there that is still in it; grp: of all of them; specs: as packs.cpp
-- writes them, empty ones for members of arrays.
CREATE TABLE pack(k INTEGER PRIMARY KEY, live, grp, specs);
)sql";

constexpr Migration kVersion3 = R"sql(
-- What the last turns remembered (remember.cpp): here, with the next id at that time, or in a pack.
CREATE TABLE remembered(one INTEGER PRIMARY KEY, ids, record);
INSERT INTO remembered SELECT 1, 0, bytes FROM answer WHERE session = 0 AND slot = 0;
DROP TABLE answer;
ALTER TABLE pack ADD COLUMN record;
)sql";

constexpr Migration kMigrations[] = {kVersion1, kVersion2, kVersion3};

}  // namespace

std::span<const Migration> migrations() {
  return kMigrations;
}

Result<void> migrate(Database& db, std::span<const Migration> steps) {
  const auto failed = [&]() -> Result<void> { return *db.error(); };
  const std::int64_t application = db.number("PRAGMA application_id");
  const std::int64_t version = db.number("PRAGMA user_version");
  const std::int64_t tables = db.number("SELECT count(*) FROM sqlite_schema");
  if (!db.ok()) return failed();
  if (application != kApplicationId && tables != 0)
    return Error{Errc::bad_input, "this file belongs to another program", db.path(),
                 "give the keeper a file of its own"};
  const auto newest = std::int64_t(steps.size());
  if (version < 0) {
    db.damaged("the version of the store makes no sense");
    return failed();
  }
  if (version > newest)
    return Error{Errc::bad_input,
                 "the store has version " + std::to_string(version) +
                     ", this jobring knows up to " + std::to_string(newest),
                 db.path(), "use a jobring that is as new as the one that wrote it"};
  for (std::int64_t at = version; at < newest; ++at) {
    const std::string sql = "BEGIN IMMEDIATE;" + std::string(steps[std::size_t(at)]) +
                            ";PRAGMA user_version=" + std::to_string(at + 1) +
                            ";PRAGMA application_id=" + std::to_string(kApplicationId) + ";COMMIT;";
    if (!db.exec(sql.c_str())) {
      sqlite3_exec(db.raw(), "ROLLBACK", nullptr, nullptr, nullptr);
      return failed();
    }
  }
  return {};
}

}  // namespace jobring::keeper
