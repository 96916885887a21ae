// The worker of an async pool: one thread, one event loop, up to max_in_flight jobs at a time, each
// a coroutine.
//
//     turn:  orders → what is ready on the loop → look for work, while there is room
//     idle:  lie down, sleep in the loop; bells and the control socket wake it like any descriptor
//
// Claims are taken only for what is started at once: a claimed job becomes RUNNING before the next
// one is looked at. So nothing is ever listed for stealing that waits for anything but the start of
// the 31 before it, and what there is no room for stays in the ring for others. One owner id, many
// RUNNING slots: recovery looks at every slot anyway.
#pragma once

#include <utility>  // before Asio

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstdint>
#include <exception>
#include <memory>
#include <unordered_map>
#include <vector>

#include "common/spin_policy.hpp"
#include "common/unique_fd.hpp"
#include "worker/async/async_job.hpp"
#include "worker/async/builtins.hpp"
#include "worker/async/deadlines.hpp"
#include "worker/channel_table.hpp"
#include "worker/claimer.hpp"
#include "worker/order_link.hpp"
#include "worker/worker_process.hpp"

namespace jobring {

class AsyncWorker {
 public:
  AsyncWorker(const WorkerProcess& process, OrderLink& link, Deadlines& deadlines);
  ~AsyncWorker();
  // Runs until it is drained or has done its share; returns the exit status.
  int run();

 private:
  using Jobs = std::unordered_map<std::uint64_t, std::unique_ptr<AsyncJob>>;

  // Running
  bool claim_and_start();
  void start(const Batch& batch);
  void start_one(WorkerChannel& channel, const Claim& claim, std::uint64_t now);
  void begin(AsyncJob& job, const Handler& handler);
  void ended(AsyncJob& job, std::exception_ptr thrown);
  void complete_job(AsyncJob& job);

  // Stopping
  void stop(AsyncJob& job, int signal);
  void cancel(AsyncJob& job);
  void over_its_time(AsyncJob& job);
  void stop_channel(const StopChannel& order);

  // Waiting
  bool spin();
  void sleep();
  void watch_bells();
  void take_bells();

  void handle_orders();
  void follow_close(std::uint32_t channel, Order& order);
  bool has_room() const { return jobs_.size() < settings_.max_in_flight; }
  bool time_to_retire();
  void tidy();

  const WorkerProcess& process_;
  const Welcome& settings_;
  OrderLink& link_;
  Deadlines& deadlines_;
  boost::asio::io_context loop_{1};
  UniqueFd epoll_;  // bells and control socket, in one descriptor for the loop
  boost::asio::posix::stream_descriptor bells_;
  bool rung_ = false;
  ChannelTable channels_;
  Claimer claimer_;
  WorkerEntry& mine_;
  AsyncBuiltins builtins_;

  Jobs jobs_;                                                    // by key(channel, slot)
  std::unordered_map<std::uint32_t, std::uint32_t> in_channel_;  // jobs in flight, by channel id
  std::unordered_map<std::uint32_t, Order> closing_;             // until their last job has ended

  SpinPolicy spin_;
  std::uint64_t time_ = 0;  // CLOCK_MONOTONIC when we last looked at it
  std::uint64_t begun_ = 0;
  std::uint64_t tidied_ = 0;  // begun_ then
  std::uint64_t orders_checked_ns_ = 0;
  std::uint64_t rss_checked_ns_ = 0;
};

}  // namespace jobring
