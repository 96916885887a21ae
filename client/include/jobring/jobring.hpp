// libjobring: run jobs in the workers of a jobring daemon.
//
//     #include <jobring/jobring.hpp>
//
//     int main() {
//       jobring::Client client = jobring::Client::connect();   // the daemon of this user or
//       machine, else a private one jobring::Pool pool = client.pool();                    //
//       "default"
//
//       jobring::Future f = pool.submit("square", "7");
//       std::puts(f.get().c_str());                            // 49
//
//       for (const std::string& s : pool.map("square", {"1", "2", "3"})) std::puts(s.c_str());
//
//       jobring::Future g = pool.run({.argv = {"uname", "-r"}});
//       g.wait();
//       std::string out(g.result().command().out);
//     }
//
// Threads: every function of Client, Pool and Future may be called from any thread; no threads are
// started. Waiting costs nothing while nothing happens. Fork: do not use a Client in a child of the
// process that made it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
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
  // "no_daemon", "unknown_pool", "permission", "full", "bad_input", "protocol", ...
  const char* kind() const { return kind_; }

 private:
  int exit_status_;
  const char* kind_;
};

struct ConnectOptions {
  enum class Daemon {
    any,       // the one that listens on the socket, else a private one
    existing,  // only one that listens
    own        // always a private one, which ends with this client
  };
  Daemon daemon = Daemon::any;
  std::string socket{};       // empty: $JOBRING_SOCKET, else the user's, else the machine's
  std::string config_file{};  // for a private daemon; empty: $JOBRING_CONFIG, else defaults
  std::string daemon_path{};  // jobringd for a private daemon; empty: $JOBRING_DAEMON, beside this
                              // program, or in PATH
  std::string name{};         // shown by `jobring status`; empty: this program's name
  std::uint32_t private_workers =
      0;  // workers of a private daemon's default pool; 0: as configured
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
  std::string bytes;  // the result, or the message if it failed

  bool ok() const { return outcome == Outcome::ok; }
  const std::string& text() const { return bytes; }
  // Of a command: its report and output. Throws Exception(bad_input) if the result is not one.
  CommandResult command() const;
};

// Thrown by Future::get() and Pool::map() when a job did not succeed; what() is its message.
class JobFailed : public Exception {
 public:
  JobFailed(const JobResult& result, const std::string& line);
  const JobResult& result() const { return *result_; }

 private:
  std::shared_ptr<const JobResult> result_;
};

namespace detail {
class PoolCore;
class ClientCore;
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
  // Waits, then the result bytes; throws JobFailed if the outcome is not ok.
  std::string get() const;
  // Waits, then the result with its outcome; throws nothing.
  const JobResult& result() const;
  // Withdraws it if it has not started: true, and the outcome is cancelled.
  bool cancel() const;
  // Stops it if it runs: see Channel::kill.
  void kill(int signal = 15) const;

 private:
  friend class detail::PoolCore;
  friend class AsCompleted;
  explicit Future(std::shared_ptr<detail::FutureState> state) : state_(std::move(state)) {}
  std::shared_ptr<detail::FutureState> state_;
};

// Futures in the order in which they complete.
//     for (jobring::AsCompleted done(futures); auto f = done.next();) use(f->result());
class AsCompleted {
 public:
  explicit AsCompleted(std::vector<Future> futures);
  // The next one to complete; blocks. nullopt when all have been returned, or the time is over.
  std::optional<Future> next(std::chrono::nanoseconds timeout = std::chrono::nanoseconds::max());
  std::optional<Future> try_next() { return next(std::chrono::nanoseconds(0)); }
  std::size_t left() const { return pending_.size() + done_.size(); }

 private:
  std::vector<Future> pending_;
  std::vector<Future> done_;
};

// A pool of the daemon, through one channel of this client. Copies share the channel.
class Pool {
 public:
  // Submits one job. Blocks while the channel is full. Throws Exception: payload too large, daemon
  // gone or draining.
  Future submit(std::string_view handler, std::string_view payload, const JobOptions& options = {});
  // As submit(), but nullopt instead of blocking.
  std::optional<Future> try_submit(std::string_view handler, std::string_view payload,
                                   const JobOptions& options = {});
  // As submit(), but gives up: nullopt after `patience`.
  std::optional<Future> submit_for(std::chrono::nanoseconds patience, std::string_view handler,
                                   std::string_view payload, const JobOptions& options = {});
  // submit() and get().
  std::string call(std::string_view handler, std::string_view payload,
                   const JobOptions& options = {});

  // Runs a command. Its outcome is ok if it exited with 0; result().command() tells the rest.
  Future run(const Command& command, const JobOptions& options = {});
  // Runs a command on this process's own stdin, stdout and stderr; needs a pool opened with
  // pass_stdio, once per pool.
  Future run_with_stdio(const Command& command, const JobOptions& options = {});

  // Runs the handler over all inputs; the results in the order of the inputs. Throws JobFailed at
  // the first that fails, after withdrawing those that have not started.
  std::vector<std::string> map(std::string_view handler, std::span<const std::string> inputs,
                               const JobOptions& options = {});
  std::vector<std::string> map(std::string_view handler, std::initializer_list<std::string> inputs,
                               const JobOptions& options = {}) {
    return map(handler, std::span<const std::string>(inputs.begin(), inputs.size()), options);
  }
  // The same for inputs without end: `next` gives the following payload or nullopt, `sink` gets
  // index and result, in order of completion. At most as many jobs as the channel has slots are in
  // flight. `sink` returns false to stop submitting. Neither may call into this Pool.
  void stream(std::string_view handler, const std::function<std::optional<std::string>()>& next,
              const std::function<bool(std::uint64_t index, const Completion&)>& sink,
              const JobOptions& options = {});

  // A descriptor for event loops: readable when completions may be there. Then call poll(), which
  // never blocks, makes futures ready, and returns how many it made ready.
  int fd() const;
  std::size_t poll();

  std::size_t outstanding() const;
  std::size_t max_payload() const;  // bytes
  std::size_t max_result() const;
  const std::string& name() const;

 private:
  friend class Client;
  explicit Pool(std::shared_ptr<detail::PoolCore> core) : core_(std::move(core)) {}
  std::shared_ptr<detail::PoolCore> core_;
};

struct Pong {
  std::string version;
  std::int32_t pid = 0;
  std::chrono::milliseconds uptime{0};
  std::chrono::nanoseconds round_trip{0};
};

// A connection to a daemon. Copies share it. When the last copy and the last pool of it are gone, a
// private daemon ends.
class Client {
 public:
  // Throws Exception: no daemon (and none could be started), no permission, versions differ.
  static Client connect(const ConnectOptions& options = {});

  // Opens the pool's channel, or returns the one that is open. Throws Exception(unknown_pool).
  Pool pool(std::string_view name = "default");
  // A further channel to the same pool, with options of its own.
  Pool pool(std::string_view name, const ChannelOptions& options);
  // The fast lane (channel.hpp).
  Channel channel(std::string_view pool = "default", const ChannelOptions& options = {});

  Pong ping();
  // What `jobring status --json` prints.
  std::string status_json();
  bool is_private() const;

 private:
  explicit Client(std::shared_ptr<detail::ClientCore> core) : core_(std::move(core)) {}
  std::shared_ptr<detail::ClientCore> core_;
};

}  // namespace jobring
