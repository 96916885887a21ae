// The worker process's end of its control socket.
#pragma once

#include <utility>

#include "worker/order_link.hpp"

namespace jobring {

// Reports may be sent from any thread: each is one message on the socket. All else is for one
// thread.
class SupervisorLink final : public OrderLink {
 public:
  explicit SupervisorLink(UniqueFd socket) : socket_(std::move(socket)) {}

  int fd() const override { return socket_.get(); }
  void report(const WorkerReport& message) override;

 private:
  std::optional<Order> receive(bool wait) override;

  UniqueFd socket_;
};

}  // namespace jobring
