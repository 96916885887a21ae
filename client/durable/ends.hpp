// The requests of durable jobs that have ended and were not looked at yet.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>

#include "client/future_state.hpp"

namespace jobring::detail {

// Thread-safe; its lock is taken inside that of a pool.
class Ends {
 public:
  void push(std::uint64_t key) {
    const std::lock_guard lock(mutex_);
    keys_.push_back(key);
    count_.store(keys_.size(), std::memory_order_release);
  }
  std::optional<std::uint64_t> take() {
    const std::lock_guard lock(mutex_);
    if (keys_.empty()) return std::nullopt;
    const std::uint64_t key = keys_.front();
    keys_.pop_front();
    count_.store(keys_.size(), std::memory_order_release);
    return key;
  }
  bool empty() const { return count_.load(std::memory_order_acquire) == 0; }

 private:
  std::mutex mutex_;
  std::deque<std::uint64_t> keys_;
  std::atomic<std::size_t> count_{0};
};

// Puts the key of one request there.
class EndOf final : public EndListener {
 public:
  EndOf(std::shared_ptr<Ends> ends, std::uint64_t key) : ends_(std::move(ends)), key_(key) {}
  void push(std::shared_ptr<FutureState>) override { ends_->push(key_); }

 private:
  const std::shared_ptr<Ends> ends_;
  const std::uint64_t key_;
};

}  // namespace jobring::detail
