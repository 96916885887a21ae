// Reading: one job with all there is to it, groups, counts, cron.
#include <algorithm>
#include <utility>

#include "daemon/keeper/sqlite/engine.hpp"

namespace jobring::keeper {
namespace {

std::string_view keep(JobView& view, std::string_view bytes) {
  view.bytes.emplace_back(bytes.begin(), bytes.end());
  return {view.bytes.back().data(), view.bytes.back().size()};
}

}  // namespace

// An error of a statement that only read is no reason to refuse the next one.
template <class T>
Result<T> SqliteStore::reading(T value) {
  if (db_.ok()) return value;
  const Error error = *db_.error();
  if (!in_turn_) db_.forgive();
  return error;
}
template Result<ListPage> SqliteStore::reading(ListPage);
template Result<std::vector<JobId>> SqliteStore::reading(std::vector<JobId>);
template Result<Clock> SqliteStore::reading(Clock);
template Result<std::string> SqliteStore::reading(std::string);
template Result<std::int64_t> SqliteStore::reading(std::int64_t);
template Result<std::vector<std::string>> SqliteStore::reading(std::vector<std::string>);

JobView SqliteStore::view_of(const Found& job) {
  const Row& row = job.row;
  JobView view;
  view.id = row.id;
  view.state = row.state;
  view.attempts = row.tries;
  view.unmet = row.unmet;
  if (!is_ended(row.state)) {
    view.due_ms = row.due;
    view.due_is_real = row.due != 0 && row.has(kRealDue);
  }
  if (const InFlight::Entry* entry = in_flight_.find(row.id)) {
    view.state = JobState::running;
    view.attempts = entry->attempt;
    view.stop_wanted = entry->stop;
  }
  if (!decode(row, keep(view, spec_bytes(row, job.spec)), view.spec, &view.payload_big))
    return view;
  view.spec.pool = keep(view, view.spec.pool);
  if (!job.last.empty()) {
    Attempt attempt;
    if (decode_ending(keep(view, job.last), attempt, view.result))
      view.last = attempt;
    else
      db_.damaged("the last attempt of job " + std::to_string(row.id) + " makes no sense");
  }
  view.result_big = row.has(kBigResult);
  return view;
}

Result<std::optional<JobRecord>> SqliteStore::show(JobId id) {
  std::optional<JobRecord> record;
  Found found;
  if (find(id, found)) {
    const Row row = found.row;
    record.emplace();
    record->job = view_of(found);
    JobView& job = record->job;
    const auto big = [&](std::int64_t key, std::string_view& to) {
      get_big_.bind(1, key);
      if (!get_big_.step())
        return db_.damaged("a part of job " + std::to_string(id) + " is missing");
      to = keep(job, get_big_.bytes(0));
      get_big_.reset();
    };
    if (job.payload_big)
      big(std::int64_t(row.has(kMember) ? row.group : row.id) << 1, job.spec.payload);
    if (job.result_big) big(std::int64_t(id) << 1 | 1, job.result);
    if (row.has(kAttempts)) {
      get_attempts_.bind(1, std::int64_t(id));
      while (get_attempts_.step()) {
        Unpacker from(keep(job, get_attempts_.bytes(0)));
        Attempt attempt;
        if (!decode_attempt(from, attempt)) db_.damaged("an attempt makes no sense");
        record->attempts.push_back(attempt);
      }
    }
    if (job.last && job.last->number > 0 &&
        (record->attempts.empty() || record->attempts.back().number < job.last->number))
      record->attempts.push_back(*job.last);
    if (row.unmet > 0) {
      for (const Dependency& d : job.spec.dependencies) {
        parents_of_.bind(1, std::int64_t(d.on)).bind(2, std::int64_t(id));
        if (!parents_of_.step()) continue;
        parents_of_.reset();
        record->waits_for.push_back(d.on);
      }
    }
    if (row.has(kNoted)) {
      get_note_.bind(1, std::int64_t(id));
      if (get_note_.step()) {
        record->progress.emplace();
        record->progress->id = id;
        if (!decode_progress(keep(job, get_note_.bytes(0)), *record->progress))
          db_.damaged("progress makes no sense");
        get_note_.reset();
      }
    }
  }
  return reading(std::move(record));
}

Result<std::optional<GroupView>> SqliteStore::group(JobId id) {
  if (!in_turn_) groups_.clear();
  const Group& g = group_of(id);
  std::optional<GroupView> view;
  if (g.there)
    view = GroupView{
        id, std::uint64_t(g.size), std::uint64_t(g.open), std::uint64_t(g.bad), g.sealed, g.uid};
  return reading(view);
}

std::vector<Running> SqliteStore::running() const {
  std::vector<Running> all;
  in_flight_.each([&](const InFlight::Entry& e) {
    all.push_back({e.id, e.attempt, e.base, pools_[e.pool].name, e.taken_ms, e.stop});
  });
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  return all;
}

std::vector<Counts> SqliteStore::counts() const {
  std::vector<Counts> all;
  for (std::uint32_t pool = 1; pool < pools_.size(); ++pool) {
    Counts c;
    c.pool = pools_[pool].name;
    c.paused = pools_[pool].paused;
    for (unsigned state = 0; state < kJobStates; ++state)
      c.jobs[state] = std::uint64_t(zones_.total(pool, JobState(state)));
    all.push_back(std::move(c));
  }
  in_flight_.each([&](const InFlight::Entry& e) {
    Counts& c = all[e.pool - 1];
    c.jobs[std::size_t(JobState::ready)] -= 1;
    c.jobs[std::size_t(JobState::running)] += 1;
  });
  return all;
}

void SqliteStore::pause(std::string_view name, bool paused) {
  if (!working()) return;
  const std::uint32_t pool = pool_id(name, true);
  if (pool == 0) return;
  pools_[pool].paused = paused;
  set_paused_.bind(1, paused).bind(2, pool).run();
}

void SqliteStore::put_cron(const CronEntry& e) {
  if (!working()) return;
  put_cron_.bind(1, e.name).bind(2, e.schedule).bind(3, e.next_ms).bind(4, e.last_ms).run();
}

bool SqliteStore::remove_cron(std::string_view name) {
  if (!working()) return false;
  drop_cron_.bind(1, name).run();
  return db_.ok() && sqlite3_changes(db_.raw()) > 0;
}

Result<std::vector<CronEntry>> SqliteStore::cron() {
  std::vector<CronEntry> all;
  Statement s;
  s.prepare(db_, "SELECT name, schedule, next, last FROM cron ORDER BY name");
  while (s.step())
    all.push_back({std::string(s.bytes(0)), std::string(s.bytes(1)), s.number(2), s.number(3)});
  return reading(std::move(all));
}

}  // namespace jobring::keeper
