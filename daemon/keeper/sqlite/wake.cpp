// Jobs whose time has come, and jobs that waited for others.
#include <utility>

#include "daemon/keeper/sqlite/engine.hpp"

namespace jobring::keeper {

bool SqliteStore::wake(std::uint32_t most) {
  if (!working()) return false;
  std::uint32_t left = most;
  left -= fire(kDueSteady, now_.steady_ms, left);
  left -= fire(kDueReal, now_.real_ms, left);
  left -= fire(kDeadline, now_.real_ms, left);
  if (any_edges_) {
    store_groups();  // those that this turn has ended
    left -= tell_children(left);
  }
  return left == 0 && db_.ok();
}

// Returns how many timers it has looked at.
std::uint32_t SqliteStore::fire(TimerKind kind, std::int64_t now, std::uint32_t most) {
  std::vector<std::pair<std::int64_t, JobId>> fired;
  if (most == 0) return 0;
  due_.bind(1, kind).bind(2, now).bind(3, most);
  while (due_.step()) fired.emplace_back(due_.number(0), JobId(due_.number(1)));
  for (const auto& [when, id] : fired) {
    Row row;
    if (!load_row(id, row) || kind == kDeadline) {
      drop_timer_.bind(1, kind).bind(2, when).bind(3, std::int64_t(id)).run();
      // Deadlines of jobs that have started, ended or gone were left behind.
      const bool waits = row.id == id && !is_ended(row.state) && in_flight_.find(id) == nullptr;
      if (waits && kind == kDeadline && !row.has(kNoDeadline))
        end(row, JobState::dead, Outcome::expired, "not started before its deadline");
      continue;
    }
    due(row);
  }
  return std::uint32_t(fired.size());
}

void SqliteStore::due(Row row) {
  leave(row);
  row.due = 0;
  row.flags &= ~std::uint32_t(kRealDue);
  row.state = waiting_state(row);
  save(row);
  enter(row);
  changed(row);
}

std::uint32_t SqliteStore::tell_children(std::uint32_t most) {
  std::uint32_t told = 0;
  while (told < most && db_.ok()) {
    if (!first_settled_.step()) break;
    const auto parent = first_settled_.number(0);
    const bool good = first_settled_.number(1) != 0;
    first_settled_.reset();
    std::vector<std::pair<JobId, After>> children;
    const std::uint32_t room = most - told;
    edges_of_.bind(1, parent).bind(2, room);
    while (edges_of_.step())
      children.emplace_back(JobId(edges_of_.number(0)), After(edges_of_.number(1) & 1));
    for (const auto& [id, after] : children) {
      drop_edge_.bind(1, parent).bind(2, std::int64_t(id)).run();
      Row row;
      // One that was cancelled or kicked meanwhile waits for nobody.
      if (!load_row(id, row) || row.unmet == 0) continue;
      if (!good && after == After::success) {
        const std::string why = "job " + std::to_string(parent) + " did not succeed";
        end(row, JobState::cancelled, Outcome::cancelled, why);
        continue;
      }
      leave(row);
      row.unmet -= 1;
      if (row.state == JobState::delayed) row.state = waiting_state(row);
      if (row.state == JobState::ready) row.due = 0;
      save(row);
      enter(row);
      if (row.unmet == 0) changed(row);
    }
    told += std::uint32_t(children.size());
    if (children.size() < room) {
      drop_settled_.bind(1, parent).run();
      told += 1;
    }
    store_groups();
  }
  return std::min(told, most);
}

Result<Clock> SqliteStore::next_due() {
  Clock next;
  const auto first = [&](TimerKind kind) {
    std::int64_t due = 0;
    next_timer_.bind(1, kind);
    if (next_timer_.step()) {
      due = next_timer_.number(0);
      next_timer_.reset();
    }
    return due;
  };
  next.steady_ms = first(kDueSteady);
  const std::int64_t due = first(kDueReal), deadline = first(kDeadline);
  next.real_ms = due == 0 || (deadline != 0 && deadline < due) ? deadline : due;
  return reading(next);
}

}  // namespace jobring::keeper
