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
  // What is under way in a channel.
  struct Served {
    WorkerChannel* channel = nullptr;
    std::uint64_t session = 0;
    std::vector<std::uint32_t> groups;  // of its client, supplementary
    std::vector<StateWord> running;     // by slot; the zero word: nothing
  };

  void serve(const Batch& batch);
  void take(Served& served, const Claim& claim);
  void refuse(Served& served, std::uint32_t slot, Outcome outcome, std::string_view why);
  void deliver();
  void answer(Served& served, std::uint32_t slot, const RegistryReply& reply);
  void done(Served& served, std::uint32_t slot, Outcome outcome, std::size_t size);
  Served& served(WorkerChannel& channel);

  bool spin();
  void sleep();
  void tick();
  void follow_orders();
  void follow(Order& order);
  void cancel(const StopJob& order);
  void await_sessions();

  OrderLink& link_;
  UniqueFd epoll_;
  ChannelTable channels_;
  Claimer claimer_;
  WorkerEntry& mine_;
  Mapping memory_;
  std::unique_ptr<Engine> engine_;

  std::vector<Served> served_;  // by channel id
  std::vector<unsigned char> payload_;
  SpinPolicy spin_;
  std::uint64_t now_ = 0;  // CLOCK_MONOTONIC, nanoseconds, when we last looked
  std::uint64_t orders_followed_ns_ = 0;
  WorkerChannel* unpublished_ = nullptr;  // its completion tail is to be moved
};

}  // namespace jobring::registry
