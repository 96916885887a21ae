// A descriptor whose close() waits: a TCP socket with data that nobody reads and SO_LINGER. Whoever
// closes the last duplicate waits ten minutes, by the kernel's rules.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <stdexcept>
#include <string>

#include "common/unique_fd.hpp"

namespace jobring::test {

struct SlowSocket {
  UniqueFd end;   // its last close waits
  UniqueFd peer;  // as long as this one is open
};

inline SlowSocket slow_socket() {
  const UniqueFd listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* where = reinterpret_cast<sockaddr*>(&address);
  SlowSocket slow;
  slow.end.reset(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (bind(listener.get(), where, size) != 0 || listen(listener.get(), 1) != 0 ||
      getsockname(listener.get(), where, &size) != 0 || connect(slow.end.get(), where, size) != 0)
    throw std::runtime_error("no loopback connection");
  slow.peer.reset(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  const linger patience{1, 600};
  setsockopt(slow.end.get(), SOL_SOCKET, SO_LINGER, &patience, sizeof patience);
  const std::string data(65'536, 'x');
  while (::send(slow.end.get(), data.data(), data.size(), MSG_DONTWAIT) > 0) {
  }
  return slow;
}

}  // namespace jobring::test
