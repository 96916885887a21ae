#include "worker/exec/run_command.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "common/clock.hpp"
#include "common/unique_fd.hpp"
#include "worker/exec/capture.hpp"
#include "worker/exec/prepared_command.hpp"
#include "worker/exec/signal_gate.hpp"
#include "worker/exec/spawn.hpp"

namespace jobring {
namespace {

constexpr std::uint64_t kMillisecond = 1'000'000;  // nanoseconds
// How long zombies that are not the command's may stay.
constexpr std::uint64_t kOrphansEvery = 10'000 * kMillisecond;
// For a killed command to die when we must leave.
constexpr std::uint64_t kStopWait = 1'000 * kMillisecond;
constexpr std::uint64_t kNever = ~std::uint64_t{0};

std::uint64_t microseconds(const timeval& t) {
  return std::uint64_t(t.tv_sec) * 1'000'000 + std::uint64_t(t.tv_usec);
}

// Opened once in each thread: every command without input reads it.
int null_input() {
  static thread_local int fd = -1;
  if (fd < 0)
    fd = open("/dev/null", O_RDONLY | O_CLOEXEC);  // again, if there was no descriptor left
  return fd;
}

class CommandRun {
 public:
  CommandRun(const Command& command, const CommandContext& context)
      : command_(command), context_(context), kept_(context.output_room, command.output_max) {}

  CommandOutput run() {
    started_ns_ = now_ns();
    if (start()) {
      watch();
      bury();
    }
    return output();
  }

 private:
  enum Watched : std::size_t { end, wake, out, err, in, watched };

  bool start();
  bool open_streams(SpawnPlan& plan);
  bool failed(const char* step, int error);
  void watch();
  timespec time_left(std::uint64_t now) const;
  bool stop_ordered() const { return context_.stop_flag != nullptr && *context_.stop_flag != 0; }
  void requested(int signal);
  void check_times(std::uint64_t now);
  void signal_group(int signal);
  bool leave();
  void bury();
  void describe_failure(const StartNote& note);
  CommandOutput output();

