// The pools as the keeper's process reaches them: kept channels of its connection to the
// supervisor.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "client/kept_channel.hpp"
#include "daemon/keeper/service/pools.hpp"

namespace jobring::keeper {

class KeptPoolChannel;

// Not thread-safe. When the supervisor is gone the process ends, from within any of these: what its
// death has done to jobs is nothing that they did.
class Channels final : public Pools {
 public:
  // `epoll` reports the bells of all channels, with no data of their own.
  Channels(std::shared_ptr<detail::ClientCore> core, std::vector<PoolInfo> pools, int epoll);
  ~Channels() override;

  const std::vector<PoolInfo>& pools() const override { return pools_; }
  Result<std::unique_ptr<PoolChannel>> open(const std::string& pool, std::uint32_t uid,
                                            std::uint32_t gid) override;

  bool anything_done() const;
  // Before a sleep: whoever ends a job from now on rings. False: something is there already.
  bool announce();
  void awake();

 private:
  friend class KeptPoolChannel;
  std::shared_ptr<detail::ClientCore> core_;
  std::vector<PoolInfo> pools_;
  int epoll_;
  std::vector<KeptPoolChannel*> open_;
};

}  // namespace jobring::keeper
