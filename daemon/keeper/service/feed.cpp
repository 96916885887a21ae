#include "daemon/keeper/service/feed.hpp"

#include <algorithm>

#include "common/durable_tag.hpp"
#include "common/exec_codec.hpp"
#include "common/limits.hpp"

namespace jobring::keeper {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kOpenAgain = kSecond;     // after a channel could not be opened
constexpr std::int64_t kRoomAgain = 50'000'000;  // after a channel had no room, or took no more

std::uint64_t route_name(std::uint32_t pool, std::uint32_t uid) {
  return std::uint64_t(pool) << 32 | uid;
}

}  // namespace

Feed::Feed(Pools& pools, const KeeperOptions& options, Outputs& outputs, std::uint64_t seed)
    : pools_(pools), options_(options), outputs_(outputs), chance_(unsigned(seed | 1)) {
  for (const PoolInfo& info : pools_.pools()) {
    PoolState state;
    state.info = info;
    state.window = std::max(2 * info.lanes, kWindowMin);
    states_.push_back(std::move(state));
  }
}

std::uint32_t Feed::pool_of(std::string_view name) const {
  for (std::uint32_t i = 0; i < states_.size(); ++i)
    if (states_[i].info.name == name) return i;
  return kNoPool;
}

Flight Feed::flight_of(const JobSpec& spec, JobId id, std::uint32_t attempt, std::uint32_t base) {
  Flight f;
  f.id = id;
  f.attempt = attempt;
  f.base = base;
  f.command = spec.handler == kExecHandler;
  f.keyed = !spec.concurrency_key.empty();
  f.durability = spec.durability;
  f.priority = spec.priority;
  f.uid = spec.uid;
  f.keep_ms = spec.keep_ms;
  if (spec.retry.max != 0) f.retry = spec.retry;
  f.name = spec.name;
  f.group = spec.group;
  return f;
}

// ---- channels

Result<std::uint32_t> Feed::open(std::uint32_t pool, std::uint32_t uid, std::uint32_t gid) {
  auto channel = pools_.open(states_[pool].info.name, uid, gid);
  if (!channel) return channel.error();
  Route route;
  route.pool = pool;
  route.uid = uid;
  route.gid = gid;
  route.channel = std::move(*channel);
  route.flights.resize(route.channel->slots());
  const auto at = std::uint32_t(routes_.size());
  routes_.push_back(std::move(route));
  routes_by_name_[route_name(pool, uid)] = at;
  return at;
}

Feed::Route* Feed::route_to(std::uint32_t pool, std::uint32_t uid, std::uint32_t gid,
                            std::int64_t mono_ns) {
  const auto found = routes_by_name_.find(route_name(pool, uid));
  if (found != routes_by_name_.end()) {
    Route& route = routes_[found->second];
    if (route.channel) return &route;
    auto channel = pools_.open(states_[pool].info.name, uid, gid);
    if (channel) {
      route.channel = std::move(*channel);
      route.flights.assign(route.channel->slots(), {});
      states_[pool].trouble.clear();
      return &route;
    }
    not_open(states_[pool], channel.error(), mono_ns);
    return nullptr;
  }
  auto opened = open(pool, uid, gid);
  if (!opened) {
    not_open(states_[pool], opened.error(), mono_ns);
    return nullptr;
  }
  states_[pool].trouble.clear();
  return &routes_[*opened];
}

void Feed::not_open(PoolState& pool, const Error& error, std::int64_t mono_ns) {
  pool.again_ns = mono_ns + kOpenAgain;
  const std::string line = error.line();
  if (pool.trouble != line && on_trouble) on_trouble("pool " + pool.info.name + ": " + line);
  pool.trouble = line;
}

