#include "daemon/keeper/service/events.hpp"

#include <algorithm>

namespace jobring::keeper {

void Events::add(const Event& event) {
  const std::uint64_t sequence = next_++;
  if (most_ == 0) {
    first_ = next_;
    return;
  }
  if (ring_.empty()) first_ = sequence;
  const std::size_t place =
      ring_.size() < most_ ? ring_.size() : std::size_t((sequence - first_) % most_);
  if (ring_.size() < most_) ring_.emplace_back();
  Kept& kept = ring_[place];
  kept.event = event;
  kept.event.sequence = sequence;
  kept.pool = event.pool;
  kept.name = event.name;
}

Events::Page Events::after(std::uint64_t after, std::optional<std::uint32_t> uid,
                           std::size_t most) const {
  Page page;
  const std::uint64_t oldest = most_ == 0 ? next_ : std::max(first_, next_ - ring_.size());
  if (after == 0) after = oldest - 1;
  // Forgotten, or of a keeper whose clock was ahead.
  if (after + 1 < oldest || after > last()) {
    page.gap = true;
    after = oldest - 1;
  }
  page.last = after;
  for (std::uint64_t s = after + 1; s < next_ && page.events.size() < most; ++s) {
    const Kept& kept = ring_[std::size_t((s - first_) % most_)];
    page.last = s;
    if (uid && kept.event.uid != *uid) continue;
    Event event = kept.event;
    event.pool = kept.pool;
    event.name = kept.name;
    page.events.push_back(event);
  }
  return page;
}

}  // namespace jobring::keeper
