// Future: the result to come of one job, and what waits for several of them.
//
//     jobring::Future f = pool.submit("square", "7");
//     f.on_ready([](const jobring::Future& done) { use(done.result()); });
//     auto [done, pending] = jobring::wait(futures, jobring::WaitFor::first_completed, 5s);
//
// Time-outs: nanoseconds; nanoseconds::max() waits for ever; zero or less only looks and never
// blocks. (Negative time-outs of a *job*, in JobOptions, are an error.)
//
// Callbacks: jobring starts no threads, so a callback runs on the thread that finds the completion:
// one that is in wait, get, result, ready, poll, submit, cancel, kill or shutdown of that pool, or
// that destroys its last copy. No lock is held meanwhile: a callback may call anything, also submit
// to its own pool, and destroy any Future, Pool or Client. Callbacks do not nest: what becomes due
// on a thread that is in a callback runs on that thread after it. Each runs exactly once. An
// exception that leaves a callback goes to the callback error handler and disturbs nobody else.
//
// A Future that was default-constructed or moved from has no job: every member but valid() throws
// Exception(bad_input).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include <jobring/channel.hpp>
#include <jobring/command.hpp>
#include <jobring/types.hpp>

namespace jobring {

// What the library throws: one line that says what is wrong, where, and what to do.
class Exception : public std::runtime_error {
 public:
  Exception(int exit_status, const char* kind, const std::string& line)
      : std::runtime_error(line), exit_status_(exit_status), kind_(kind) {}
  // The exit status that `jobring` documents for this kind of error (docs/cli.md): 69 no daemon, 75
  // full, ...
  int exit_status() const { return exit_status_; }
  // "no_daemon", "unknown_pool", "permission", "full", "bad_input", "protocol", "shut_down", ...
  const char* kind() const { return kind_; }

 private:
  int exit_status_;
  const char* kind_;
};

// How one job ended, with its result. Owns its bytes.
class JobResult {
 public:
  Outcome outcome = Outcome::lost;
  std::int32_t detail = 0;    // a command's exit code or -signal; the signal of a crash
  std::uint8_t attempts = 0;  // crashes before this outcome
  std::uint16_t worker = 0;   // index in its pool
  std::chrono::nanoseconds queued{0};
  std::chrono::microseconds ran{0};
  std::string bytes;  // the result, or the message if it failed; empty if it stays in shared memory
  std::string type;   // of the exception that the handler threw: "std::out_of_range"; else empty

  bool ok() const { return outcome == Outcome::ok; }
  const std::string& text() const { return bytes; }
  // Of a command: its report and output. Throws Exception(bad_input) if the result is not one.
  CommandResult command() const;
};

// Thrown by Future::get() and Pool::map() when a job did not succeed.
class JobFailed : public Exception {
 public:
  // what() is "job OUTCOME: TYPE: MESSAGE", as far as there are such.
  explicit JobFailed(const JobResult& result);
  const JobResult& result() const { return *result_; }
  // Of the exception that the handler threw, as C++ writes it; empty if it threw none.
  const std::string& type() const { return result_->type; }
  // Of the exception: its what(), then a line "caused by TYPE: MESSAGE" for each nested one. Of a
  // crash: the signal and the worker's last output.
  const std::string& message() const { return result_->bytes; }
  std::uint16_t worker() const { return result_->worker; }  // index in its pool

 private:
  std::shared_ptr<const JobResult> result_;
};

// Whose errors a callback's are: called with each exception that left one, on its thread. Null
// restores the default, which writes a line to stderr. Returns the one before.
using CallbackErrorHandler = void (*)(std::exception_ptr) noexcept;
CallbackErrorHandler set_callback_error_handler(CallbackErrorHandler handler);

namespace detail {
class PoolCore;
class ClientCore;
class DurableCore;
class Gather;
struct FutureState;
}  // namespace detail

// The result to come of one job. Copyable: copies share the job. Dropping all copies of it does not
// stop the job.
class Future {
 public:
  Future() = default;
  bool valid() const { return state_ != nullptr; }
  bool ready() const;  // looks for completions first; never blocks
  void wait() const;
  bool wait_for(std::chrono::nanoseconds timeout) const;  // true if it is ready
  // Waits, then the result bytes; throws JobFailed if the outcome is not ok. As often as you like.
  std::string get() const;
  // Waits, then the result with its outcome; throws nothing.
  const JobResult& result() const;
  // Waits, then the result's bytes without a copy, valid while a copy of this Future lives. For
  // jobs submitted with JobOptions::in_place they stand in shared memory. Throws JobFailed as get()
  // does.
  std::span<const std::byte> view() const;

  // Calls `callback` once, when the job has ended; at once if it has. Any number of them; they run
  // in the order in which they were given. See above for the thread and the rules.
  void on_ready(std::function<void(const Future&)> callback) const;

  // What the job last reported by job.progress(); nullopt if it reported nothing yet, does not run,
  // or has ended. Never blocks. What is read was reported in one call.
  std::optional<Progress> progress() const;

  // Withdraws it if it has not started: true, and the outcome is cancelled.
  bool cancel() const;
  // Stops it if it runs: see Channel::kill.
  void kill(int signal = 15) const;

  // Of the same job.
  friend bool operator==(const Future&, const Future&) = default;
  // The same for all futures of one job, as long as one of them lives: a key for maps and sets.
  const void* id() const { return state_.get(); }

 private:
  friend class detail::PoolCore;
  friend class detail::Gather;
  friend class AsCompleted;
  explicit Future(std::shared_ptr<detail::FutureState> state) : state_(std::move(state)) {}
  detail::FutureState& state() const;
  std::shared_ptr<detail::FutureState> state_;
};

enum class WaitFor {
  all,
  first_completed,
  first_exception  // the first whose outcome is not ok, else all
};

struct Waited {
  std::vector<Future> done;     // both in the order in which they were given
  std::vector<Future> pending;  // empty if all have ended
};

// Waits for several futures, of one pool or of several, until the condition holds or the time is
// over. Of an empty set: returns at once. The same future may stand in it twice.
Waited wait(std::span<const Future> futures, WaitFor until = WaitFor::all,
            std::chrono::nanoseconds timeout = std::chrono::nanoseconds::max());

// Futures in the order in which they complete; more may be added meanwhile.
//     for (jobring::AsCompleted done(futures); auto f = done.next();) use(f->result());
// One thread at a time.
class AsCompleted {
 public:
  AsCompleted();
  explicit AsCompleted(std::span<const Future> futures);
  AsCompleted(AsCompleted&&) noexcept;
  AsCompleted& operator=(AsCompleted&&) noexcept;
  ~AsCompleted();

  void add(const Future& future);
  // The next one to complete; blocks. nullopt when all have been returned, or the time is over.
  std::optional<Future> next(std::chrono::nanoseconds timeout = std::chrono::nanoseconds::max());
  std::optional<Future> try_next() { return next(std::chrono::nanoseconds(0)); }
  std::size_t left() const;  // added and not returned

 private:
  std::shared_ptr<detail::Gather> gather_;
};

}  // namespace jobring
