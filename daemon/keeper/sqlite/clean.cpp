// Forgetting what has ended, when its time is over, and taking in what was exported.
#include <algorithm>

#include "daemon/keeper/sqlite/engine.hpp"

namespace jobring::keeper {

// Block by block, past all whose summary says that nothing in them is due.
bool SqliteStore::clean(std::uint32_t most) {
  if (!working()) return false;
  std::vector<std::tuple<std::int64_t, std::string, std::int64_t>> keys;
  old_uniques_.bind(1, now_.steady_ms).bind(2, most);
  while (old_uniques_.step())
    keys.emplace_back(old_uniques_.number(0), old_uniques_.bytes(1), old_uniques_.number(2));
  for (const auto& [uid, key, id] : keys) drop_unique_.bind(1, uid).bind(2, key).bind(3, id).run();
  std::uint32_t left = most - std::min(most, std::uint32_t(keys.size()));
  while (left > 0 && db_.ok()) {
    store_groups();
    zones_.store(next_job_);
    zones_due_.bind(1, now_.steady_ms);
    std::int64_t block = zones_.last_block();
    if (zones_due_.step()) {
      block = zones_due_.number(0);
      zones_due_.reset();
    } else if (zones_.last_expiry() == 0 || zones_.last_expiry() > now_.steady_ms) {
      return false;
    }
    std::vector<Row> old;  // none of them in a pack: they have ended
    std::int64_t next = 0;
    scan_up_.bind(1, block * Zones::kJobs).bind(2, (block + 1) * Zones::kJobs - 1);
    while (scan_up_.step()) {
      const Row row = row_of(scan_up_);
      if (!is_ended(row.state)) continue;
      if (row.due <= now_.steady_ms && old.size() < left)
        old.push_back(row);
      else if (next == 0 || row.due < next)
        next = row.due;
    }
    for (const Row& row : old) remove(row);
    zones_.set_expiry(block, next);
    left -= std::uint32_t(old.size());
  }
  return db_.ok();
}

Result<std::int64_t> SqliteStore::next_clean() {
  std::int64_t next = db_.number("SELECT min(expiry) FROM zone");
  const std::int64_t key = db_.number("SELECT min(until) FROM uniq WHERE until IS NOT NULL");
  const std::int64_t last = zones_.last_expiry();
  for (const std::int64_t other : {key, last})
    if (next == 0 || (other != 0 && other < next)) next = other;
  return reading(next);
}

bool SqliteStore::import_job(const JobRecord& record) {
  if (!working()) return false;
  const JobView& job = record.job;
  Row row;
  if (job.id == 0 || job.id > kJobIdMax || load_row(job.id, row) || group_of(job.id).there)
    return false;
  if (job.spec.handler.empty()) return false;
  row = {};
  row.id = job.id;
  row.pool = pool_id(job.spec.pool, true);
  if (row.pool == 0) return false;
  row.state = job.state == JobState::running ? JobState::ready : job.state;
  row.priority = job.spec.priority;
  row.tries = job.state == JobState::running && job.attempts > 0 ? job.attempts - 1 : job.attempts;
  const JobSpec& s = job.spec;
  const auto id = std::int64_t(row.id);

  // Those that it waits for, if they are there already and have not ended.
  for (const JobId on : record.waits_for) {
    Row parent;
    const auto d = std::find_if(s.dependencies.begin(), s.dependencies.end(),
                                [&](const Dependency& x) { return x.on == on; });
    if (is_ended(row.state) || !load_row(on, parent) || is_ended(parent.state)) continue;
    any_edges_ = true;
    const After after = d == s.dependencies.end() ? After::success : d->after;
    put_edge_.bind(1, std::int64_t(on)).bind(2, id).bind(3, std::int64_t(after)).run();
    ++row.unmet;
  }
  const bool queued = row.state == JobState::delayed || row.state == JobState::failed;
  if (queued || row.state == JobState::held) {
    row.due = job.due_ms;
    if (job.due_is_real) row.flags |= kRealDue;
    if (queued) row.state = waiting_state(row);
    if (row.state == JobState::ready) row.due = 0;
  }
  if (!is_ended(row.state) && s.deadline_ms != 0) {
    row.flags |= kDeadlined;
    put_timer_.bind(1, kDeadline).bind(2, s.deadline_ms).bind(3, id).run();
  }
  if (!is_ended(row.state) && !s.unique.key.empty()) {
    row.flags |= kUnique;
    keep_unique_.bind(1, s.uid).bind(2, s.unique.key).bind(3, id).run();
  }
  if (!s.concurrency_key.empty() && s.concurrency_max > 0) row.flags |= kKeyed;
  for (const std::string_view tag : s.tags) {
    row.flags |= kTagged;
    put_tag_.bind(1, tag).bind(2, id).run();
  }
  const bool elsewhere = s.payload.size() > 1024;
  if (elsewhere) {
    row.flags |= kBigPayload;
    put_big_.bind(1, id << 1).bind(2, s.payload).run();
  }
  for (const Attempt& attempt : record.attempts) {
    if (job.last && attempt.number == job.last->number) continue;
    row.flags |= kAttempts;
    keep_attempt(row.id, attempt);
  }
  JobSpec own = s;
  own.group = 0;
  buffer_.clear();
  encode_spec(buffer_, own, {s.submitted_ms, s.dependencies, elsewhere});
  const std::string_view stored = buffer_;
  insert_row(row, &stored, nullptr);
  next_job_ = std::max(next_job_, row.id + 1);
  enter(row);
  changed(row);
  if (is_ended(row.state)) write_end(row, job.last.value_or(Attempt{}), job.result, s.keep_ms);
  return db_.ok();
}

}  // namespace jobring::keeper
