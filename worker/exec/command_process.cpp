#include "worker/exec/command_process.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "common/clock.hpp"
#include "common/command_limits.hpp"

namespace jobring {
namespace {

constexpr std::uint64_t kMillisecond = 1'000'000;  // nanoseconds

std::uint64_t microseconds(const timeval& t) {
  return std::uint64_t(t.tv_sec) * 1'000'000 + std::uint64_t(t.tv_usec);
}

std::string limit_step(int resource, std::uint64_t value) {
  for (const CommandLimit& limit : kCommandLimits) {
    if (limit.resource != resource) continue;
    return std::string("limit ") + limit.name + " to " +
           (value == RLIM_INFINITY ? "unlimited" : std::to_string(value));
  }
  return "limit";
}

// Opened once in each thread: every command without input reads it.
int null_input() {
  static thread_local int fd = -1;
  if (fd < 0)
    fd = open("/dev/null", O_RDONLY | O_CLOEXEC);  // again, if there was no descriptor left
  return fd;
}

}  // namespace

CommandProcess::CommandProcess(const Command& command, const CommandContext& context)
    : command_(command), context_(context), kept_(context.output_room, command.output_max) {
  if (context.output_directory.empty()) return;
  std::uint64_t most = context.output_file_max;
  if (command.output_max != 0) most = std::min(most, command.output_max);
  kept_[OutputRoom::out].file.emplace(context.output_directory, context.output_name + ".out", most);
  kept_[OutputRoom::err].file.emplace(context.output_directory, context.output_name + ".err", most);
}

bool CommandProcess::failed(std::string step, int error) {
  report_.start_step = std::move(step);
  report_.start_errno = error;
  return false;
}

bool CommandProcess::open_streams(SpawnPlan& plan) {
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

// What the worker may not have itself is refused here, though root could set it: a pool's limits
// hold for all of its commands.
bool CommandProcess::set_limits(SpawnPlan& plan) {
  for (const CommandLimit& limit : kCommandLimits) {
    const auto& wanted = command_.limits.*limit.value;
    if (!wanted) continue;
    rlimit ours{};
    if (getrlimit(__rlimit_resource_t(limit.resource), &ours) != 0)
      return failed(limit_step(limit.resource, *wanted), errno);
    if (*wanted > ours.rlim_max) {
      return failed(
          limit_step(limit.resource, *wanted) + ", its worker has " + std::to_string(ours.rlim_max),
          EPERM);
    }
    rlim_t hard = *wanted;
    // At a hard limit of processor time comes KILL, which does not say why: XCPU shall come before.
    if (limit.resource == RLIMIT_CPU && hard < ours.rlim_max) ++hard;
    limits_.push_back({limit.resource, {*wanted, hard}});
  }
  plan.limits = limits_;
  return true;
}

bool CommandProcess::start() {
  started_ns_ = now_ns();
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
  note_ = plan.note = lease_.take();
  if (note_ == nullptr) return failed("mmap", ENOMEM);
  if (!set_limits(plan) || !open_streams(plan)) return false;

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
  return true;
}

void CommandProcess::requested(int signal) {
  if (signal == 0) return;
  if (!report_.timed_out) report_.killed = true;
  signal_group(signal);
  timeout_at_ = kNever;  // it is being ended already
  if (kill_at_ == kNever) kill_at_ = now_ns() + context_.kill_grace_ms * kMillisecond;
}

void CommandProcess::check_times(std::uint64_t now) {
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
}

// The pid is safe to use: it stays a zombie's until bury().
void CommandProcess::signal_group(int signal) {
  const bool reached = kill(-pid_, signal) == 0;
  // It may have left its group.
  if (!reached || signal == SIGKILL) kill(pid_, signal);
}

void CommandProcess::bury() {
  // First the rest of its group, while the zombie still holds the group's number.
  if (!keeps_strays()) kill(-pid_, SIGKILL);
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
}

// It may be anywhere in its life, also past its time.
void CommandProcess::kill_now() {
  if (!report_.timed_out) report_.killed = true;
  signal_group(SIGKILL);
}

void CommandProcess::describe_failure(const StartNote& note) {
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
    case StartStep::limits: {
      const SpawnLimit& limit = limits_[std::size_t(note.path)];
      report_.start_step = limit_step(limit.resource, limit.value.rlim_cur);
      break;
    }
    case StartStep::exec:
      // Not found anywhere: the name that was asked for says more than the last place that was
      // tried.
      report_.start_step = "exec ";
      report_.start_step +=
          note.error == ENOENT ? command_.argv.front() : prepared_.paths()[note.path];
      break;
  }
}

CommandOutput CommandProcess::output() {
  auto& out_kept = kept_[OutputRoom::out];
  auto& err_kept = kept_[OutputRoom::err];
  report_.stdout_total = out_kept.total;
  report_.stderr_total = err_kept.total;
  report_.stdout_truncated = out_kept.truncated();
  report_.stderr_truncated = err_kept.truncated();
  return {std::move(report_), std::move(out_kept.text), std::move(err_kept.text)};
}

}  // namespace jobring
