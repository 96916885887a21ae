// The connection of a verb on durable jobs: to a daemon that runs already, for a private one keeps
// nothing.
#pragma once

#include <string>

#include <jobring/durable.hpp>

#include "client/cli/connection.hpp"

namespace jobring::cli {

struct DurableSession {
  explicit DurableSession(const std::string& socket = {}, std::uint32_t requests = kRequests)
      : client(connect_existing(socket)), jobs(client, requests) {}
  // A verb asks one thing after the other, at most two at a time.
  static constexpr std::uint32_t kRequests = 16;
  Client client;
  DurableJobs jobs;
};

// The kernel takes down what we hold, and faster than we could. Flushes our output first; a failure
// to write it is an error (71).
[[noreturn]] void leave(int status);

}  // namespace jobring::cli
