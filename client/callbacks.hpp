// Running callbacks: outside all locks, one at a time on a thread, each exactly once.
#pragma once

#include <functional>
#include <vector>

#include <jobring/future.hpp>

namespace jobring::detail {

struct DueCallback {
  std::function<void(const Future&)> call;  // empty: only lets go of the future
  Future future;
};

// Runs them in order. From within a callback: leaves them to run after it, on this thread, so that
// callbacks that submit and wait cannot nest without end. Throws nothing.
void run_callbacks(std::vector<DueCallback> due);

}  // namespace jobring::detail
