// The registry's process: takes requests from the channels of its clients as a worker takes jobs,
// has the engine do them, and completes them when it answers, which for those that wait is later.
//
// The data's way: Claimer::look() → serve(): every request of a batch goes to the engine, then one
// commit(), then the slots that have answers are DONE. A request that waits stays RUNNING.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "common/segment.hpp"
#include "common/spin_policy.hpp"
#include "common/unique_fd.hpp"
#include "daemon/registry/engine.hpp"
#include "worker/channel_table.hpp"
#include "worker/claimer.hpp"
#include "worker/order_link.hpp"
#include "worker/served_requests.hpp"
#include "worker/worker_process.hpp"

namespace jobring::registry {

class Service {
 public:
  // Takes the memory of its last life, or fresh one, and reports that it is ready. Leaves the
  // process if that fails.
  Service(WorkerProcess& process, OrderLink& link);
  // Until the supervisor ends it.
  [[noreturn]] void run();

 private:
  void serve(const Batch& batch);
  void take(WorkerChannel& channel, const Claim& claim);
  void deliver();

  bool spin();
  void sleep();
  void tick();
  void follow_orders();
  void follow(Order& order);
  void await_sessions();

  OrderLink& link_;
  UniqueFd epoll_;
  ChannelTable channels_;
  Claimer claimer_;
  ServedRequests requests_;
  WorkerEntry& mine_;
  Mapping memory_;
  std::unique_ptr<Engine> engine_;

  std::vector<unsigned char> payload_;
  SpinPolicy spin_;
  std::uint64_t now_ = 0;  // CLOCK_MONOTONIC, nanoseconds, when we last looked
  std::uint64_t orders_followed_ns_ = 0;
};

}  // namespace jobring::registry
