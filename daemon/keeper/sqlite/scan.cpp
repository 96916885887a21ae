// Finding jobs without reading all: by the ranges of ids that were asked for, by tag, and past
// blocks of 1,024 whose summary says that nothing in them fits.
#include <algorithm>

#include "daemon/keeper/sqlite/engine.hpp"

namespace jobring::keeper {
namespace {

// Of what list() looks at: about 10 ms.
constexpr std::uint32_t kListBudget = 10'000;

}  // namespace

bool SqliteStore::zone_fits(const std::vector<ZoneCount>& zone, const Selector& which,
                            std::uint32_t pool) const {
  // What runs counts as ready there.
  std::uint32_t states = which.states;
  if (states & 1u << unsigned(JobState::running)) states |= 1u << unsigned(JobState::ready);
  return std::any_of(zone.begin(), zone.end(), [&](const ZoneCount& c) {
    return c.jobs > 0 && (pool == 0 || c.pool == pool) &&
           (states == 0 || (states >> unsigned(c.state) & 1) != 0);
  });
}

bool SqliteStore::fits(const Selector& which, std::uint32_t pool, const Found& job) {
  const Row& row = job.row;
  if (pool != 0 && row.pool != pool) return false;
  if (which.group != 0 && row.group != which.group) return false;
  if (which.states != 0) {
    const bool runs = row.state == JobState::ready && in_flight_.find(row.id) != nullptr;
    const JobState state = runs ? JobState::running : row.state;
    if ((which.states >> unsigned(state) & 1) == 0) return false;
  }
  if (which.ended_before_ms != 0) {
    if (!is_ended(row.state)) return false;
    Attempt last;
    std::string_view result;
    if (!decode_ending(job.last, last, result)) return false;
    if (last.ended_ms >= which.ended_before_ms) return false;
  }
  if (which.uid || !which.name.empty()) {
    scratch_ = {};
    if (!decode(row, spec_bytes(row, job.spec), scratch_, nullptr)) return false;
    if (which.uid && scratch_.uid != *which.uid) return false;
    if (!which.name.empty() && scratch_.name != which.name) return false;
  }
  return true;
}

JobId SqliteStore::scan(const Selector& which, Range range, std::uint32_t budget,
                        const std::function<bool(const Found&)>& visit) {
  std::uint32_t pool = 0;
  if (!which.pool.empty() && (pool = pool_id(which.pool, false)) == 0) return 0;
  // Members are younger than their group.
  if (which.group != 0) {
    if (which.group >= next_job_) return 0;
    range.from = std::max(range.from, which.group + 1);
    if (const Group& g = group_of(which.group); g.array)
      range.to = std::min(range.to, which.group + JobId(g.size));
  }
  const bool down = range.newest_first;
  const auto on = [&](JobId id) { return down ? id - 1 : id + 1; };
  auto ranges = which.ids;
  if (ranges.empty()) ranges.emplace_back(1, kJobIdMax);
  for (auto& [from, to] : ranges) {
    from = std::max(from, range.from);
    to = std::min({to, range.to, next_job_ - 1});
  }
  std::erase_if(ranges, [](const auto& r) { return r.first > r.second; });
  // A verb on many comes here step by step, and sorts them itself (Keeper::step()).
  if (!std::is_sorted(ranges.begin(), ranges.end())) std::sort(ranges.begin(), ranges.end());
  // Jobs of two ranges are found once.
  for (std::size_t i = 1; i < ranges.size(); ++i)
    ranges[i].first = std::max(ranges[i].first, ranges[i - 1].second + 1);
  for (std::size_t i = 1; i < ranges.size(); ++i)
    ranges[i].second = std::max(ranges[i].second, ranges[i - 1].second);
  if (down) std::reverse(ranges.begin(), ranges.end());

  // Only what runs: it is in memory.
  const bool only_running = which.states == 1u << unsigned(JobState::running) && which.tag.empty();
  std::vector<JobId> running;
  if (only_running) {
    in_flight_.each([&](const InFlight::Entry& e) { running.push_back(e.id); });
    std::sort(running.begin(), running.end());
    if (down) std::reverse(running.begin(), running.end());
  }
  // Jobs one after the other. 0: all seen; else where to go on.
  Found job;
  const auto look = [&](auto step) -> JobId {
    while (step()) {
      const Row& row = job.row;
      if (budget == 0) return row.id;
      --budget;
      if (row.pool >= pools_.size()) {
        db_.damaged("job " + std::to_string(row.id) + " names a pool that is not there");
        return 0;
      }
      if (!fits(which, pool, job)) continue;
      if (!visit(job)) return on(row.id);
    }
    return 0;
  };
  const auto walk = [&](std::int64_t first, std::int64_t last) {
    Walk jobs(*this, JobId(first), JobId(last), down);
    return look([&] { return jobs.next(job); });
  };
  for (const auto& [first, last] : ranges) {
    if (first > last) continue;
    const auto from = std::int64_t(first), to = std::int64_t(last);
    if (only_running) {
      for (const JobId id : running) {
        if (id < first || id > last) continue;
        const auto one = std::int64_t(id);
        if (const JobId next = walk(one, one)) return next;
      }
    } else if (!which.tag.empty()) {
      Statement& s = down ? tag_down_ : tag_up_;
      const Rows guard(s);
      s.bind(1, from).bind(2, to).bind(3, which.tag);
      const auto step = [&] {
        if (!s.step()) return false;
        job = found_at(s);
        return true;
      };
      if (const JobId next = look(step)) return next;
    } else if (which.states == 0 && pool == 0) {
      if (const JobId next = walk(from, to)) return next;
    } else {
      std::vector<ZoneCount> counts;
      const auto visit_block = [&](std::int64_t block) -> JobId {
        return walk(std::max(from, block * Zones::kJobs),
                    std::min(to, (block + 1) * Zones::kJobs - 1));
      };
      // The last block has no row.
      const std::int64_t open = zones_.last_block();
      const bool into_open =
          Zones::block(last) >= open && zone_fits(zones_.last_counts(), which, pool);
      if (into_open && down)
        if (const JobId next = visit_block(open)) return next;
      Statement& zones = down ? zones_down_ : zones_up_;
      const Rows guard(zones);
      zones.bind(1, Zones::block(first)).bind(2, std::min(Zones::block(last), open - 1));
      while (zones.step()) {
        // One that makes no sense: load() would have said so.
        if (decode_zone(zones.bytes(1), counts) && !zone_fits(counts, which, pool)) continue;
        if (const JobId next = visit_block(zones.number(0))) return next;
      }
      if (into_open && !down)
        if (const JobId next = visit_block(open)) return next;
    }
  }
  return 0;
}

Result<std::vector<JobId>> SqliteStore::over(std::span<const std::pair<JobId, JobId>> ranges,
                                             std::optional<std::uint32_t> uid, std::size_t most) {
  std::vector<JobId> ids;
  Selector mine;
  mine.uid = uid;
  for (const auto& [first, last] : ranges) {
    JobId next = std::max<JobId>(first, 1);
    const auto missing = [&](JobId before) {
      for (; next < before && ids.size() < most; ++next) ids.push_back(next);
    };
    {
      Walk jobs(*this, next, std::min(last, kJobIdMax), false);
      Found job;
      while (ids.size() < most && jobs.next(job)) {
        const JobId id = job.row.id;
        missing(id);
        if (ids.size() == most) break;
        next = id + 1;
        if (is_ended(job.row.state) || (uid && !fits(mine, 0, job))) ids.push_back(id);
      }
    }
    if (last < kJobIdMax) missing(last + 1);
  }
  return reading(std::move(ids));
}

Result<ListPage> SqliteStore::list(const Selector& which, JobId below, std::uint32_t most) {
  ListPage page;
  if (in_turn_) {
    store_groups();
    zones_.store(next_job_);
  } else {
    groups_.clear();
  }
  Range range;
  range.newest_first = true;
  if (below != 0) range.to = below - 1;
  if (range.to == 0 || most == 0) return page;
  const JobId next = scan(which, range, kListBudget, [&](const Found& job) {
    page.jobs.push_back(view_of(job));
    return page.jobs.size() < most;
  });
  page.next = next == 0 ? 0 : next + 1;
  return reading(std::move(page));
}

}  // namespace jobring::keeper
