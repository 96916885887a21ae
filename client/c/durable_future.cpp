// Durable jobs: one job, waited for by its number.
#include "client/c/durable.hpp"
#include "client/durable/core.hpp"

using namespace jobring::c;
using jobring::DurableFuture;
using jobring::DurableInfo;

namespace {

// One reference to a handle that is not the program's.
struct Release {
  void operator()(jobring_durable_future* future) const {
    // As jobring_future_free().
    if (future->references.fetch_sub(1, std::memory_order_acq_rel) == 1) delete future;
  }
};
using Kept = std::unique_ptr<jobring_durable_future, Release>;

Kept keep(jobring_durable_future* future) {
  need(future, "future").references.fetch_add(1, std::memory_order_relaxed);
  return Kept(future);
}

}  // namespace

jobring_durable_attempt jobring::c::describe(const AttemptInfo& attempt) {
  jobring_durable_attempt value{};
  value.number = attempt.number;
  value.worker = attempt.worker;
  value.outcome = std::int32_t(attempt.outcome);
  value.started_ms = to_c(attempt.started);
  value.ended_ms = to_c(attempt.ended);
  value.exit_code = attempt.exit_code;
  value.signal = attempt.signal;
  value.user_us = std::uint64_t(attempt.user.count());
  value.system_us = std::uint64_t(attempt.system.count());
  value.max_rss_kib = attempt.max_rss_kib;
  value.tail = attempt.tail.c_str();
  value.tail_len = attempt.tail.size();
  return value;
}

InfoView::InfoView(const DurableInfo& info) : options_(info.options), attempts_(info.history) {
  if (attempts_.empty() && info.last) attempts_.push_back(*info.last);
  view_.state = std::int32_t(info.state);
  view_.id = info.id;
  view_.handler = info.handler.c_str();
  view_.payload = info.payload.c_str();
  view_.payload_len = info.payload.size();
  view_.result = info.result.c_str();
  view_.result_len = info.result.size();
  view_.payload_left_out = info.payload_left_out ? 1 : 0;
  view_.result_left_out = info.result_left_out ? 1 : 0;
  view_.options = &options_.get();
  view_.uid = info.uid;
  view_.gid = info.gid;
  view_.submitted_ms = to_c(info.submitted);
  view_.due_ms = to_c(info.due);
  view_.attempts = info.attempts;
  view_.unmet = info.unmet;
  view_.stop_wanted = info.stop_wanted ? 1 : 0;
  view_.has_index = info.index ? 1 : 0;
  view_.index = info.index.value_or(0);
  view_.is_group = info.members ? 1 : 0;
  if (info.members) {
    view_.members = info.members->size;
    view_.bad_members = info.members->bad;
  }
  view_.has_progress = info.progress ? 1 : 0;
  view_.progress_text = "";
  if (info.progress) {
    view_.progress_done = info.progress->done;
    view_.progress_total = info.progress->total;
    view_.progress_text = info.progress->text.c_str();
  }
  view_.attempts_known = std::uint32_t(attempts_.size());
  view_.waits_for_count = std::uint32_t(info.waits_for.size());
  view_.waits_for = info.waits_for.data();
}

jobring_status jobring_durable_attach(jobring_durable* durable, uint64_t id,
                                      jobring_durable_future** future) {
  return guarded([&] {
    auto*& out = need_out(future, "future");
    jobring::DurableJobs jobs = need(durable, "durable").jobs;
    out = new jobring_durable_future(jobs.attach(id));
  });
}

jobring_durable_future* jobring_durable_future_ref(jobring_durable_future* future) {
  // In a callback, after the program's last one: again one for all users.
  if (future != nullptr && future->users.fetch_add(1, std::memory_order_relaxed) == 0)
    future->references.fetch_add(1, std::memory_order_relaxed);
  return future;
}

void jobring_durable_future_free(jobring_durable_future* future) {
  if (future == nullptr || future->users.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  if (future->references.load(std::memory_order_acquire) != 1)
    future->replace(jobring::detail::DurableCore::detached(future->future()));
  Release()(future);
}

jobring_status jobring_durable_future_id(jobring_durable_future* future, uint64_t* id) {
  return guarded([&] { need(id, "id") = need(future, "future").future().id(); });
}
jobring_status jobring_durable_future_ready(jobring_durable_future* future, int32_t* ready) {
  return guarded([&] {
    int32_t& to = need(ready, "ready");
    to = need(future, "future").future().ready() ? 1 : 0;
  });
}
jobring_status jobring_durable_future_wait(jobring_durable_future* future, int64_t timeout_ns) {
  return guarded([&]() -> jobring_status {
    const DurableFuture job = need(future, "future").future();
    return job.wait_for(need_time(timeout_ns, "timeout_ns")) ? JOBRING_OK : JOBRING_TIMED_OUT;
  });
}

jobring_status jobring_durable_future_info(jobring_durable_future* future, int64_t timeout_ns,
                                           jobring_durable_info* info) {
  return guarded([&]() -> jobring_status {
    auto& to = need_struct(info, "jobring_durable_info");
    const auto timeout = need_time(timeout_ns, "timeout_ns");
    const Kept mine = keep(future);
    const DurableFuture job = mine->future();
    if (!job.wait_for(timeout)) return JOBRING_TIMED_OUT;
    write_struct(to, mine->view(job.info()).get());
    return JOBRING_OK;
  });
}

jobring_status jobring_durable_future_attempt(jobring_durable_future* future,
                                              jobring_durable_attempt* to) {
  return guarded([&]() -> jobring_status {
    auto& out = need_struct(to, "jobring_durable_attempt");
    const Kept mine = keep(future);
    const DurableFuture job = mine->future();
    const auto& attempts = mine->view(job.info()).attempts();
    if (attempts.empty()) return JOBRING_NONE;
    write_struct(out, describe(attempts.back()));
    return JOBRING_OK;
  });
}

jobring_status jobring_durable_future_get(jobring_durable_future* future, void** result,
                                          size_t* result_len) {
  return guarded([&] {
    auto*& out = need_out(result, "result");
    const DurableFuture job = need(future, "future").future();
    const std::string bytes = job.get();
    out = give_bytes(bytes);
    if (result_len != nullptr) *result_len = bytes.size();
  });
}

jobring_status jobring_durable_future_on_ready(jobring_durable_future* future,
                                               jobring_durable_callback callback, void* user) {
  return guarded([&] {
    if (callback == nullptr) bad_input("NULL", "callback");
    const std::shared_ptr<jobring_durable_future> self = keep(future);
    self->future().on_ready([self, callback, user](const DurableFuture& done) {
      self->replace(done);
      callback(self.get(), user);
    });
  });
}
