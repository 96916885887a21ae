#include "client/pool_core.hpp"

#include <sched.h>

#include <algorithm>
#include <cstring>

#include "client/gather.hpp"
#include "client/time_left.hpp"

namespace jobring::detail {
namespace {

constexpr std::uint32_t kNoSlot = ~std::uint32_t{0};
constexpr std::chrono::nanoseconds kGather = std::chrono::milliseconds(1);

// Nothing is waited for but the next completion.
std::size_t the_next() {
  return 1;
}

}  // namespace

FutureState::~FutureState() {
  if (holds) holds->give_back(job.slot, false);
}

void FutureState::await_end() const {
  while (!is_done()) sched_yield();
}

PoolCore::PoolCore(std::shared_ptr<ClientCore> client, std::unique_ptr<Channel::Impl> channel)
    : client_(std::move(client)), channel_(std::move(channel)) {}

PoolCore::~PoolCore() {
  // Nobody can wait for these any more than for a daemon that is gone. All of them first, then the
  // callbacks, which may ask for any of them.
  for (auto& [tag, state] : waiting_) {
    state->result.outcome = Outcome::lost;
    state->result.bytes = "its pool was closed before it ended";
    end(state);
  }
  waiting_.clear();
  run_callbacks(std::move(due_));
}

// ---- submitting

void PoolCore::check_submit(const JobOptions& options, std::size_t size) const {
  check_options(options);
  if (size > shape().max_payload) {
    throw_error({Errc::bad_input,
                 "a payload of " + std::to_string(size) + " bytes is more than max_payload, " +
                     std::to_string(shape().max_payload) + " bytes",
                 "pool " + name(),
                 "raise max_payload in the pool's config, or pass a file's name"});
  }
}

void PoolCore::check_open_locked() const {
  if (shut_down_) {
    const Error error{Errc::no_daemon, "takes no more jobs: it was shut down", "pool " + name(),
                      "ask the client for it again"};
    throw Exception(exit_status(error.code), "shut_down", error.line());
  }
  if (!client_->connected()) throw_error(client_->gone());
  if (channel_->draining()) throw_error(client_->closed(name()));
}

void PoolCore::check_open() {
  const Lock lock(mutex_);
  check_open_locked();
}

HandlerId PoolCore::handler_id(std::string_view name) {
  auto id = channel_->handler(name);
  if (!id) throw_error(id.error());
  return *id;
}

int PoolCore::await_slot(Lock& lock, std::chrono::nanoseconds timeout) {
  int index = channel_->free_slot();
  if (index >= 0) return index;
  // Results that nobody has asked for yet move out of shared memory, so that their slots are free
  // again. (The last, empty reap gives back what those before it took.)
  pump();
  run_due(lock);
  const auto ready = [&] {
    return channel_->free_slot() >= 0 || shut_down_ || !client_->connected() || waiting_.empty();
  };
  const std::uint64_t start = now_ns();
  for (;;) {
    check_open_locked();
    index = channel_->free_slot();
    if (index >= 0) return index;
    const auto left = time_left(timeout, start);
    if (left.count() <= 0) return -1;
    if (waiting_.empty()) {
      throw_error({Errc::full,
                   "every slot is held by a result that stays in place, or by a reservation",
                   "pool " + name(), "drop some of them, or use a pool with more slots"});
    }
    wait_locked(lock, ready, the_next, left);
  }
}

Future PoolCore::start(std::uint32_t slot, HandlerId handler, std::size_t size,
                       const JobOptions& options, std::uint8_t flags) {
  const std::uint64_t tag = next_tag_;
  const JobRef job = channel_->put(slot, handler, size, tag, options, flags);
  if (job.slot == kNoSlot) return {};
  ++next_tag_;
  channel_->publish();
  auto state = std::make_shared<FutureState>();
  state->pool = weak_from_this();
  state->job = job;
  state->in_place = options.in_place;
  waiting_.emplace(tag, state);
  return Future(std::move(state));
}

std::optional<Future> PoolCore::submit(std::string_view handler, std::string_view payload,
                                       const JobOptions& options, std::uint8_t flags,
                                       std::chrono::nanoseconds patience) {
  check_submit(options, payload.size());
  std::uint64_t since = 0;  // 0: the first try, which has not looked at the clock
  Lock lock(mutex_);
  for (;;) {
    check_open_locked();
    const HandlerId id = handler_id(handler);
    const auto left = since == 0 ? patience : time_left(patience, since);
    const int index = await_slot(lock, left);
    if (index < 0) return std::nullopt;
    if (!payload.empty())
      std::memcpy(channel_->payload(std::uint32_t(index), payload.size()), payload.data(),
                  payload.size());
    Future future = start(std::uint32_t(index), id, payload.size(), options, flags);
    if (future.valid()) return future;
    // A ring full of cancelled jobs behind one that waits: nobody tells when a worker takes it.
    if (since == 0) since = now_ns();
    const auto pause = std::min(time_left(patience, since), kGather);
    if (pause.count() <= 0) return std::nullopt;
    wait_locked(
        lock, [] { return false; }, the_next, pause);
  }
}

std::uint32_t PoolCore::reserve(std::size_t size, std::span<std::byte>& room) {
  check_submit({}, size);
  Lock lock(mutex_);
  check_open_locked();
  const auto index = std::uint32_t(await_slot(lock, kForEver));
  channel_->set_aside(index);
  room = {reinterpret_cast<std::byte*>(channel_->payload(index, size)), size};
  return index;
}

Future PoolCore::submit_reserved(std::uint32_t slot, std::size_t reserved, std::string_view handler,
                                 std::size_t size, const JobOptions& options) {
  check_options(options);
  Lock lock(mutex_);
  channel_->settle_payload(slot, reserved, size);
  for (;;) {
    check_open_locked();
    const HandlerId id = handler_id(handler);
    channel_->restore(slot);
    Future future = start(slot, id, size, options, 0);
    if (future.valid()) return future;
    channel_->set_aside(slot);
    wait_locked(
        lock, [] { return false; }, the_next, kGather);
  }
}

void PoolCore::give_back(std::uint32_t slot, bool reserved) {
  const Lock lock(mutex_);
  if (reserved) {
    channel_->restore(slot);
  } else {
    channel_->release(slot);
  }
  if (loop_) channel_->interrupt();  // it may have calls that wait for a slot
  tell_all();
}

// ---- completing

void PoolCore::finish(const std::shared_ptr<FutureState>& state, const Completion& completion) {
  JobResult& result = state->result;
  result.outcome = completion.outcome;
  result.detail = completion.detail;
  result.attempts = completion.attempts;
  result.worker = completion.worker;
  result.queued = std::chrono::nanoseconds(completion.queue_ns);
  result.ran = std::chrono::microseconds(completion.run_us);
  if (state->in_place && result.ok()) {
    channel_->keep(completion.slot);
    state->view = completion.result;
    state->holds = shared_from_this();
    // If we held the last copy, the slot is given back where the callbacks run: without the lock.
    due_.push_back({{}, Future(state)});
  } else {
    result.bytes.assign(completion.text());
    if (completion.error_type_len != 0) result.type.assign(completion.error_type());
  }
  end(state);
}

// Makes it done, and its hooks due. The only change after this is the end of the state itself.
void PoolCore::end(const std::shared_ptr<FutureState>& state) {
  std::vector<Hook> hooks = std::exchange(state->hooks, {});
  state->done.store(true, std::memory_order_release);
  for (Hook& hook : hooks) {
    if (hook.listener) {
      hook.listener->push(state);
    } else {
      --calls_;
      due_.push_back({std::move(hook.call), Future(state)});
    }
  }
}

std::size_t PoolCore::pump() {
  std::size_t done = 0;
  for (;;) {
    const auto completions = channel_->reap(256);
    if (completions.empty()) break;
    for (const Completion& completion : completions) {
      const auto found = waiting_.find(completion.tag);
      if (found == waiting_.end()) continue;
      finish(found->second, completion);
      waiting_.erase(found);
      ++done;
    }
  }
  if (done != 0) tell_all();
  return done;
}

void PoolCore::tell_all() {
  changed_.notify_all();
  // The leader sleeps on the descriptors: what it waits for may be among these.
  if (led_) channel_->interrupt();
}

void PoolCore::wake_waiters() {
  const Lock lock(mutex_);
  tell_all();
}

void PoolCore::run_due(Lock& lock) {
  if (due_.empty()) return;
  std::vector<DueCallback> due = std::exchange(due_, {});
  lock.unlock();
  run_callbacks(std::move(due));
  lock.lock();
}

// ---- waiting

// Nobody else waits, no callback either: then a caller who needs many completions sleeps until half
// of them are there, so that it is woken a few times and still takes them in while others run.
std::size_t PoolCore::worth_waking(std::size_t needed) const {
  return followers_ != 0 || calls_ != 0 || loop_ ? 1 : std::max<std::size_t>(1, needed / 2);
}

// `needed()`: at least so many completions of this channel must come before ready().
template <class Ready, class Needed>
bool PoolCore::wait_locked(Lock& lock, const Ready& ready, const Needed& needed,
                           std::chrono::nanoseconds timeout) {
  const std::uint64_t start = now_ns();
  const auto look = [&] {
    if (ready()) return true;
    pump();
    run_due(lock);
    return bool(ready());
  };
  if (look()) return true;
  if (timeout.count() <= 0) return false;
  const std::uint64_t budget = channel_->spin_policy().budget();
  const std::uint64_t until = start + budget;
  while (budget != 0 && now_ns() < until && time_left(timeout, start).count() > 0) {
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
    const auto left = time_left(timeout, start);
    if (left.count() <= 0) return look();
    if (led_) {
      ++followers_;
      // Who leads may sleep until there are many: from now on the next one counts, and we take in
      // what came meanwhile.
      if (channel_->announce()) {
        if (left == kForEver) {
          changed_.wait(lock);
        } else {
          changed_.wait_for(lock, left);
        }
      }
      --followers_;
    } else {
      led_ = true;
      if (channel_->announce(worth_waking(needed()))) {
        lock.unlock();
        channel_->sleep(left);
        lock.lock();
      }
      if (!loop_) channel_->awake();
      led_ = false;
      // Before we look: a callback may take its time, and the lead is free.
      changed_.notify_all();
    }
    if (look()) return true;
  }
}

bool PoolCore::wait_until(const std::function<bool()>& ready,
                          const std::function<std::size_t()>& needed,
                          std::chrono::nanoseconds timeout) {
  Lock lock(mutex_);
  const bool over = wait_locked(lock, ready, needed, timeout);
  run_due(lock);
  return over;
}

bool PoolCore::wait_until(const std::function<bool()>& ready, std::chrono::nanoseconds timeout) {
  return wait_until(ready, the_next, timeout);
}

bool PoolCore::wait_for(const FutureState& state, std::chrono::nanoseconds timeout) {
  Lock lock(mutex_);
  const bool over = wait_locked(
      lock, [&] { return state.is_done(); }, the_next, timeout);
  run_due(lock);
  return over;
}

std::size_t PoolCore::poll() {
  Lock lock(mutex_);
  if (loop_) channel_->arm();
  const std::size_t done = pump();
  run_due(lock);
  return done;
}

int PoolCore::fd() {
  const Lock lock(mutex_);
  loop_ = true;
  return channel_->fd();
}

std::size_t PoolCore::outstanding() {
  const Lock lock(mutex_);
  return waiting_.size();
}

// ---- one future

bool PoolCore::add_hook(const std::shared_ptr<FutureState>& state, Hook hook) {
  Lock lock(mutex_);
  if (!state->is_done()) {
    // Who leads may sleep until there are many: from now on the next one counts.
    if (!hook.listener && calls_++ == 0 && led_) channel_->interrupt();
    const auto same = [&](const Hook& other) { return other.listener == hook.listener; };
    const bool another =
        hook.listener && std::any_of(state->hooks.begin(), state->hooks.end(), same);
    state->hooks.push_back(std::move(hook));
    return !another;
  }
  if (hook.listener) {
    hook.listener->push(state);
    return true;
  }
  lock.unlock();
  std::vector<DueCallback> due;
  due.push_back({std::move(hook.call), Future(state)});
  run_callbacks(std::move(due));
  return true;
}

void PoolCore::remove_hooks(FutureState& state, const EndListener* listener) {
  const Lock lock(mutex_);
  std::erase_if(state.hooks, [&](const Hook& hook) { return hook.listener.get() == listener; });
}

void PoolCore::listen(const Future& future, std::shared_ptr<EndListener> listener) {
  if (const auto pool = future.state_->pool.lock()) {
    pool->add_hook(future.state_, Hook{{}, std::move(listener)});
    return;
  }
  future.state_->await_end();
  listener->push(future.state_);
}

std::optional<Progress> PoolCore::progress(const FutureState& state) {
  const Lock lock(mutex_);
  if (state.is_done()) return std::nullopt;
  auto report = channel_->progress(state.job);
  if (!report) return std::nullopt;
  return Progress{report->done, report->total, std::move(report->text)};
}

bool PoolCore::cancel(FutureState& state) {
  Lock lock(mutex_);
  if (state.is_done() || !channel_->cancel(state.job)) return false;
  pump();
  run_due(lock);
  return true;
}

void PoolCore::kill(FutureState& state, int signal) {
  Lock lock(mutex_);
  if (state.is_done()) return;
  channel_->kill(state.job, signal);
  pump();
  run_due(lock);
}

// ---- the end

bool PoolCore::shutdown(bool wait, bool cancel_pending, std::chrono::nanoseconds timeout) {
  Lock lock(mutex_);
  shut_down_ = true;
  if (cancel_pending) channel_->cancel_all();
  pump();
  tell_all();  // who waits for a free slot waits for nothing now
  run_due(lock);
  if (wait)
    wait_locked(
        lock, [&] { return waiting_.empty(); }, [&] { return waiting_.size(); }, timeout);
  run_due(lock);
  return waiting_.empty();
}

bool PoolCore::shut_down() {
  const Lock lock(mutex_);
  return shut_down_;
}

// ---- channels for maps

Channel PoolCore::borrow_channel() {
  check_open();
  {
    const std::lock_guard lock(bulk_mutex_);
    if (bulk_) {
      Channel channel = std::move(*bulk_);
      bulk_.reset();
      return channel;
    }
  }
  auto opened = Channel::Impl::open(client_, name(), {});
  if (!opened) throw_error(opened.error());
  return Channel(std::move(*opened));
}

void PoolCore::return_channel(Channel channel) {
  if (channel.outstanding() != 0) return;
  const std::lock_guard lock(bulk_mutex_);
  if (!bulk_) bulk_.emplace(std::move(channel));
}

}  // namespace jobring::detail
