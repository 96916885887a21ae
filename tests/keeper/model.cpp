#include "tests/keeper/model.hpp"

#include <algorithm>

namespace jobring::test {
namespace {

bool queued(JobState s) {
  return s == JobState::delayed || s == JobState::ready || s == JobState::failed;
}

}  // namespace

JobState Model::waiting_state(const ModelJob& j) const {
  if (!j.waits.empty()) return JobState::delayed;
  if (j.due == 0 || j.due <= (j.real_due ? now.real_ms : now.steady_ms)) return JobState::ready;
  return j.tries > j.base ? JobState::failed : JobState::delayed;
}

void Model::ready(ModelJob& j) {
  if (j.state == JobState::ready) j.due = 0;
}

Submitted Model::submit(const JobSpec& s, const std::vector<Submitted>& before) {
  using S = Submitted::Status;
  if (s.group != 0 && (!groups.contains(s.group) || groups[s.group].sealed))
    return {S::no_such_group, s.group, 0, 0};
  std::map<JobId, After> waits;
  for (const Dependency& d : s.dependencies) {
    const JobId on = d.in_batch ? before[d.on].id : d.on;
    bool ended = false, good = false;
    if (jobs.contains(on)) {
      ended = is_ended(jobs[on].state);
      good = jobs[on].state == JobState::succeeded;
    } else if (groups.contains(on)) {
      ended = groups[on].sealed && groups[on].open == 0;
      good = groups[on].bad == 0;
    } else {
      return {S::no_such_job, on, 0, 0};
    }
    if (ended && !good && d.after == After::success) return {S::cannot_succeed, on, 0, 0};
    if (!ended) waits.emplace(on, d.after);
  }
  Submitted answer;
  if (!s.unique.key.empty()) {
    const std::string key(s.unique.key);
    const auto it = unique_.find(key);
    if (it != unique_.end() && !(it->second.until != 0 && it->second.until <= now.steady_ms)) {
      const JobId other = it->second.id;
      const bool waiting = jobs.contains(other) && !is_ended(jobs[other].state) &&
                           jobs[other].state != JobState::running;
      if (!s.unique.replace || !waiting) return {S::duplicate, other, 0, 0};
      end(other, JobState::cancelled);
      answer.replaced = other;
    }
    unique_[key] = {next, s.unique.until == UniqueUntil::time
                              ? now.steady_ms + std::int64_t(s.unique.for_ms)
                              : 0};
  }
  const std::int64_t count = s.array ? (s.array->last - s.array->first) / s.array->step + 1 : 1;
  const JobId id = next;
  const JobId group = s.array ? id : s.group;
  if (s.array) {
    groups[group] = {true, 0, 0, 0, 0};
    answer.count = std::uint32_t(count);
    ++next;
  }
  answer.id = id;
  for (std::int64_t i = 0; i < count; ++i) {
    ModelJob& j = jobs[next++];
    j.pool = s.pool;
    j.key = s.array && s.array->at_once > 0 ? "array " + std::to_string(id)
                                            : std::string(s.concurrency_key);
    j.key_max = s.array && s.array->at_once > 0 ? s.array->at_once : s.concurrency_max;
    j.unique = s.unique.key;
    j.until = s.unique.until;
    if (!s.tags.empty()) j.tag = s.tags[0];
    j.priority = s.priority;
    j.waits = waits;
    j.group = group;
    j.keep = s.keep_ms == kKeepDefault ? keep_ : s.keep_ms;
    j.deadline = s.deadline_ms;
    if (s.delay_ms > 0) {
      j.due = now.steady_ms + std::int64_t(s.delay_ms);
    } else if (s.run_at_ms > now.real_ms) {
      j.due = s.run_at_ms;
      j.real_due = true;
    }
    j.state = s.held ? JobState::held : waiting_state(j);
    ready(j);
    if (group != 0) {
      ModelGroup& g = groups[group];
      ++g.size, ++g.open, ++g.kept;
    }
  }
  return answer;
}

std::vector<std::pair<JobId, std::uint32_t>> Model::take(const std::string& pool,
                                                         std::uint32_t most) {
  std::map<std::string, std::uint32_t> used;
  std::vector<std::pair<std::int64_t, JobId>> order;
  for (const auto& [id, j] : jobs) {
    if (j.state == JobState::running && !j.key.empty()) ++used[j.key];
    if (j.state == JobState::ready && j.pool == pool)
      order.emplace_back(rank(id, j.priority, ageing_), id);
  }
  std::sort(order.begin(), order.end());
  std::vector<std::pair<JobId, std::uint32_t>> taken;
  for (const auto& [place, id] : order) {
    if (taken.size() == most) break;
    ModelJob& j = jobs[id];
    if (!j.key.empty() && used[j.key] >= j.key_max) continue;
    if (!j.key.empty()) ++used[j.key];
    j.state = JobState::running;
    j.stop = false;
    const auto claim = unique_.find(j.unique);
    if (j.until == UniqueUntil::started && claim != unique_.end() && claim->second.id == id)
      unique_.erase(claim);
    taken.emplace_back(id, j.tries + 1);
  }
  return taken;
}

void Model::give_back(JobId id) {
  ModelJob& j = jobs[id];
  j.state = JobState::ready;
  if (!j.unique.empty() && j.until == UniqueUntil::started)
    unique_.try_emplace(j.unique, Claim{id, 0});
  if (j.stop) end(id, JobState::cancelled);
}

bool Model::finish(JobId id, std::uint32_t attempt, JobState to, std::int64_t due) {
  const auto it = jobs.find(id);
  if (it == jobs.end() || it->second.state != JobState::running || it->second.tries + 1 != attempt)
    return false;
  ModelJob& j = it->second;
  j.tries = attempt;
  if (!is_ended(to) && j.stop) to = JobState::cancelled;
  if (is_ended(to)) {
    end(id, to);
    if (to == JobState::succeeded && j.keep == 0) remove(id);
    return true;
  }
  j.due = to == JobState::failed ? due : 0;
  j.real_due = false;
  j.state = waiting_state(j);
  ready(j);
  return true;
}

void Model::end(JobId id, JobState state) {
  ModelJob& j = jobs[id];
  j.state = state;
  j.waits.clear();
  j.real_due = false;
  j.expiry = now.steady_ms + std::int64_t(j.keep);
  if (!j.unique.empty() && j.until != UniqueUntil::time) {
    const auto it = unique_.find(j.unique);
    if (it != unique_.end() && it->second.id == id) unique_.erase(it);
  }
  const bool good = state == JobState::succeeded;
  const bool awaited = std::any_of(jobs.begin(), jobs.end(),
                                   [&](const auto& x) { return x.second.waits.contains(id); });
  if (awaited) settled_[id] = good;
  if (j.group != 0) {
    ModelGroup& g = groups[j.group];
    --g.open;
    g.bad += good ? 0 : 1;
    group_changed(j.group);
  }
}

void Model::group_changed(JobId id) {
  ModelGroup& g = groups[id];
  if (g.sealed && g.open == 0) settled_[id] = g.bad == 0;
  if (g.sealed && g.kept == 0) groups.erase(id);
}

void Model::seal(JobId id) {
  if (!groups.contains(id)) return;
  groups[id].sealed = true;
  group_changed(id);
}

void Model::wake() {
  for (auto& [id, j] : jobs) {
    const bool waits = j.state == JobState::delayed || j.state == JobState::failed;
    if (!waits || j.due == 0 || j.due > (j.real_due ? now.real_ms : now.steady_ms)) continue;
    j.due = 0;
    j.real_due = false;
    j.state = waiting_state(j);
  }
  for (auto& [id, j] : jobs)
    if (!is_ended(j.state) && j.state != JobState::running && j.deadline != 0 &&
        j.deadline <= now.real_ms)
      end(id, JobState::dead);
  while (!settled_.empty()) {
    const auto [parent, good] = *settled_.begin();
    settled_.erase(settled_.begin());
    over(parent, good);
  }
}

void Model::over(JobId parent, bool good) {
  std::vector<JobId> children;
  for (const auto& [id, j] : jobs)
    if (j.waits.contains(parent)) children.push_back(id);
  for (const JobId id : children) {
    ModelJob& j = jobs[id];
    if (!good && j.waits[parent] == After::success) {
      end(id, JobState::cancelled);
      continue;
    }
    j.waits.erase(parent);
    if (j.state == JobState::delayed) j.state = waiting_state(j);
    ready(j);
  }
}

bool Model::apply(Verb verb, JobId id, const Edit& edit) {
  ModelJob& j = jobs[id];
  switch (verb) {
    case Verb::hold:
      if (!queued(j.state)) return false;
      j.state = JobState::held;
      return true;
    case Verb::release:
      if (j.state != JobState::held) return false;
      j.state = waiting_state(j);
      ready(j);
      return true;
    case Verb::cancel:
      if (is_ended(j.state)) return false;
      if (j.state == JobState::running)
        j.stop = true;
      else
        end(id, JobState::cancelled);
      return true;
    case Verb::bury:
      if (!queued(j.state) && j.state != JobState::held) return false;
      end(id, JobState::dead);
      return true;
    case Verb::kick:
    case Verb::retry: {
      const bool ended = is_ended(j.state);
      if (verb == Verb::retry && !ended) return false;
      if (verb == Verb::kick && j.state != JobState::dead && j.state != JobState::delayed &&
          j.state != JobState::failed)
        return false;
      if (ended && j.group != 0) {
        ModelGroup& g = groups[j.group];
        ++g.open;
        g.bad -= j.state == JobState::succeeded ? 0 : 1;
      }
      j.state = JobState::ready;
      j.due = 0;
      j.real_due = false;
      j.deadline = 0;
      j.waits.clear();
      j.base = j.tries;
      return true;
    }
    case Verb::edit:
      if (!queued(j.state) && j.state != JobState::held) return false;
      if (edit.priority) j.priority = *edit.priority;
      if (edit.pool) j.pool = *edit.pool;
      if (edit.delay_ms) {
        j.due = now.steady_ms + std::int64_t(*edit.delay_ms);
        j.real_due = false;
      }
      if (j.state != JobState::held) j.state = waiting_state(j);
      ready(j);
      return true;
    case Verb::remove:
      if (!is_ended(j.state)) return false;
      remove(id);
      return true;
  }
  return false;
}

void Model::remove(JobId id) {
  const JobId group = jobs[id].group;
  jobs.erase(id);
  if (group == 0) return;
  --groups[group].kept;
  group_changed(group);
}

void Model::clean() {
  std::vector<JobId> old;
  for (const auto& [id, j] : jobs)
    if (is_ended(j.state) && j.expiry <= now.steady_ms) old.push_back(id);
  for (const JobId id : old) remove(id);
  std::erase_if(unique_, [&](const auto& u) {
    return u.second.until != 0 && u.second.until <= now.steady_ms;
  });
}

bool Model::fits(const Selector& which, JobId id) const {
  const ModelJob& j = jobs.at(id);
  const bool in_ids = which.ids.empty() ||
                      std::any_of(which.ids.begin(), which.ids.end(),
                                  [&](const auto& r) { return id >= r.first && id <= r.second; });
  return in_ids && (which.pool.empty() || which.pool == j.pool) &&
         (which.states == 0 || (which.states >> unsigned(j.state) & 1) != 0) &&
         (which.tag.empty() || which.tag == j.tag) && (which.group == 0 || which.group == j.group);
}

}  // namespace jobring::test
