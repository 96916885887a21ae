// What waits for several futures: it hears of each one's end.
#pragma once

#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include <jobring/future.hpp>

#include "client/future_state.hpp"
#include "common/unique_fd.hpp"

namespace jobring::detail {

// Futures are watched by one thread; their ends may come from any. add(), next() and wait() cost
// the same however many are watched, so that waiting for n futures costs n.
class Gather final : public EndListener, public std::enable_shared_from_this<Gather> {
 public:
  void add(const Future& future);
  // Forgets all that have not ended.
  void drop();
  // Until `enough()`, or until the time is over; what enough() said last. `needed()`: so many of
  // those watched must end before it can be.
  bool wait(const std::function<bool()>& enough, const std::function<std::size_t()>& needed,
            std::chrono::nanoseconds timeout);
  static bool is_done(const Future& future);
  std::optional<Future> take();  // the next of those that have ended

  std::size_t watched() const { return watched_; }  // added and not taken
  std::size_t doubles() const { return doubles_; }  // added though their job was watched already
  std::size_t ended() const { return ended_.load(std::memory_order_acquire); }
  bool failed() const { return failed_.load(std::memory_order_acquire); }

  void push(std::shared_ptr<FutureState> state) override;

 private:
  bool wait_for_pools(const std::vector<std::shared_ptr<PoolCore>>& pools,
                      const std::function<bool()>& enough, std::chrono::nanoseconds timeout);

  // The waiting thread's.
  std::vector<Future> futures_;  // added; those that have ended are cleared out now and then
  std::vector<std::weak_ptr<PoolCore>> pools_;  // whose they are
  std::size_t watched_ = 0;
  std::size_t doubles_ = 0;

  std::atomic<std::size_t> ended_{0};  // counts, never falls
  std::atomic<bool> failed_{false};
  std::mutex mutex_;  // guards what follows; inside a pool's lock
  std::deque<std::shared_ptr<FutureState>> done_;
  UniqueFd event_;  // rung by push() while somebody waits for several pools
};

}  // namespace jobring::detail
