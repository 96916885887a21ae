#include "daemon/registry_pool.hpp"

#include <algorithm>
#include <utility>

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

namespace {

class RegistryService final : public ServiceKind {
 public:
  RegistryService(UniqueFd memory, const RegistrySettings& settings)
      : memory_(std::move(memory)), start_{settings.memory,           settings.objects,
                                           settings.objects_per_user, settings.memory_per_user,
                                           settings.value_max,        settings.reply_max,
                                           settings.waiters,          settings.waiters_per_user,
                                           settings.waiting_memory} {}

  std::size_t page_size() const override { return sizeof(RegistryPage); }
  void start(pid_t, const Send& send) override {
    const int memory = memory_.get();
    send(start_, std::span(&memory, 1));
  }
  void died(PoolPage& page) override {
    reinterpret_cast<RegistryPage&>(page).lost_tokens.store(~std::uint64_t{0},
                                                            std::memory_order_seq_cst);
  }
  std::string loss() const override {
    return "the registry died: locks, permits and waits are lost";
  }

 private:
  const UniqueFd memory_;
  const RegistryStart start_;
};

}  // namespace

Result<std::unique_ptr<ServiceKind>> registry_service(const RegistrySettings& settings) {
  auto memory = create_segment("jobring:registry", settings.memory);
  if (!memory) return memory.error();
  return std::unique_ptr<ServiceKind>(
      std::make_unique<RegistryService>(std::move(*memory), settings));
}

}  // namespace jobring
