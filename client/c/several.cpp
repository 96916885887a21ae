// Waiting for several futures.
#include <algorithm>
#include <memory>
#include <unordered_map>
#include <vector>

#include <jobring/c/future.h>

#include "client/c/guard.hpp"
#include "client/c/handles.hpp"

using namespace jobring::c;
using jobring::Future;

struct jobring_as_completed {
  jobring::AsCompleted completed;
  // What was added, by the job: the handles are to come back. A job may be there several times.
  std::unordered_multimap<const void*, FutureRef> handles;

  void add(jobring_future* future) {
    const auto added = handles.emplace(future->future.id(), FutureRef(future));
    try {
      completed.add(future->future);
    } catch (...) {
      handles.erase(added);
      throw;
    }
  }
};

namespace {

std::vector<Future> need_futures(jobring_future* const* futures, std::size_t count) {
  if (count != 0) need(futures, "futures");
  std::vector<Future> all;
  for (std::size_t i = 0; i < count; ++i) all.push_back(need(futures[i], "futures[]").future);
  return all;
}

jobring::WaitFor which_wait(int32_t until) {
  using jobring::WaitFor;
  switch (until) {
    case JOBRING_WAIT_ALL:
      return WaitFor::all;
    case JOBRING_WAIT_FIRST_COMPLETED:
      return WaitFor::first_completed;
    case JOBRING_WAIT_FIRST_FAILED:
      return WaitFor::first_exception;
    default:
      bad_input(std::to_string(until) + " is no JOBRING_WAIT_...", "until");
  }
}

bool holds(jobring::WaitFor until, const jobring::Waited& waited) {
  if (waited.pending.empty()) return true;
  if (until == jobring::WaitFor::first_completed) return !waited.done.empty();
  return until == jobring::WaitFor::first_exception &&
         std::any_of(waited.done.begin(), waited.done.end(),
                     [](const Future& future) { return !future.result().ok(); });
}

}  // namespace

jobring_status jobring_wait(jobring_future* const* futures, size_t count, int32_t until,
                            int64_t timeout_ns, uint8_t* done) {
  return guarded([&]() -> jobring_status {
    const std::vector<Future> all = need_futures(futures, count);
    const jobring::WaitFor condition = which_wait(until);
    const auto waited = jobring::wait(all, condition, need_time(timeout_ns, "timeout_ns"));
    if (done != nullptr) {
      // Those that have ended stand in the order in which they were given.
      auto next = waited.done.begin();
      for (std::size_t i = 0; i < count; ++i) {
        const bool ended = next != waited.done.end() && *next == all[i];
        if (ended) ++next;
        done[i] = ended ? 1 : 0;
      }
    }
    return holds(condition, waited) ? JOBRING_OK : JOBRING_TIMED_OUT;
  });
}

jobring_status jobring_as_completed_new(jobring_future* const* futures, size_t count,
                                        jobring_as_completed** completed) {
  return guarded([&] {
    auto*& out = need_out(completed, "completed");
    (void)need_futures(futures, count);  // all of them, before the first is added
    auto made = std::make_unique<jobring_as_completed>();
    for (std::size_t i = 0; i < count; ++i) made->add(futures[i]);
    out = made.release();
  });
}

jobring_status jobring_as_completed_add(jobring_as_completed* completed, jobring_future* future) {
  return guarded([&] { need(completed, "completed").add(&need(future, "future")); });
}

jobring_status jobring_as_completed_next(jobring_as_completed* completed, int64_t timeout_ns,
                                         jobring_future** future) {
  return guarded([&]() -> jobring_status {
    auto*& out = need_out(future, "future");
    jobring_as_completed& from = need(completed, "completed");
    const auto next = from.completed.next(need_time(timeout_ns, "timeout_ns"));
    if (!next) return from.completed.left() == 0 ? JOBRING_END : JOBRING_TIMED_OUT;
    const auto found = from.handles.find(next->id());
    out = found->second.release();
    from.handles.erase(found);
    return JOBRING_OK;
  });
}

jobring_status jobring_as_completed_left(jobring_as_completed* completed, uint64_t* left) {
  return guarded([&] { need(left, "left") = need(completed, "completed").completed.left(); });
}

void jobring_as_completed_free(jobring_as_completed* completed) {
  delete completed;
}
