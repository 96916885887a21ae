#include "worker/inbox.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdio>
#include <utility>

#include "common/result.hpp"
#include "worker/leave.hpp"

namespace jobring {

Inbox::Inbox() : event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (event_) return;
  const Error error = system_error("eventfd", "lane");
  std::fprintf(stderr, "%s\n", error.line().c_str());
  _exit(exit_status(error.code));
}

void Inbox::put(Order order) {
  {
    const std::lock_guard lock(mutex_);
    orders_.push_back(std::move(order));
  }
  poke();
}

void Inbox::poke() {
  const std::uint64_t one = 1;
  if (write(event_.get(), &one, sizeof one) < 0 && errno == EBADF) leave_without_descriptors();
}

std::optional<Order> Inbox::take(bool wait) {
  for (;;) {
    {
      const std::lock_guard lock(mutex_);
      if (!orders_.empty()) {
        Order order = std::move(orders_.front());
        orders_.pop_front();
        return order;
      }
      // Under the lock, or the ring of an order that comes now would be taken with it.
      std::uint64_t rings = 0;
      if (read(event_.get(), &rings, sizeof rings) < 0 && errno == EBADF)
        leave_without_descriptors();
    }
    if (!wait) return std::nullopt;
    pollfd ready{event_.get(), POLLIN, 0};
    if (poll(&ready, 1, -1) < 0 && errno != EINTR) leave_without_descriptors();
  }
}

void LaneLink::report(const WorkerReport& message) {
  WorkerReport ours = message;
  std::visit(
      [this](auto& report) {
        if constexpr (requires { report.lane; }) report.lane = lane_;
      },
      ours);
  socket_.report(ours);
}

}  // namespace jobring
