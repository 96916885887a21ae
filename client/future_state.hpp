// What the copies of a Future share and, until it is done, its pool.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include <jobring/channel.hpp>
#include <jobring/future.hpp>

namespace jobring::detail {

// Hears of a future's end at once, where a callback may have to wait for others to return.
class EndListener {
 public:
  virtual ~EndListener() = default;
  // Called by whoever ends the future, perhaps under its pool's lock: calls nothing of any pool.
  virtual void push(std::shared_ptr<FutureState> state) = 0;
};

// Who wants to hear of a future's end: a user's callback, or somebody who waits for several.
struct Hook {
  std::function<void(const Future&)> call;
  std::shared_ptr<EndListener> listener;
};

struct FutureState {
  ~FutureState();
  bool is_done() const { return done.load(std::memory_order_acquire); }
  // For a future whose pool is gone: it ends its futures as it goes, so right now if it has not.
  void await_end() const;

  std::weak_ptr<PoolCore> pool;  // a future outlives its pool: then it is lost
  JobRef job{};
  bool in_place = false;          // JobOptions::in_place
  std::atomic<bool> done{false};  // release after what follows; constant from then on
  JobResult result;
  // A result that stays in its slot: where, and the pool, which must not go meanwhile.
  std::span<const std::byte> view;
  std::shared_ptr<PoolCore> holds;

  // Guarded by the pool's lock until it is done; then empty.
  std::vector<Hook> hooks;
};

}  // namespace jobring::detail
