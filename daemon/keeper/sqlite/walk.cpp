// Jobs one after the other, wherever they are: rows of `job` and packs, merged by id.
#include <algorithm>

#include "daemon/keeper/sqlite/engine.hpp"

namespace jobring::keeper {

SqliteStore::Walk::Walk(SqliteStore& store, JobId from, JobId to, bool down)
    : store_(store),
      rows_(down ? store.scan_down_ : store.scan_up_),
      from_(from),
      to_(to),
      down_(down) {
  store_.packs_.store();
  rows_.bind(1, std::int64_t(from)).bind(2, std::int64_t(to));
  row_there_ = rows_.step();
  for (std::uint32_t pool = 1; pool < store_.packs_.pools(); ++pool) {
    Lane lane;
    if (fetch(lane, pool, from, to)) lanes_.push_back(std::move(lane));
  }
}

SqliteStore::Walk::~Walk() {
  rows_.reset();
}

bool SqliteStore::Walk::fetch(Lane& lane, std::uint32_t pool, JobId from, JobId to) {
  Packs& packs = store_.packs_;
  return from <= to &&
         (down_ ? packs.last(pool, from, to, lane.pack) : packs.first(pool, from, to, lane.pack));
}

JobId SqliteStore::Walk::Lane::next(bool down) const {
  const std::uint64_t left = pack.live;
  return pack.first + JobId(down ? 63 - std::countl_zero(left) : std::countr_zero(left));
}

bool SqliteStore::Walk::next(Found& found) {
  // What was shown last is behind us now.
  if (shown_ == Shown::row) row_there_ = rows_.step();
  if (shown_ == Shown::pack) {
    Pack& pack = lanes_[lane_].pack;
    pack.live &= ~pack.bit(found_);
    if (pack.live == 0) {
      const bool more =
          down_ ? pack.first > from_ && fetch(lanes_[lane_], pack.pool, from_, pack.first - 1)
                : fetch(lanes_[lane_], pack.pool, pack.last() + 1, to_);
      if (!more) lanes_.erase(lanes_.begin() + std::ptrdiff_t(lane_));
    }
  }
  shown_ = Shown::nothing;
  const auto sooner = [&](JobId a, JobId b) { return down_ ? a > b : a < b; };
  if (row_there_) {
    found_ = JobId(rows_.number(0));
    shown_ = Shown::row;
  }
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    const JobId id = lanes_[i].next(down_);
    if (shown_ != Shown::nothing && !sooner(id, found_)) continue;
    found_ = id;
    lane_ = i;
    shown_ = Shown::pack;
  }
  switch (shown_) {
    case Shown::nothing:
      return false;
    case Shown::row:
      found = store_.found_at(rows_);
      return true;
    case Shown::pack:
      const Pack& pack = lanes_[lane_].pack;
      found.row = packed_row(pack, found_);
      found.spec = pack.spec(found_);
      found.last = {};
      return true;
  }
  return false;
}

}  // namespace jobring::keeper
