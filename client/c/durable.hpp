// What stands behind the handles of durable jobs.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <variant>
#include <vector>

#include <jobring/jobring.h>
#include <jobring/durable.hpp>

#include "client/c/guard.hpp"
#include "client/c/handles.hpp"

namespace jobring::c {

// Options as C sees them; views of `options`, which must outlive this. It does not move.
class OptionsView {
 public:
  explicit OptionsView(const DurableOptions& options);
  OptionsView(const OptionsView&) = delete;
  OptionsView& operator=(const OptionsView&) = delete;
  const jobring_durable_options& get() const { return view_; }

 private:
  std::vector<const char*> tags_;
  std::vector<jobring_durable_dependency> after_;
  jobring_durable_options view_{};
};

// The same of a job.
class InfoView {
 public:
  explicit InfoView(const DurableInfo& info);
  const jobring_durable_info& get() const { return view_; }
  // The attempts that are known.
  const std::vector<AttemptInfo>& attempts() const { return attempts_; }

 private:
  OptionsView options_;
  std::vector<AttemptInfo> attempts_;
  jobring_durable_info view_{};
};
jobring_durable_attempt describe(const AttemptInfo& attempt);

// One that C gave.
DurableOptions durable_options(const jobring_durable_options* options);
DurableJob durable_job(const jobring_durable_job& job, const char* name);
JobFilter durable_filter(const jobring_durable_filter* filter);
jobring_durable_answer describe(const SubmitAnswer& answer);

std::int64_t to_c(WallTime time);
inline std::int64_t to_c(const std::optional<WallTime>& time) {
  return time ? to_c(*time) : 0;
}

// Bytes for the caller to give back, with a NUL behind them.
void* give_bytes(std::string_view bytes);

}  // namespace jobring::c

struct jobring_durable {
  jobring::DurableJobs jobs;
};

// Callbacks have references of their own: the handle lives as long as any of them, but keeps the
// connection only as long as the program has one (see jobring_pending).
struct jobring_durable_future {
  explicit jobring_durable_future(jobring::DurableFuture f) : future_(std::move(f)) {}
  std::atomic<std::uint32_t> users{1};       // the program's references
  std::atomic<std::uint32_t> references{1};  // of callbacks, and one of all users

  // A copy for the time of a call: a callback that runs in it may free the handle.
  jobring::DurableFuture future() {
    const std::lock_guard lock(mutex_);
    return future_;
  }
  void replace(jobring::DurableFuture with) noexcept {
    const std::lock_guard lock(mutex_);
    std::swap(future_, with);
    // The former goes without the lock: `with` is destroyed after it.
  }
  // Of `info`, which is this future's.
  const jobring::c::InfoView& view(const jobring::DurableInfo& info) {
    std::call_once(viewed_, [&] { view_ = std::make_unique<jobring::c::InfoView>(info); });
    return *view_;
  }

 private:
  std::mutex mutex_;
  jobring::DurableFuture future_;
  std::once_flag viewed_;
  std::unique_ptr<jobring::c::InfoView> view_;
};

struct jobring_durable_list {
  using Jobs = std::vector<jobring::DurableInfo>;
  using Pools = std::vector<jobring::PoolJobs>;
  using Events = std::vector<jobring::JobEvent>;
  using Cron = std::vector<jobring::CronSpec>;

  template <class Elements>
  jobring_durable_list(Elements elements, std::uint64_t go_on)
      : all(std::move(elements)), next(go_on) {
    if (const Jobs* jobs = std::get_if<Jobs>(&all)) {
      for (const auto& job : *jobs) infos.push_back(std::make_unique<jobring::c::InfoView>(job));
    }
    if (const Cron* cron = std::get_if<Cron>(&all)) {
      for (const auto& entry : *cron)
        options.push_back(std::make_unique<jobring::c::OptionsView>(entry.job.options));
    }
  }

  const std::variant<Jobs, Pools, Events, Cron> all;
  std::vector<std::unique_ptr<jobring::c::InfoView>> infos;       // of jobs
  std::vector<std::unique_ptr<jobring::c::OptionsView>> options;  // of cron entries
  const std::uint64_t next;
};
