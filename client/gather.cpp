#include "client/gather.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>

#include "client/future_state.hpp"
#include "client/pool_core.hpp"
#include "client/time_left.hpp"

namespace jobring::detail {
namespace {

constexpr std::size_t kFewFutures = 64;

}  // namespace

void Gather::add(const Future& future) {
  FutureState& state = future.state();
  if (futures_.size() > kFewFutures && futures_.size() > 2 * watched_) {
    std::erase_if(futures_, [](const Future& f) { return f.state_->is_done(); });
  }
  ++watched_;
  const auto pool = state.pool.lock();
  if (!pool) {
    state.await_end();
    push(future.state_);
    return;
  }
  const auto same = [&](const std::weak_ptr<PoolCore>& known) {
    return !known.owner_before(state.pool) && !state.pool.owner_before(known);
  };
  if (std::none_of(pools_.rbegin(), pools_.rend(), same)) pools_.push_back(state.pool);
  futures_.push_back(future);
  if (!pool->add_hook(future.state_, Hook{{}, shared_from_this()})) ++doubles_;
}

bool Gather::is_done(const Future& future) {
  return future.state_->is_done();
}

void Gather::drop() {
  for (const Future& future : futures_) {
    if (future.state_->is_done()) continue;
    if (const auto pool = future.state_->pool.lock()) pool->remove_hooks(*future.state_, this);
  }
  // Whoever ends one of them right now, under its pool's lock, must be through: it holds us too,
  // and must not be the last, because we may hold results that are given back under that lock.
  for (const auto& known : pools_) {
    if (const auto pool = known.lock()) (void)pool->outstanding();
  }
  futures_.clear();
}

void Gather::push(std::shared_ptr<FutureState> state) {
  const bool ok = state->result.ok();
  const std::lock_guard lock(mutex_);
  done_.push_back(std::move(state));
  if (!ok) failed_.store(true, std::memory_order_release);
  ended_.fetch_add(1, std::memory_order_release);
  if (event_) {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t n = write(event_.get(), &one, sizeof one);
  }
}

std::optional<Future> Gather::take() {
  const std::lock_guard lock(mutex_);
  if (done_.empty()) return std::nullopt;
  Future next(std::move(done_.front()));
  done_.pop_front();
  --watched_;
  return next;
}

bool Gather::wait(const std::function<bool()>& enough, const std::function<std::size_t()>& needed,
                  std::chrono::nanoseconds timeout) {
  std::vector<std::shared_ptr<PoolCore>> pools;
  for (const auto& known : pools_) {
    if (auto pool = known.lock()) pools.push_back(std::move(pool));
  }
  // A pool that goes right now ends its futures, which only our event tells.
  if (pools.size() == 1 && pools_.size() == 1)
    return pools.front()->wait_until(enough, needed, timeout);
  return wait_for_pools(pools, enough, timeout);
}

// Each pool's descriptor tells of completions that nobody has seen; our own event of those that
// another thread took in. Between a look and poll() nothing is lost: both are level-triggered, and
// the pools stay armed.
bool Gather::wait_for_pools(const std::vector<std::shared_ptr<PoolCore>>& pools,
                            const std::function<bool()>& enough, std::chrono::nanoseconds timeout) {
  const std::uint64_t start = now_ns();
  std::vector<pollfd> watched;
  {
    const std::lock_guard lock(mutex_);
    if (!event_) event_.reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    watched.push_back({event_.get(), POLLIN, 0});
  }
  for (const auto& pool : pools) watched.push_back({pool->fd(), POLLIN, 0});
  for (;;) {
    std::uint64_t count;
    [[maybe_unused]] const ssize_t n = read(event_.get(), &count, sizeof count);
    for (const auto& pool : pools) pool->poll();
    if (enough()) return true;
    const auto left = time_left(timeout, start);
    if (left.count() <= 0) return false;
    timespec patience{time_t(left.count() / 1'000'000'000), long(left.count() % 1'000'000'000)};
    ppoll(watched.data(), watched.size(), left == kForEver ? nullptr : &patience, nullptr);
  }
}

}  // namespace jobring::detail

namespace jobring {

using detail::Gather;

Waited wait(std::span<const Future> futures, WaitFor until, std::chrono::nanoseconds timeout) {
  const auto gather = std::make_shared<Gather>();
  const auto enough = [&] {
    return gather->ended() == futures.size() ||
           (until == WaitFor::first_completed && gather->ended() != 0) ||
           (until == WaitFor::first_exception && gather->failed());
  };
  const auto needed = [&] {
    const std::size_t ended = gather->ended() + gather->doubles();
    return until == WaitFor::all && ended < futures.size() ? futures.size() - ended : 1;
  };
  for (const Future& future : futures) gather->add(future);
  if (!enough()) gather->wait(enough, needed, timeout);
  gather->drop();
  Waited waited;
  for (const Future& future : futures) {
    (Gather::is_done(future) ? waited.done : waited.pending).push_back(future);
  }
  return waited;
}

AsCompleted::AsCompleted() : gather_(std::make_shared<Gather>()) {}
AsCompleted::AsCompleted(std::span<const Future> futures) : AsCompleted() {
  for (const Future& future : futures) add(future);
}
AsCompleted::AsCompleted(AsCompleted&&) noexcept = default;  // leaves the other without a Gather
AsCompleted& AsCompleted::operator=(AsCompleted&& other) noexcept {
  std::swap(gather_, other.gather_);
  return *this;
}
AsCompleted::~AsCompleted() {
  if (gather_) gather_->drop();
}

void AsCompleted::add(const Future& future) {
  if (!gather_) gather_ = std::make_shared<Gather>();
  gather_->add(future);
}

std::optional<Future> AsCompleted::next(std::chrono::nanoseconds timeout) {
  if (!gather_) return std::nullopt;
  // Before we look: what ends after this look is not slept through.
  const std::size_t seen = gather_->ended();
  if (auto future = gather_->take()) return future;
  if (gather_->watched() == 0) return std::nullopt;
  gather_->wait([&] { return gather_->ended() != seen; }, [] { return std::size_t{1}; }, timeout);
  return gather_->take();
}

std::size_t AsCompleted::left() const {
  return gather_ ? gather_->watched() : 0;
}

}  // namespace jobring
