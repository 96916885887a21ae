// What the verbs on named objects have in common.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include <jobring/registry.hpp>

#include "client/cli/connection.hpp"
#include "client/cli/options.hpp"

namespace jobring::cli {

// It was not got, set or put in time: a status of its own, that of a limit.
inline constexpr int kExitNotInTime = 75;

struct ObjectFlags {
  std::string socket;
  std::string mode;  // octal

  void add_to(Options& options) {
    options.text("--socket", socket, "PATH", "the daemon's socket");
    options.text("--mode", mode, "OCTAL",
                 "permissions if it is made now, as of files; default 700");
  }
  // Throws Exception(bad_input).
  ObjectOptions resolve() const;
};

struct PatienceFlags {
  bool nonblock = false;
  std::chrono::milliseconds timeout{-1};

  void add_to(Options& options) {
    options.flag("-n,--nonblock", nonblock, "do not wait");
    options.duration("-w,--timeout", timeout, "wait no longer than this");
  }
  std::chrono::nanoseconds resolve() const {
    if (nonblock) return std::chrono::nanoseconds(0);
    return timeout.count() < 0 ? kForever : std::chrono::nanoseconds(timeout);
  }
};

// The connection of a verb: to a daemon that runs already, for a private one shares nothing.
struct ObjectSession {
  explicit ObjectSession(const std::string& socket)
      : client(connect_existing(socket)), registry(client) {}
  Client client;
  Registry registry;
};

// The whole of stdin. Throws Exception(system).
std::string read_stdin();
// To stdout, and out. Throws Exception(system).
void write_stdout(std::string_view text);

// One JSON object or string, no newline.
std::string objects_json(const std::vector<ObjectInfo>& objects);
std::string item_json(const QueueItem& item);
std::string entries_json(const std::vector<std::pair<std::string, std::string>>& entries);
std::string change_json(const DictChange& change);

}  // namespace jobring::cli