Result<void> Feed::adopt(Store& store, std::span<const Kept> channels, Clock clock) {
  std::unordered_map<JobId, Running> runs;
  std::vector<std::uint64_t> adopted;
  for (const Running& r : store.running()) runs.emplace(r.id, r);
  for (const Kept& kept : channels) {
    const std::uint32_t pool = pool_of(kept.pool);
    if (pool == kNoPool) continue;
    auto opened = open(pool, kept.uid, kept.gid);
    if (!opened) {
      // Closed, or it made no sense: what was in it is lost.
      if (on_trouble) on_trouble("pool " + kept.pool + ": " + opened.error().line());
      continue;
    }
    Route& route = routes_[*opened];
    adopted.push_back(route_name(pool, kept.uid));
    // An attempt that was withdrawn and handed out again is in two slots until the first is reaped:
    // the one that lives counts.
    std::vector<PoolChannel::Adopted> slots = route.channel->adopted();
    std::stable_partition(slots.begin(), slots.end(),
                          [](const PoolChannel::Adopted& slot) { return !slot.done; });
    for (const PoolChannel::Adopted& slot : slots) {
      if (slot.slot >= route.flights.size()) continue;
      ++route.used;
      const auto tag = parse_durable_tag(slot.tag);
      const auto found = tag ? runs.find(tag->id) : runs.end();
      if (found == runs.end() || found->second.attempt != tag->attempt) {
        // It has ended, as we know; if it has not, nobody waits for it.
        if (!slot.done && !route.channel->withdraw(slot.slot)) route.channel->kill(slot.slot, 9);
        continue;
      }
      const JobId id = tag->id;
      auto record = store.show(id);
      if (!record) return record.error();
      if (!*record) continue;
      Flight flight = flight_of((*record)->job.spec, id, tag->attempt, found->second.base);
      if (found->second.stop_wanted) flight.fate = Flight::Fate::cancelled;
      route.flights[slot.slot] = std::move(flight);
      places_[id] = {*opened, slot.slot};
      ++states_[pool].used;
      if (found->second.stop_wanted) route.channel->kill(slot.slot, 15);
      runs.erase(found);
    }
  }
  for (const auto& [id, r] : runs) {
    auto record = store.show(id);
    if (!record) return record.error();
    if (!*record) continue;
    const JobSpec& spec = (*record)->job.spec;
    const std::uint32_t pool = pool_of(spec.pool);
    // Its channel is there, but it is not in it: its keeper died before it handed it out.
    if (pool != kNoPool &&
        std::find(adopted.begin(), adopted.end(), route_name(pool, spec.uid)) != adopted.end()) {
      backs_.push_back(id);
      continue;
    }
    Ended ended;
    ended.flight = flight_of(spec, id, r.attempt, r.base);
    ended.ending.attempt.number = r.attempt;
    ended.ending.attempt.started_ms = r.taken_ms;
    ended.ending.attempt.ended_ms = r.taken_ms;
    ended.ending.attempt.outcome = Outcome::lost;
    ended.ending.id = id;
    ended.tail = "the daemon or the machine went down";
    ended_.push_back(std::move(ended));
  }
  for (Ended& ended : ended_) decide(store, ended, clock);
  return {};
}

// ---- a turn

void Feed::begin() {
  backs_given_ = 0;
  batches_.clear();
}

void Feed::finish(Store& store) {
  endings_.clear();
  for (Ended& ended : ended_) {
    Ending ending = ended.ending;
    ending.attempt.tail = ended.tail;
    ending.result = ended.slot == kNoSlot ? std::string_view(ended.own_result) : ended.result;
    if (ended.flight.keyed) wanted_everywhere();
    endings_.push_back(std::move(ending));
  }
  if (!endings_.empty()) store.finish(endings_);
  if (backs_given_ < backs_.size()) {
    store.give_back(std::span(backs_).subspan(backs_given_));
    backs_given_ = backs_.size();
    wanted_everywhere();
  }
}

bool Feed::hungry(std::int64_t mono_ns) const {
  if (draining_) return false;
  return std::any_of(states_.begin(), states_.end(), [&](const PoolState& pool) {
    if (!pool.look || pool.used >= pool.window || pool.again_ns > mono_ns) return false;
    if (pool.info.rate == 0) return true;
    return pool.tokens + double(mono_ns - pool.tokens_ns) * pool.info.rate / double(kSecond) >= 1;
  });
}

void Feed::refill(PoolState& pool, std::int64_t mono_ns) const {
  const double most = std::max(1.0, pool.info.rate / 20.0);  // 50 ms at once
  pool.tokens = std::min(
      most, pool.tokens + double(mono_ns - pool.tokens_ns) * pool.info.rate / double(kSecond));
  pool.tokens_ns = mono_ns;
}

void Feed::take(Store& store, Clock clock, std::int64_t mono_ns) {
  clock_ = clock;
  if (draining_) return;
  for (std::uint32_t p = 0; p < states_.size(); ++p) {
    PoolState& pool = states_[p];
    if (!pool.look || pool.used >= pool.window || pool.again_ns > mono_ns) continue;
    std::uint32_t room = pool.window - pool.used;
    if (pool.info.rate != 0) {
      refill(pool, mono_ns);
      room = std::min(room, std::uint32_t(pool.tokens));
      if (room == 0) continue;
    }
    TakenBatch taken = store.take(pool.info.name, room);
    pool.look = taken.more || taken.jobs.size() == room;
    if (!taken.jobs.empty()) batches_.push_back({p, std::move(taken)});
  }
}

