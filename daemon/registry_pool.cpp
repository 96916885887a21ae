#include "daemon/registry_pool.hpp"

#include <algorithm>

#include "common/registry_pool.hpp"
#include "common/segment.hpp"

namespace jobring {

PoolConfig registry_pool(const RegistrySettings& settings) {
  PoolConfig pool;
  pool.name = kRegistryPool;
  pool.workers = 1;
  pool.slots = settings.slots;
  pool.max_payload = settings.value_max + kRegistryRequestRest;
  pool.max_result = std::max(settings.value_max, settings.reply_max) + kRegistryReplyRest;
  pool.spin = settings.spin;
  // A request that is open to repetition says so itself (crash_retries).
  pool.crash_limit = 256;
  // It hears of each client's end, and drops what waits by itself.
  pool.on_client_death = OnClientDeath::finish;
  return pool;
}

Result<RegistryService> registry_service(const RegistrySettings& settings) {
  auto memory = create_segment("jobring:registry", settings.memory);
  if (!memory) return memory.error();
  return RegistryService{
      std::move(*memory),
      {settings.memory, settings.objects, settings.objects_per_user, settings.memory_per_user,
       settings.value_max, settings.reply_max, settings.waiters, settings.waiters_per_user,
       settings.waiting_memory}};
}

}  // namespace jobring
