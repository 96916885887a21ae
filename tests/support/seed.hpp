// The seed of a random test: fresh in each run, shown when the test fails, given again by
// JOBRING_SEED to replay it.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <random>

namespace jobring::test {

inline std::uint64_t seed_of_test() {
  const char* given = std::getenv("JOBRING_SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
}

}  // namespace jobring::test
