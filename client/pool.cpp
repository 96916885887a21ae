// Pool, Future, AsCompleted: the public face of PoolCore.
#include <algorithm>

#include "client/pool_core.hpp"
#include "common/exec_codec.hpp"

namespace jobring {
namespace {

constexpr std::chrono::nanoseconds kForEver = std::chrono::nanoseconds::max();

std::string failure_line(const JobResult& result) {
  std::string line = std::string("job ") + to_string(result.outcome);
  if (!result.bytes.empty() && result.bytes.size() < 4096) line += ": " + result.bytes;
  return line;
}

std::string encode_checked(const Command& command) {
  if (command.argv.empty())
    detail::throw_error({Errc::bad_input, "a command needs at least a program", {}, {}});
  return encode(command);
}

}  // namespace

JobFailed::JobFailed(const JobResult& result, const std::string& line)
    : Exception(result.outcome == Outcome::lost        ? 69
                : result.outcome == Outcome::timed_out ? 124
                                                       : 1,
                to_string(result.outcome), line),
      result_(std::make_shared<const JobResult>(result)) {}

CommandResult JobResult::command() const {
  auto decoded =
      decode_command_result({reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()});
  if (!decoded) detail::throw_error(decoded.error());
  return *decoded;
}

// ---- Future

bool Future::ready() const {
  return wait_for(std::chrono::nanoseconds(0));
}
void Future::wait() const {
  wait_for(kForEver);
}

bool Future::wait_for(std::chrono::nanoseconds timeout) const {
  if (state_->done.load(std::memory_order_acquire)) return true;
  const auto pool = state_->pool.lock();
  if (!pool) {
    // The pool marks its futures done as it goes; it is going right now if this one is not.
    while (!state_->done.load(std::memory_order_acquire)) {
    }
    return true;
  }
  return pool->wait_for(*state_, timeout);
}

const JobResult& Future::result() const {
  wait();
  return state_->result;
}

std::string Future::get() const {
  const JobResult& r = result();
  if (!r.ok()) throw JobFailed(r, failure_line(r));
  return r.bytes;
}

bool Future::cancel() const {
  const auto pool = state_->pool.lock();
  return pool && pool->cancel(*state_);
}

void Future::kill(int signal) const {
  if (const auto pool = state_->pool.lock()) pool->kill(*state_, signal);
}

// ---- AsCompleted

AsCompleted::AsCompleted(std::vector<Future> futures) : pending_(std::move(futures)) {}

std::optional<Future> AsCompleted::next(std::chrono::nanoseconds timeout) {
  const auto collect = [this] {
    const auto first_done = std::stable_partition(
        pending_.begin(), pending_.end(),
        [](const Future& f) { return !f.state_->done.load(std::memory_order_acquire); });
    // Kept in reverse, so that taking the next one is a pop.
    done_.insert(done_.end(), std::make_reverse_iterator(pending_.end()),
                 std::make_reverse_iterator(first_done));
    pending_.erase(first_done, pending_.end());
  };
  if (done_.empty() && !pending_.empty()) {
    collect();
    const auto start = std::chrono::steady_clock::now();
    while (done_.empty()) {
      const auto passed = std::chrono::steady_clock::now() - start;
      if (timeout != kForEver && passed > timeout && timeout.count() != 0) return std::nullopt;
      // Futures of one pool, as a rule: whatever completes first wakes us. With several pools, they
      // take turns.
      const auto pool = pending_.front().state_->pool.lock();
      const bool one_pool = std::all_of(pending_.begin(), pending_.end(), [&](const Future& f) {
        return f.state_->pool.lock() == pool;
      });
      auto patience = timeout == kForEver
                          ? kForEver
                          : timeout - std::min<std::chrono::nanoseconds>(timeout, passed);
      if (!one_pool)
        patience = std::min<std::chrono::nanoseconds>(patience, std::chrono::milliseconds(1));
      const auto any_done = [&] {
        return std::any_of(pending_.begin(), pending_.end(), [](const Future& f) {
          return f.state_->done.load(std::memory_order_acquire);
        });
      };
      if (pool) pool->wait_for_any(any_done, patience);
      std::rotate(pending_.begin(), pending_.begin() + 1, pending_.end());
      collect();
      if (done_.empty() && timeout.count() == 0) return std::nullopt;
    }
  }
  if (done_.empty()) return std::nullopt;
  Future next = std::move(done_.back());
  done_.pop_back();
  return next;
}

// ---- Pool

Future Pool::submit(std::string_view handler, std::string_view payload, const JobOptions& options) {
  return *core_->submit(handler, payload, options, 0, kForEver);
}
std::optional<Future> Pool::try_submit(std::string_view handler, std::string_view payload,
                                       const JobOptions& options) {
  return core_->submit(handler, payload, options, 0, std::chrono::nanoseconds(0));
}
std::optional<Future> Pool::submit_for(std::chrono::nanoseconds patience, std::string_view handler,
                                       std::string_view payload, const JobOptions& options) {
  return core_->submit(handler, payload, options, 0, patience);
}
std::string Pool::call(std::string_view handler, std::string_view payload,
                       const JobOptions& options) {
  return submit(handler, payload, options).get();
}
Future Pool::run(const Command& command, const JobOptions& options) {
  return *core_->submit(kExecHandler, encode_checked(command), options, 0, kForEver);
}
Future Pool::run_with_stdio(const Command& command, const JobOptions& options) {
  return *core_->submit(kExecHandler, encode_checked(command), options, kJobUsesStdio, kForEver);
}

std::vector<std::string> Pool::map(std::string_view handler, std::span<const std::string> inputs,
                                   const JobOptions& options) {
  std::vector<std::string> results(inputs.size());
  std::size_t at = 0;
  std::optional<JobResult> failure;
  core_->stream(
      handler,
      [&]() -> std::optional<std::string> {
        return at < inputs.size() ? std::optional(inputs[at++]) : std::nullopt;
      },
      [&](std::uint64_t index, const Completion& done) {
        if (done.outcome == Outcome::ok) {
          results[index].assign(done.text());
          return !failure.has_value();
        }
        if (!failure) {
          failure.emplace();
          failure->outcome = done.outcome;
          failure->detail = done.detail;
          failure->attempts = done.attempts;
          failure->worker = done.worker;
          failure->bytes.assign(done.text());
        }
        return false;
      },
      options);
  if (failure) throw JobFailed(*failure, failure_line(*failure));
  return results;
}

void Pool::stream(std::string_view handler, const std::function<std::optional<std::string>()>& next,
                  const std::function<bool(std::uint64_t, const Completion&)>& sink,
                  const JobOptions& options) {
  core_->stream(handler, next, sink, options);
}

int Pool::fd() const {
  return core_->fd();
}
std::size_t Pool::poll() {
  return core_->poll();
}
std::size_t Pool::outstanding() const {
  return core_->outstanding();
}
std::size_t Pool::max_payload() const {
  return core_->shape().max_payload;
}
std::size_t Pool::max_result() const {
  return core_->shape().max_result;
}
const std::string& Pool::name() const {
  return core_->name();
}

}  // namespace jobring
