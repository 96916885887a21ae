#include "client/cli/connection.hpp"

#include <cstdlib>

#include "common/config/config.hpp"
#include "common/result.hpp"

namespace jobring::cli {
namespace {

[[noreturn]] void throw_usage(const std::string& line) {
  throw Exception(exit_status(Errc::usage), to_string(Errc::usage), line);
}

}  // namespace

void AnyDaemon::add_to(Options& options) {
  options.text("--socket", socket, "PATH", "the daemon's socket; no private daemon instead");
  options.flag("--private", own, "always a private daemon, which ends with this command");
  options.flag("--daemon", existing, "only a daemon that runs already: 69 if none does");
  options.text("--config", config, "FILE", "a private daemon with this config file");
}

ConnectOptions AnyDaemon::resolve() const {
  if (own && existing) throw_usage("--private and --daemon exclude each other");
  if (own && !socket.empty()) throw_usage("--private and --socket exclude each other");
  ConnectOptions options;
  options.socket = socket;
  options.config_file = config;
  if (own || (!config.empty() && !existing && socket.empty())) {
    options.daemon = ConnectOptions::Daemon::own;
  } else if (existing || !socket.empty()) {
    options.daemon = ConnectOptions::Daemon::existing;
  }
  return options;
}

std::string default_socket() {
  return default_socket_path([](const char* name) -> const char* { return std::getenv(name); });
}

ConnectOptions existing_at(const std::string& socket) {
  ConnectOptions options;
  options.daemon = ConnectOptions::Daemon::existing;
  options.socket = socket;
  return options;
}

Client connect_existing(const std::string& socket) {
  try {
    return Client::connect(existing_at(socket));
  } catch (const Exception& e) {
    if (e.exit_status() != exit_status(Errc::no_daemon)) throw;
    throw Exception(e.exit_status(), e.kind(),
                    "no daemon is listening on " + (socket.empty() ? default_socket() : socket) +
                        "; start one with `jobring start`");
  }
}

}  // namespace jobring::cli
