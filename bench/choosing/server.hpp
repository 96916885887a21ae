// The server that the `ask` jobs of bench/choosing ask.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace bench::choosing {

// A child process that answers each byte with a byte, kWaitMs later, on a port of 127.0.0.1. Ends
// with end_child() or with us.
struct Server {
  pid_t pid;
  std::uint16_t port;
};
Server start_server();

}  // namespace bench::choosing