  const Command& command_;
  const CommandContext& context_;
  const SignalGate gate_;
  CommandReport report_;
  OutputRoom kept_;
  CapturePipe pipes_[2];
  FeedPipe feed_;
  StartNote* note_ = nullptr;
  const Identity* identity_ = nullptr;
  PreparedCommand prepared_{command_};
  pid_t pid_ = -1;
  UniqueFd pidfd_;
  std::uint64_t started_ns_ = 0;
  std::uint64_t timeout_at_ = kNever;
  std::uint64_t kill_at_ = kNever;
  std::uint64_t orphans_at_ = kNever;
};

bool CommandRun::failed(const char* step, int error) {
  report_.start_step = step;
  report_.start_errno = error;
  return false;
}

bool CommandRun::open_streams(SpawnPlan& plan) {
  plan.stdio = context_.stdio;
  if (plan.stdio[0] < 0) {
    if (!command_.stdin_file.empty()) {
      plan.input_file = command_.stdin_file.c_str();
    } else if (!command_.stdin_text.empty()) {
      if (!feed_.open(command_.stdin_text)) return failed("pipe for stdin", errno);
      plan.stdio[0] = feed_.command_fd();
    } else {
      plan.stdio[0] = null_input();
      if (plan.stdio[0] < 0) return failed("open /dev/null", errno);
    }
  }
  for (std::size_t i = 0; i < 2; ++i) {
    if (plan.stdio[i + 1] >= 0) continue;
    if (!pipes_[i].open()) return failed("pipe for output", errno);
    plan.stdio[i + 1] = pipes_[i].command_fd();
  }
  return true;
}

bool CommandRun::start() {
  SpawnPlan plan{};
  plan.argv = prepared_.argv();
  plan.env = prepared_.env();
  plan.paths = prepared_.paths();
  plan.directory = command_.cwd.empty() ? nullptr : command_.cwd.c_str();
  plan.umask = command_.umask;
  const Identity* wanted = context_.identity;
  if (wanted != nullptr && (wanted->uid != geteuid() || wanted->gid != getegid()))
    plan.identity = wanted;
  identity_ = plan.identity;
  note_ = plan.note = fresh_note();
  if (note_ == nullptr) return failed("mmap", ENOMEM);
  if (!open_streams(plan)) return false;

  pid_ = spawn(plan);
  if (pid_ < 0) return failed("vfork", errno);
  report_.pid = std::uint32_t(pid_);
  feed_.started();
  pidfd_.reset(int(syscall(SYS_pidfd_open, pid_, 0)));
  if (!pidfd_) {
    const int error = errno;
    signal_group(SIGKILL);
    bury();
    report_.exit_code = -1;
    report_.signal = 0;
    return failed("pidfd_open", error);
  }
  if (context_.timeout_ms != 0) timeout_at_ = started_ns_ + context_.timeout_ms * kMillisecond;
  orphans_at_ = started_ns_ + kOrphansEvery;
  return true;
}

void CommandRun::watch() {
  pollfd fds[watched];
  fds[end] = {pidfd_.get(), POLLIN, 0};
  fds[wake] = {context_.on_wake ? context_.wake_fd : -1, POLLIN, 0};
  fds[out] = {pipes_[0].read_fd(), POLLIN, 0};
  fds[err] = {pipes_[1].read_fd(), POLLIN, 0};
  fds[in] = {feed_.write_fd(), POLLOUT, 0};
  // The last places are empty for most commands.
  nfds_t count = watched;
  while (fds[count - 1].fd < 0) --count;

  for (;;) {
    if (stop_ordered() && leave()) return;
    const timespec left = time_left(now_ns());
    const int ready = ppoll(fds, count, &left, gate_.before());
    if (ready > 0) {
      if (fds[out].revents != 0) pipes_[0].read_into(kept_, OutputRoom::out);
      if (fds[err].revents != 0) pipes_[1].read_into(kept_, OutputRoom::err);
      if (fds[in].revents != 0) {
        feed_.feed();
        fds[in].fd = feed_.write_fd();
      }
      if (fds[end].revents != 0) return;
      if (fds[wake].revents != 0) requested(context_.on_wake());
      gate_.let_in();
    }
    check_times(now_ns());
  }
}

timespec CommandRun::time_left(std::uint64_t now) const {
  const std::uint64_t at = std::min({timeout_at_, kill_at_, orphans_at_});
  const std::uint64_t left = at > now ? at - now : 0;
  return {time_t(left / 1'000'000'000), long(left % 1'000'000'000)};
}

void CommandRun::requested(int signal) {
  if (signal == 0) return;
  if (!report_.timed_out) report_.killed = true;
  signal_group(signal);
  timeout_at_ = kNever;  // it is being ended already
  if (kill_at_ == kNever) kill_at_ = now_ns() + context_.kill_grace_ms * kMillisecond;
}

void CommandRun::check_times(std::uint64_t now) {
  if (now >= timeout_at_) {
    timeout_at_ = kNever;
    report_.timed_out = true;
    kill_at_ = now + context_.kill_grace_ms * kMillisecond;
    signal_group(SIGTERM);
    signal_group(SIGCONT);  // a stopped process would not see it
  }
  if (now >= kill_at_) {
    // Again and again, until it is gone: the group may have grown between two of them.
    kill_at_ = now + std::max<std::uint64_t>(context_.kill_grace_ms, 1000) * kMillisecond;
    signal_group(SIGKILL);
  }
  if (now >= orphans_at_) {
    orphans_at_ = now + kOrphansEvery;
    // A zombie whose parent died before stays with us, their subreaper, until somebody waits for
    // it; a command that runs for hours may make many. The command itself is not reaped here: its
    // pid must stay its own while we may still signal it.
    reap_dead_strays(pid_);
  }
}

// The pid is safe to use: it stays a zombie's until bury().
void CommandRun::signal_group(int signal) {
  const bool reached = kill(-pid_, signal) == 0;
  // It may have left its group.
  if (!reached || signal == SIGKILL) kill(pid_, signal);
}

// Our own process must end. True if the command is dead. One that does not die (in uninterruptible
// sleep) keeps us: its job is not over, and whoever ended our process then would see to both.
bool CommandRun::leave() {
  if (!report_.timed_out) report_.killed = true;
  signal_group(SIGKILL);
  pollfd dead{pidfd_.get(), POLLIN, 0};
  return poll(&dead, 1, int(kStopWait / kMillisecond)) > 0;
}

void CommandRun::bury() {
  const bool keep = context_.keep_strays && !report_.killed && !report_.timed_out;
  // First the rest of its group, while the zombie still holds the group's number.
  if (!keep) kill(-pid_, SIGKILL);
  int status = 0;
  rusage used{};
  while (wait4(pid_, &status, 0, &used) < 0 && errno == EINTR) {
  }
  report_.wall_us = (now_ns() - started_ns_) / 1000;
  if (note_->step != StartStep::none) {
    describe_failure(*note_);
  } else if (WIFSIGNALED(status)) {
    report_.signal = WTERMSIG(status);
  } else {
    report_.exit_code = WEXITSTATUS(status);
  }
  report_.user_us = microseconds(used.ru_utime);
  report_.system_us = microseconds(used.ru_stime);
  report_.max_rss_kib = std::uint64_t(used.ru_maxrss);
  for (const auto stream : {OutputRoom::out, OutputRoom::err}) {
    if (pipes_[stream].is_open()) pipes_[stream].drain_into(kept_, stream);
  }
  // Almost always there is no other child, and this says so.
  if (!may_have_strays()) return;
  if (keep) {
    reap_dead_strays();
  } else {
    reap_strays();
  }
}

void CommandRun::describe_failure(const StartNote& note) {
  report_.start_errno = note.error;
  switch (note.step) {
    case StartStep::none:
      break;
    case StartStep::process_group:
      report_.start_step = "setpgid";
      break;
    case StartStep::descriptors:
      report_.start_step = "dup2";
      break;
    case StartStep::identity:
      report_.start_step = "become user " + std::to_string(identity_->uid);
      break;
    case StartStep::directory:
      report_.start_step = "chdir " + command_.cwd;
      break;
    case StartStep::input:
      report_.start_step = "open " + command_.stdin_file;
      break;
    case StartStep::exec:
      // Not found anywhere: the name that was asked for says more than the last place that was
      // tried.
      report_.start_step = "exec ";
      report_.start_step +=
          note.error == ENOENT ? command_.argv.front() : prepared_.paths()[note.path];
      break;
  }
}

CommandOutput CommandRun::output() {
  auto& out_kept = kept_[OutputRoom::out];
  auto& err_kept = kept_[OutputRoom::err];
  report_.stdout_total = out_kept.total;
  report_.stderr_total = err_kept.total;
  report_.stdout_truncated = out_kept.truncated();
  report_.stderr_truncated = err_kept.truncated();
  return {std::move(report_), std::move(out_kept.text), std::move(err_kept.text)};
}

}  // namespace

CommandOutput run_command(const Command& command, const CommandContext& context) {
  return CommandRun(command, context).run();
}

}  // namespace jobring
