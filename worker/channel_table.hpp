// The doorbells and channels that a worker has mapped: mapping them when there is work, letting go
// of them when they close.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "worker/order_link.hpp"
#include "worker/worker_channel.hpp"

namespace jobring {

// Not thread-safe: every loop has its own.
class ChannelTable {
 public:
  // What map() does for a channel that we do not have.
  enum class Asking {
    wait,  // until the supervisor has answered
    later  // returns without it; when the answer has come, its ready bits are set
  };

  // `epoll` watches the events of the doorbells that are added.
  ChannelTable(OrderLink& link, SegmentTable& segments, int epoll, Asking asking);

  // Follows an order that concerns doorbells and channels, or a drain. Ignores any other.
  void follow(Order& order);
  bool draining() const { return draining_; }

  std::vector<std::unique_ptr<WorkerDoorbell>>& doorbells() { return doorbells_; }
  const std::vector<std::unique_ptr<WorkerDoorbell>>& doorbells() const { return doorbells_; }
  // The channel with that ready bit; null if there is none (any more), or not yet.
  WorkerChannel* map(WorkerDoorbell& doorbell, std::uint32_t bit);
  // Asking::later: the supervisor has not answered yet.
  bool asks_for(const WorkerDoorbell& doorbell, std::uint32_t bit) const {
    return doorbell.asked[bit];
  }
  // Its client wrote nonsense: we look at it no more, and the supervisor closes it.
  void report_broken(WorkerChannel& channel, const char* reason);
  // Closes the client's descriptors that came with a channel, unless it is `id`.
  void drop_stdio_except(std::uint32_t id) {
    if (holds_stdio_of_ != kNoChannel && holds_stdio_of_ != id) drop_stdio();
  }

 private:
  static constexpr std::uint32_t kNoChannel = ~std::uint32_t{0};

  void add_doorbell(const DoorbellAdded& added, std::vector<UniqueFd> fds);
  WorkerChannel* add_channel(Order& order);
  void unmap(std::uint32_t id);
  void drop_stdio();

  OrderLink& link_;
  SegmentTable& segments_;
  const int epoll_;
  const Asking asking_;
  std::vector<std::unique_ptr<WorkerDoorbell>> doorbells_;  // by index
  std::uint32_t holds_stdio_of_ = kNoChannel;               // the one channel whose stdio we hold
  bool draining_ = false;
};

// Has `epoll` report an eventfd that wakes us: edge-triggered, so that one epoll_wait is the whole
// sleep and nothing has to be read to reset it.
void watch_event(int epoll, int eventfd);

}  // namespace jobring
