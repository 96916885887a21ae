// What people do to jobs that are in the channels already, and what they want to know of them.
#include <algorithm>

#include "daemon/keeper/order.hpp"
#include "daemon/keeper/service/feed.hpp"

namespace jobring::keeper {

// Of a job that nobody has begun: it is ours again.
bool Feed::take_out(std::uint32_t r, std::uint32_t slot) {
  Route& route = routes_[r];
  if (!route.channel->withdraw(slot)) return false;
  Flight& flight = route.flights[slot];
  places_.erase(flight.id);
  flight.fate = Flight::Fate::withdrawn;
  route.withdrew = true;
  --states_[route.pool].used;
  return true;
}

bool Feed::fits(const Selector& which, const Flight& flight, std::string_view pool) {
  if (!which.pool.empty() && which.pool != pool) return false;
  if (which.uid && *which.uid != flight.uid) return false;
  if (!which.name.empty() && which.name != flight.name) return false;
  if (which.group != 0 && which.group != flight.group) return false;
  if (which.ended_before_ms != 0) return false;
  return which.ids.empty() ||
         std::any_of(which.ids.begin(), which.ids.end(), [&](const auto& range) {
           return flight.id >= range.first && flight.id <= range.second;
         });
}

void Feed::withdraw(Store& store, const Selector& which) {
  for (std::uint32_t r = 0; r < routes_.size(); ++r) {
    Route& route = routes_[r];
    if (route.used == 0 || !route.channel) continue;
    for (std::uint32_t slot = 0; slot < route.flights.size(); ++slot) {
      const Flight& flight = route.flights[slot];
      if (flight.id == 0 || flight.fate != Flight::Fate::none) continue;
      if (!fits(which, flight, states_[route.pool].info.name)) continue;
      const JobId id = flight.id;
      if (take_out(r, slot)) backs_.push_back(id);
    }
  }
  if (backs_given_ == backs_.size()) return;
  store.give_back(std::span(backs_).subspan(backs_given_));
  backs_given_ = backs_.size();
  wanted_everywhere();
}

// Those that are furthest behind go back, as many as the pool has no room for.
void Feed::make_way(Store& store, std::string_view name, std::int32_t priority,
                    std::uint32_t count) {
  const std::uint32_t p = pool_of(name);
  if (p == kNoPool) return;
  const PoolState& pool = states_[p];
  const std::uint32_t room = pool.window - std::min(pool.window, pool.used);
  if (count <= room) return;
  struct Behind {
    std::int64_t rank;
    std::uint32_t route, slot;
  };
  std::vector<Behind> behind;
  for (std::uint32_t r = 0; r < routes_.size(); ++r) {
    const Route& route = routes_[r];
    if (route.pool != p || route.used == 0) continue;
    for (std::uint32_t slot = 0; slot < route.flights.size(); ++slot) {
      const Flight& f = route.flights[slot];
      if (f.id == 0 || f.fate != Flight::Fate::none || f.priority >= priority) continue;
      behind.push_back({rank(f.id, f.priority, options_.ageing), r, slot});
    }
  }
  std::sort(behind.begin(), behind.end(),
            [](const Behind& a, const Behind& b) { return a.rank > b.rank; });
  std::uint32_t left = count - room;
  for (const Behind& b : behind) {
    if (left == 0) break;
    const JobId id = routes_[b.route].flights[b.slot].id;
    if (!take_out(b.route, b.slot)) continue;
    backs_.push_back(id);
    --left;
  }
  if (backs_given_ == backs_.size()) return;
  store.give_back(std::span(backs_).subspan(backs_given_));
  backs_given_ = backs_.size();
  states_[p].look = true;
}

void Feed::stop(JobId id, int signal) {
  const auto found = places_.find(id);
  if (found == places_.end()) return;
  const auto [r, slot] = found->second;
  Flight flight = routes_[r].flights[slot];
  if (take_out(r, slot))
    return end_unbegun(flight, r, Outcome::cancelled, JobState::cancelled,
                       "cancelled before it started", clock_);
  routes_[r].flights[slot].fate = Flight::Fate::cancelled;
  routes_[r].channel->kill(slot, signal);
}

std::uint32_t Feed::kill(const Selector& which, int signal,
                         const std::function<bool(JobId)>& has_tag) {
  std::uint32_t killed = 0;
  const bool running = which.states == 0 || (which.states >> unsigned(JobState::running) & 1) != 0;
  if (!running) return 0;
  for (std::uint32_t r = 0; r < routes_.size(); ++r) {
    Route& route = routes_[r];
    if (route.used == 0) continue;
    for (std::uint32_t slot = 0; slot < route.flights.size(); ++slot) {
      Flight& flight = route.flights[slot];
      if (flight.id == 0 || flight.fate == Flight::Fate::withdrawn) continue;
      if (!route.channel->begun(slot)) continue;
      if (!fits(which, flight, states_[route.pool].info.name)) continue;
      if (!which.tag.empty() && !has_tag(flight.id)) continue;
      if (flight.fate == Flight::Fate::none) flight.fate = Flight::Fate::killed;
      route.channel->kill(slot, signal);
      ++killed;
    }
  }
  return killed;
}

// ---- looking

const Flight* Feed::find(JobId id) const {
  const auto found = places_.find(id);
  if (found == places_.end()) return nullptr;
  return &routes_[found->second.route].flights[found->second.slot];
}

bool Feed::begun(JobId id) const {
  const auto found = places_.find(id);
  // Those that have ended have begun; those that are to be given back have not.
  if (found == places_.end())
    return std::any_of(ended_.begin(), ended_.end(),
                       [&](const Ended& e) { return e.flight.id == id; });
  return routes_[found->second.route].channel->begun(found->second.slot);
}

std::optional<Progress> Feed::progress(JobId id, std::string& text) const {
  const auto found = places_.find(id);
  if (found == places_.end()) return std::nullopt;
  Progress progress;
  progress.id = id;
  if (!routes_[found->second.route].channel->progress(found->second.slot, progress.done,
                                                      progress.total, text))
    return std::nullopt;
  progress.text = text;
  return progress;
}

std::uint32_t Feed::running(std::string_view pool) const {
  const std::uint32_t p = pool_of(pool);
  return p == kNoPool ? 0 : states_[p].used;
}

std::uint32_t Feed::queued(std::string_view pool) const {
  std::uint32_t queued = 0;
  for (const Route& route : routes_) {
    if (route.used == 0 || states_[route.pool].info.name != pool) continue;
    for (std::uint32_t slot = 0; slot < route.flights.size(); ++slot) {
      const Flight& f = route.flights[slot];
      if (f.id != 0 && f.fate != Flight::Fate::withdrawn && !route.channel->begun(slot)) ++queued;
    }
  }
  return queued;
}

std::string Feed::obstacle(std::string_view name, std::int64_t mono_ns) const {
  const std::uint32_t p = pool_of(name);
  if (p == kNoPool)
    return "there is no pool \"" + std::string(name) + "\" in the daemon's configuration";
  const PoolState& pool = states_[p];
  if (draining_) return "the daemon is going down; it goes on when it is started again";
  if (pool.again_ns > mono_ns) return "the pool cannot be reached: " + pool.trouble;
  if (pool.info.rate != 0 && pool.used < pool.window && pool.tokens < 1)
    return "the pool starts at most " + std::to_string(pool.info.rate) + " jobs a second";
  return {};
}

std::optional<Feed::Window> Feed::window(std::string_view name) const {
  const std::uint32_t p = pool_of(name);
  if (p == kNoPool) return std::nullopt;
  return Window{states_[p].window, states_[p].used, states_[p].info.lanes};
}

std::vector<std::string> Feed::pool_names() const {
  std::vector<std::string> names;
  for (const PoolState& pool : states_) names.push_back(pool.info.name);
  return names;
}

std::optional<std::uint64_t> Feed::max_payload(std::string_view name) const {
  const std::uint32_t p = pool_of(name);
  if (p == kNoPool) return std::nullopt;
  return states_[p].info.max_payload;
}

std::vector<Progress> Feed::reports(std::vector<std::string>& texts) {
  std::vector<Progress> all;
  texts.clear();
  texts.reserve(places_.size());
  for (const auto& [id, place] : places_) {
    Route& route = routes_[place.route];
    Progress progress;
    std::string text;
    progress.id = id;
    if (!route.channel->progress(place.slot, progress.done, progress.total, text)) continue;
    const std::uint64_t sum =
        (progress.done * 31 + progress.total) * 31 + std::hash<std::string>()(text) + 1;
    Flight& flight = route.flights[place.slot];
    if (flight.progress == sum) continue;
    flight.progress = sum;
    texts.push_back(std::move(text));
    progress.text = texts.back();
    all.push_back(progress);
  }
  return all;
}

}  // namespace jobring::keeper
