#include "worker/exec/run_command.hpp"

#include <poll.h>
#include <sys/wait.h>

#include <algorithm>

#include "common/clock.hpp"
#include "worker/exec/command_process.hpp"
#include "worker/exec/signal_gate.hpp"

namespace jobring {
namespace {

constexpr std::uint64_t kMillisecond = 1'000'000;  // nanoseconds
// How long zombies that are not the command's may stay.
constexpr std::uint64_t kOrphansEvery = 10'000 * kMillisecond;
// For a killed command to die when we must leave.
constexpr std::uint64_t kStopWait = 1'000 * kMillisecond;

class CommandRun {
 public:
  CommandRun(const Command& command, const CommandContext& context)
      : context_(context), process_(command, context) {}

  CommandOutput run() {
    if (process_.start()) {
      orphans_at_ = now_ns() + kOrphansEvery;
      watch();
      bury();
    }
    return process_.output();
  }

 private:
  enum Watched : std::size_t { end, wake, out, err, in, watched };

  void watch();
  timespec time_left(std::uint64_t now) const;
  bool stop_ordered() const { return context_.stop_flag != nullptr && *context_.stop_flag != 0; }
  bool leave();
  void bury();

  const CommandContext& context_;
  const SignalGate gate_;
  CommandProcess process_;
  std::uint64_t orphans_at_ = 0;
};

void CommandRun::watch() {
  pollfd fds[watched];
  fds[end] = {process_.pidfd(), POLLIN, 0};
  fds[wake] = {context_.on_wake ? context_.wake_fd : -1, POLLIN, 0};
  fds[out] = {process_.captured_fd(OutputRoom::out), POLLIN, 0};
  fds[err] = {process_.captured_fd(OutputRoom::err), POLLIN, 0};
  fds[in] = {process_.feed_fd(), POLLOUT, 0};
  // The last places are empty for most commands.
  nfds_t count = watched;
  while (fds[count - 1].fd < 0) --count;

  for (;;) {
    if (stop_ordered() && leave()) return;
    const timespec left = time_left(now_ns());
    const int ready = ppoll(fds, count, &left, gate_.before());
    if (ready > 0) {
      if (fds[out].revents != 0) process_.read_captured(OutputRoom::out);
      if (fds[err].revents != 0) process_.read_captured(OutputRoom::err);
      if (fds[in].revents != 0) {
        process_.feed();
        fds[in].fd = process_.feed_fd();
      }
      if (fds[end].revents != 0) return;
      if (fds[wake].revents != 0) process_.requested(context_.on_wake());
      gate_.let_in();
    }
    const std::uint64_t now = now_ns();
    process_.check_times(now);
    if (now >= orphans_at_) {
      orphans_at_ = now + kOrphansEvery;
      // A zombie whose parent died before it stays with us, their subreaper, until somebody waits
      // for it; a command that runs for hours may make many. The command itself is not reaped here:
      // its pid must stay its own while we may still signal it.
      reap_dead_strays(process_.pid());
    }
  }
}

timespec CommandRun::time_left(std::uint64_t now) const {
  const std::uint64_t at = std::min(process_.next_time(), orphans_at_);
  const std::uint64_t left = at > now ? at - now : 0;
  return {time_t(left / 1'000'000'000), long(left % 1'000'000'000)};
}

// Our own process must end. True if the command is dead. One that does not die (in uninterruptible
// sleep) keeps us: its job is not over, and whoever ended our process then would see to both.
bool CommandRun::leave() {
  process_.kill_now();
  pollfd dead{process_.pidfd(), POLLIN, 0};
  return poll(&dead, 1, int(kStopWait / kMillisecond)) > 0;
}

void CommandRun::bury() {
  const bool keep = process_.keeps_strays();
  process_.bury();
  // Almost always there is no other child, and this says so.
  if (!may_have_strays()) return;
  if (keep) {
    reap_dead_strays();
  } else {
    reap_strays();
  }
}

}  // namespace

CommandOutput run_command(const Command& command, const CommandContext& context) {
  return CommandRun(command, context).run();
}

}  // namespace jobring
