// Operations under way.
#include "client/c/objects.hpp"

using namespace jobring::c;

namespace {

void release(jobring_pending* pending) {
  // As jobring_future_free().
  if (pending->references.fetch_sub(1, std::memory_order_acq_rel) == 1) delete pending;
}

struct Release {
  void operator()(jobring_pending* pending) const { release(pending); }
};

// One reference to a handle that is not the program's.
using Kept = std::unique_ptr<jobring_pending, Release>;
Kept keep(jobring_pending* pending) {
  need(pending, "pending").references.fetch_add(1, std::memory_order_relaxed);
  return Kept(pending);
}

}  // namespace

void jobring_pending::detach() noexcept {
  std::shared_ptr<const Operation>
      former;  // what goes with it may run callbacks: not under the lock
  try {
    auto instead = operation()->detached();
    const std::lock_guard lock(mutex_);
    former = std::exchange(operation_, std::move(instead));
  } catch (...) {
    // No memory: then the connection lives as long as the operation.
  }
}

jobring_pending* jobring_pending_ref(jobring_pending* pending) {
  // In a callback, after the program's last one: again one for all users.
  if (pending != nullptr && pending->users.fetch_add(1, std::memory_order_relaxed) == 0)
    pending->references.fetch_add(1, std::memory_order_relaxed);
  return pending;
}
void jobring_pending_free(jobring_pending* pending) {
  if (pending == nullptr || pending->users.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  if (pending->references.load(std::memory_order_acquire) != 1) pending->detach();
  release(pending);
}
jobring_status jobring_pending_ready(jobring_pending* pending, int32_t* ready) {
  return guarded([&] {
    int32_t& to = need(ready, "ready");
    const jobring::Future future = need(pending, "pending").future;
    to = future.ready() ? 1 : 0;
  });
}
jobring_status jobring_pending_wait(jobring_pending* pending, int64_t timeout_ns) {
  return guarded([&]() -> jobring_status {
    const jobring::Future future = need(pending, "pending").future;
    return future.wait_for(need_time(timeout_ns, "timeout_ns")) ? JOBRING_OK : JOBRING_TIMED_OUT;
  });
}
jobring_status jobring_pending_get(jobring_pending* pending, int64_t timeout_ns,
                                   jobring_answer* answer) {
  return guarded([&]() -> jobring_status {
    check_answer(answer);
    const auto timeout = need_time(timeout_ns, "timeout_ns");
    // Ours for the time of the call: a callback that runs in it may free the handle.
    const Kept mine = keep(pending);
    if (!mine->future.wait_for(timeout)) return JOBRING_TIMED_OUT;
    Brought result = mine->operation()->get();
    const jobring_status status = result.status;
    give(answer, std::move(result));
    return status;
  });
}
jobring_status jobring_pending_cancel(jobring_pending* pending) {
  return guarded([&] {
    const auto operation = need(pending, "pending").operation();
    operation->cancel();
  });
}
jobring_status jobring_pending_future(jobring_pending* pending, jobring_future** future) {
  return guarded([&] {
    auto*& out = need_out(future, "future");
    auto handle = std::make_unique<jobring_future>();
    handle->future = need(pending, "pending").future;
    out = handle.release();
  });
}
jobring_status jobring_pending_on_ready(jobring_pending* pending, jobring_pending_callback callback,
                                        void* user) {
  return guarded([&] {
    if (callback == nullptr) bad_input("NULL", "callback");
    const std::shared_ptr<jobring_pending> self = keep(pending);
    self->future.on_ready(
        [self, callback, user](const jobring::Future&) { callback(self.get(), user); });
  });
}
