// What `jobring status --json` prints.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/messages.hpp"
#include "daemon/pool.hpp"

namespace jobring {

struct DaemonStatus {
  PongReply pong;
  std::string socket;
  std::size_t clients = 0;
  bool draining = false;
};

// Field names are stable; see docs/cli.md.
std::string status_json(const DaemonStatus& daemon,
                        const std::vector<std::unique_ptr<Pool>>& pools);

}  // namespace jobring
