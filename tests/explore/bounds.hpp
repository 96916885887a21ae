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

// JOBRING_ORDERED=1: only the systematic half, which no seed changes.
inline bool only_in_order() {
  const char* asked = std::getenv("JOBRING_ORDERED");
  return asked != nullptr && *asked == '1';
}

// Half systematically within the bounds, from the simplest executions on; then at random, without
// bounds, from a seed that is printed and can be given again by JOBRING_SEED.
inline void explored(Options options, const std::function<void(Scenario&)>& scenario) {
  const auto total = std::uint64_t(double(options.executions) * effort());
  options.executions = total / 2;
  const Report systematic = explore(options, scenario);
  CHECK_MESSAGE(systematic.ok(), systematic.failure);
  std::printf("%llu executions in order, %llu steps; ",
              static_cast<unsigned long long>(systematic.executions),
              static_cast<unsigned long long>(systematic.steps));
  if (systematic.complete) {
    std::printf("all within the bounds\n");
  } else {
    std::printf("all with at most %d deviations\n", systematic.deviations);
  }
  if (!systematic.ok() || only_in_order()) return;
  options.executions = total - total / 2;
  options.seed = jobring::test::seed_of_test() | 1;
  const Report random = explore(options, scenario);
  CHECK_MESSAGE(random.ok(), "JOBRING_SEED=", options.seed, "\n", random.failure);
  std::printf("%llu executions at random, %llu steps\n",
              static_cast<unsigned long long>(random.executions),
              static_cast<unsigned long long>(random.steps));
}

// All executions within the bounds: for scenarios small enough that the search ends.
inline void searched(Options options, const std::function<void(Scenario&)>& scenario) {
  const Report report = explore(options, scenario);
  CHECK_MESSAGE(report.ok(), report.failure);
  if (!report.ok()) return;
  CHECK_MESSAGE(report.complete, "the search did not come to its end");
  if (!report.complete) return;
  std::printf("%llu executions, %llu steps: all within the bounds\n",
              static_cast<unsigned long long>(report.executions),
              static_cast<unsigned long long>(report.steps));
}

}  // namespace explore
