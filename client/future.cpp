// JobResult, JobFailed, Future: the public face of FutureState.
#include <jobring/future.hpp>

#include "client/pool_core.hpp"
#include "client/time_left.hpp"
#include "common/exec_codec.hpp"

namespace jobring {

using detail::kForEver;

namespace {

constexpr std::size_t kLineMax = 4096;  // bytes of a message that what() repeats

std::string failure_line(const JobResult& result) {
  std::string line = std::string("job ") + to_string(result.outcome);
  if (!result.type.empty()) line += ": " + result.type;
  if (!result.bytes.empty() && result.bytes.size() < kLineMax) line += ": " + result.bytes;
  return line;
}

int failure_status(Outcome outcome) {
  switch (outcome) {
    case Outcome::lost:
      return exit_status(Errc::no_daemon);
    case Outcome::timed_out:
      return exit_status(Errc::timeout);
    default:
      return 1;
  }
}

}  // namespace

JobFailed::JobFailed(const JobResult& result)
    : Exception(failure_status(result.outcome), to_string(result.outcome), failure_line(result)),
      result_(std::make_shared<const JobResult>(result)) {}

CommandResult JobResult::command() const {
  auto decoded =
      decode_command_result({reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()});
  if (!decoded) detail::throw_error(decoded.error());
  return *decoded;
}

detail::FutureState& Future::state() const {
  if (!state_) detail::throw_error({Errc::bad_input, "this future has no job", "future", {}});
  return *state_;
}

bool Future::ready() const {
  return wait_for(std::chrono::nanoseconds(0));
}
void Future::wait() const {
  wait_for(kForEver);
}

bool Future::wait_for(std::chrono::nanoseconds timeout) const {
  // Ours for the time of the call: a callback that runs in it may destroy this Future.
  if (state().is_done()) return true;
  const auto state = state_;
  const auto pool = state->pool.lock();
  if (pool) return pool->wait_for(*state, timeout);
  state->await_end();
  return true;
}

const JobResult& Future::result() const {
  wait();
  return state_->result;
}

std::string Future::get() const {
  const Future mine = *this;  // a callback that runs in this may destroy us
  const JobResult& r = mine.result();
  if (!r.ok()) throw JobFailed(r);
  const auto view = mine.state_->view;
  if (view.data() != nullptr) return {reinterpret_cast<const char*>(view.data()), view.size()};
  return r.bytes;
}

std::span<const std::byte> Future::view() const {
  const JobResult& r = result();
  if (!r.ok()) throw JobFailed(r);
  if (state_->view.data() != nullptr) return state_->view;
  return std::as_bytes(std::span(r.bytes.data(), r.bytes.size()));
}

void Future::on_ready(std::function<void(const Future&)> callback) const {
  detail::FutureState& mine = state();
  if (!callback) detail::throw_error({Errc::bad_input, "an empty callback", "future", {}});
  const auto pool = mine.pool.lock();
  if (pool) {
    pool->add_hook(state_, detail::Hook{std::move(callback), nullptr});
    return;
  }
  mine.await_end();
  std::vector<detail::DueCallback> due;
  due.push_back({std::move(callback), *this});
  detail::run_callbacks(std::move(due));
}

std::optional<Progress> Future::progress() const {
  const auto pool = state().pool.lock();
  return pool ? pool->progress(*state_) : std::nullopt;
}

bool Future::cancel() const {
  const auto pool = state().pool.lock();
  const auto state = state_;
  return pool && pool->cancel(*state);
}

void Future::kill(int signal) const {
  const auto pool = state().pool.lock();
  const auto state = state_;
  if (pool) pool->kill(*state, signal);
}

}  // namespace jobring
