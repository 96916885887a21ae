// The memory work that jobring's handler and its bare counterpart do alike: read all of it, write
// all of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace bench {

inline std::uint64_t sum(const unsigned char* bytes, std::size_t size) {
  std::uint64_t total = 0;
  for (std::size_t i = 0; i + 8 <= size; i += 8) {
    std::uint64_t word;
    std::memcpy(&word, bytes + i, 8);
    total += word;
  }
  return total;
}

inline void fill(unsigned char* bytes, std::size_t size, std::uint64_t seed) {
  for (std::size_t i = 0; i + 8 <= size; i += 8) {
    const std::uint64_t word = seed + i;
    std::memcpy(bytes + i, &word, 8);
  }
}

// Keeps the compiler from leaving work out whose result nobody uses.
inline void sink(std::uint64_t value) {
  asm volatile("" : : "r"(value));
}

}  // namespace bench
