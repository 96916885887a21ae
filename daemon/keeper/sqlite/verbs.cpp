// What people do to jobs: hold, release, cancel, bury, kick, retry, edit, remove.
#include <algorithm>

#include "daemon/keeper/sqlite/engine.hpp"

namespace jobring::keeper {

Applied SqliteStore::apply(Verb verb, const Selector& which, const Edit& edit, JobId from,
                           std::uint32_t most) {
  Applied applied;
  if (!working()) return applied;
  if (verb == Verb::edit && edit.pool && pool_id(*edit.pool, true) == 0) return applied;
  store_groups();
  zones_.store(next_job_);  // the scan reads the summaries
  std::vector<JobId> chosen;
  Range range;
  range.from = std::max<JobId>(from, 1);
  applied.next = scan(which, range, most, [&](const Found& job) {
    chosen.push_back(job.row.id);
    return true;
  });
  for (const JobId id : chosen) {
    Row row;
    if (!load_row(id, row)) break;
    if (in_flight_.find(id) != nullptr) row.state = JobState::running;
    if (apply_one(verb, edit, row, applied))
      ++applied.changed;
    else
      ++applied.unfit;
  }
  if (!db_.ok()) return {};
  return applied;
}

bool SqliteStore::apply_one(Verb verb, const Edit& edit, Row row, Applied& applied) {
  const JobState state = row.state;
  const bool queued =
      state == JobState::delayed || state == JobState::ready || state == JobState::failed;
  const auto move = [&](JobState to) {
    row.state = to;
    row.flags &= ~std::uint32_t(kParked);
    save(row);
    enter(row);
    changed(row);
    return true;
  };
  switch (verb) {
    case Verb::hold:
      if (!queued) return false;
      leave(row);
      return move(JobState::held);
    case Verb::release:
      if (state != JobState::held) return false;
      leave(row);
      row.state = waiting_state(row);
      if (row.state == JobState::ready) row.due = 0;
      return move(row.state);
    case Verb::cancel:
      if (is_ended(state)) return false;
      if (state != JobState::running) {
        end(row, JobState::cancelled, Outcome::cancelled, "cancelled");
        return true;
      }
      in_flight_.find(row.id)->stop = true;
      in_flight_.changed(row.id);
      applied.stop.push_back(row.id);
      return true;
    case Verb::bury:
      if (!queued && state != JobState::held) return false;
      end(row, JobState::dead, Outcome::cancelled, "buried");
      return true;
    case Verb::kick:
    case Verb::retry: {
      const bool ended = is_ended(state);
      const bool fits =
          verb == Verb::retry
              ? ended
              : state == JobState::dead || state == JobState::delayed || state == JobState::failed;
      if (!fits) return false;
      leave(row);
      if (ended) {
        // Its last attempt becomes one of the former ones, its result is forgotten.
        get_row_.bind(1, std::int64_t(row.id));
        std::string last;
        if (get_row_.step()) {
          last = get_row_.bytes(kLastColumn);
          get_row_.reset();
        }
        Attempt attempt;
        std::string_view result;
        if (decode_ending(last, attempt, result) && attempt.number > 0 &&
            attempt.outcome != Outcome::cancelled && attempt.outcome != Outcome::expired) {
          keep_attempt(row.id, attempt);
          row.flags |= kAttempts;
        }
        clear_last_.bind(1, std::int64_t(row.id)).run();
        if (row.has(kBigResult)) drop_big_.bind(1, std::int64_t(row.id) << 1 | 1).run();
        row.flags &= ~std::uint32_t(kBigResult);
        if (row.group != 0) {
          Group& g = group_of(row.group);
          g.open += 1;
          g.bad -= state == JobState::succeeded ? 0 : 1;
          g.dirty = true;
        }
      }
      row.flags = (row.flags | kNoDeadline) & ~std::uint32_t(kRealDue);
      row.due = 0;
      row.unmet = 0;
      row.base = row.tries;
      return move(JobState::ready);
    }
    case Verb::edit:
      if (!queued && state != JobState::held) return false;
      leave(row);
      if (edit.priority) row.priority = *edit.priority;
      if (edit.pool) row.pool = pool_id(*edit.pool, true);
      if (edit.delay_ms) {
        row.due =
            now_.steady_ms + std::int64_t(std::min<std::uint64_t>(*edit.delay_ms, 1ull << 50));
        row.flags &= ~std::uint32_t(kRealDue);
      }
      if (state != JobState::held) row.state = waiting_state(row);
      if (row.state == JobState::ready) row.due = 0;
      return move(row.state);
    case Verb::remove:
      if (!is_ended(state)) return false;
      remove(row);
      return true;
  }
  return false;
}

}  // namespace jobring::keeper
