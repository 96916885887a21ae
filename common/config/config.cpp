#include "common/config/config.hpp"

namespace jobring {

const PoolConfig* Config::pool(const std::string& name) const {
  for (const PoolConfig& pool : pools) {
    if (pool.name == name) return &pool;
  }
  return nullptr;
}

std::string ConfigProblem::line() const {
  std::string text = pointer.empty() ? "" : pointer + ": ";
  text += "found " + found + "; allowed: " + allowed;
  // What a file holds must not steer a terminal.
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  }
  return text;
}

std::string default_socket_path(const char* (*getenv)(const char*)) {
  if (const char* named = getenv("JOBRING_SOCKET"); named != nullptr && *named != '\0')
    return named;
  // The XDG specification: a relative path is invalid and is to be ignored.
  if (const char* runtime = getenv("XDG_RUNTIME_DIR"); runtime != nullptr && *runtime == '/') {
    return std::string(runtime) + "/jobring/socket";
  }
  return "/run/jobring/socket";
}

std::string default_state_dir(bool root, const char* (*getenv)(const char*)) {
  if (root) return "/var/lib/jobring";
  if (const char* state = getenv("XDG_STATE_HOME"); state != nullptr && *state == '/')
    return std::string(state) + "/jobring";
  if (const char* home = getenv("HOME"); home != nullptr && *home == '/')
    return std::string(home) + "/.local/state/jobring";
  return {};
}

}  // namespace jobring
