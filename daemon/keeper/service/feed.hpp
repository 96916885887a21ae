// The keeper as a client of the pools: what runs, in which slot of which channel; what has ended;
// what goes in next.
//
// In a turn, in this order: collect() before it begins; finish() and take() in it; then, if it was
// kept, kept(), which frees the slots of what has ended and puts what was taken into the channels;
// or else undone(): what has ended stays in its slots, and the pools get nothing.
//
// A job is in at most one of: a slot (Flight), ended_ (its end is to be recorded), backs_ (nobody
// has begun it, it is to be given back). All three are `running` in the store.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "daemon/keeper/service/outputs.hpp"
#include "daemon/keeper/service/pools.hpp"
#include "daemon/keeper/store.hpp"

namespace jobring::keeper {

struct Flight {
  enum class Fate : std::uint8_t {
    none,
    withdrawn,  // it is not ours any more; its slot comes back with the next reap
    cancelled,  // somebody cancelled it: the store knows
    killed,     // somebody killed it
  };
  JobId id = 0;  // 0: the slot is free, or holds what nobody knows
  std::uint32_t attempt = 0, base = 0;
  Fate fate = Fate::none;
  bool command = false, keyed = false;
  Durability durability = Durability::synced;
  std::int32_t priority = 0;
  std::uint32_t uid = 0;
  std::uint64_t keep_ms = kKeepDefault;
  Retry retry{};
  std::string name{};
  JobId group = 0;
  std::uint64_t progress = 0;  // a sum of what it last reported
};

class Feed {
 public:
  Feed(Pools& pools, const KeeperOptions& options, Outputs& outputs, std::uint64_t seed);

  // At the start, once: takes over what the last keeper had in the channels that there are; what
  // ran elsewhere is lost, what was not yet handed out goes back.
  struct Kept {
    std::string pool;
    std::uint32_t uid = 0, gid = 0;
  };
  // Channels that cannot be opened are left out.
  Result<void> adopt(Store& store, std::span<const Kept> channels, Clock clock);

  // Reaps what has ended. `clock`, `mono_ns`: now.
  void collect(Store& store, Clock clock, std::int64_t mono_ns);
  bool has_endings() const { return !ended_.empty() || !backs_.empty(); }
  // Whether a take might bring something.
  bool hungry(std::int64_t mono_ns) const;
  Durability level() const;

  void begin();
  void finish(Store& store);
  void take(Store& store, Clock clock, std::int64_t mono_ns);
  void kept(Store& store, Clock clock, std::int64_t mono_ns);
  void undone();

  // A job of this pool became ready; a place under some key became free.
  void wanted(std::string_view pool);
  void wanted_everywhere();
  // One of this pool and priority will be ready: those that it should overtake are given back. In a
  // turn.
  void make_way(Store& store, std::string_view pool, std::int32_t priority, std::uint32_t count);
  // Those that fit and that nobody has begun are given back, in a turn: the store's verbs then see
  // them as they are seen from outside.
  void withdraw(Store& store, const Selector& which);
  // After the turn in which it was cancelled.
  void stop(JobId id, int signal);
  // Kills those that fit. How many.
  std::uint32_t kill(const Selector& which, int signal, const std::function<bool(JobId)>& has_tag);
  // The daemon is going down: nothing more is handed out, and what dies from now on is lost.
  void drain() { draining_ = true; }
  bool draining() const { return draining_; }

  // ---- looking
  const Flight* find(JobId id) const;
  // Of a job that the store says runs: whether somebody has begun it.
  bool begun(JobId id) const;
  std::optional<Progress> progress(JobId id, std::string& text) const;
  std::uint32_t running(std::string_view pool) const;  // begun or not
  std::uint32_t queued(std::string_view pool) const;   // not begun
  // Why a ready job of this pool is not handed out, if it is the pool's fault.
  std::string obstacle(std::string_view pool, std::int64_t mono_ns) const;
  struct Window {
    std::uint32_t size = 0, used = 0, lanes = 0;
  };
  std::optional<Window> window(std::string_view pool) const;
  std::vector<std::string> pool_names() const;
  bool knows(std::string_view pool) const { return pool_of(pool) != kNoPool; }
  // Bytes; nothing if there is no such pool.
  std::optional<std::uint64_t> max_payload(std::string_view pool) const;

