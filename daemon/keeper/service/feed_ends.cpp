// What has ended in the channels, what becomes of it, and how fast a pool is.
#include <algorithm>
#include <cstring>

#include "common/exec_codec.hpp"
#include "common/job_note.hpp"
#include "daemon/keeper/retry.hpp"
#include "daemon/keeper/service/feed.hpp"

namespace jobring::keeper {
namespace {

constexpr std::int64_t kSpan = 20'000'000;  // ns over which a pool's speed is measured
constexpr std::size_t kReapMax = 4096;      // of a turn and channel

}  // namespace

void Feed::collect(Store& store, Clock clock, std::int64_t mono_ns) {
  clock_ = clock;
  for (std::uint32_t r = 0; r < routes_.size(); ++r) {
    Route& route = routes_[r];
    if (!route.channel) continue;
    if (route.channel->broken()) {
      // With the daemon all channels close, and hold what has ended until then.
      if (draining_) reap(store, r, clock);
      lose(store, r, clock);
    } else if (route.used > 0) {
      reap(store, r, clock);
    }
  }
  for (PoolState& pool : states_) fit_window(pool, mono_ns);
}

void Feed::reap(Store& store, std::uint32_t r, Clock clock) {
  Route& route = routes_[r];
  route.withdrew = false;
  reaped_.clear();
  route.channel->reap(reaped_, kReapMax);
  PoolState& pool = states_[route.pool];
  for (const Done& done : reaped_) {
    Flight& flight = route.flights[done.slot];
    if (flight.id == 0 || flight.fate == Flight::Fate::withdrawn) {
      flight = {};
      route.channel->release(done.slot);
      --route.used;
      continue;
    }
    places_.erase(flight.id);
    if (done.outcome == Outcome::cancelled) {
      // Not by us: its pool takes no more. Nobody has begun it.
      backs_.push_back(flight.id);
      --pool.used;
      flight = {};
      route.channel->release(done.slot);
      --route.used;
      continue;
    }
    Ended ended;
    ended.flight = std::move(flight);
    flight = {};
    ended.route = r;
    ended.slot = done.slot;
    ++pool.done;
    end(store, std::move(ended), done, clock);
  }
}

// What is recorded of it.
void Feed::end(Store& store, Ended ended, const Done& done, Clock clock) {
  Flight& flight = ended.flight;
  Ending& e = ended.ending;
  Attempt& a = e.attempt;
  e.id = flight.id;
  a.number = flight.attempt;
  a.worker = done.worker;
  a.ended_ms = clock.real_ms;
  a.started_ms = clock.real_ms - std::int64_t(done.run_us / 1'000);
  a.outcome = done.outcome;
  ended.result = done.result;
  const bool of_command =
      flight.command && (done.outcome == Outcome::ok || done.outcome == Outcome::failed ||
                         done.outcome == Outcome::timed_out || done.outcome == Outcome::killed);
  bool decoded = false;
  if (of_command) {
    const auto result = decode_command_result(
        {reinterpret_cast<const unsigned char*>(done.result.data()), done.result.size()});
    if (result) {
      decoded = true;
      const CommandReport& report = result->report;
      a.worker = report.pid;
      a.exit_code = report.start_errno != 0 || report.signal == 0 ? report.shell_status() : 0;
      if (report.timed_out || report.killed) a.exit_code = std::max(report.exit_code, 0);
      a.signal = report.signal;
      a.user_us = report.user_us;
      a.system_us = report.system_us;
      a.max_rss_kib = report.max_rss_kib;
      if (report.start_errno != 0)
        ended.tail = report.start_step + ": " + std::strerror(report.start_errno);
      else if (report.stdout_total + report.stderr_total > 0)
        ended.tail = outputs_.tail(flight.id, flight.attempt, options_.tail);
      if (report.stdout_total + report.stderr_total > 0) outputs_.ended(flight.id, flight.attempt);
    }
  }
  if (!decoded && done.outcome != Outcome::ok) {
    if (done.outcome == Outcome::crashed) a.signal = done.detail;
    if (done.outcome == Outcome::failed) a.exit_code = done.detail;
    ended.tail = cut_text(done.result, std::max<std::size_t>(options_.tail, 256));
    if (flight.command) outputs_.ended(flight.id, flight.attempt);
  }
  const bool stopped = flight.fate != Flight::Fate::none;
  if (draining_ && !stopped &&
      (a.outcome == Outcome::crashed || a.outcome == Outcome::killed || a.outcome == Outcome::lost))
    a.outcome = Outcome::lost;
  ended_.push_back(std::move(ended));
  decide(store, ended_.back(), clock);
}

// How many of its former attempts were lost; of those that count against its retries, or of all in
// a row that came last.
std::uint32_t Feed::lost_before(Store& store, const Flight& flight, bool only_these_retries) {
  if (flight.attempt <= 1) return 0;
  const auto record = store.show(flight.id);
  if (!record || !*record) return 0;
  std::uint32_t lost = 0;
  const auto& attempts = (*record)->attempts;
  for (auto a = attempts.rbegin(); a != attempts.rend(); ++a) {
    if (a->number >= flight.attempt) continue;
    if (only_these_retries && a->number <= flight.base) break;
    if (a->outcome == Outcome::lost)
      ++lost;
    else if (!only_these_retries)
      break;
  }
  return lost;
}

// What becomes of the job.
void Feed::decide(Store& store, Ended& ended, Clock clock) {
  const Flight& flight = ended.flight;
  Ending& e = ended.ending;
  e.due_ms = 0;
  if (flight.fate == Flight::Fate::cancelled && e.attempt.outcome != Outcome::ok) {
    e.next = JobState::cancelled;
    return;
  }
  if (e.attempt.outcome == Outcome::ok) {
    e.next = JobState::succeeded;
    return;
  }
  e.next = JobState::dead;
  if (flight.fate == Flight::Fate::killed) return;
  if (e.attempt.outcome == Outcome::lost) {
    if (lost_before(store, flight, false) + 1 < options_.lost_limit) e.next = JobState::ready;
    return;
  }
  if (!may_retry(flight.retry, e.attempt)) return;
  std::uint32_t number = flight.attempt - std::min(flight.base, flight.attempt);
  // Attempts that were lost are nobody's fault.
  if (number > 1) number -= std::min(number - 1, lost_before(store, flight, true));
  const auto pause = pause_ms(flight.retry, number, std::uint32_t(chance_() * 2u));
  if (!pause) return;
  e.next = JobState::failed;
  e.due_ms = clock.steady_ms + std::int64_t(*pause);
}

Durability Feed::level() const {
  Durability level = Durability::none;
  for (const Ended& ended : ended_) level = std::max(level, ended.flight.durability);
  return level;
}

// Its words make no sense: what was handed out there is lost.
void Feed::lose(Store& store, std::uint32_t r, Clock clock) {
  Route& route = routes_[r];
  for (Ended& ended : ended_) {
    if (ended.slot == kNoSlot || ended.route != r) continue;
    ended.own_result = ended.result;
    ended.slot = kNoSlot;
    --states_[route.pool].used;
  }
  for (Flight& flight : route.flights) {
    if (flight.id == 0 || flight.fate == Flight::Fate::withdrawn) continue;
    places_.erase(flight.id);
    --states_[route.pool].used;
    Ended ended;
    ended.flight = std::move(flight);
    Attempt& a = ended.ending.attempt;
    ended.ending.id = ended.flight.id;
    a.number = ended.flight.attempt;
    a.started_ms = a.ended_ms = clock.real_ms;
    a.outcome = Outcome::lost;
    ended.tail = "a handler wrote where it should not: what its channel holds makes no sense";
    ended_.push_back(std::move(ended));
    decide(store, ended_.back(), clock);
  }
  route.channel->close();
  route.channel.reset();
  route.flights.clear();
  route.used = 0;
  route.unpublished = false;
}

void Feed::end_unbegun(const Flight& flight, std::uint32_t route, Outcome outcome, JobState next,
                       std::string why, Clock clock) {
  Ended ended;
  ended.flight = flight;
  ended.route = route;
  ended.ending.id = flight.id;
  ended.ending.attempt.number = flight.attempt;
  ended.ending.attempt.outcome = outcome;
  ended.ending.attempt.started_ms = ended.ending.attempt.ended_ms = clock.real_ms;
  ended.ending.next = next;
  ended.tail = std::move(why);
  ended_.push_back(std::move(ended));
}

// ---- windows

// A window is what the pool does in 20 ms, but twice its workers at least. It is doubled as soon as
// the pool ran out of jobs within that time, so that it grows to its size in a tenth of a second.
void Feed::fit_window(PoolState& pool, std::int64_t mono_ns) {
  const std::uint32_t least = std::max(2 * pool.info.lanes, kWindowMin);
  const std::uint32_t most = std::max(
      least, std::min(options_.window, pool.info.slots == 0 ? options_.window : pool.info.slots));
  if (pool.look && pool.done > 0 && pool.done >= pool.window / 2 &&
      mono_ns - pool.span_ns < kSpan) {
    pool.window = std::min(most, pool.window * 2);
    pool.done = 0;
    pool.span_ns = mono_ns;
    return;
  }
  if (mono_ns - pool.span_ns < kSpan) return;
  const std::int64_t spans = std::max<std::int64_t>(1, (mono_ns - pool.span_ns) / kSpan);
  const auto speed = std::uint32_t(2 * pool.done / spans);
  if (speed < pool.window) pool.window = std::max({least, speed, pool.window / 2});
  pool.window = std::clamp(pool.window, least, most);
  pool.done = 0;
  pool.span_ns = mono_ns;
}

}  // namespace jobring::keeper
