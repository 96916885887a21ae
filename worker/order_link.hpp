// How a worker's loop talks to its supervisor: reports there, orders from there. What is behind it,
// a socket or the inbox of a lane, the loop does not know. Only for what is rare.
#pragma once

#include <deque>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "common/messages.hpp"
#include "common/unique_fd.hpp"

namespace jobring {

struct Order {
  WorkerOrder message;
  std::vector<UniqueFd> fds;
};

// Not thread-safe: each loop has its own. When the supervisor is gone the process ends, from within
// any of these: a worker without one has nobody to make good what it might leave.
class OrderLink {
 public:
  OrderLink() = default;
  OrderLink(const OrderLink&) = delete;
  OrderLink& operator=(const OrderLink&) = delete;
  virtual ~OrderLink() = default;

  // Readable (level-triggered) while there are orders that nobody has received.
  virtual int fd() const = 0;
  virtual void report(const WorkerReport& message) = 0;

  // The next order, if there is one. Never blocks.
  std::optional<Order> poll() {
    if (auto order = next_kept()) return order;
    return receive(false);
  }
  // Waits for the next order of type T; what comes before it is kept for poll().
  template <class T>
  Order await() {
    for (;;) {
      Order order = receive(true).value();
      if (std::holds_alternative<T>(order.message)) return order;
      kept_.push_back(std::move(order));
    }
  }
  // The next of the orders that await() passed over; nothing is received.
  std::optional<Order> next_kept() {
    if (kept_.empty()) return std::nullopt;
    Order order = std::move(kept_.front());
    kept_.pop_front();
    return order;
  }
  // Puts an order aside for a later poll().
  void keep(Order order) { kept_.push_back(std::move(order)); }

 private:
  // The next order from there. Without `wait`: nothing, if there is none at the moment.
  virtual std::optional<Order> receive(bool wait) = 0;

  std::deque<Order> kept_;
};

}  // namespace jobring
