// Which daemon a verb talks to.
#pragma once

#include <string>

#include <jobring/jobring.hpp>

#include "client/cli/options.hpp"

namespace jobring::cli {

// For verbs that can do with a private daemon: run, map, call, bench.
struct AnyDaemon {
  std::string socket;
  std::string config;
  bool own = false;
  bool existing = false;

  void add_to(Options& options);
  // Throws Exception(usage) if the options contradict each other.
  ConnectOptions resolve() const;
};

// For verbs that ask a lasting daemon: status, ping, stop. Throws Exception(no_daemon) that says
// where none listens, and how to start one.
Client connect_existing(const std::string& socket);
ConnectOptions existing_at(const std::string& socket);
// The socket that a daemon of this user is looked for at, without --socket.
std::string default_socket();

}  // namespace jobring::cli
