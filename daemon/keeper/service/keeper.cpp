// The turn.
#include "daemon/keeper/service/keeper.hpp"

#include <algorithm>
#include <random>
#include <utility>

namespace jobring::keeper {
namespace {

constexpr std::int64_t kMillisecond = 1'000'000;
constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::uint32_t kWakeMost = 256;
constexpr std::uint32_t kCleanMost = 1'000;
constexpr std::int64_t kCleanWait = 3'600'000;           // ms, at most
constexpr std::int64_t kLookAgain = 50 * kMillisecond;   // at outputs that somebody follows
constexpr std::int64_t kPauseFirst = 50 * kMillisecond;  // after a turn that was refused
constexpr std::int64_t kPauseMost = 2 * kSecond;
constexpr std::int64_t kAskedAgainWithin = 60 * kSecond;
constexpr std::int64_t kSetBack = 3 * 3'600'000;  // ms

}  // namespace

Keeper::Keeper(std::unique_ptr<Store> store, Pools& pools, Answers& answers, KeeperOptions options,
               Now now, std::function<void(const std::string&)> trouble)
    : options_(std::move(options)),
      store_(std::move(store)),
      answers_(answers),
      trouble_(std::move(trouble)),
      keeper_clock_(store_->last_clock(), now.system),
      clock_(keeper_clock_.at(now.system)),
      outputs_(options_.outputs_directory, options_.outputs_max),
      feed_(pools, options_, outputs_, std::uint64_t(now.system.real_ms)),
      events_(options_.events, std::uint64_t(now.system.real_ms) * 1'000) {
  feed_.on_trouble = trouble_;
  last_real_ms_ = now.system.real_ms;
  last_boot_ms_ = now.system.boot_ms;
  std::vector<std::string> troubles;
  if (const auto loaded = cron_.load(*store_, troubles); !loaded)
    trouble_("cron entries: " + loaded.error().line());
  for (const std::string& line : troubles) trouble_(line);
  if (const auto loaded = answered_.load(*store_); !loaded)
    trouble_("answers of the last keeper: " + loaded.error().line());
  answered_until_ns_ = now.mono_ns + kAskedAgainWithin;
  find_due();
}

Result<void> Keeper::adopt(std::span<const Feed::Kept> channels) {
  return feed_.adopt(*store_, channels, clock_);
}

void Keeper::answer(std::uint64_t token, const Reply& reply) {
  std::string bytes = encode(reply);
  if (bytes.size() > options_.reply_max + kReplyHead) {
    Reply too_large;
    too_large.status = Status::too_large;
    too_large.payload = "the answer has more than " + std::to_string(options_.reply_max) + " bytes";
    bytes = encode(too_large);
  }
  answers_.answer(token, bytes);
}

void Keeper::fail(std::uint64_t token, Status status, std::string line) {
  Reply reply;
  reply.status = status;
  reply.payload = std::move(line);
  answer(token, reply);
}

// Within a turn: said when it is kept, and once more if the request comes again.
void Keeper::answer_later(const Caller& caller, const Reply& reply) {
  said_.push_back({caller.token, encode(reply)});
  answered_.add(caller, said_.back().bytes);
}

void Keeper::cancel(std::uint64_t token) {
  const auto found = std::find_if(longs_.begin(), longs_.end(),
                                  [&](const Long& l) { return l.caller.token == token; });
  const bool waited = waits_.remove(token);
  if (found != longs_.end())
    longs_.erase(found);
  else if (!waited)
    return;
  fail(token, Status::cancelled, "withdrawn");
}

void Keeper::session_ended(std::uint64_t session) {
  // What was asked is done; but its token may be another's by then.
  for (Asked& asked : asked_)
    if (asked.caller.session == session) asked.caller.token = kNobody;
  waits_.remove_session(session);
  std::erase_if(longs_, [&](const Long& l) { return l.caller.session == session; });
}

void Keeper::drain() {
  if (feed_.draining()) return;
  feed_.drain();
  // What nobody has begun goes back, for the next daemon.
  store_->begin(clock_, answered_.level());
  feed_.begin();
  feed_.finish(*store_);
  feed_.withdraw(*store_, Selector{});
  answered_.keep(*store_);
  if (const auto kept = store_->commit(); kept) {
    answered_.kept();
    feed_.kept(*store_, clock_, 0);
    tell_changes();
  } else {
    feed_.undone();
  }
}

// ---- the turn

void Keeper::find_due() {
  if (const auto due = store_->next_due()) next_due_ = *due;
}

bool Keeper::work_to_do(Now now) const {
  if (!asked_.empty()) return true;
  if (now.mono_ns < retry_ns_) return false;
  return !longs_.empty() || feed_.has_endings() || feed_.hungry(now.mono_ns) || wake_again_ ||
         (next_due_.real_ms != 0 && next_due_.real_ms <= clock_.real_ms) ||
         (next_due_.steady_ms != 0 && next_due_.steady_ms <= clock_.steady_ms) ||
         (!feed_.draining() && cron_.due(clock_.real_ms)) || !reports_.empty() || clean_again_;
}

bool Keeper::turn(Now now) {
  // The real clock was set back since we last looked: by how much?
  const std::int64_t back =
      (now.system.boot_ms - last_boot_ms_) - (now.system.real_ms - last_real_ms_);
  last_real_ms_ = now.system.real_ms;
  last_boot_ms_ = now.system.boot_ms;
  if (back > kSetBack) cron_.set_back(now.system.real_ms);

  clock_ = keeper_clock_.at(now.system);
  feed_.collect(*store_, clock_, now.mono_ns);
  housekeeping(now);
  if (work_to_do(now)) make_turn(now);
  look_again(now);
  for (const std::uint64_t token : waits_.due(now.mono_ns)) {
    const Wait wait = *waits_.find(token);
    waits_.remove(token);
    Reply reply;
    reply.status = Status::timed_out;
    bool nothing_yet = false;
    if (wait.kind == Wait::Kind::drain) {
      reply.number = feed_.running(wait.pool);
    } else if (wait.kind == Wait::Kind::log) {
      reply = logs(wait, nothing_yet);
    } else if (wait.kind == Wait::Kind::event) {
      reply = events(wait, nothing_yet);
    }
    answer(token, reply);
  }
  return work_to_do(now);
}

bool Keeper::make_turn(Now now) {
  // What the turn has to be safe against.
  Durability level = std::max(feed_.level(), answered_.level());
  for (const Asked& asked : asked_) level = std::max(level, level_of(asked));
  if (!longs_.empty() || cron_.due(clock_.real_ms)) level = Durability::synced;
  if (cron_stale_) {
    std::vector<std::string> troubles;
    cron_stale_ = !cron_.load(*store_, troubles);
  }
  said_.clear();
  after_.clear();
  stops_.clear();
  fresh_.clear();
  open_jobs_.reset();
  // Seen before it is forgotten.
  for (const Feed::Ended& ended : feed_.ended()) {
    const bool short_lived = ended.flight.keep_ms == 0 && ended.ending.next == JobState::succeeded;
    if (!short_lived || waits_.of_job(ended.flight.id).empty()) continue;
    auto record = store_->show(ended.flight.id);
    if (!record || !*record) continue;
    LastLook& look = last_looks_[ended.flight.id];
    look.record = std::move(**record);
    look.result = ended.result;
    look.tail = ended.tail;
    look.attempt = ended.ending.attempt;
  }

  store_->begin(clock_, level);
  feed_.begin();
  feed_.finish(*store_);
  for (Asked& asked : asked_) perform(asked, now);
  const std::size_t longs = longs_.size();
  std::vector<std::uint64_t> over;  // of longs_
  for (std::size_t i = 0; i < longs; ++i) {
    Reply reply;
    if (!step(longs_[i], reply)) continue;
    answer_later(longs_[i].caller, reply);
    over.push_back(longs_[i].caller.token);
  }
  if (!feed_.draining() && cron_.due(clock_.real_ms)) {
    cron_.fire(*store_, clock_);
    cron_stale_ = true;
  }
  answered_.keep(*store_);
  const bool wake_again = store_->wake(kWakeMost);
  for (const Change& change : store_->changes())
    if (change.state == JobState::ready) feed_.wanted(change.pool);
  feed_.take(*store_, clock_, now.mono_ns);
  if (!reports_.empty()) store_->progress(reports_);
  const bool clean_again = clean_again_ && store_->clean(kCleanMost);
  const auto kept = store_->commit();
  reports_.clear();
  asked_.clear();
  if (!kept) {
    refused(kept.error(), now);
    return false;
  }
  answered_.kept();
  cron_stale_ = false;
  wake_again_ = wake_again;
  clean_again_ = clean_again;
  pause_ns_ = retry_ns_ = 0;
  told_trouble_ = false;
  std::erase_if(longs_, [&](const Long& l) {
    return std::find(over.begin(), over.end(), l.caller.token) != over.end();
  });
  after_commit(now);
  return true;
}

void Keeper::after_commit(Now now) {
  // First of all who asks hears of it, then the workers get what they are to do.
  for (const Said& said : said_) answers_.answer(said.token, said.bytes);
  feed_.kept(*store_, clock_, now.mono_ns);
  tell_changes();
  said_.clear();
  for (const Stop& stop : stops_) feed_.stop(stop.id, stop.signal);
  for (Wait& wait : after_) waits_.add(std::move(wait));
  after_.clear();
  last_looks_.clear();
  fresh_.clear();
  find_due();
  if (store_->unflushed() && flush_ns_ == kForever)
    flush_ns_ = now.mono_ns + std::int64_t(options_.flush_ms) * kMillisecond;
}

// The events, and those who waited.
void Keeper::tell_changes() {
  const std::span<const Change> changes = store_->changes();
  // Their changes come in the same order, among others.
  const std::span<const Flight> ended = feed_.just_ended();
  std::size_t next_ended = 0;
  bool any_over = false;
  // Of more than are remembered only the last are of interest.
  std::uint64_t left = 0;  // this and those to come
  for (const Change& change : changes) left += change.count;
  for (std::size_t i = 0; i < changes.size(); ++i) {
    const Change& change = changes[i];
    const std::uint64_t skipped =
        std::min(change.count, left - std::min<std::uint64_t>(left, options_.events));
    left -= change.count;
    if (skipped < change.count) {
      Event event;
      event.time_ms = clock_.real_ms;
      event.id = change.id;
      event.state = change.state;
      event.attempt = change.attempt;
      event.pool = change.pool;
      event.removed = change.removed;
      JobRecord record;
      const Flight* flight = nullptr;
      if (next_ended < ended.size() && ended[next_ended].id == change.id) {
        flight = &ended[next_ended];
        if (i + 1 == changes.size() || changes[i + 1].id != change.id) ++next_ended;
      } else if (change.state == JobState::running) {
        flight = feed_.find(change.id);
      }
      const auto fresh = std::upper_bound(fresh_.begin(), fresh_.end(), change.id,
                                          [](JobId id, const Fresh& f) { return id < f.first; });
      if (flight != nullptr) {
        event.uid = flight->uid;
        event.name = flight->name;
      } else if (fresh != fresh_.begin() && std::prev(fresh)->last >= change.id) {
        event.uid = std::prev(fresh)->uid;
        event.name = std::prev(fresh)->name;
      } else if (auto shown = store_->show(change.id); shown && *shown) {
        record = std::move(**shown);
        event.uid = record.job.spec.uid;
        event.name = record.job.spec.name;
      }
      event.id += skipped;
      for (std::uint64_t n = skipped; n < change.count; ++n, ++event.id) events_.add(event);
    }
    const bool over = is_ended(change.state) || change.removed;
    any_over |= over;
    look_for_clean_ |= over;
    if (change.removed) outputs_.removed(change.id);
    if (!waits_.anybody_for_jobs()) continue;
    if (over) waits_.ended(change.id);
    if (!over && change.state != JobState::running) continue;
    for (const std::uint64_t token : waits_.of_job(change.id)) {
      const Wait& wait = *waits_.find(token);
      // One that is to begin is looked at again and again.
      if (!over) continue;
      Reply reply;
      const auto kept = last_looks_.find(change.id);
      if (kept != last_looks_.end()) {
        JobRecord& record = kept->second.record;
        record.job.state = JobState::succeeded;
        record.job.last = kept->second.attempt;
        record.job.last->tail = kept->second.tail;
        record.job.result = kept->second.result;
        reply = view_reply(record, wait.flags);
      } else if (auto record = record_of(wait.caller, change.id, reply)) {
        reply = view_reply(*record, wait.flags);
      }
      waits_.remove(token);
      answer(token, reply);
    }
  }
  for (Wait* wait : waits_.any_ended()) {
    Reply reply;
    reply.payload = encode_ids(wait->ended);
    const std::uint64_t token = wait->caller.token;
    waits_.remove(token);
    answer(token, reply);
  }
  if (any_over || !said_.empty()) {
    for (const std::uint64_t token : waits_.of_kind(Wait::Kind::group)) {
      const Wait& wait = *waits_.find(token);
      Request request;
      request.id = wait.id;
      Reply reply = group(wait.caller, request);
      GroupView view;
      if (reply.status == Status::ok && decode_group(reply.payload, view) &&
          !(view.sealed && view.open == 0))
        continue;
      waits_.remove(token);
      answer(token, reply);
    }
  }
}

// Nothing of the turn has happened.
void Keeper::refused(const Error& error, Now now) {
  feed_.undone();
  cron_stale_ = true;
  pause_ns_ = std::clamp(pause_ns_ * 2, kPauseFirst, kPauseMost);
  retry_ns_ = now.mono_ns + pause_ns_;
  const Status status = error.code == Errc::full ? Status::full : Status::store_failed;
  if (!told_trouble_) trouble_("nothing can be kept: " + error.line());
  told_trouble_ = true;
  for (const Said& said : said_) {
    std::erase_if(longs_, [&](const Long& l) { return l.caller.token == said.token; });
    fail(said.token, status, error.line());
  }
  for (const Long& work : longs_) fail(work.caller.token, status, error.line());
  longs_.clear();
  for (const Wait& wait : after_) fail(wait.caller.token, status, error.line());
  said_.clear();
  after_.clear();
  last_looks_.clear();
  fresh_.clear();
}

void Keeper::flush() {
  if (const auto flushed = store_->flush(); !flushed)
    trouble_("the store cannot be flushed: " + flushed.error().line());
}

// ---- now and then

void Keeper::housekeeping(Now now) {
  if (!answered_.empty() && now.mono_ns >= answered_until_ns_) answered_.forget_all();
  if (flush_ns_ <= now.mono_ns) {
    const auto flushed = store_->flush();
    if (!flushed) trouble_("the store cannot be flushed: " + flushed.error().line());
    flush_ns_ = flushed ? kForever : now.mono_ns + kSecond;
  }
  if (feed_.any_running() && now.mono_ns - last_reports_ns_ >= kSecond) {
    last_reports_ns_ = now.mono_ns;
    reports_ = feed_.reports(report_texts_);
  }
  if (now.mono_ns - last_clean_ns_ >= kSecond) {
    last_clean_ns_ = now.mono_ns;
    look_for_clean_ = false;
    const auto next = store_->next_clean();
    next_clean_ms_ = next ? *next : 0;
    if (next_clean_ms_ != 0 && next_clean_ms_ <= clock_.steady_ms) clean_again_ = true;
  }
  const bool sweep = sweep_again_ || outputs_.has_removed() || outputs_.over();
  if (sweep && now.mono_ns - last_sweep_ns_ >= kSecond / 10) {
    last_sweep_ns_ = now.mono_ns;
    sweep_again_ = outputs_.sweep({[this](JobId id) {
                                     const auto record = store_->show(id);
                                     return !record || record->has_value();
                                   },
                                   [this](JobId id) { return feed_.find(id) != nullptr; }});
  }
}

// What nobody tells us of: outputs that grow, jobs that begin.
void Keeper::look_again(Now now) {
  if (waits_.empty()) return;
  if (waits_.count(Wait::Kind::drain) > 0) {
    for (const std::uint64_t token : waits_.of_kind(Wait::Kind::drain)) {
      const Wait& wait = *waits_.find(token);
      if (feed_.running(wait.pool) > 0) continue;
      waits_.remove(token);
      answer(token, Reply{});
    }
  }
  if (waits_.count(Wait::Kind::event) > 0) {
    for (const std::uint64_t token : waits_.of_kind(Wait::Kind::event)) {
      bool nothing_yet = false;
      Reply reply = events(*waits_.find(token), nothing_yet);
      if (nothing_yet) continue;
      waits_.remove(token);
      answer(token, reply);
    }
  }
  const bool follows = waits_.count(Wait::Kind::log) + waits_.count(Wait::Kind::started) > 0;
  if (!follows || now.mono_ns - last_look_ns_ < kLookAgain) return;
  last_look_ns_ = now.mono_ns;
  for (const std::uint64_t token : waits_.of_kind(Wait::Kind::log)) {
    bool nothing_yet = false;
    Reply reply = logs(*waits_.find(token), nothing_yet);
    if (nothing_yet) continue;
    waits_.remove(token);
    answer(token, reply);
  }
  for (const std::uint64_t token : waits_.of_kind(Wait::Kind::started)) {
    const Wait wait = *waits_.find(token);
    if (feed_.find(wait.id) == nullptr || !feed_.begun(wait.id)) continue;
    Reply reply;
    if (auto record = record_of(wait.caller, wait.id, reply))
      reply = view_reply(*record, wait.flags);
    waits_.remove(token);
    answer(token, reply);
  }
}

std::int64_t Keeper::next_ns(Now now) const {
  const Clock clock = keeper_clock_.at(now.system);
  std::int64_t next = std::min(flush_ns_, waits_.next_deadline());
  const auto in_ms = [&](std::int64_t ms) {
    next = std::min(next, std::max(now.mono_ns, retry_ns_) +
                              std::clamp<std::int64_t>(ms, 0, 60'000) * kMillisecond);
  };
  // Never longer than a minute for the real clock, which may be set.
  if (next_due_.real_ms != 0) in_ms(next_due_.real_ms - clock.real_ms);
  if (next_due_.steady_ms != 0) in_ms(next_due_.steady_ms - clock.steady_ms);
  if (cron_.next_ms() != 0 && !feed_.draining()) in_ms(cron_.next_ms() - clock.real_ms);
  if (look_for_clean_) next = std::min(next, last_clean_ns_ + kSecond);
  if (next_clean_ms_ != 0)
    next =
        std::min(next, std::max(last_clean_ns_ + kSecond,
                                now.mono_ns + std::clamp<std::int64_t>(
                                                  next_clean_ms_ - clock.steady_ms, 0, kCleanWait) *
                                                  kMillisecond));
  if (sweep_again_ || outputs_.has_removed() || outputs_.over())
    next = std::min(next, last_sweep_ns_ + kSecond / 10);
  if (waits_.count(Wait::Kind::log) + waits_.count(Wait::Kind::started) > 0)
    next = std::min(next, last_look_ns_ + kLookAgain);
  next = std::min(next, feed_.next_ns(now.mono_ns));
  if (retry_ns_ > now.mono_ns) next = std::min(next, retry_ns_);
  return next;
}

}  // namespace jobring::keeper
