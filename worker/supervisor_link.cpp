#include "worker/supervisor_link.hpp"

#include <poll.h>
#include <unistd.h>

#include <cstdio>

#include "common/control.hpp"
#include "worker/exec/run_command.hpp"
#include "worker/leave.hpp"

namespace jobring {
namespace {

[[noreturn]] void leave(const Error& error) {
  // The normal end when the daemon goes away is silent; anything else is worth a line in the
  // daemon's log.
  if (error.code == Errc::no_daemon) {
    // Its end is seen here before the signal that tells of it (leave.hpp): what commands have left
    // must not outlive us either way. First the flag: a lane whose command dies of this must not
    // tell that the command has failed.
    leave_requested = 1;
    spare_nobody();
    reap_strays();
    _exit(0);
  }
  if (error.code == Errc::full) {
    std::fprintf(
        stderr, "%s\n",
        Error{Errc::config, error.what, {}, "raise the pool's limits.open_files"}.line().c_str());
    _exit(exit_status(Errc::config));
  }
  std::fprintf(stderr, "control socket: %s\n", error.line().c_str());
  _exit(exit_status(error.code));
}

}  // namespace

void SupervisorLink::report(const WorkerReport& message) {
  if (auto sent = send_control(socket_.get(), encode(message)); !sent) leave(sent.error());
}

std::optional<Order> SupervisorLink::receive(bool wait) {
  auto received = [&]() -> Result<std::optional<ControlMessage>> {
    if (wait) {
      auto message = await_control(socket_.get(), -1);
      if (!message) return message.error();
      return std::optional<ControlMessage>(std::move(*message));
    }
    pollfd ready{socket_.get(), POLLIN, 0};
    if (::poll(&ready, 1, 0) <= 0) return std::optional<ControlMessage>();
    return receive_control(socket_.get());
  }();
  if (!received) leave(received.error());
  if (!*received) return std::nullopt;
  auto order = decode_worker_order((*received)->text);
  if (!order) leave(order.error());
  return Order{std::move(*order), std::move((*received)->fds)};
}

}  // namespace jobring
