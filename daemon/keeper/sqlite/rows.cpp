// What all parts of the engine share: rows of jobs, and where they stand while they wait.
#include <algorithm>

#include "daemon/keeper/sqlite/engine.hpp"

namespace jobring::keeper {
namespace {

std::int64_t ready_key(std::uint32_t pool, JobId id) {
  return std::int64_t(pool) << 48 | std::int64_t(id);
}

}  // namespace

SqliteStore::Row SqliteStore::row_of(Statement& s) {
  Row row;
  row.id = JobId(s.number(0));
  row.state = JobState(s.number(1) & 7);
  row.pool = std::uint32_t(s.number(2));
  row.tries = std::uint32_t(s.number(3));
  row.due = s.number(4);
  row.priority = std::int32_t(s.number(5));
  row.flags = std::uint32_t(s.number(6));
  row.base = std::uint32_t(s.number(7));
  row.unmet = std::uint32_t(s.number(8));
  row.group = JobId(s.number(9));
  return row;
}

SqliteStore::Row SqliteStore::packed_row(const Pack& pack, JobId id) {
  Row row;
  row.id = id;
  row.state = JobState::ready;
  row.pool = pack.pool;
  row.group = pack.group;
  row.flags = kPacked;
  const std::string_view spec = pack.spec(id);
  if (spec.empty())
    row.flags |= kMember;
  else if (payload_is_elsewhere(spec))
    row.flags |= kBigPayload;
  return row;
}

SqliteStore::Found SqliteStore::found_at(Statement& s) {
  Found found;
  found.row = row_of(s);
  found.spec = s.bytes(kSpecColumn);
  found.last = s.bytes(kLastColumn);
  return found;
}

bool SqliteStore::load_row(JobId id, Row& row) {
  get_row_.bind(1, std::int64_t(id));
  if (get_row_.step()) {
    const Rows rows(get_row_);
    row = row_of(get_row_);
  } else if (const Pack* pack = packs_.find(id)) {
    row = packed_row(*pack, id);
  } else {
    return false;
  }
  if (row.pool < pools_.size()) return true;
  db_.damaged("job " + std::to_string(id) + " names a pool that is not there");
  return false;
}

bool SqliteStore::find(JobId id, Found& found) {
  get_row_.bind(1, std::int64_t(id));
  if (get_row_.step()) {
    const Rows rows(get_row_);
    found = found_at(get_row_);
    found.spec = spec_copy_ = spec_bytes(found.row, found.spec);
    found.last = last_copy_ = found.last;
    return true;
  }
  const Pack* pack = packs_.find(id);
  if (pack == nullptr) return false;
  found.row = packed_row(*pack, id);
  found.spec = spec_copy_ = spec_bytes(found.row, pack->spec(id));
  found.last = {};
  return true;
}

void SqliteStore::insert_row(const Row& r, const std::string_view* spec,
                             const std::string_view* last) {
  insert_.bind(1, std::int64_t(r.id)).bind(2, std::int64_t(r.state)).bind(3, r.pool);
  insert_.bind_sparse(4, r.tries).bind_sparse(5, r.due).bind_sparse(6, r.priority);
  insert_.bind_sparse(7, r.flags).bind_sparse(8, r.base).bind_sparse(9, r.unmet);
  insert_.bind_sparse(10, std::int64_t(r.group));
  spec == nullptr ? insert_.bind_null(11) : insert_.bind(11, *spec);
  last == nullptr ? insert_.bind_null(12) : insert_.bind(12, *last);
  insert_.run();
}

void SqliteStore::save(Row& r) {
  if (r.has(kPacked)) {
    r.flags &= ~std::uint32_t(kPacked);
    unpack(r, nullptr);
    return;
  }
  save_.bind(1, std::int64_t(r.state)).bind(2, r.pool).bind_sparse(3, r.tries);
  save_.bind_sparse(4, r.due).bind_sparse(5, r.priority).bind_sparse(6, r.flags);
  save_.bind_sparse(7, r.base).bind_sparse(8, r.unmet).bind(9, std::int64_t(r.id)).run();
}

void SqliteStore::unpack(const Row& r, const std::string_view* last) {
  InFlight::Entry* const entry = in_flight_.find(r.id);
  Pack* const pack = entry != nullptr ? entry->pack : packs_.find(r.id);
  if (pack == nullptr) return db_.damaged("job " + std::to_string(r.id) + " is in no pack");
  const std::string_view spec = pack->spec(r.id);
  insert_row(r, r.has(kMember) ? nullptr : &spec, last);
  packs_.drop(*pack, r.id);
  if (entry == nullptr) return;
  entry->pack = nullptr;
  entry->flags &= ~std::uint32_t(kPacked);
}

void SqliteStore::enter(const Row& r) {
  const auto id = std::int64_t(r.id);
  zones_.add(r.id, r.pool, r.state, 1);
  switch (r.state) {
    case JobState::ready:
      if (r.priority == 0) {
        put_ready_.bind(1, ready_key(r.pool, r.id)).run();
      } else {
        any_ranked_ = true;
        put_ranked_.bind(1, r.pool).bind(2, rank(r.id, r.priority, options_.ageing));
        put_ranked_.bind(3, id).run();
      }
      break;
    case JobState::delayed:
    case JobState::failed:
      if (r.due == 0) break;
      put_timer_.bind(1, r.has(kRealDue) ? kDueReal : kDueSteady).bind(2, r.due).bind(3, id).run();
      break;
    default:
      break;
  }
}

// `r` is as its row is: with kParked, it is where jobs of a full key wait.
void SqliteStore::leave(const Row& r) {
  const auto id = std::int64_t(r.id);
  zones_.add(r.id, r.pool, r.state, -1);
  switch (r.state) {
    case JobState::ready: {
      if (r.has(kPacked)) break;
      const std::int64_t place = rank(r.id, r.priority, options_.ageing);
      std::string key;
      if (r.has(kKeyed)) {
        scratch_ = {};
        spec_of(r, scratch_);
        key = key_of(scratch_);
      }
      if (r.has(kParked)) {
        drop_parked_.bind(1, key).bind(2, r.pool).bind(3, place).bind(4, id).run();
        break;
      }
      if (r.priority == 0)
        drop_ready_.bind(1, ready_key(r.pool, r.id)).run();
      else
        drop_ranked_.bind(1, r.pool).bind(2, place).bind(3, id).run();
      if (r.has(kKeyed)) fetch_parked(key, r.pool);
      break;
    }
    case JobState::delayed:
    case JobState::failed:
      if (r.due == 0) break;
      drop_timer_.bind(1, r.has(kRealDue) ? kDueReal : kDueSteady).bind(2, r.due).bind(3, id).run();
      break;
    default:
      break;
  }
}

// The first of those that wait for the key goes back among the ready ones.
void SqliteStore::fetch_parked(std::string_view key, std::uint32_t pool) {
  if (!any_parked_) return;
  find_parked_.bind(1, key).bind(2, pool);
  if (!find_parked_.step()) return;
  const auto id = JobId(find_parked_.number(0));
  find_parked_.reset();
  Row r;
  if (!load_row(id, r)) return db_.damaged("a parked job is not there");
  drop_parked_.bind(1, key).bind(2, pool);
  drop_parked_.bind(3, rank(id, r.priority, options_.ageing)).bind(4, std::int64_t(id)).run();
  zones_.add(id, r.pool, r.state, -1);
  r.flags &= ~std::uint32_t(kParked);
  save(r);
  enter(r);
}

void SqliteStore::fetch_parked_everywhere(std::string_view key) {
  if (!any_parked_) return;
  std::int64_t pool = 0;
  for (;;) {
    parked_pools_.bind(1, key).bind(2, pool);
    if (!parked_pools_.step()) return;
    pool = parked_pools_.number(0);
    parked_pools_.reset();
    fetch_parked(key, std::uint32_t(pool));
  }
}

// Where a job goes that is neither held nor ended.
JobState SqliteStore::waiting_state(const Row& r) const {
  if (r.unmet > 0) return JobState::delayed;
  const std::int64_t now = r.has(kRealDue) ? now_.real_ms : now_.steady_ms;
  if (r.due == 0 || r.due <= now) return JobState::ready;
  return r.tries > r.base ? JobState::failed : JobState::delayed;
}

// ---- specifications

std::string_view SqliteStore::spec_bytes(const Row& row, std::string_view stored) {
  if (!row.has(kMember)) return stored;
  if (group_spec_of_ != row.group) {
    get_group_spec_.bind(1, std::int64_t(row.group));
    group_spec_.clear();
    group_spec_of_ = 0;
    if (get_group_spec_.step()) {
      group_spec_ = get_group_spec_.bytes(0);
      group_spec_of_ = row.group;
      get_group_spec_.reset();
    }
  }
  return group_spec_;
}

bool SqliteStore::decode(const Row& row, std::string_view bytes, JobSpec& spec, bool* elsewhere) {
  if (row.pool >= pools_.size() || !decode_spec(bytes, spec, elsewhere)) {
    db_.damaged("the record of job " + std::to_string(row.id) + " makes no sense");
    return false;
  }
  spec.pool = pools_[row.pool].name;
  spec.priority = row.priority;
  spec.group = row.group;
  if (row.has(kMember)) {
    const Group& g = group_of(row.group);
    spec.index = g.first + std::int64_t(row.id - row.group - 1) * g.step;
  }
  return true;
}

bool SqliteStore::spec_of(const Row& row, JobSpec& spec) {
  Found found;
  return find(row.id, found) && decode(row, found.spec, spec, nullptr);
}

// When an ended job may be forgotten.
std::int64_t SqliteStore::expiry_of(std::uint64_t keep_ms) const {
  if (keep_ms == kKeepDefault) keep_ms = options_.keep_ms;
  const auto most = std::uint64_t(INT64_MAX - std::max<std::int64_t>(now_.steady_ms, 0));
  return std::max<std::int64_t>(1, now_.steady_ms + std::int64_t(std::min(keep_ms, most)));
}

// ---- groups and pools

SqliteStore::Group& SqliteStore::group_of(JobId id) {
  const auto [it, fresh] = groups_.try_emplace(id);
  Group& g = it->second;
  if (!fresh) return g;
  get_group_.bind(1, std::int64_t(id));
  if (!get_group_.step()) return g;
  g.there = true;
  g.size = get_group_.number(0);
  g.open = get_group_.number(1);
  g.bad = get_group_.number(2);
  g.kept = get_group_.number(3);
  g.sealed = get_group_.number(4) != 0;
  g.first = get_group_.number(5);
  g.step = get_group_.number(6);
  JobSpec spec;
  if (decode_spec(get_group_.bytes(7), spec, nullptr)) {
    g.uid = spec.uid;
    g.array = !spec.handler.empty();
  }
  get_group_.reset();
  return g;
}

// Writes the groups that the turn changed. One that is over tells who waits for it; one that
// nothing is left of is forgotten.
void SqliteStore::store_groups() {
  for (auto& [id, g] : groups_) {
    if (!g.dirty) continue;
    g.dirty = false;
    const auto key = std::int64_t(id);
    if (g.sealed && g.open == 0 && any_edges_) {
      has_edge_.bind(1, key);
      if (has_edge_.step()) {
        has_edge_.reset();
        put_settled_.bind(1, key).bind(2, g.bad == 0).run();
      }
    }
    if (g.sealed && g.kept == 0) {
      drop_group_.bind(1, key).run();
      drop_big_.bind(1, key << 1).run();
      if (id + 1 == next_job_) next_job_dirty_ = true;
      g.there = false;
      continue;
    }
    put_group_.bind(1, key).bind(2, g.size).bind(3, g.open).bind_sparse(4, g.bad).bind(5, g.kept);
    put_group_.bind_sparse(6, g.sealed).bind_sparse(7, g.first).bind_sparse(8, g.step).run();
  }
}

std::uint32_t SqliteStore::pool_id(std::string_view name, bool make) {
  const auto it = pools_by_name_.find(name);
  if (it != pools_by_name_.end()) return it->second;
  if (!make || name.empty() || pools_.size() >= 1u << 15) return 0;
  const auto id = std::uint32_t(pools_.size());
  put_pool_.bind(1, id).bind(2, name).run();
  pools_by_name_.emplace(name, id);
  pools_.push_back({std::string(name), false});
  return id;
}

// Forgets an ended job that is counted in the summaries.
void SqliteStore::remove(Row r) {
  const auto id = std::int64_t(r.id);
  JobSpec spec;
  if (r.has(kTagged) && spec_of(r, spec))
    for (const std::string_view tag : spec.tags) drop_tag_.bind(1, tag).bind(2, id).run();
  zones_.add(r.id, r.pool, r.state, -1);
  changed(r, true);
  if (r.has(kPacked)) {
    InFlight::Entry* const entry = in_flight_.find(r.id);
    if (Pack* const pack = entry != nullptr ? entry->pack : packs_.find(r.id))
      packs_.drop(*pack, r.id);
  } else {
    drop_job_.bind(1, id).run();
  }
  if (r.has(kBigPayload) && !r.has(kMember)) drop_big_.bind(1, id << 1).run();
  if (r.has(kBigResult)) drop_big_.bind(1, id << 1 | 1).run();
  if (r.has(kAttempts)) drop_attempts_.bind(1, id).run();
  if (r.has(kNoted)) drop_note_.bind(1, id).run();
  if (r.group != 0) {
    Group& g = group_of(r.group);
    g.kept -= 1;
    g.dirty = true;
  }
  if (r.id + 1 == next_job_) next_job_dirty_ = true;
}

}  // namespace jobring::keeper
