#include "client/pool_core.hpp"

#include <sched.h>

#include <cstring>

#include "common/clock.hpp"

namespace jobring::detail {
namespace {

constexpr std::uint32_t kNoSlot = ~std::uint32_t{0};
constexpr std::chrono::nanoseconds kGather = std::chrono::milliseconds(1);
constexpr std::chrono::nanoseconds kForEver = std::chrono::nanoseconds::max();

std::chrono::nanoseconds left_of(std::chrono::nanoseconds timeout, std::uint64_t start) {
  if (timeout == kForEver) return kForEver;
  return std::max(std::chrono::nanoseconds(0),
                  timeout - std::chrono::nanoseconds(now_ns() - start));
}

}  // namespace

PoolCore::PoolCore(std::shared_ptr<ClientCore> client, std::unique_ptr<Channel::Impl> channel)
    : client_(std::move(client)), channel_(std::move(channel)) {}

PoolCore::~PoolCore() {
  // Nobody can wait for these any more than for a daemon that is gone.
  for (auto& [tag, state] : waiting_) {
    state->result.outcome = Outcome::lost;
    state->result.bytes = "its pool was closed before it ended";
    state->done.store(true, std::memory_order_release);
  }
}

std::optional<Future> PoolCore::submit(std::string_view handler, std::string_view payload,
                                       const JobOptions& options, std::uint8_t flags,
                                       std::chrono::nanoseconds patience) {
  const std::uint64_t start = now_ns();
  if (payload.size() > shape().max_payload) {
    throw_error(
        {Errc::bad_input,
         "a payload of " + std::to_string(payload.size()) + " bytes is more than max_payload, " +
             std::to_string(shape().max_payload) + " bytes",
         "pool " + name(), "raise max_payload in the pool's config, or pass a file's name"});
  }
  for (;;) {
    std::unique_lock lock(mutex_);
    if (!client_->connected()) throw_error(client_->gone());
    if (channel_->draining()) {
      throw_error(
          {Errc::no_daemon,
           "takes no more jobs: the daemon is shutting down or the pool cannot start its workers",
           "pool " + name(), "see `jobring status`"});
    }
    auto id = channel_->handler(handler);
    if (!id) throw_error(id.error());
    int index = channel_->free_slot();
    if (index < 0) {
      // Results that nobody has asked for yet move out of shared memory, so that their slots are
      // free again.
      pump();
      pump();  // the second gives back what the first one reaped
      index = channel_->free_slot();
    }
    if (index >= 0) {
      if (!payload.empty())
        std::memcpy(channel_->payload(std::uint32_t(index), payload.size()), payload.data(),
                    payload.size());
      const std::uint64_t tag = next_tag_++;
      const JobRef job =
          channel_->put(std::uint32_t(index), *id, payload.size(), tag, options, flags);
      if (job.slot != kNoSlot) {
        channel_->publish();
        auto state = std::make_shared<FutureState>();
        state->pool = weak_from_this();
        state->job = job;
        waiting_.emplace(tag, state);
        return Future(std::move(state));
      }
    }
    lock.unlock();
    auto patience_left = left_of(patience, start);
    if (patience_left.count() <= 0) return std::nullopt;
    // A ring full of cancelled jobs behind one that waits: nobody tells when a worker takes that
    // one.
    if (index >= 0) patience_left = std::min(patience_left, kGather);
    const std::size_t before = outstanding();
    wait([&] { return waiting_.size() < before || !client_->connected(); }, patience_left);
  }
}

void PoolCore::finish(FutureState& state, const Completion& completion) {
  JobResult& result = state.result;
  result.outcome = completion.outcome;
  result.detail = completion.detail;
  result.attempts = completion.attempts;
  result.worker = completion.worker;
  result.queued = std::chrono::nanoseconds(completion.queue_ns);
  result.ran = std::chrono::microseconds(completion.run_us);
  result.bytes.assign(completion.text());
  state.done.store(true, std::memory_order_release);
}

std::size_t PoolCore::pump() {
  std::size_t done = 0;
  for (;;) {
    const auto completions = channel_->reap(256);
    if (completions.empty()) break;
    for (const Completion& completion : completions) {
      const auto found = waiting_.find(completion.tag);
      if (found == waiting_.end()) continue;
      finish(*found->second, completion);
      waiting_.erase(found);
      ++done;
    }
  }
  if (done != 0) {
    changed_.notify_all();
    // The leader sleeps on the descriptors: what it waits for may be among these.
    if (led_) channel_->interrupt();
  }
  return done;
}

template <class Ready>
bool PoolCore::wait(Ready ready, std::chrono::nanoseconds timeout) {
  const std::uint64_t start = now_ns();
  std::unique_lock lock(mutex_);
  const auto look = [&] {
    if (ready()) return true;
    pump();
    return ready();
  };
  if (look()) return true;
  if (timeout.count() <= 0) return false;
  const std::uint64_t budget = channel_->spin_policy().budget();
  const std::uint64_t until = start + budget;
  while (budget != 0 && now_ns() < until && left_of(timeout, start).count() > 0) {
    lock.unlock();
    sched_yield();
    lock.lock();
    if (look()) {
      channel_->spin_policy().found();
      return true;
    }
  }
  if (budget != 0) channel_->spin_policy().in_vain();
  for (;;) {
    const auto left = left_of(timeout, start);
    if (left.count() <= 0) return look();
    if (led_) {
      if (left == kForEver) {
        changed_.wait(lock);
      } else {
        changed_.wait_for(lock, left);
      }
    } else {
      led_ = true;
      if (channel_->announce()) {
        lock.unlock();
        channel_->sleep(left);
        lock.lock();
      }
      if (!loop_) channel_->awake();
      led_ = false;
      const bool over = look();
      changed_.notify_all();  // the lead is free
      if (over) return true;
      continue;
    }
    if (look()) return true;
  }
}

bool PoolCore::wait_for(const FutureState& state, std::chrono::nanoseconds timeout) {
  return wait([&] { return state.done.load(std::memory_order_acquire); }, timeout);
}

bool PoolCore::wait_for_any(const std::function<bool()>& any_done,
                            std::chrono::nanoseconds timeout) {
  return wait(any_done, timeout);
}

std::size_t PoolCore::poll() {
  const std::lock_guard lock(mutex_);
  if (loop_) channel_->arm();
  return pump();
}

bool PoolCore::cancel(FutureState& state) {
  const std::lock_guard lock(mutex_);
  if (state.done.load(std::memory_order_acquire) || !channel_->cancel(state.job)) return false;
  pump();
  return true;
}

void PoolCore::kill(FutureState& state, int signal) {
  const std::lock_guard lock(mutex_);
  if (state.done.load(std::memory_order_acquire)) return;
  channel_->kill(state.job, signal);
  pump();
}

int PoolCore::fd() {
  const std::lock_guard lock(mutex_);
  loop_ = true;
  return channel_->fd();
}

std::size_t PoolCore::outstanding() {
  const std::lock_guard lock(mutex_);
  return waiting_.size();
}

void PoolCore::stream(std::string_view handler,
                      const std::function<std::optional<std::string>()>& next,
                      const std::function<bool(std::uint64_t, const Completion&)>& sink,
                      const JobOptions& options) {
  // One stream at a time uses the kept channel; others open one of their own.
  std::unique_lock kept(bulk_mutex_, std::try_to_lock);
  std::optional<Channel> own;
  std::optional<Channel>& slot = kept.owns_lock() ? bulk_ : own;
  if (!slot || slot->outstanding() != 0) {
    auto opened = Channel::Impl::open(client_, name(), {});
    if (!opened) throw_error(opened.error());
    slot.emplace(std::move(*opened));
  }
  Channel& channel = *slot;
  constexpr std::size_t kBatch = 32;
  const HandlerId id = channel.handler(handler);
  std::optional<std::string> pending = next();
  std::uint64_t index = 0;
  bool more = true;
  while ((more && pending) || channel.outstanding() != 0) {
    std::size_t prepared = 0;
    while (more && pending && prepared < kBatch && channel.prepare(id, *pending, index, options)) {
      ++index;
      ++prepared;
      pending = next();
    }
    channel.submit();
    const auto done = channel.reap(kBatch);
    for (const Completion& completion : done) {
      if (!sink(completion.tag, completion)) more = false;
    }
    if (!more) channel.cancel_all();
    // With much under way, one wake-up for several results; but none waits for longer than a
    // moment.
    if (done.empty() && prepared == 0 && !channel.wait(kGather, channel.outstanding() / 4))
      channel.wait();
  }
}

}  // namespace jobring::detail
