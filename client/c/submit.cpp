// Submitting jobs, and payloads that are made in place.
#include <jobring/c/submit.h>

#include <cstdlib>
#include <cstring>

#include "client/c/guard.hpp"
#include "client/c/handles.hpp"

using namespace jobring::c;

struct jobring_reservation {
  jobring::Reservation room;
};

namespace {

constexpr std::int64_t kNsPerMs = 1'000'000;

jobring::Priority which_priority(int32_t priority) {
  switch (priority) {
    case JOBRING_PRIORITY_LOW:
      return jobring::Priority::low;
    case JOBRING_PRIORITY_NORMAL:
      return jobring::Priority::normal;
    case JOBRING_PRIORITY_HIGH:
      return jobring::Priority::high;
    default:
      bad_input(std::to_string(priority) + " is no JOBRING_PRIORITY_...", "options.priority");
  }
}

// Rounded up: a short time must not become none. For ever is what none means.
std::chrono::milliseconds job_time(std::int64_t ns, const char* name) {
  const std::int64_t time = need_time(ns, name).count();
  if (time == JOBRING_FOREVER) return std::chrono::milliseconds(0);
  return std::chrono::milliseconds(time / kNsPerMs +
                                   (time % kNsPerMs != 0 && time < INT64_MAX - kNsPerMs ? 1 : 0));
}

}  // namespace

jobring::JobOptions jobring::c::job_options(const jobring_job_options* options) {
  const auto given = read_struct(options, "jobring_job_options");
  JobOptions job;
  job.priority = which_priority(given.priority);
  job.timeout = job_time(given.timeout_ns, "options.timeout_ns");
  job.start_within = job_time(given.start_within_ns, "options.start_within_ns");
  if (given.crash_retries > UINT8_MAX) bad_input("is more than 255", "options.crash_retries");
  job.crash_retries = std::uint8_t(given.crash_retries);
  job.in_place = given.in_place != 0;
  job.tag = text_or_empty(given.tag);
  return job;
}

jobring_status jobring_submit(jobring_pool* pool, const char* handler, const void* payload,
                              size_t payload_len, const jobring_job_options* options,
                              int64_t patience_ns, jobring_future** future) {
  return guarded([&] {
    auto*& out = need_out(future, "future");
    jobring::Pool& to = need(pool, "pool").pool;
    const auto name = need_text(handler, "handler");
    const auto bytes = need_bytes(payload, payload_len, "payload");
    const auto patience = need_time(patience_ns, "patience_ns");
    const auto job = job_options(options);
    return give_future(out, [&] { return to.submit_for(patience, name, bytes, job); });
  });
}

jobring_status jobring_call(jobring_pool* pool, const char* handler, const void* payload,
                            size_t payload_len, const jobring_job_options* options, void** result,
                            size_t* result_len) {
  return guarded([&] {
    auto*& out = need_out(result, "result");
    const std::string bytes =
        need(pool, "pool")
            .pool.call(need_text(handler, "handler"), need_bytes(payload, payload_len, "payload"),
                       job_options(options));
    out = std::malloc(bytes.size() + 1);
    if (out == nullptr) throw std::bad_alloc();
    std::memcpy(out, bytes.c_str(), bytes.size() + 1);
    if (result_len != nullptr) *result_len = bytes.size();
  });
}

jobring_status jobring_reserve(jobring_pool* pool, size_t size, jobring_reservation** reservation,
                               void** bytes) {
  return guarded([&] {
    auto*& out = need_out(reservation, "reservation");
    auto*& room = need_out(bytes, "bytes");
    out = new jobring_reservation{need(pool, "pool").pool.reserve(size)};
    room = out->room.bytes().data();
  });
}

jobring_status jobring_reservation_submit(jobring_reservation* reservation, const char* handler,
                                          size_t len, const jobring_job_options* options,
                                          jobring_future** future) {
  return guarded([&] {
    auto*& out = need_out(future, "future");
    jobring::Reservation& room = need(reservation, "reservation").room;
    const auto name = need_text(handler, "handler");
    const auto job = job_options(options);
    return give_future(out, [&] { return std::optional(room.submit(name, len, job)); });
  });
}

void jobring_reservation_free(jobring_reservation* reservation) {
  delete reservation;
}
