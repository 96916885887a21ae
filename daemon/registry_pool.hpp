// The registry as a pool of the supervisor: what its process is given.
#pragma once

#include <string>

#include "common/config/config.hpp"
#include "common/result.hpp"
#include "daemon/pool.hpp"

namespace jobring {

// Its pool's configuration, which follows from the registry's settings.
PoolConfig registry_pool(const RegistrySettings& settings);
// Its memory, fresh, and what it is told when it starts.
Result<RegistryService> registry_service(const RegistrySettings& settings);

}  // namespace jobring
