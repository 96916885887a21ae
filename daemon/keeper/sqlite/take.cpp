// What a pool gets next: the first of its ready jobs, those in packs, those of priority 0 with a
// row and those of others merged by rank.
//
// A job whose concurrency key is used up is parked, in this turn, until one of its key ends: so
// each is looked at once, however many of them wait at the front. One whose deadline is over ends.
#include <algorithm>
#include <optional>
#include <utility>

#include "daemon/keeper/sqlite/engine.hpp"

namespace jobring::keeper {
namespace {

constexpr std::uint32_t kLookedAtMin = 1'000;

}  // namespace

TakenBatch SqliteStore::take(std::string_view pool_name, std::uint32_t most) {
  TakenBatch batch;
  const std::uint32_t pool = pool_id(pool_name, false);
  if (!working() || pool == 0 || most == 0 || pools_[pool].paused) return batch;

  struct Picked {
    Row row;
    Pack* pack;  // null: it has a row
    std::size_t spec_at, spec_size;
  };
  std::vector<Picked> picked;
  std::vector<Row> parked, expired;
  std::vector<std::string> keys;  // of the parked ones
  std::vector<char> bytes;
  std::uint32_t looked_at = 0;
  const std::uint32_t budget = std::max(kLookedAtMin, most > 1u << 30 ? most : 2 * most);

  const auto pick = [&](const Row& row, Pack* pack, std::string_view spec) {
    picked.push_back({row, pack, bytes.size(), spec.size()});
    bytes.insert(bytes.end(), spec.begin(), spec.end());
  };

  // The three orders, and the next of each.
  std::optional<Packs::Line> line(std::in_place, packs_, pool);
  const std::int64_t base = std::int64_t(pool) << 48;
  take_ready_.bind(1, base).bind(2, base | std::int64_t(kJobIdMax));
  bool plain = take_ready_.step(), ranked = false;
  if (any_ranked_) {
    take_ranked_.bind(1, pool);
    ranked = take_ranked_.step();
  }
  std::int64_t last_plain = 0, last_rank = 0, last_ranked = 0;
  const auto waits = [&] { return line->id() != 0 || plain || ranked; };
  while (waits() && picked.size() < most && looked_at < budget && db_.ok()) {
    ++looked_at;
    // In all but one, an id is its rank.
    JobId next = line->id();
    const JobId ready = plain ? JobId(take_ready_.number(0)) : 0;
    const bool from_plain = ready != 0 && (next == 0 || ready < next);
    if (from_plain) next = ready;
    bool from_ranked = ranked;
    if (ranked && next != 0) {
      const Row b = row_of(take_ranked_);
      const std::int64_t place = rank(b.id, b.priority, options_.ageing);
      from_ranked = std::pair(place, b.id) < std::pair(std::int64_t(next), next);
    }
    if (!from_ranked && !from_plain) {
      const std::size_t at = picked.size();
      const Row row = packed_row(line->pack(), next);
      pick(row, nullptr, spec_bytes(row, line->pack().spec(next)));
      picked[at].pack = &line->take();
      continue;
    }
    Statement& from = from_ranked ? take_ranked_ : take_ready_;
    Row row = row_of(from);
    const std::string_view raw = spec_bytes(row, from.bytes(kSpecColumn));
    if (from_ranked) {
      last_rank = rank(row.id, row.priority, options_.ageing);
      last_ranked = std::int64_t(row.id);
    } else {
      last_plain = base | std::int64_t(row.id);
    }
    bool wanted = true;
    if (row.flags & (kKeyed | kDeadlined)) {
      scratch_ = {};
      if (!decode(row, raw, scratch_, nullptr)) break;
      if (row.has(kDeadlined) && !row.has(kNoDeadline) && scratch_.deadline_ms <= now_.real_ms) {
        expired.push_back(row);
        wanted = false;
      } else if (row.has(kKeyed)) {
        std::string key = key_of(scratch_);
        std::uint32_t& used = key_use_[key];
        if (used >= scratch_.concurrency_max) {
          parked.push_back(row);
          keys.push_back(std::move(key));
          wanted = false;
        } else {
          ++used;
        }
      }
    }
    if (wanted) pick(row, nullptr, raw);
    (from_ranked ? ranked : plain) = from.step();
  }
  batch.more = waits();
  line.reset();
  take_ready_.reset();
  take_ranked_.reset();
  if (!db_.ok()) return {};

  if (last_plain != 0) take_drop_ready_.bind(1, base).bind(2, last_plain).run();
  if (last_ranked != 0)
    take_drop_ranked_.bind(1, pool).bind(2, last_rank).bind(3, last_ranked).run();
  for (std::size_t i = 0; i < parked.size(); ++i) {
    Row& row = parked[i];
    any_parked_ = true;
    row.flags |= kParked;
    save(row);
    put_parked_.bind(1, keys[i]).bind(2, pool).bind(3, rank(row.id, row.priority, options_.ageing));
    put_parked_.bind(4, std::int64_t(row.id)).run();
  }
  for (const Row& row : expired) {
    // It is no longer in the order, but may be the one that its key's parked ones rely on.
    end(row, JobState::dead, Outcome::expired, "not started before its deadline");
  }

  batch.jobs.resize(picked.size());
  for (std::size_t i = 0; i < picked.size() && db_.ok(); ++i) {
    const Row& row = picked[i].row;
    Taken& taken = batch.jobs[i];
    bool elsewhere = false;
    decode(row, {bytes.data() + picked[i].spec_at, picked[i].spec_size}, taken.spec, &elsewhere);
    if (elsewhere) {
      get_big_.bind(1, std::int64_t(row.has(kMember) ? row.group : row.id) << 1);
      if (get_big_.step()) {
        const std::string_view payload = get_big_.bytes(0);
        batch.bytes.emplace_back(payload.begin(), payload.end());
        taken.spec.payload = {batch.bytes.back().data(), batch.bytes.back().size()};
        get_big_.reset();
      } else {
        db_.damaged("the payload of job " + std::to_string(row.id) + " is not there");
      }
    }
    taken.id = row.id;
    taken.attempt = row.tries + 1;
    taken.base = row.base;
    changes_.push_back({row.id, JobState::running, taken.attempt, false, pools_[row.pool].name, 1});
    InFlight::Entry& entry = in_flight_.add(row.id);
    entry.attempt = taken.attempt;
    entry.taken_ms = now_.real_ms;
    entry.pool = row.pool;
    entry.flags = row.flags;
    entry.base = row.base;
    entry.priority = row.priority;
    entry.group = row.group;
    entry.pack = picked[i].pack;
    entry.keep_ms = taken.spec.keep_ms;
    if (row.has(kKeyed)) entry.key = key_of(taken.spec);
    if (row.has(kUnique)) release_unique(row, taken.spec.unique, taken.spec.uid, false);
  }
  batch.bytes.push_back(std::move(bytes));
  if (!db_.ok()) return {};
  return batch;
}

void SqliteStore::give_back(std::span<const JobId> jobs) {
  for (const JobId id : jobs) {
    if (!working()) return;
    InFlight::Entry* entry = in_flight_.find(id);
    if (entry == nullptr) continue;
    key_free(*entry);
    const bool stop = entry->stop;
    Pack* const pack = entry->pack;
    in_flight_.erase(id);
    Row row;
    if (!load_row(id, row)) return db_.damaged("a running job is not there");
    if (pack != nullptr) {
      packs_.rest(*pack, id);
    } else {
      zones_.add(id, row.pool, row.state, -1);
      enter(row);
    }
    changed(row);
    watch_deadline(row);
    if (row.has(kUnique) && spec_of(row, scratch_ = {}) &&
        scratch_.unique.until == UniqueUntil::started) {
      keep_unique_.bind(1, scratch_.uid)
          .bind(2, scratch_.unique.key)
          .bind(3, std::int64_t(id))
          .run();
    }
    if (stop) end(row, JobState::cancelled, Outcome::cancelled, "cancelled before it started");
  }
}

}  // namespace jobring::keeper
