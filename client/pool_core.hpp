// What stands behind Pool and Future: one channel under a lock, and a state per future.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include <jobring/jobring.hpp>

#include "client/callbacks.hpp"
#include "client/channel_impl.hpp"
#include "client/future_state.hpp"

namespace jobring::detail {

// Thread-safe. Who waits takes the lead if nobody has it: the leader sleeps on the channel's
// descriptors without the lock, the others on the condition variable. Whoever completes futures
// tells both. Callbacks that become due are collected under the lock and run without it, before
// the call returns or sleeps (callbacks.hpp).
class PoolCore : public std::enable_shared_from_this<PoolCore> {
 public:
  PoolCore(std::shared_ptr<ClientCore> client, std::unique_ptr<Channel::Impl> channel);
  ~PoolCore();

  // nullopt if the channel stays full until the deadline. Throws.
  std::optional<Future> submit(std::string_view handler, std::string_view payload,
                               const JobOptions& options, std::uint8_t flags,
                               std::chrono::nanoseconds patience);
  // A slot set aside, with room for `size` bytes of payload; blocks while there is none. Throws.
  std::uint32_t reserve(std::size_t size, std::span<std::byte>& room);
  // The first `size` of the `reserved` bytes.
  Future submit_reserved(std::uint32_t slot, std::size_t reserved, std::string_view handler,
                         std::size_t size, const JobOptions& options);
  // A reservation, or a result that was kept in place.
  void give_back(std::uint32_t slot, bool reserved);

  // Waits until `ready()` or the time is over; what ready() said last. `needed()`: how many jobs
  // of this pool must end before it can be; without it, one. Both are called under the lock.
  bool wait_until(const std::function<bool()>& ready, const std::function<std::size_t()>& needed,
                  std::chrono::nanoseconds timeout);
  bool wait_until(const std::function<bool()>& ready, std::chrono::nanoseconds timeout);
  // They look again: something that their ready() asks for has changed.
  void wake_waiters();
  bool wait_for(const FutureState& state, std::chrono::nanoseconds timeout);
  std::size_t poll();
  // Adds a hook, or does what it asks for if the future is done. False: its listener already had
  // one there, so both are for one job.
  bool add_hook(const std::shared_ptr<FutureState>& state, Hook hook);
  void remove_hooks(FutureState& state, const EndListener* listener);
  // Also of a future whose pool is gone.
  static void listen(const Future& future, std::shared_ptr<EndListener> listener);
  std::optional<Progress> progress(const FutureState& state);
  bool cancel(FutureState& state);
  void kill(FutureState& state, int signal);
  bool shutdown(bool wait, bool cancel_pending, std::chrono::nanoseconds timeout);
  bool shut_down();
  int fd();
  std::size_t outstanding();

  // A channel without futures and without this lock, for maps: the kept one, or a new one. Throws.
  Channel borrow_channel();
  // Kept if nothing is outstanding in it and none is kept yet.
  void return_channel(Channel channel);

  const ChannelShape& shape() const { return channel_->shape(); }
  const std::string& name() const { return channel_->pool(); }
  // The pool of a job; null if it is gone.
  static std::shared_ptr<PoolCore> of(const Future& future) { return future.state_->pool.lock(); }
  // Asks the kernel whether the daemon has hung up.
  bool connected() const { return client_->check_connection(); }
  std::uint64_t lost_tokens() const { return channel_->lost_tokens(); }
  void check_open();  // throws if it was shut down

 private:
  using Lock = std::unique_lock<std::mutex>;

  template <class Ready, class Needed>
  bool wait_locked(Lock& lock, const Ready& ready, const Needed& needed,
                   std::chrono::nanoseconds timeout);
  std::size_t worth_waking(std::size_t needed) const;
  std::size_t pump();        // under the lock: reaps, makes futures ready; how many
  void run_due(Lock& lock);  // lets go of the lock meanwhile, if there is something to run
  void finish(const std::shared_ptr<FutureState>& state, const Completion& completion);
  void end(const std::shared_ptr<FutureState>& state);
  void check_submit(const JobOptions& options, std::size_t size) const;
  void check_open_locked() const;
  // A free slot and the handler's id; lets go of the lock while it waits. -1: none in time.
  int await_slot(Lock& lock, std::chrono::nanoseconds timeout);
  Future start(std::uint32_t slot, HandlerId handler, std::size_t size, const JobOptions& options,
               std::uint8_t flags);
  HandlerId handler_id(std::string_view name);
  void tell_all();  // who waits for a future or a slot, here

  std::shared_ptr<ClientCore> client_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::unique_ptr<Channel::Impl> channel_;
  std::unordered_map<std::uint64_t, std::shared_ptr<FutureState>> waiting_;  // by tag
  std::vector<DueCallback> due_;
  std::uint64_t next_tag_ = 1;
  std::size_t calls_ = 0;      // callbacks of futures that have not ended
  std::size_t followers_ = 0;  // threads that wait while another leads
  bool led_ = false;           // somebody sleeps on the channel
  bool loop_ = false;          // fd() was asked for: keep the descriptor armed
  bool shut_down_ = false;

  std::mutex bulk_mutex_;
  std::optional<Channel> bulk_;
};

// A copy for the time of a call: a callback that runs in it may destroy the object it was made on.
inline std::shared_ptr<PoolCore> keep(const std::shared_ptr<PoolCore>& core) {
  return core;
}

}  // namespace jobring::detail
