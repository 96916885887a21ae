// The checksum of the journal. Not cryptographic: it guards against damage, not against an attacker
// (only the registry and the supervisor can write the segment).
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace jobring::registry {

// One step is a bijection of `word` for every `seed`: damage within one word is always seen, wider
// damage with a probability of 1 - 2^-64.
inline std::uint64_t checksum_step(std::uint64_t seed, std::uint64_t word) {
  std::uint64_t h = (seed ^ word) * 0x9e3779b97f4a7c15u;  // odd: invertible
  return h ^ (h >> 29);
}

inline std::uint64_t checksum(std::uint64_t seed, std::string_view bytes) {
  std::uint64_t h = checksum_step(seed, bytes.size());
  while (bytes.size() >= 8) {
    std::uint64_t word;
    std::memcpy(&word, bytes.data(), 8);
    h = checksum_step(h, word);
    bytes.remove_prefix(8);
  }
  if (!bytes.empty()) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data(), bytes.size());
    h = checksum_step(h, word);
  }
  return checksum_step(h, 0);
}

}  // namespace jobring::registry
