// What stands behind Pool and Future: one channel under a lock, and a state per future.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include <jobring/jobring.hpp>

#include "client/channel_impl.hpp"

namespace jobring::detail {

// Shared by the copies of a Future and, until it is done, by its pool.
struct FutureState {
  std::weak_ptr<PoolCore> pool;  // a future outlives its pool: then it is lost
  JobRef job{};
  std::atomic<bool> done{false};  // release after `result`; result is constant from then on
  JobResult result;
};

// Thread-safe. Who waits takes the lead if nobody has it: the leader sleeps on the channel's
// descriptors without the lock, the others on the condition variable. Whoever completes futures
// tells both.
class PoolCore : public std::enable_shared_from_this<PoolCore> {
 public:
  PoolCore(std::shared_ptr<ClientCore> client, std::unique_ptr<Channel::Impl> channel);
  ~PoolCore();

  // nullopt if the channel stays full until the deadline. Throws.
  std::optional<Future> submit(std::string_view handler, std::string_view payload,
                               const JobOptions& options, std::uint8_t flags,
                               std::chrono::nanoseconds patience);
  // Waits until `ready()` (called under the lock) or the time is over; what ready() said last.
  template <class Ready>
  bool wait(Ready ready, std::chrono::nanoseconds timeout);
  bool wait_for(const FutureState& state, std::chrono::nanoseconds timeout);
  bool wait_for_any(const std::function<bool()>& any_done, std::chrono::nanoseconds timeout);
  std::size_t poll();
  bool cancel(FutureState& state);
  void kill(FutureState& state, int signal);
  int fd();
  std::size_t outstanding();
  void stream(std::string_view handler, const std::function<std::optional<std::string>()>& next,
              const std::function<bool(std::uint64_t, const Completion&)>& sink,
              const JobOptions& options);

  const ChannelShape& shape() const { return channel_->shape(); }
  const std::string& name() const { return channel_->pool(); }

 private:
  std::size_t pump();  // under the lock: reaps, makes futures ready; how many
  void finish(FutureState& state, const Completion& completion);

  std::shared_ptr<ClientCore> client_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::unique_ptr<Channel::Impl> channel_;
  std::unordered_map<std::uint64_t, std::shared_ptr<FutureState>> waiting_;  // by tag
  std::uint64_t next_tag_ = 1;
  bool led_ = false;   // somebody sleeps on the channel
  bool loop_ = false;  // fd() was asked for: keep the descriptor armed

  std::mutex bulk_mutex_;
  std::optional<Channel>
      bulk_;  // for stream() and map(): a channel without futures, and without this lock
};

}  // namespace jobring::detail
