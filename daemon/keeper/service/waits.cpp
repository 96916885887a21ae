#include "daemon/keeper/service/waits.hpp"

#include <algorithm>

namespace jobring::keeper {

void Waits::add(Wait wait) {
  const std::uint64_t token = wait.caller.token;
  remove(token);
  if (for_one_job(wait.kind)) by_job_[wait.id].push_back(token);
  if (wait.deadline_ns != kForever) deadlines_.emplace(wait.deadline_ns, token);
  ++counts_[std::size_t(wait.kind)];
  if (!wait.ids.empty()) ranges_[wait.caller.uid] += wait.ids.size();
  waits_.emplace(token, std::move(wait));
}

bool Waits::remove(std::uint64_t token) {
  const auto found = waits_.find(token);
  if (found == waits_.end()) return false;
  const Wait& wait = found->second;
  if (for_one_job(wait.kind)) {
    const auto of_job = by_job_.find(wait.id);
    std::erase(of_job->second, token);
    if (of_job->second.empty()) by_job_.erase(of_job);
  }
  if (wait.deadline_ns != kForever) {
    auto [from, to] = deadlines_.equal_range(wait.deadline_ns);
    for (; from != to; ++from) {
      if (from->second != token) continue;
      deadlines_.erase(from);
      break;
    }
  }
  --counts_[std::size_t(wait.kind)];
  if (!wait.ids.empty()) {
    const auto ranges = ranges_.find(wait.caller.uid);
    ranges->second -= wait.ids.size();
    if (ranges->second == 0) ranges_.erase(ranges);
  }
  waits_.erase(found);
  return true;
}

std::size_t Waits::ranges(std::uint32_t uid) const {
  const auto found = ranges_.find(uid);
  return found == ranges_.end() ? 0 : found->second;
}

const Wait* Waits::find(std::uint64_t token) const {
  const auto found = waits_.find(token);
  return found == waits_.end() ? nullptr : &found->second;
}

void Waits::remove_session(std::uint64_t session) {
  std::vector<std::uint64_t> gone;
  for (const auto& [token, wait] : waits_)
    if (wait.caller.session == session) gone.push_back(token);
  for (const std::uint64_t token : gone) remove(token);
}

std::vector<std::uint64_t> Waits::of_job(JobId id) const {
  const auto found = by_job_.find(id);
  return found == by_job_.end() ? std::vector<std::uint64_t>() : found->second;
}

std::vector<std::uint64_t> Waits::of_kind(Wait::Kind kind) const {
  std::vector<std::uint64_t> tokens;
  if (count(kind) == 0) return tokens;
  for (const auto& [token, wait] : waits_)
    if (wait.kind == kind) tokens.push_back(token);
  return tokens;
}

void Waits::ended(JobId id) {
  if (count(Wait::Kind::any) == 0) return;
  for (auto& [token, wait] : waits_) {
    if (wait.kind != Wait::Kind::any) continue;
    // The first range that does not end before it.
    const auto range = std::lower_bound(wait.ids.begin(), wait.ids.end(), id,
                                        [](const auto& r, JobId i) { return r.second < i; });
    if (range != wait.ids.end() && range->first <= id) wait.ended.push_back(id);
  }
}

std::vector<Wait*> Waits::any_ended() {
  std::vector<Wait*> all;
  if (count(Wait::Kind::any) == 0) return all;
  for (auto& [token, wait] : waits_)
    if (!wait.ended.empty()) all.push_back(&wait);
  return all;
}

std::vector<std::uint64_t> Waits::due(std::int64_t now_ns) const {
  std::vector<std::uint64_t> tokens;
  for (const auto& [deadline, token] : deadlines_) {
    if (deadline > now_ns) break;
    tokens.push_back(token);
  }
  return tokens;
}

std::int64_t Waits::next_deadline() const {
  return deadlines_.empty() ? kForever : deadlines_.begin()->first;
}

}  // namespace jobring::keeper
