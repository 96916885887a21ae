// Ringing a client. It must never block, whatever the client does to its end (daemon/channel.hpp).
#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>

namespace jobring {

// `own`: the client runs under our own uid, its bell is an eventfd; else it is a socket. A bell
// that is full is readable anyway.
inline void ring_bell(int bell, bool own) {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t n =
      own ? write(bell, &one, sizeof one) : send(bell, &one, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

}  // namespace jobring
