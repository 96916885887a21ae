// The worker's end of its control socket: reports to the supervisor, orders from it.
#pragma once

#include <deque>
#include <optional>
#include <vector>

#include "common/messages.hpp"
#include "common/result.hpp"
#include "common/unique_fd.hpp"

namespace jobring {

struct Order {
  WorkerOrder message;
  std::vector<UniqueFd> fds;
};

// Not thread-safe. When the supervisor is gone the process ends, from within any of these: a worker
// without one has nobody to make good what it might leave.
class SupervisorLink {
 public:
  explicit SupervisorLink(UniqueFd socket) : socket_(std::move(socket)) {}

  int fd() const { return socket_.get(); }
  void report(const WorkerReport& message);
  // The next order, if there is one. Never blocks.
  std::optional<Order> poll();
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
  std::optional<Order> next_kept();
  // Puts an order aside for a later poll().
  void keep(Order order) { kept_.push_back(std::move(order)); }

 private:
  std::optional<Order> receive(bool wait);

  UniqueFd socket_;
  std::deque<Order> kept_;
};

}  // namespace jobring
