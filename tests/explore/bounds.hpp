// How far a scenario is searched, and what a test says of it.
#pragma once

#include <doctest/doctest.h>

#include <cstdio>
#include <cstdlib>
#include <functional>

#include "tests/explore/explorer.hpp"
#include "tests/support/seed.hpp"

namespace explore {

// JOBRING_EXPLORE: how many times as many executions as a test asks for; 0.1 is a tenth.
inline double effort() {
  const char* times = std::getenv("JOBRING_EXPLORE");
  return times != nullptr ? std::strtod(times, nullptr) : 1;
}

// Half systematically within the bounds, from the simplest executions on; then at random, without
// bounds, from a seed that is printed and can be given again by JOBRING_SEED.
inline void explored(Options options, const std::function<void(Scenario&)>& scenario) {
  const auto total = std::uint64_t(double(options.executions) * effort());
  options.executions = total / 2;
  const Report systematic = explore(options, scenario);
  CHECK_MESSAGE(systematic.ok(), systematic.failure);
  options.executions = total - total / 2;
  options.seed = jobring::test::seed_of_test() | 1;
  const Report random = systematic.ok() ? explore(options, scenario) : systematic;
  CHECK_MESSAGE(random.ok(), "JOBRING_SEED=", options.seed, "\n", random.failure);
  std::printf("%llu executions in order%s, %llu at random, %llu steps\n",
              static_cast<unsigned long long>(systematic.executions),
              systematic.complete ? " (all within the bounds)" : "",
              static_cast<unsigned long long>(random.executions),
              static_cast<unsigned long long>(systematic.steps + random.steps));
}

}  // namespace explore
