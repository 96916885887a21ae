#include <utility>  // before Asio

#include "worker/async/async_commands.hpp"

#include <unistd.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>

#include "common/clock.hpp"
#include "worker/exec/command_process.hpp"
#include "worker/exec/signal_gate.hpp"

namespace jobring {

namespace asio = boost::asio;
using boost::system::error_code;
using Descriptor = asio::posix::stream_descriptor;

namespace {

constexpr const char* kMark = "JOBRING_COMMAND=";

asio::steady_timer::time_point at(std::uint64_t monotonic_ns) {
  return asio::steady_timer::time_point(std::chrono::nanoseconds(monotonic_ns));
}

// The mark in a process's environment as it was when it was executed; empty if it has none, or is
// not ours to read.
std::string mark_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/environ", std::ios::binary);
  const std::string all{std::istreambuf_iterator<char>(file), {}};
  for (std::size_t begin = 0; begin < all.size();) {
    const std::size_t end = std::min(all.find('\0', begin), all.size());
    if (all.compare(begin, std::char_traits<char>::length(kMark), kMark) == 0)
      return all.substr(begin, end - begin);
    begin = end + 1;
  }
  return {};
}

// A descriptor of somebody else's on the loop, for as long as this lives.
class Watched {
 public:
  Watched(const asio::any_io_executor& executor, int fd) : descriptor_(executor) {
    if (fd >= 0) descriptor_.assign(fd);
  }
  ~Watched() { release(); }
  Watched(const Watched&) = delete;
  Watched& operator=(const Watched&) = delete;
  bool open() const { return descriptor_.is_open(); }
  void release() {
    if (descriptor_.is_open()) descriptor_.release();
  }
  Descriptor& operator*() { return descriptor_; }

 private:
  Descriptor descriptor_;
};

// What a command's descriptors and its times have in common while it runs. Operations under way
// share it, so that one that ends late finds it.
struct Watch : std::enable_shared_from_this<Watch> {
  Watch(const asio::any_io_executor& executor, CommandProcess& of)
      : process(&of),
        end(executor, of.pidfd()),
        out(executor, of.captured_fd(OutputRoom::out)),
        err(executor, of.captured_fd(OutputRoom::err)),
        in(executor, of.feed_fd()),
        timer(executor) {}

  void read(Watched& from, OutputRoom::Stream stream) {
    if (!from.open()) return;
    (*from).async_wait(Descriptor::wait_read,
                       [self = shared_from_this(), &from, stream](error_code ec) {
                         if (ec || self->process == nullptr) return;
                         self->process->read_captured(stream);
                         self->read(from, stream);
                       });
  }
  void feed() {
    if (!in.open()) return;
    (*in).async_wait(Descriptor::wait_write, [self = shared_from_this()](error_code ec) {
      if (ec || self->process == nullptr) return;
      // The process closes its end when all is written: the loop must have let go of it before.
      const int fd = (*self->in).native_handle();
      self->in.release();
      self->process->feed();
      if (self->process->feed_fd() != fd) return;
      (*self->in).assign(fd);
      self->feed();
    });
  }
  void wait_for_times() {
    const std::uint64_t next = process->next_time();
    if (next == CommandProcess::kNever) {
      timer.cancel();
      return;
    }
    timer.expires_at(at(next));
    timer.async_wait([self = shared_from_this()](error_code ec) {
      if (ec || self->process == nullptr) return;
      self->process->check_times(now_ns());
      self->wait_for_times();
    });
  }
  void over() {
    process = nullptr;
    for (Watched* watched : {&end, &out, &err, &in}) watched->release();
    timer.cancel();
  }

  CommandProcess* process;
  Watched end, out, err, in;
  asio::steady_timer timer;
};

}  // namespace

// A place among those that run, and what happens when it is given up.
struct AsyncCommands::Place {
  AsyncCommands& commands;
  ~Place() { commands.leave(); }
};

AsyncCommands::AsyncCommands(asio::any_io_executor loop, std::size_t at_a_time)
    : loop_(loop), at_a_time_(at_a_time), sweep_(loop) {}

AsyncCommands::~AsyncCommands() = default;

