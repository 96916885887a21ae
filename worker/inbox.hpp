// How orders reach a lane: the process's main thread reads the one control socket and puts each
// lane's orders into its inbox.
#pragma once

#include <deque>
#include <mutex>
#include <optional>

#include "common/unique_fd.hpp"
#include "worker/order_link.hpp"
#include "worker/supervisor_link.hpp"

namespace jobring {

// Thread-safe: anybody puts, one lane takes.
class Inbox {
 public:
  // Ends the process if there is no descriptor left.
  Inbox();
  // Readable while there is something to take.
  int fd() const { return event_.get(); }
  void put(Order order);
  // Makes fd() readable until the next take(), whether or not there is an order.
  void poke();
  // Nothing if it is empty; with `wait`, waits until it is not.
  std::optional<Order> take(bool wait);

 private:
  std::mutex mutex_;
  std::deque<Order> orders_;
  UniqueFd event_;
};

// A lane's end of the control socket.
class LaneLink final : public OrderLink {
 public:
  // `lane`: counted from 0 in the process.
  LaneLink(SupervisorLink& socket, std::uint32_t lane) : socket_(socket), lane_(lane) {}

  Inbox& inbox() { return inbox_; }
  int fd() const override { return inbox_.fd(); }
  void report(const WorkerReport& message) override;

 private:
  std::optional<Order> receive(bool wait) override { return inbox_.take(wait); }

  SupervisorLink& socket_;
  const std::uint32_t lane_;
  Inbox inbox_;
};

}  // namespace jobring
