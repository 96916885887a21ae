// The registry as a pool of the supervisor: what its process is given.
#pragma once

#include <memory>

#include "common/config/config.hpp"
#include "common/result.hpp"
#include "daemon/service_kind.hpp"

namespace jobring {

// Its pool's configuration, which follows from the registry's settings.
PoolConfig registry_pool(const RegistrySettings& settings);
// It has memory, fresh, which outlives its process.
Result<std::unique_ptr<ServiceKind>> registry_service(const RegistrySettings& settings);

}  // namespace jobring
