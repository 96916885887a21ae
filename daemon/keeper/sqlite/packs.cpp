#include "daemon/keeper/sqlite/packs.hpp"

#include <algorithm>
#include <cstring>

#include "common/keeper/packer.hpp"

namespace jobring::keeper {
namespace {

// A row should fit into a page of 4 KiB.
constexpr std::size_t kBytes = 3'600;
// A record in one: the answer to a submission or two.
constexpr std::size_t kRecordMost = 96;
// So many new ones are held back, so that a turn of a million jobs takes no more memory.
constexpr std::size_t kHeldBack = 256;

std::string_view bytes_of(const std::uint64_t& mask) {
  return {reinterpret_cast<const char*>(&mask), sizeof mask};
}

}  // namespace

// `live` always has 8 bytes, so that SQLite overwrites it in place.
void Packs::prepare(Database& db) {
  db_ = &db;
  put_.prepare(db, "INSERT INTO pack(k, live, grp, specs, record) VALUES(?, ?, ?, ?, ?)");
  update_.prepare(db, "UPDATE pack SET live = ? WHERE k = ?");
  drop_.prepare(db, "DELETE FROM pack WHERE k = ?");
#define FROM_PACK "SELECT k, live, grp, specs FROM pack WHERE k BETWEEN ? AND ? ORDER BY k"
  at_.prepare(db, FROM_PACK " DESC LIMIT 1");
  first_.prepare(db, FROM_PACK);
  last_.prepare(db, FROM_PACK " DESC");
  line_.prepare(db, FROM_PACK);
  newest_.prepare(db, "SELECT k, record FROM pack WHERE k BETWEEN ? AND ? ORDER BY k DESC LIMIT 1");
#undef FROM_PACK
}

void Packs::load(std::uint32_t pools) {
  packs_.clear();
  listed_.clear();
  fresh_ = false;
  lanes_.assign(pools + 1, {});
  Statement some;
  some.prepare(*db_, "SELECT 1 FROM pack WHERE k BETWEEN ? AND ? LIMIT 1");
  for (std::uint32_t pool = 1; pool <= pools; ++pool) {
    some.bind(1, key(pool, 0)).bind(2, key(pool, kJobIdMax));
    if (!some.step()) continue;
    some.reset();
    lanes_[pool].any = true;
  }
}

Packs::Lane& Packs::lane(std::uint32_t pool) {
  if (pool >= lanes_.size()) lanes_.resize(pool + 1);
  return lanes_[pool];
}

void Packs::add(JobId id, std::uint32_t pool, JobId group, std::string_view spec) {
  Lane& at = lane(pool);
  if (at.open == nullptr || at.open->bit(id) == 0 || at.open->group != group ||
      at.open->specs.size() + spec.size() > kBytes) {
    if (listed_.size() >= kHeldBack) store();
    at.any = true;
    at.open = &packs_[key(pool, id)];
    at.open->first = id;
    at.open->pool = pool;
    at.open->group = group;
    at.open->dirty_ = true;
    fresh_ = true;
    list(*at.open);
  }
  Pack& pack = *at.open;
  pack.members |= pack.bit(id);
  pack.live |= pack.bit(id);
  pack.specs.append(spec);
  pack.ends.push_back(std::uint32_t(pack.specs.size()));
}

void Packs::list(Pack& pack) {
  if (pack.listed_) return;
  pack.listed_ = true;
  listed_.push_back(&pack);
}

bool Packs::parse(Statement& row, Pack& into) {
  into = {};
  const auto k = row.number(0);
  into.pool = std::uint32_t(k >> 48);
  into.first = JobId(k) & kJobIdMax;
  into.stored_ = true;
  const std::string_view live = row.bytes(1);
  if (live.size() == sizeof into.live) std::memcpy(&into.live, live.data(), live.size());
  into.group = JobId(row.number(2));
  Unpacker u(row.bytes(3));
  into.members = u.number();
  std::uint64_t end = 0;
  for (int n = std::popcount(into.members); n > 0; --n) {
    end += u.number();
    into.ends.push_back(std::uint32_t(end));
  }
  into.specs = u.rest();
  if (u.ok() && end == into.specs.size() && (into.members & 1) != 0 && into.live != 0 &&
      (into.live & ~into.members) == 0 && into.first != 0 && into.last() <= kJobIdMax)
    return true;
  db_->damaged("a pack of jobs makes no sense");
  return false;
}

Pack* Packs::hold(Statement& row) {
  const auto [it, fresh] = packs_.try_emplace(row.number(0));
  if (fresh && !parse(row, it->second)) {
    packs_.erase(it);
    return nullptr;
  }
  list(it->second);  // if nothing of it runs, store() forgets it again
  return &it->second;
}

Pack* Packs::find(JobId id) {
  for (std::uint32_t pool = 1; pool < lanes_.size(); ++pool) {
    const Lane& at = lanes_[pool];
    if (!at.any) continue;
    if (at.open != nullptr && id >= at.open->first) {
      if ((at.open->live & at.open->bit(id)) != 0) return at.open;
      continue;
    }
    if (fresh_) store();
    at_.bind(1, key(pool, id < Pack::kJobs ? 1 : id - (Pack::kJobs - 1))).bind(2, key(pool, id));
    if (!at_.step()) continue;
    const Rows rows(at_);
    Pack* pack = nullptr;
    if (const auto it = packs_.find(at_.number(0)); it != packs_.end())
      pack = &it->second;
    else if (parse(at_, found_))
      pack = &found_;
    if (pack != nullptr && (pack->live & pack->bit(id)) != 0) return pack;
  }
  return nullptr;
}

Pack* Packs::run(JobId id) {
  Pack* pack = find(id);
  if (pack == nullptr) return nullptr;
  if (pack == &found_) pack = &(packs_[key(found_.pool, found_.first)] = std::move(found_));
  pack->runs |= pack->bit(id);
  return pack;
}

void Packs::rest(Pack& pack, JobId id) {
  pack.runs &= ~pack.bit(id);
  Lane& at = lane(pack.pool);
  at.waits_from = std::min(at.waits_from, id);
  list(pack);
}

void Packs::drop(Pack& pack, JobId id) {
  Pack* kept = &pack;
  if (kept == &found_) kept = &(packs_[key(found_.pool, found_.first)] = std::move(found_));
  kept->live &= ~kept->bit(id);
  kept->runs &= ~kept->bit(id);
  kept->dirty_ = true;
  list(*kept);
}

void Packs::store() {
  for (Lane& at : lanes_) at.open = nullptr;
  for (Pack* pack : listed_) {
    const std::int64_t k = key(pack->pool, pack->first);
    if (pack->dirty_ && pack->live == 0) {
      if (pack->stored_) drop_.bind(1, k).run();
    } else if (pack->dirty_ && pack->stored_) {
      update_.bind(1, bytes_of(pack->live)).bind(2, k).run();
    } else if (pack->dirty_) {
      buffer_.clear();
      Packer p(buffer_);
      p.number(pack->members);
      std::uint32_t from = 0;
      for (const std::uint32_t end : pack->ends) {
        p.number(end - from);
        from = end;
      }
      buffer_.append(pack->specs);
      put_.bind(1, k).bind(2, bytes_of(pack->live));
      put_.bind_sparse(3, std::int64_t(pack->group)).bind(4, buffer_);
      pack->record.empty() ? put_.bind_null(5) : put_.bind(5, pack->record);
      put_.run();
      pack->record.clear();
      pack->stored_ = true;
    }
    pack->dirty_ = pack->listed_ = false;
    if (pack->runs == 0) packs_.erase(k);
  }
  listed_.clear();
  fresh_ = false;
}

bool Packs::remember(std::string_view record) {
  if (record.size() > kRecordMost) return false;
  Pack* newest = nullptr;
  for (Pack* pack : listed_) {
    if (pack->stored_ || pack->live == 0) continue;
    if (newest == nullptr || newest->first < pack->first) newest = pack;
  }
  if (newest == nullptr) return false;
  newest->record = record;
  return true;
}

std::optional<Packs::Newest> Packs::newest() {
  std::optional<Newest> newest;
  for (std::uint32_t pool = 1; pool < lanes_.size(); ++pool) {
    newest_.bind(1, key(pool, 1)).bind(2, key(pool, kJobIdMax));
    if (!newest_.step()) continue;
    const JobId first = JobId(newest_.number(0)) & kJobIdMax;
    if (!newest || first > newest->first) newest = {first, std::string(newest_.bytes(1))};
    newest_.reset();
  }
  return newest;
}

// ---- reading

Packs::Line::Line(Packs& packs, std::uint32_t pool) : packs_(packs), pool_(pool) {
  Lane& at = packs.lane(pool);
  if (!at.any) return;
  packs.store();
  const JobId from = at.waits_from;
  packs.line_.bind(1, key(pool, from < Pack::kJobs ? 1 : from - (Pack::kJobs - 1)));
  packs.line_.bind(2, key(pool, kJobIdMax));
  advance();
}

Packs::Line::~Line() {
  packs_.line_.reset();
}

void Packs::Line::advance() {
  Lane& at = packs_.lane(pool_);
  while (left_ == 0) {
    pack_ = packs_.line_.step() ? packs_.hold(packs_.line_) : nullptr;
    if (pack_ == nullptr) {
      id_ = 0;
      return;
    }
    left_ = pack_->live & ~pack_->runs;
    if (left_ == 0) at.waits_from = std::max(at.waits_from, pack_->last() + 1);
  }
  id_ = pack_->first + JobId(std::countr_zero(left_));
  at.waits_from = std::max(at.waits_from, id_);
}

Pack& Packs::Line::take() {
  Pack& pack = *pack_;
  pack.runs |= pack.bit(id_);
  left_ &= left_ - 1;
  Lane& at = packs_.lane(pool_);
  at.waits_from = std::max(at.waits_from, id_ + 1);
  advance();
  return pack;
}

bool Packs::copy(Statement& row, JobId from, JobId to, Pack& into) {
  if (!parse(row, into)) return false;
  for (std::uint64_t bits = into.live; bits != 0; bits &= bits - 1) {
    const JobId id = into.first + JobId(std::countr_zero(bits));
    if (id < from || id > to) into.live &= ~into.bit(id);
  }
  return into.live != 0;
}

bool Packs::next(Statement& order, std::uint32_t pool, JobId from, JobId to, Pack& into) {
  if (!any(pool)) return false;
  const Rows rows(order);
  order.bind(1, key(pool, from < Pack::kJobs ? 1 : from - (Pack::kJobs - 1)));
  order.bind(2, key(pool, to));
  while (order.step())
    if (copy(order, from, to, into)) return true;
  return false;
}

}  // namespace jobring::keeper