void Feed::kept(Store& store, Clock clock, std::int64_t mono_ns) {
  clock_ = clock;
  just_ended_.clear();
  for (Ended& ended : ended_) {
    just_ended_.push_back(std::move(ended.flight));
    if (ended.slot == kNoSlot) continue;
    Route& route = routes_[ended.route];
    route.channel->release(ended.slot);
    --route.used;
    --states_[route.pool].used;
  }
  ended_.clear();
  backs_.erase(backs_.begin(), backs_.begin() + std::ptrdiff_t(backs_given_));
  backs_given_ = 0;
  // There may be no other slot for what was taken.
  for (std::uint32_t r = 0; r < routes_.size() && !batches_.empty(); ++r)
    if (routes_[r].withdrew && routes_[r].channel) reap(store, r, clock);
  for (const Batch& batch : batches_) {
    PoolState& pool = states_[batch.pool];
    if (pool.info.rate != 0) pool.tokens -= double(batch.taken.jobs.size());
    for (const Taken& job : batch.taken.jobs) hand_out(batch.pool, job, clock, mono_ns);
  }
  batches_.clear();
  for (Route& route : routes_) {
    if (!route.unpublished || !route.channel) continue;
    route.unpublished = false;
    route.channel->publish();
  }
}

void Feed::undone() {
  batches_.clear();
  backs_given_ = 0;
  wanted_everywhere();
}

void Feed::hand_out(std::uint32_t p, const Taken& job, Clock clock, std::int64_t mono_ns) {
  PoolState& pool = states_[p];
  Flight flight = flight_of(job.spec, job.id, job.attempt, job.base);
  Route* route =
      pool.again_ns > mono_ns ? nullptr : route_to(p, job.spec.uid, job.spec.gid, mono_ns);
  if (route == nullptr) {
    backs_.push_back(job.id);
    return;
  }
  const auto at = std::uint32_t(route - routes_.data());
  std::string_view payload;
  if (!payload_of(job, payload))
    return end_unbegun(flight, at, Outcome::bad_request, JobState::dead,
                       "its command makes no sense", clock);
  const DurableTagText tag({job.id, job.attempt, job.spec.index});
  Put put;
  put.handler = job.spec.handler;
  put.payload = payload;
  put.tag = tag.view();
  put.timeout_ms = job.spec.timeout_ms;
  if (job.spec.deadline_ms != 0)
    put.start_within_ms =
        std::uint64_t(std::max<std::int64_t>(1, job.spec.deadline_ms - clock.real_ms));
  std::uint32_t slot = 0;
  std::string why;
  switch (route->channel->put(put, slot, why)) {
    case PoolChannel::Room::done:
      route->flights[slot] = std::move(flight);
      places_[job.id] = {at, slot};
      route->unpublished = true;
      ++route->used;
      ++pool.used;
      return;
    case PoolChannel::Room::none:
      pool.window = std::max(kWindowMin, pool.used);
      pool.again_ns = mono_ns + kRoomAgain;
      backs_.push_back(job.id);
      return;
    case PoolChannel::Room::closed:
      not_open(pool, {Errc::no_daemon, "its workers cannot start, or it is going down", {}, {}},
               mono_ns);
      backs_.push_back(job.id);
      return;
    case PoolChannel::Room::refused:
      return end_unbegun(flight, at, Outcome::bad_request, JobState::dead, std::move(why), clock);
  }
}

// A command gets its limit, and a member of an array its index, here: members share one payload.
bool Feed::payload_of(const Taken& job, std::string_view& payload) {
  payload = job.spec.payload;
  if (job.spec.handler != kExecHandler) return true;
  auto command =
      decode_command({reinterpret_cast<const unsigned char*>(payload.data()), payload.size()});
  if (!command) return false;
  std::uint64_t most = options_.output_max;
  if (job.spec.output_max != 0) most = std::min(most, job.spec.output_max);
  if (command->output_max != 0) most = std::min(most, command->output_max);
  command->output_max = std::max<std::uint64_t>(most, 1);
  if (job.spec.index) command->env.push_back("JOBRING_INDEX=" + std::to_string(*job.spec.index));
  payload_ = encode(*command);
  payload = payload_;
  return true;
}

void Feed::wanted(std::string_view pool) {
  const std::uint32_t p = pool_of(pool);
  if (p != kNoPool) states_[p].look = true;
}

void Feed::wanted_everywhere() {
  for (PoolState& pool : states_) pool.look = true;
}

std::int64_t Feed::next_ns(std::int64_t mono_ns) const {
  std::int64_t next = kForever;
  if (!places_.empty()) next = mono_ns + kSecond;
  if (draining_) return next;
  for (const PoolState& pool : states_) {
    if (!pool.look || pool.used >= pool.window) continue;
    if (pool.again_ns > mono_ns) {
      next = std::min(next, pool.again_ns);
    } else if (pool.info.rate != 0) {
      const double missing = std::max(0.0, 1.0 - pool.tokens);
      next = std::min(
          next, pool.tokens_ns + std::int64_t(missing * double(kSecond) / pool.info.rate) + 1);
    }
  }
  return next;
}

}  // namespace jobring::keeper
