#include "daemon/keeper/sqlite/in_flight.hpp"

#include "common/keeper/packer.hpp"

namespace jobring::keeper {

void InFlight::prepare(Database& db) {
  put_.prepare(db, "INSERT OR REPLACE INTO running(chunk, jobs) VALUES(?, ?)");
  drop_.prepare(db, "DELETE FROM running WHERE chunk = ?");
}

void InFlight::load(Database& db) {
  entries_.clear();
  free_.clear();
  places_by_id_.clear();
  touched_.clear();
  touched_list_.clear();
  Statement all;
  all.prepare(db, "SELECT chunk, jobs FROM running ORDER BY chunk");
  while (all.step()) {
    const auto chunk = std::size_t(all.number(0));
    if (chunk > 1u << 20) return db.damaged("a row of running jobs has an impossible number");
    entries_.resize((chunk + 1) * kChunk);
    std::size_t place = chunk * kChunk;
    Unpacker u(all.bytes(1));
    while (!u.at_end() && u.ok()) {
      if (place == entries_.size()) return db.damaged("a row of running jobs is too long");
      Entry& e = entries_[place];
      e.id = u.number();
      const std::uint64_t word = u.number();
      e.attempt = std::uint32_t(word >> 1);
      e.stop = (word & 1) != 0;
      e.taken_ms = u.signed_number();
      if (e.id == 0 || !places_by_id_.emplace(e.id, std::uint32_t(place)).second)
        return db.damaged("a job runs twice");
      ++place;
    }
    if (!u.ok()) return db.damaged("a row of running jobs makes no sense");
  }
  for (std::size_t place = entries_.size(); place-- > 0;)
    if (entries_[place].id == 0) free_.push_back(std::uint32_t(place));
}

void InFlight::touch(std::size_t place) {
  const std::size_t chunk = place / kChunk;
  if (touched_.size() <= chunk) touched_.resize(chunk + 1);
  if (touched_[chunk]) return;
  touched_[chunk] = true;
  touched_list_.push_back(std::uint32_t(chunk));
}

InFlight::Entry& InFlight::add(JobId id) {
  if (free_.empty()) {
    const std::size_t first = entries_.size();
    entries_.resize(first + kChunk);
    for (std::size_t place = entries_.size(); place-- > first;)
      free_.push_back(std::uint32_t(place));
  }
  const std::uint32_t place = free_.back();
  free_.pop_back();
  places_by_id_[id] = place;
  touch(place);
  Entry& e = entries_[place];
  e = {};
  e.id = id;
  return e;
}

InFlight::Entry* InFlight::find(JobId id) {
  const auto it = places_by_id_.find(id);
  return it == places_by_id_.end() ? nullptr : &entries_[it->second];
}

void InFlight::erase(JobId id) {
  const auto it = places_by_id_.find(id);
  if (it == places_by_id_.end()) return;
  entries_[it->second].id = 0;
  free_.push_back(it->second);
  touch(it->second);
  places_by_id_.erase(it);
}

void InFlight::changed(JobId id) {
  const auto it = places_by_id_.find(id);
  if (it != places_by_id_.end()) touch(it->second);
}

void InFlight::store() {
  for (const std::uint32_t chunk : touched_list_) {
    buffer_.clear();
    Packer p(buffer_);
    for (std::size_t place = chunk * kChunk; place < (chunk + 1) * kChunk; ++place) {
      const Entry& e = entries_[place];
      if (e.id == 0) continue;
      p.number(e.id);
      p.number(std::uint64_t(e.attempt) << 1 | (e.stop ? 1u : 0u));
      p.signed_number(e.taken_ms);
    }
    if (buffer_.empty())
      drop_.bind(1, std::int64_t(chunk)).run();
    else
      put_.bind(1, std::int64_t(chunk)).bind(2, buffer_).run();
    touched_[chunk] = false;
  }
  touched_list_.clear();
}

}  // namespace jobring::keeper
