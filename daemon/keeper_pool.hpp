// The keeper as a pool of the supervisor: what its process is given.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/config/config.hpp"
#include "common/messages.hpp"
#include "common/result.hpp"
#include "common/unique_fd.hpp"
#include "daemon/service_kind.hpp"
#include "daemon/state_dir.hpp"

namespace jobring {

// Its pool's configuration, which follows from the keeper's settings.
PoolConfig keeper_pool(const KeeperSettings& settings);

// What the keeper needs of the supervisor whenever a process of it starts.
struct KeeperHost {
  // Makes it a client that may ask for kept channels, in place of the one before; its end of the
  // socket.
  std::function<Result<UniqueFd>(pid_t keeper)> open_session;
  std::function<std::vector<KeptName>()> kept_channels;
  // Where the daemon listens (empty: nowhere), and who may connect beside root and its own user.
  std::string socket{};
  std::vector<uid_t> users{};
  std::vector<gid_t> groups{};
};
// The state directory is locked, and outlives the service.
std::unique_ptr<ServiceKind> keeper_service(const Config& config, const StateDir& state_dir,
                                            KeeperHost host);

// Where this daemon keeps durable jobs: keeper.state_dir, or what that means when it is "auto".
// `is_private`: only if it is named. Does not touch files.
Result<std::string> keeper_state_dir(const KeeperSettings& settings, bool is_private);

}  // namespace jobring
