// One future: waiting, results, callbacks.
#include <jobring/c/future.h>

#include <signal.h>

#include <cstring>

#include "client/c/guard.hpp"
#include "client/c/handles.hpp"

using namespace jobring::c;
using jobring::Future;
using jobring::Outcome;

static_assert(int(Outcome::ok) == JOBRING_OUTCOME_OK);
static_assert(int(Outcome::failed) == JOBRING_OUTCOME_FAILED);
static_assert(int(Outcome::unknown_handler) == JOBRING_OUTCOME_UNKNOWN_HANDLER);
static_assert(int(Outcome::result_too_big) == JOBRING_OUTCOME_RESULT_TOO_BIG);
static_assert(int(Outcome::timed_out) == JOBRING_OUTCOME_TIMED_OUT);
static_assert(int(Outcome::killed) == JOBRING_OUTCOME_KILLED);
static_assert(int(Outcome::crashed) == JOBRING_OUTCOME_CRASHED);
static_assert(int(Outcome::expired) == JOBRING_OUTCOME_EXPIRED);
static_assert(int(Outcome::cancelled) == JOBRING_OUTCOME_CANCELLED);
static_assert(int(Outcome::lost) == JOBRING_OUTCOME_LOST);
static_assert(int(Outcome::bad_request) == JOBRING_OUTCOME_BAD_REQUEST);
static_assert(jobring::kOutcomes == JOBRING_OUTCOME_BAD_REQUEST + 1);

namespace {

// A copy for the time of a call: a callback that runs in it may free the handle.
Future of(jobring_future* future) {
  return need(future, "future").future;
}

// Of a job that has ended: the result, or what it failed with; in shared memory or not.
std::string_view bytes_of(const Future& future) {
  const jobring::JobResult& result = future.result();
  if (!result.ok()) return result.bytes;
  const auto view = future.view();
  return {reinterpret_cast<const char*>(view.data()), view.size()};
}

// Who has a report even though the outcome is not ok.
bool may_have_report(Outcome outcome) {
  return outcome == Outcome::ok || outcome == Outcome::failed || outcome == Outcome::timed_out ||
         outcome == Outcome::killed;
}

}  // namespace

jobring_result jobring::c::describe(const JobResult& result, std::string_view bytes) {
  jobring_result value{};
  value.outcome = std::int32_t(result.outcome);
  value.detail = result.detail;
  value.attempts = result.attempts;
  value.worker = result.worker;
  value.queued_ns = std::uint64_t(result.queued.count());
  value.ran_ns = std::uint64_t(std::chrono::nanoseconds(result.ran).count());
  value.bytes = bytes.data() != nullptr ? bytes.data() : "";
  value.bytes_len = bytes.size();
  value.error_type = result.type.c_str();
  return value;
}

jobring_progress jobring::c::describe(const Progress& progress) {
  jobring_progress value{};
  value.done = progress.done;
  value.total = progress.total;
  progress.text.copy(value.text, sizeof value.text - 1);
  return value;
}

jobring_future* jobring_future_ref(jobring_future* future) {
  if (future != nullptr) future->references.fetch_add(1, std::memory_order_relaxed);
  return future;
}

void jobring_future_free(jobring_future* future) {
  // Release: what this thread read of it comes before; acquire: what the others did, before its
  // end.
  if (future != nullptr && future->references.fetch_sub(1, std::memory_order_acq_rel) == 1)
    delete future;
}

const char* jobring_outcome_name(int32_t outcome) {
  return outcome >= 0 && outcome < jobring::kOutcomes ? jobring::to_string(Outcome(outcome))
                                                      : "unknown";
}

jobring_status jobring_future_ready(jobring_future* future, int32_t* ready) {
  return guarded([&] { need(ready, "ready") = of(future).ready() ? 1 : 0; });
}

jobring_status jobring_future_wait(jobring_future* future, int64_t timeout_ns) {
  return guarded([&]() -> jobring_status {
    const auto timeout = need_time(timeout_ns, "timeout_ns");
    return of(future).wait_for(timeout) ? JOBRING_OK : JOBRING_TIMED_OUT;
  });
}

jobring_status jobring_future_result(jobring_future* future, int64_t timeout_ns,
                                     jobring_result* result) {
  return guarded([&]() -> jobring_status {
    auto& to = need_struct(result, "jobring_result");
    const Future job = of(future);
    if (!job.wait_for(need_time(timeout_ns, "timeout_ns"))) return JOBRING_TIMED_OUT;
    write_struct(to, describe(job.result(), bytes_of(job)));
    return JOBRING_OK;
  });
}

jobring_status jobring_future_command(jobring_future* future, int64_t timeout_ns,
                                      jobring_command_result* result) {
  return guarded([&]() -> jobring_status {
    auto& to = need_struct(result, "jobring_command_result");
    const Future job = of(future);
    if (!job.wait_for(need_time(timeout_ns, "timeout_ns"))) return JOBRING_TIMED_OUT;
    if (!may_have_report(job.result().outcome)) throw jobring::JobFailed(job.result());
    write_struct(to, describe_command(bytes_of(job)));
    return JOBRING_OK;
  });
}

jobring_status jobring_future_cancel(jobring_future* future, int32_t* withdrawn) {
  return guarded([&] {
    const bool done = of(future).cancel();
    if (withdrawn != nullptr) *withdrawn = done ? 1 : 0;
  });
}

jobring_status jobring_future_kill(jobring_future* future, int32_t signal) {
  return guarded([&] {
    if (signal < 1 || signal >= NSIG) bad_input(std::to_string(signal) + " is no signal", "signal");
    of(future).kill(signal);
  });
}

jobring_status jobring_future_progress(jobring_future* future, jobring_progress* progress) {
  return guarded([&]() -> jobring_status {
    auto& to = need_struct(progress, "jobring_progress");
    const auto report = of(future).progress();
    if (!report) return JOBRING_NONE;
    write_struct(to, describe(*report));
    return JOBRING_OK;
  });
}

jobring_status jobring_future_on_ready(jobring_future* future, jobring_callback callback,
                                       void* user) {
  return guarded([&] {
    if (callback == nullptr) bad_input("NULL", "callback");
    of(future).on_ready(
        [self = FutureRef(future), callback, user](const Future&) { callback(self.get(), user); });
  });
}
