// What happened to jobs lately: a ring of bounded size, in memory only.
//
// Sequence numbers only grow, over restarts too: a keeper begins with its start in real
// microseconds, and no keeper sees a million events a second for long. If the real clock was set
// back meanwhile, who follows is told of a gap, and goes on.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/keeper/messages.hpp"

namespace jobring::keeper {

class Events {
 public:
  // `most` may be 0: nothing is remembered.
  Events(std::size_t most, std::uint64_t first) : most_(most), next_(first) {}

  // The sequence number is given here; the texts are copied.
  void add(const Event& event);
  std::uint64_t last() const { return next_ - 1; }

  struct Page {
    std::vector<Event> events;  // views of the ring: valid until the next add()
    std::uint64_t last = 0;     // ask for what comes after it
    bool gap = false;
  };
  // Those after `after` that `uid` may see (nobody: all), at most `most`.
  Page after(std::uint64_t after, std::optional<std::uint32_t> uid, std::size_t most) const;

 private:
  struct Kept {
    Event event;
    std::string pool, name;
  };
  std::size_t most_;
  std::uint64_t next_;
  std::vector<Kept> ring_;   // sequence % most_
  std::uint64_t first_ = 0;  // the oldest that is remembered
};

}  // namespace jobring::keeper
