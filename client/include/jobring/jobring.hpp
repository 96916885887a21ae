// libjobring: run jobs in the workers of a jobring daemon.
//
//     #include <jobring/jobring.hpp>
//
//     int main() {
//       // The daemon of this user or machine, else a private one.
//       jobring::Client client = jobring::Client::connect();
//       jobring::Pool pool = client.pool();                    // "default"
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
#include <string>
#include <string_view>
#include <vector>

#include <jobring/channel.hpp>
#include <jobring/command.hpp>
#include <jobring/future.hpp>
#include <jobring/map.hpp>
#include <jobring/types.hpp>

namespace jobring {

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

template <class R>
class TypedFuture;
template <class R>
class TypedResults;

// Room for one payload (Pool::reserve). Movable; destroying it unsubmitted gives the room back. It
// takes one of the channel's slots. Not thread-safe.
class Reservation {
 public:
  Reservation(Reservation&&) noexcept = default;
  Reservation& operator=(Reservation&& other) noexcept;
  ~Reservation();
  std::span<std::byte> bytes() const { return bytes_; }
  // Submits the first `size` bytes. Throws Exception(bad_input) if there are not so many, or it was
  // submitted already; else as Pool::submit().
  Future submit(std::string_view handler, std::size_t size, const JobOptions& options = {});

 private:
  friend class Pool;
  Reservation(std::shared_ptr<detail::PoolCore> core, std::uint32_t slot,
              std::span<std::byte> bytes)
      : core_(std::move(core)), slot_(slot), bytes_(bytes) {}
  std::shared_ptr<detail::PoolCore> core_;  // null once submitted
  std::uint32_t slot_;
  std::span<std::byte> bytes_;
};

// A pool of the daemon, through one channel of this client. Copies share the channel. When the last
// copy is gone, jobs that wait are withdrawn and outstanding futures end as lost; shutdown() first
// lets them end. No sentinel is needed to end workers or queues: they are the daemon's.
//
// Errors of all that submit: Exception bad_input (payload larger than max_payload(), a handler's
// name of 0 or more than 47 bytes, a negative time-out in JobOptions, a tag that is too long),
// no_daemon (gone, or draining), shut_down (after shutdown()), full (every slot is held by results
// that stay in place).
class Pool {
 public:
  // Submits one job. Blocks while the channel is full.
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

  // Lazily (map.hpp): inputs are taken, and results given, as the caller asks for results.
  // In the order of the inputs:
  //     for (std::string& square : pool.map_lazy("square", numbers)) use(square);
  Results map_lazy(std::string_view handler, Source source, const MapOptions& options = {});
  // In the order in which they complete.
  Results map_unordered(std::string_view handler, Source source, const MapOptions& options = {});
  // Of anything that begin() and end() work with and whose elements convert to std::string. An
  // lvalue must live as long as the Results; an rvalue is moved into it.
  template <Inputs Range>
  Results map_lazy(std::string_view handler, Range&& range, const MapOptions& options = {}) {
    return map_lazy(handler, source_of(std::forward<Range>(range)), options);
  }
  template <Inputs Range>
  Results map_unordered(std::string_view handler, Range&& range, const MapOptions& options = {}) {
    return map_unordered(handler, source_of(std::forward<Range>(range)), options);
  }

  // Typed (include <jobring/typed.hpp>): arguments and result go through their codecs.
  //     TypedFuture<long> f = pool.submit_as<long>("square", 7L);
  template <class R, class... Args>
  TypedFuture<R> submit_as(std::string_view handler, const Args&... args);
  template <class R, class... Args>
  TypedFuture<R> submit_as(const JobOptions& options, std::string_view handler,
                           const Args&... args);
  // Each element is the one argument, or a tuple of the arguments. Instead of a range: a function
  // that gives the next element or nullopt.
  template <class R, class Range>
  TypedResults<R> map_as(std::string_view handler, Range&& range, const MapOptions& options = {});
  // As map_as(), in the order in which they complete.
  template <class R, class Range>
  TypedResults<R> map_unordered_as(std::string_view handler, Range&& range,
                                   const MapOptions& options = {});

  // Room for a payload in shared memory, to be filled in place and then submitted: no copy of it is
  // made. Blocks while the channel is full.
  Reservation reserve(std::size_t size);

  // Takes no more jobs, from any copy of this Pool; submitting throws Exception(shut_down).
  // With `cancel_pending`, withdraws what has not started. With `wait`, waits until all has ended.
  // True if nothing is outstanding. Again: does it again. Client::pool() then opens a new one.
  bool shutdown(bool wait = true, bool cancel_pending = false,
                std::chrono::nanoseconds timeout = std::chrono::nanoseconds::max());

  // A descriptor for event loops: readable when completions may be there. Then call poll(), which
  // never blocks, makes futures ready, runs their callbacks, and returns how many it made ready.
  // It is the pool's: do not close it. (Asio programs: asio.hpp.)
  int fd() const;
  std::size_t poll();

  std::size_t outstanding() const;
  std::size_t max_payload() const;  // bytes
  std::size_t max_result() const;
  const std::string& name() const;

 private:
  friend class Client;
  friend class detail::DurableCore;
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
  friend class detail::DurableCore;
  explicit Client(std::shared_ptr<detail::ClientCore> core) : core_(std::move(core)) {}
  std::shared_ptr<detail::ClientCore> core_;
};

}  // namespace jobring
