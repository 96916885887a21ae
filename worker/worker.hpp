// A worker: claims jobs from all channels of its pool, runs them one at a time, completes them.
//
// The data's way through this file's .cpp: look() → visit() → run_batch() → run_one() → complete().
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "common/doorbell.hpp"
#include "common/messages.hpp"
#include "common/pool_page.hpp"
#include "common/segment.hpp"
#include "common/spin_policy.hpp"
#include "common/unique_fd.hpp"
#include "worker/batch_policy.hpp"
#include "worker/job_run.hpp"
#include "worker/job_timer.hpp"
#include "worker/modules.hpp"
#include "worker/process_baseline.hpp"
#include "worker/supervisor_link.hpp"
#include "worker/worker_channel.hpp"

namespace jobring {

class Worker {
 public:
  // Introduces itself to the supervisor, loads the pool's modules. Leaves the process if that
  // fails.
  explicit Worker(SupervisorLink& link);
  // Runs until it is drained or has done its share; returns the exit status.
  int run();

 private:
  struct Claim {
    std::uint16_t index;
    StateWord word;  // CLAIMED, by us
  };

  static constexpr std::uint32_t kNoChannel = ~std::uint32_t{0};

  // Finding work
  bool look();
  bool look_at_level(std::uint32_t priority);
  bool visit(WorkerDoorbell& doorbell, std::uint32_t bit, std::uint32_t priority);
  std::uint32_t claim(WorkerChannel& channel, std::uint32_t priority, std::uint64_t backlog);
  std::uint32_t claim_requeued(WorkerChannel& channel);
  bool settle_ready(WorkerDoorbell& doorbell, std::uint32_t bit, std::uint32_t priority);
  enum class Steal { nothing, wait, ran };
  Steal steal();
  bool may_have_left(std::uint32_t v) const;
  bool leaves_work() const;
  bool others_sleep() const;
  void wake_one();

  // Running it
  void run_batch(WorkerChannel& channel, std::uint32_t count);
  void run_one(WorkerChannel& channel, const Claim& claim, std::uint64_t started);
  void complete(WorkerChannel& channel, JobRun& job, StateWord running);
  void run_command_job(JobRun& job);

  // Waiting
  bool spin();
  void sleep();
  bool work_in_sight() const;

  // Orders
  void handle_orders();
  void handle(Order& order);
  void add_doorbell(const DoorbellAdded& added, std::vector<UniqueFd> fds);
  void drop_unused_stdio();
  void watch_event(int eventfd);
  WorkerChannel* map_channel(WorkerDoorbell& doorbell, std::uint32_t bit);
  WorkerChannel* add_channel(Order& order);
  void unmap_channel(std::uint32_t id);
  void report_broken(WorkerChannel& channel, const char* reason);
  bool time_to_retire();
  void tidy(std::uint64_t now);

  WorkerEntry& entry() { return page_->worker(settings_.index); }
  std::uint32_t owner() const { return settings_.index + 1; }

  SupervisorLink& link_;
  Welcome settings_;
  Mapping page_mapping_;
  PoolPage* page_ = nullptr;
  HandlerTable handlers_;
  std::vector<std::unique_ptr<WorkerDoorbell>> doorbells_;  // by index
  std::vector<UniqueFd>
      colleagues_;  // an event per worker that no client can touch: workers and supervisor ring it
  std::size_t next_doorbell_ = 0;
  UniqueFd epoll_;

  std::array<Claim, kBatchMax> claims_;
  BatchPolicy batch_;
  SpinPolicy spin_;
  WakeMemory wakes_;
  JobTimer timer_;
  std::vector<unsigned char> payload_copy_;
  std::uint32_t looks_ = 0;
  std::uint64_t time_ = 0;  // CLOCK_MONOTONIC when we last looked at it
  std::array<std::uint64_t, kWorkersMax> emptied_ns_{};  // batch_ns of lists that we found stolen
  std::uint64_t jobs_ = 0;
  std::uint64_t orders_checked_ns_ = 0;
  std::uint64_t rss_checked_ns_ = 0;
  ProcessBaseline baseline_;
  std::uint64_t tidied_ns_ = 0;
  std::uint64_t tidied_jobs_ = 0;              // entry().jobs then
  std::uint32_t holds_stdio_of_ = kNoChannel;  // the one channel whose stdio we hold
  bool woke_ = false;                          // since the last batch
  bool draining_ = false;
  bool worn_ = false;  // holds too much that does not let itself be closed
};

}  // namespace jobring
