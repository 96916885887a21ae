// What the opaque handles of the C interface are: C++ objects, on the heap.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include <jobring/jobring.h>
#include <jobring/jobring.hpp>

struct jobring_client {
  jobring::Client client;
};

struct jobring_pool {
  jobring::Pool pool;
};

struct jobring_future {
  jobring::Future future;
  std::atomic<std::uint32_t> references{1};
};

namespace jobring::c {

// One reference to a future's handle.
class FutureRef {
 public:
  explicit FutureRef(jobring_future* future) : future_(jobring_future_ref(future)) {}
  FutureRef(const FutureRef& other) : FutureRef(other.future_) {}
  FutureRef(FutureRef&& other) noexcept : future_(std::exchange(other.future_, nullptr)) {}
  FutureRef& operator=(FutureRef other) noexcept {
    std::swap(future_, other.future_);
    return *this;
  }
  ~FutureRef() { jobring_future_free(future_); }
  jobring_future* get() const { return future_; }
  jobring_future* release() { return std::exchange(future_, nullptr); }

 private:
  jobring_future* future_;
};

// How a C program sees a result; its pointers are those of the two.
jobring_result describe(const JobResult& result, std::string_view bytes);
jobring_progress describe(const Progress& progress);
// Throws bad_input if it is no command's result, whose pointers these are.
jobring_command_result describe_command(std::string_view result);
// Throws bad_input.
Command command_of(const jobring_command& given);
JobOptions job_options(const jobring_job_options* options);

// The handle is made before the job is: nothing can fail once that runs.
template <class Submit>
jobring_status give_future(jobring_future*& out, const Submit& submit) {
  auto handle = std::make_unique<jobring_future>();
  std::optional<jobring::Future> future = submit();
  if (!future) return JOBRING_TIMED_OUT;
  handle->future = std::move(*future);
  out = handle.release();
  return JOBRING_OK;
}

}  // namespace jobring::c
