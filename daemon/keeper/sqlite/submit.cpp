// New jobs.
#include <algorithm>

#include "daemon/keeper/sqlite/engine.hpp"

namespace jobring::keeper {
namespace {

// Longer ones have rows of their own: a job's row is rewritten at its end.
constexpr std::size_t kInlineMax = 1024;  // bytes
constexpr std::int64_t kArrayMax = 10'000'000;

}  // namespace

std::span<const Submitted> SqliteStore::submit(std::span<const JobSpec> jobs) {
  answers_.clear();
  if (!working()) return answers_;
  answers_.reserve(jobs.size());
  for (const JobSpec& spec : jobs) {
    const std::size_t at = answers_.size();
    answers_.push_back(spec.array ? submit_array(spec, at) : submit_one(spec, at));
    if (!db_.ok()) break;
  }
  if (!db_.ok()) answers_.clear();
  return answers_;
}

Submitted SqliteStore::check_spec(const JobSpec& s, std::size_t at) {
  const bool sensible =
      !s.handler.empty() && !s.pool.empty() &&
      (s.concurrency_key.empty() || s.concurrency_max > 0) &&
      std::none_of(s.tags.begin(), s.tags.end(), [](std::string_view t) { return t.empty(); });
  if (!sensible) return {Submitted::Status::bad, 0, 0, 0};
  for (const Dependency& d : s.dependencies) {
    if (!d.in_batch) continue;
    if (d.on >= at) return {Submitted::Status::bad, 0, 0, 0};
    const Submitted& other = answers_[d.on];
    if (other.status != Submitted::Status::stored && other.status != Submitted::Status::duplicate)
      return {Submitted::Status::no_such_job, 0, 0, 0};
  }
  if (s.group != 0) {
    const Group& g = group_of(s.group);
    if (!g.there || g.sealed) return {Submitted::Status::no_such_group, s.group, 0, 0};
  }
  return {};
}

// Whether its dependencies allow it to be accepted. Leaves in waits_ those that it has to wait for.
Submitted SqliteStore::depend(const JobSpec& s) {
  waits_.clear();
  for (const Dependency& d : s.dependencies) {
    const JobId on = d.in_batch ? answers_[d.on].id : d.on;
    bool ended = false, good = false;
    Row row;
    if (load_row(on, row)) {
      ended = is_ended(row.state);
      good = row.state == JobState::succeeded;
    } else {
      const Group& g = group_of(on);
      // One without members goes with the end of the turn.
      if (!g.there || (g.sealed && g.kept == 0)) return {Submitted::Status::no_such_job, on, 0, 0};
      ended = g.sealed && g.open == 0;
      good = g.bad == 0;
    }
    if (ended && !good && d.after == After::success)
      return {Submitted::Status::cannot_succeed, on, 0, 0};
    const bool twice =
        std::any_of(waits_.begin(), waits_.end(), [&](const Dependency& w) { return w.on == on; });
    if (!ended && !twice) waits_.push_back({on, d.after, false});
  }
  return {};
}

// Its dependencies by id.
std::span<const Dependency> SqliteStore::resolved(const JobSpec& s) {
  resolved_ = s.dependencies;
  for (Dependency& d : resolved_)
    if (d.in_batch) d = {answers_[d.on].id, d.after, false};
  return resolved_;
}

Submitted SqliteStore::claim_key(const JobSpec& s, JobId id) {
  Submitted answer;
  get_unique_.bind(1, s.uid).bind(2, s.unique.key);
  if (get_unique_.step()) {
    const auto other = JobId(get_unique_.number(0));
    const std::int64_t until = get_unique_.number(1);
    get_unique_.reset();
    Row row;
    const bool there = load_row(other, row);
    const bool waits = there && !is_ended(row.state) && in_flight_.find(other) == nullptr;
    // Free, but not cleaned up yet.
    const bool free = until != 0 && until <= now_.steady_ms;
    if (!free) {
      if (!s.unique.replace || !waits) return {Submitted::Status::duplicate, other, 0, 0};
      end(row, JobState::cancelled, Outcome::cancelled, "replaced by a newer job");
      answer.replaced = other;
    }
  }
  std::int64_t until = 0;
  if (s.unique.until == UniqueUntil::time) {
    until = now_.steady_ms + std::int64_t(std::min<std::uint64_t>(s.unique.for_ms, 1ull << 50));
  }
  put_unique_.bind(1, s.uid).bind(2, s.unique.key).bind(3, std::int64_t(id)).bind_sparse(4, until);
  put_unique_.run();
  return answer;
}

// Its state and due time, from the specification.
void SqliteStore::schedule(Row& r, const JobSpec& s) {
  r.due = 0;
  if (s.delay_ms > 0) {
    r.due = now_.steady_ms + std::int64_t(std::min<std::uint64_t>(s.delay_ms, 1ull << 50));
  } else if (s.run_at_ms > now_.real_ms) {
    r.due = s.run_at_ms;
    r.flags |= kRealDue;
  }
  r.state = s.held ? JobState::held : waiting_state(r);
  if (r.state == JobState::ready) r.due = 0;
}

void SqliteStore::insert(Row& r, const JobSpec& s, std::string_view blob) {
  const auto id = std::int64_t(r.id);
  for (const Dependency& d : waits_) {
    any_edges_ = true;
    put_edge_.bind(1, std::int64_t(d.on)).bind(2, id).bind(3, std::int64_t(d.after)).run();
  }
  r.unmet = std::uint32_t(waits_.size());
  schedule(r, s);
  if (s.deadline_ms != 0) {
    r.flags |= kDeadlined;
    put_timer_.bind(1, kDeadline).bind(2, s.deadline_ms).bind(3, id).run();
  }
  if (!s.tags.empty()) {
    r.flags |= kTagged;
    for (const std::string_view tag : s.tags) put_tag_.bind(1, tag).bind(2, id).run();
  }
  if (!s.concurrency_key.empty()) r.flags |= kKeyed;
  insert_row(r, r.has(kMember) ? nullptr : &blob, nullptr);
  enter(r);
}

// A member of a group that is not an array.
void SqliteStore::joined(const Row& row) {
  Group& g = group_of(row.group);
  g.size += 1;
  g.open += 1;
  g.kept += 1;
  g.dirty = true;
}

// Nothing but the specification has to be kept of it (packs.hpp). After depend().
bool SqliteStore::plain(const JobSpec& s) const {
  return s.priority == 0 && s.unique.key.empty() && s.concurrency_key.empty() && s.tags.empty() &&
         s.deadline_ms == 0 && s.delay_ms == 0 && s.run_at_ms <= now_.real_ms && !s.held &&
         waits_.empty();
}

Submitted SqliteStore::submit_one(const JobSpec& spec, std::size_t at) {
  using S = Submitted::Status;
  if (const Submitted bad = check_spec(spec, at); bad.status != S::stored) return bad;
  if (const Submitted bad = depend(spec); bad.status != S::stored) return bad;
  Row row;
  row.pool = pool_id(spec.pool, true);
  if (row.pool == 0 || next_job_ > kJobIdMax) return {S::bad, 0, 0, 0};
  row.id = next_job_;
  row.priority = spec.priority;
  row.group = spec.group;
  Submitted answer;
  if (!spec.unique.key.empty()) {
    answer = claim_key(spec, row.id);
    if (answer.status != S::stored) return answer;
    row.flags |= kUnique;
  }
  const bool elsewhere = spec.payload.size() > kInlineMax;
  if (elsewhere) {
    row.flags |= kBigPayload;
    put_big_.bind(1, std::int64_t(row.id) << 1).bind(2, spec.payload).run();
  }
  buffer_.clear();
  encode_spec(buffer_, spec, {now_.real_ms, resolved(spec), elsewhere});
  ++next_job_;
  answer.id = row.id;
  if (plain(spec)) {
    row.state = JobState::ready;
    packs_.add(row.id, row.pool, row.group, buffer_);
    zones_.add(row.id, row.pool, row.state, 1);
  } else {
    insert(row, spec, buffer_);
  }
  if (row.group != 0) joined(row);
  changed(row);
  return answer;
}

// A group row with the one specification, and packs or small rows for its members.
Submitted SqliteStore::submit_array(const JobSpec& spec, std::size_t at) {
  using S = Submitted::Status;
  const Array& array = *spec.array;
  if (const Submitted bad = check_spec(spec, at); bad.status != S::stored) return bad;
  const bool sensible = array.step > 0 && array.last >= array.first && spec.group == 0 &&
                        spec.unique.key.empty() && !spec.index &&
                        (array.at_once == 0 || spec.concurrency_key.empty());
  if (!sensible) return {S::bad, 0, 0, 0};
  const auto steps =
      (std::uint64_t(array.last) - std::uint64_t(array.first)) / std::uint64_t(array.step);
  if (steps >= std::uint64_t(kArrayMax)) return {S::bad, 0, 0, 0};
  const auto count = std::int64_t(steps) + 1;
  if (const Submitted bad = depend(spec); bad.status != S::stored) return bad;
  const std::uint32_t pool = pool_id(spec.pool, true);
  if (pool == 0 || next_job_ + std::uint64_t(count) > kJobIdMax) return {S::bad, 0, 0, 0};

  const JobId id = next_job_;
  next_job_ += std::uint64_t(count) + 1;
  JobSpec own = spec;
  own.array.reset();
  const std::string key = "array " + std::to_string(id);
  if (array.at_once > 0) {
    own.concurrency_key = key;
    own.concurrency_max = array.at_once;
  }
  const bool elsewhere = spec.payload.size() > kInlineMax;
  if (elsewhere) put_big_.bind(1, std::int64_t(id) << 1).bind(2, spec.payload).run();
  buffer_.clear();
  encode_spec(buffer_, own, {now_.real_ms, resolved(own), elsewhere});
  Group& g = groups_[id];
  g = {count, count, 0, count, true, true, true, spec.uid, array.first, array.step, true};
  Statement put;
  put.prepare(db_,
              "INSERT INTO grp(id, size, open, kept, sealed, first, step, spec) "
              "VALUES(?1, ?2, ?2, ?2, 1, ?3, ?4, ?5)");
  put.bind(1, std::int64_t(id)).bind(2, count).bind_sparse(3, array.first);
  put.bind(4, array.step).bind(5, buffer_).run();
  g.dirty = true;
  const bool packed = plain(own);
  Row first;
  for (std::int64_t i = 0; i < count && db_.ok(); ++i) {
    Row row;
    row.id = id + 1 + std::uint64_t(i);
    row.pool = pool;
    row.priority = spec.priority;
    row.group = id;
    row.flags = kMember | (elsewhere ? kBigPayload : 0u);
    if (packed) {
      row.state = JobState::ready;
      packs_.add(row.id, row.pool, row.group, {});
      zones_.add(row.id, row.pool, row.state, 1);
    } else {
      insert(row, own, {});
    }
    if (i == 0) first = row;
  }
  changed(first, false, std::uint64_t(count));
  return {S::stored, id, std::uint32_t(count), 0};
}

// Its specification says whose it is, and nothing else.
JobId SqliteStore::new_group(std::uint32_t uid) {
  if (!working()) return 0;
  const JobId id = next_job_++;
  Group& g = groups_[id];
  g = {};
  g.there = g.dirty = true;
  g.uid = uid;
  JobSpec owner;
  owner.uid = uid;
  buffer_.clear();
  encode_spec(buffer_, owner, {now_.real_ms, {}, false});
  Statement put;
  put.prepare(db_, "INSERT INTO grp(id, size, open, kept, spec) VALUES(?1, 0, 0, 0, ?2)");
  put.bind(1, std::int64_t(id)).bind(2, buffer_).run();
  return id;
}

void SqliteStore::seal_group(JobId id) {
  if (!working()) return;
  Group& g = group_of(id);
  if (!g.there || g.sealed) return;
  g.sealed = g.dirty = true;
}

}  // namespace jobring::keeper
