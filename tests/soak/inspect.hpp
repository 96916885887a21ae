// Looks that are taken when the house is quiet.
#pragma once

#include <string>

#include "tests/soak/ledger.hpp"

namespace jobring::soak {

// As a client of its own, which nobody kills: all workers come up and lie down, and the pool with
// one worker runs jobs in the order that is promised. Complains if not.
void inspect(Ledger& ledger, std::uint64_t seed, const std::string& socket,
             std::uint64_t patience_ns);

// Looks at the daemon's channels through its descriptors: how many there are, and how many of their
// slots are not FREE.
struct Channels {
  std::uint32_t count = 0;
  std::uint32_t taken = 0;
  std::string first;  // one of the taken slots, in words
};
Channels look_at_channels(pid_t daemon);

}  // namespace jobring::soak
