// Ringing a client. It must never block, whatever the client does to its end (daemon/channel.hpp).
#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>

namespace jobring {

// `own`: the client runs under our own uid, its bell is an eventfd; else it is a socket. A bell
// that is full is readable anyway. False with errno, of which only EBADF means something: a job has
// closed our descriptor.
inline bool ring_bell(int bell, bool own) {
  const std::uint64_t one = 1;
  return (own ? write(bell, &one, sizeof one) : send(bell, &one, 1, MSG_DONTWAIT | MSG_NOSIGNAL)) >=
         0;
}

}  // namespace jobring
