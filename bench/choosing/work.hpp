// The three kinds of job that docs/choosing.md compares, as their blocking forms.
#pragma once

#include <cstdint>

namespace bench::choosing {

// What a job waits for, in milliseconds: in a call that blocks, or for the server's answer.
inline constexpr int kWaitMs = 10;

// About a millisecond of one processor: a chain of multiplications that nothing can shorten.
inline std::uint64_t compute() {
  std::uint64_t x = 88172645463325252ull;
  for (int i = 0; i < 600'000; ++i) x = x * 6364136223846793005ull + 1442695040888963407ull;
  return x;
}

}  // namespace bench::choosing