  // What has ended in this turn, until kept() or undone().
  struct Ended {
    Flight flight;
    std::uint32_t route = 0;
    std::uint32_t slot = kNoSlot;
    Ending ending;
    std::string tail;
    std::string_view result;  // in the slot
    std::string own_result;   // or here, if there is no slot
  };
  const std::vector<Ended>& ended() const { return ended_; }
  // What ended in the turn that was kept last.
  std::span<const Flight> just_ended() const { return just_ended_; }

  // What the running jobs say of themselves, as far as it is new. The texts are in `texts`.
  std::vector<Progress> reports(std::vector<std::string>& texts);
  bool any_running() const { return !places_.empty(); }
  // When something is to be done without anybody asking, CLOCK_MONOTONIC; kForever: never.
  std::int64_t next_ns(std::int64_t mono_ns) const;

  // Something that somebody should know, once: for the log.
  std::function<void(const std::string&)> on_trouble;

 private:
  static constexpr std::uint32_t kNoSlot = ~std::uint32_t{0};
  static constexpr std::uint32_t kWindowMin = 4;  // jobs
  static constexpr std::uint32_t kNoPool = ~std::uint32_t{0};

  struct PoolState {
    PoolInfo info;
    bool look = true;  // a take might bring something
    std::uint32_t used = 0;
    std::uint32_t window = 0;
    std::uint32_t done = 0;    // in this span of time
    std::int64_t span_ns = 0;  // when that began
    bool ran_dry = false;      // it could have done more
    double tokens = 0;         // of its rate
    std::int64_t tokens_ns = 0;
    std::int64_t again_ns = 0;  // no take before this: its channel could not be opened
    std::string trouble;
  };
  // A channel.
  struct Route {
    std::uint32_t pool = 0;
    std::uint32_t uid = 0, gid = 0;
    std::unique_ptr<PoolChannel> channel;
    std::vector<Flight> flights;  // by slot
    bool unpublished = false;
    std::uint32_t used = 0;
    bool withdrew = false;  // slots of jobs that were withdrawn are to be reaped
  };
  struct Place {
    std::uint32_t route, slot;
  };
  struct Batch {
    std::uint32_t pool;
    TakenBatch taken;
  };

  std::uint32_t pool_of(std::string_view name) const;
  Route* route_to(std::uint32_t pool, std::uint32_t uid, std::uint32_t gid, std::int64_t mono_ns);
  Result<std::uint32_t> open(std::uint32_t pool, std::uint32_t uid, std::uint32_t gid);
  void hand_out(std::uint32_t pool, const Taken& job, Clock clock, std::int64_t mono_ns);
  bool payload_of(const Taken& job, std::string_view& payload);
  static Flight flight_of(const JobSpec& spec, JobId id, std::uint32_t attempt, std::uint32_t base);
  void not_open(PoolState& pool, const Error& error, std::int64_t mono_ns);
  void reap(Store& store, std::uint32_t route, Clock clock);
  void lose(Store& store, std::uint32_t route, Clock clock);
  void end(Store& store, Ended ended, const Done& done, Clock clock);
  void decide(Store& store, Ended& ended, Clock clock);
  std::uint32_t lost_before(Store& store, const Flight& flight, bool only_these_retries);
  bool take_out(std::uint32_t route, std::uint32_t slot);
  void end_unbegun(const Flight& flight, std::uint32_t route, Outcome outcome, JobState next,
                   std::string why, Clock clock);
  static bool fits(const Selector& which, const Flight& flight, std::string_view pool);
  void fit_window(PoolState& pool, std::int64_t mono_ns);
  void refill(PoolState& pool, std::int64_t mono_ns) const;

  Pools& pools_;
  const KeeperOptions& options_;
  Outputs& outputs_;
  std::vector<PoolState> states_;
  std::vector<Route> routes_;
  std::unordered_map<std::uint64_t, std::uint32_t> routes_by_name_;  // pool << 32 | uid
  std::unordered_map<JobId, Place> places_;
  std::vector<Done> reaped_;
  std::vector<Ended> ended_;
  std::vector<Flight> just_ended_;
  std::vector<JobId> backs_;
  std::size_t backs_given_ = 0;  // in this turn
  std::vector<Batch> batches_;
  std::vector<Ending> endings_;
  std::string payload_;
  std::minstd_rand chance_;
  bool draining_ = false;
  Clock clock_{};
};

}  // namespace jobring::keeper
