#include "memory_model.hpp"

#include <algorithm>
#include <utility>

namespace explore {
namespace {

constexpr std::uint32_t kGap = 1u << 12;  // room in mo between two stores

std::uint32_t oldest_allowed(const Location& location, std::uint32_t id, const Knowledge& thread,
                             std::memory_order order) {
  const std::uint32_t known = thread.view.of(id);
  return order == std::memory_order_seq_cst ? std::max(known, location.sequenced) : known;
}

void note(Location& location, std::uint32_t id, Knowledge& thread, std::memory_order order,
          std::uint32_t place) {
  thread.view.raise(id, place);
  if (order == std::memory_order_seq_cst) location.sequenced = std::max(location.sequenced, place);
}

bool has_room_behind(const Location& location, std::size_t index) {
  return index + 1 == location.stores.size() ||
         location.stores[index + 1].place - location.stores[index].place > 1;
}

void insert(Location& location, std::uint32_t id, Knowledge& thread, int self,
            std::memory_order order, std::size_t behind, Store made) {
  const bool last = behind + 1 == location.stores.size();
  const std::uint32_t before = location.stores[behind].place;
  made.place = last ? before + kGap : before + (location.stores[behind + 1].place - before) / 2;
  note(location, id, thread, order, made.place);
  if (releases(order)) {
    if (made.releases) {
      made.released.join(thread);
    } else {
      made.released = thread;
    }
    made.releases = true;
    ++thread.clock.at[std::size_t(self)];
  }
  location.stores.insert(location.stores.begin() + std::ptrdiff_t(behind) + 1, std::move(made));
  location.writers |= std::uint8_t(1u << self);
}

}  // namespace

void Clock::join(const Clock& other) {
  for (std::size_t i = 0; i < at.size(); ++i) at[i] = std::max(at[i], other.at[i]);
}

void View::raise(std::uint32_t location, std::uint32_t to) {
  if (place.size() <= location) place.resize(location + 1, 0);
  place[location] = std::max(place[location], to);
}

void View::join(const View& other) {
  if (place.size() < other.place.size()) place.resize(other.place.size(), 0);
  for (std::size_t i = 0; i < other.place.size(); ++i)
    place[i] = std::max(place[i], other.place[i]);
}

void Knowledge::join(const Knowledge& other) {
  view.join(other.view);
  clock.join(other.clock);
}

void readable(const Location& location, std::uint32_t id, const Knowledge& thread,
              std::memory_order order, std::vector<std::size_t>& out) {
  out.clear();
  const std::uint32_t oldest = oldest_allowed(location, id, thread, order);
  for (std::size_t i = location.stores.size(); i-- > 0;) {
    if (location.stores[i].place < oldest) break;
    out.push_back(i);
  }
}

bool may_follow(const Location& location, std::size_t index) {
  return index + 1 == location.stores.size() ||
         (!location.stores[index + 1].behind_its_source && has_room_behind(location, index));
}

void placeable(const Location& location, std::uint32_t id, const Knowledge& thread,
               std::memory_order order, std::vector<std::size_t>& out) {
  out.clear();
  const std::uint32_t oldest = oldest_allowed(location, id, thread, order);
  for (std::size_t i = location.stores.size(); i-- > 0;) {
    if (location.stores[i].place < oldest) break;
    if (may_follow(location, i)) out.push_back(i);
  }
}

std::uint64_t do_load(Location& location, std::uint32_t id, Knowledge& thread, int self,
                      std::memory_order order, std::size_t index) {
  const Store& seen = location.stores[index];
  location.readers |= std::uint8_t(1u << self);
  note(location, id, thread, order, seen.place);
  if (acquires(order) && seen.releases) thread.join(seen.released);
  return seen.value;
}

void do_store(Location& location, std::uint32_t id, Knowledge& thread, int self,
              std::memory_order order, std::size_t behind, std::uint64_t value) {
  Store made;
  made.value = value;
  insert(location, id, thread, self, order, behind, std::move(made));
}

void do_rmw_store(Location& location, std::uint32_t id, Knowledge& thread, int self,
                  std::memory_order order, std::size_t index, std::uint64_t value) {
  Store made;
  made.value = value;
  made.behind_its_source = true;
  // It belongs to the release sequence of what it read, whatever its own order.
  made.releases = location.stores[index].releases;
  if (made.releases) made.released = location.stores[index].released;
  insert(location, id, thread, self, order, index, std::move(made));
}

bool data_read(DataState& data, const Knowledge& thread, int self) {
  data.read_at[std::size_t(self)] = thread.clock.at[std::size_t(self)];
  return data.writer < 0 || data.written_at <= thread.clock.at[std::size_t(data.writer)];
}

bool data_write(DataState& data, const Knowledge& thread, int self) {
  bool ordered = data.writer < 0 || data.written_at <= thread.clock.at[std::size_t(data.writer)];
  for (std::size_t i = 0; i < data.read_at.size(); ++i)
    ordered = ordered && data.read_at[i] <= thread.clock.at[i];
  data.writer = self;
  data.written_at = thread.clock.at[std::size_t(self)];
  return ordered;
}

}  // namespace explore