asio::awaitable<CommandOutput> AsyncCommands::run(Command command, CommandContext& context,
                                                  Control& control) {
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  const std::uint64_t came = now_ns();
  if (places_taken_ == at_a_time_) {
    asio::steady_timer turn(executor, asio::steady_timer::time_point::max());
    line_.push_back(&turn);
    control.stop = [&](int signal) {
      control.asked = signal;
      turn.cancel();
    };
    if (context.timeout_ms != 0)
      turn.expires_at(at(came + std::uint64_t(context.timeout_ms) * 1'000'000));
    co_await turn.async_wait(asio::as_tuple(asio::use_awaitable));
    control.stop = nullptr;
    // Taken out of the line: it is our turn, and the place is ours already.
    const auto still = std::find(line_.begin(), line_.end(), &turn);
    if (still != line_.end()) {
      line_.erase(still);
      CommandOutput none;
      none.report.killed = control.asked != 0;
      none.report.timed_out = control.asked == 0;
      none.report.signal = control.asked != 0 ? control.asked : SIGTERM;
      co_return none;
    }
  } else {
    ++places_taken_;
  }
  const Place place{*this};
  if (context.timeout_ms != 0) {
    const std::uint64_t waited_ms = (now_ns() - came) / 1'000'000;
    context.timeout_ms -= std::uint32_t(std::min<std::uint64_t>(waited_ms, context.timeout_ms - 1));
  }
  keep_strays_ = context.keep_strays;
  const std::string mark = kMark + std::to_string(getpid()) + "." + std::to_string(++next_mark_);
  command.env.push_back(mark);
  CommandProcess process(command, context);
  bool started = false;
  {
    const SignalGate gate;
    started = process.start();
  }
  if (started) {
    live_.emplace(process.pid(), mark);
    if (!running_) running_.emplace();
    co_await watch(process, control);
    control.stop = nullptr;
    process.bury();
    live_.erase(process.pid());
    if (live_.empty()) running_.reset();
    // Almost always there is no other child, and this says so.
    if (may_have_strays()) sweep_after(kSweep);
  }
  CommandOutput output = process.output();
  co_return output;
}

asio::awaitable<void> AsyncCommands::watch(CommandProcess& process, Control& control) {
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  const auto watch = std::make_shared<Watch>(executor, process);
  struct Over {
    Watch& watch;
    ~Over() { watch.over(); }
  } over{*watch};
  watch->read(watch->out, OutputRoom::out);
  watch->read(watch->err, OutputRoom::err);
  watch->feed();
  watch->wait_for_times();
  control.stop = [w = watch.get()](int signal) {
    if (w->process == nullptr) return;
    w->process->requested(signal);
    w->wait_for_times();
  };
  if (control.asked != 0) control.stop(control.asked);
  // Whatever cancels this wait, the command's life goes on: only its death ends it.
  error_code ec = asio::error::operation_aborted;
  while (ec == asio::error::operation_aborted) {
    const auto waited = co_await (*watch->end)
                            .async_wait(Descriptor::wait_read, asio::as_tuple(asio::use_awaitable));
    ec = std::get<0>(waited);
  }
}

void AsyncCommands::leave() {
  if (line_.empty()) {
    --places_taken_;
    return;
  }
  asio::steady_timer* next = line_.front();
  line_.pop_front();
  next->cancel();
}

void AsyncCommands::sweep_after(std::chrono::milliseconds delay) {
  const auto when = asio::steady_timer::clock_type::now() + delay;
  if (sweeping_ && sweep_.expiry() <= when) return;
  sweeping_ = true;
  sweep_.expires_at(when);
  sweep_.async_wait([this](error_code ec) {
    if (ec) return;
    sweeping_ = false;
    sweep();
  });
}

void AsyncCommands::sweep() {
  const bool dying = end_strays([this](pid_t pid) {
    if (live_.contains(pid)) return StrayFate::not_one;
    if (keep_strays_) return StrayFate::may_live;
    const std::string mark = mark_of(pid);
    const bool owned = mark.empty() ? !live_.empty()
                                    : std::any_of(live_.begin(), live_.end(), [&](const auto& one) {
                                        return one.second == mark;
                                      });
    return owned ? StrayFate::may_live : StrayFate::dies;
  });
  if (dying) {
    sweep_after(kSweep);
  } else if (!live_.empty()) {
    sweep_after(kZombies);
  }
}

}  // namespace jobring
