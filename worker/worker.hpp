// A worker: claims jobs from all channels of its pool, runs them one at a time, completes them.
//
// The data's way: Claimer::look() → run_batch() → run_one() → complete(), and on to the client.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <cstdint>
#include <vector>

#include "common/spin_policy.hpp"
#include "common/unique_fd.hpp"
#include "worker/channel_table.hpp"
#include "worker/claimer.hpp"
#include "worker/job_run.hpp"
#include "worker/job_timer.hpp"
#include "worker/order_link.hpp"
#include "worker/worker_process.hpp"

namespace jobring {

class Worker {
 public:
  // `index`: which worker of the pool we are, of all lanes. To be used on the thread that made it.
  Worker(const WorkerProcess& process, std::uint32_t index, OrderLink& link);
  // Runs until it is drained or has done its share; returns the exit status.
  int run();
  // After run(): lets go of channels that close.
  void handle_orders();
  // What it knows of the time that jobs take.
  BatchPolicy& policy() { return claimer_.policy(); }

 private:
  // Running
  void run_batch(const Batch& batch);
  void run_one(WorkerChannel& channel, const Claim& claim, std::uint64_t started);
  void run_command_job(JobRun& job);

  // Waiting
  bool spin();
  void sleep();

  int leave();
  bool time_to_retire();
  void tidy(std::uint64_t now);

  const WorkerProcess& process_;
  const Welcome& settings_;
  OrderLink& link_;
  UniqueFd epoll_;
  ChannelTable channels_;
  Claimer claimer_;
  WorkerEntry& mine_;

  SpinPolicy spin_;
  JobTimer timer_;
  std::vector<unsigned char> payload_copy_;
  std::uint64_t time_ = 0;  // CLOCK_MONOTONIC when we last looked at it
  sigset_t mask_{};         // the thread's, to be put back between jobs
  std::uint64_t orders_checked_ns_ = 0;
  std::uint64_t rss_checked_ns_ = 0;
  std::uint64_t tidied_ns_ = 0;
  std::uint64_t tidied_jobs_ = 0;  // mine_.jobs then
  bool worn_ = false;              // holds too much that does not let itself be closed
};

}  // namespace jobring
