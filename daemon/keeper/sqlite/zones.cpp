#include "daemon/keeper/sqlite/zones.hpp"

#include <algorithm>

#include "common/keeper/packer.hpp"

namespace jobring::keeper {
namespace {

void merge(std::vector<ZoneCount>& into, std::uint32_t pool, JobState state, std::int64_t jobs) {
  for (ZoneCount& c : into) {
    if (c.pool == pool && c.state == state) {
      c.jobs += jobs;
      return;
    }
  }
  into.push_back({pool, state, jobs});
}

}  // namespace

void encode_zone(std::string& to, const std::vector<ZoneCount>& counts) {
  Packer p(to);
  for (const ZoneCount& c : counts) {
    p.number(std::uint64_t(c.pool) << 3 | std::uint64_t(c.state));
    p.number(std::uint64_t(c.jobs));
  }
}

bool decode_zone(std::string_view bytes, std::vector<ZoneCount>& counts) {
  counts.clear();
  Unpacker u(bytes);
  while (!u.at_end()) {
    const std::uint64_t word = u.number();
    counts.push_back({std::uint32_t(word >> 3), JobState(word & 7), std::int64_t(u.number())});
    if (!u.ok() || counts.back().jobs <= 0 || counts.back().jobs > Zones::kJobs) return false;
  }
  return true;
}

void Zones::prepare(Database& db) {
  db_ = &db;
  get_.prepare(db, "SELECT counts, expiry FROM zone WHERE block = ?");
  put_.prepare(db, "INSERT OR REPLACE INTO zone(block, counts, expiry) VALUES(?, ?, ?)");
  drop_.prepare(db, "DELETE FROM zone WHERE block = ?");
}

void Zones::load(Database& db, JobId next) {
  totals_.clear();
  changes_.clear();
  recent_ = nullptr;
  recent_block_ = -1;
  Statement all;
  all.prepare(db, "SELECT counts FROM zone");
  while (all.step()) {
    if (!decode_zone(all.bytes(0), counts_)) return db.damaged("a summary of jobs makes no sense");
    for (const ZoneCount& c : counts_) {
      if (c.pool >= totals_.size()) {
        if (c.pool > 1u << 15) return db.damaged("a summary of jobs names an impossible pool");
        totals_.resize(c.pool + 1);
      }
      totals_[c.pool][std::size_t(c.state)] += c.jobs;
    }
  }
  open_ = block(next);
  Statement jobs;
  jobs.prepare(db, "SELECT id, pool, state, due FROM job WHERE id >= ?");
  jobs.bind(1, open_ << kShift);
  while (jobs.step()) {
    const auto id = JobId(jobs.number(0));
    const auto state = JobState(jobs.number(2) & 7);
    if (jobs.number(1) < 0 || jobs.number(1) > 1 << 15)
      return db.damaged("a job names an impossible pool");
    add(id, std::uint32_t(jobs.number(1)), state, 1);
    if (is_ended(state)) expires(id, jobs.number(3));
  }
}

const std::vector<ZoneCount>& Zones::last_counts() {
  return change(open_).counts;
}
std::int64_t Zones::last_expiry() {
  return change(open_).expiry;
}

Zones::Change& Zones::change(std::int64_t block) {
  if (block != recent_block_ || recent_ == nullptr) {
    recent_ = &changes_[block];  // a map of nodes: it stays where it is
    recent_block_ = block;
  }
  return *recent_;
}

void Zones::add(JobId id, std::uint32_t pool, JobState state, std::int64_t jobs) {
  merge(change(block(id)).counts, pool, state, jobs);
  if (pool >= totals_.size()) totals_.resize(pool + 1);
  totals_[pool][std::size_t(state)] += jobs;
}

void Zones::expires(JobId id, std::int64_t when) {
  Change& c = change(block(id));
  if (c.expiry == 0 || when < c.expiry) c.expiry = when;
}

void Zones::set_expiry(std::int64_t block, std::int64_t when) {
  Change& c = change(block);
  c.expiry = when;
  c.expiry_set = true;
}

void Zones::store(JobId next) {
  open_ = block(next);
  for (auto it = changes_.begin(); it != changes_.end();) {
    const std::int64_t block = it->first;
    if (block >= open_) {
      ++it;
      continue;
    }
    const Change change = std::move(it->second);
    it = changes_.erase(it);
    counts_.clear();
    std::int64_t expiry = 0;
    get_.bind(1, block);
    if (get_.step()) {
      if (!decode_zone(get_.bytes(0), counts_)) db_->damaged("a summary of jobs makes no sense");
      expiry = get_.number(1);
      get_.reset();
    }
    for (const ZoneCount& c : change.counts) merge(counts_, c.pool, c.state, c.jobs);
    std::erase_if(counts_, [](const ZoneCount& c) { return c.jobs == 0; });
    if (change.expiry_set)
      expiry = change.expiry;
    else if (change.expiry != 0 && (expiry == 0 || change.expiry < expiry))
      expiry = change.expiry;
    if (std::any_of(counts_.begin(), counts_.end(), [](const auto& c) { return c.jobs < 0; }))
      db_->damaged("a summary of jobs counts fewer than there are");
    if (counts_.empty()) {
      drop_.bind(1, block).run();
      continue;
    }
    buffer_.clear();
    encode_zone(buffer_, counts_);
    put_.bind(1, block).bind(2, buffer_).bind_sparse(3, expiry).run();
  }
  recent_ = nullptr;
  recent_block_ = -1;
}

std::int64_t Zones::total(std::uint32_t pool, JobState state) const {
  return pool < totals_.size() ? totals_[pool][std::size_t(state)] : 0;
}

}  // namespace jobring::keeper
