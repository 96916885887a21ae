// The built-in handler "exec": a job that is a command.
#include <vector>

#include "common/exec_codec.hpp"
#include "worker/client_command.hpp"
#include "worker/exec/run_command.hpp"
#include "worker/leave.hpp"
#include "worker/worker.hpp"

namespace jobring {

void Worker::run_command_job(JobRun& job) {
  auto command = decode_command(job.payload());
  if (!command) return job.end(Outcome::bad_request, command.error().line());

  CommandContext context;
  prepare_command(job, settings_, *command, context);
  std::vector<ForeignFd> stdio;
  if (job.slot().flags.get() & kJobUsesStdio) {
    stdio = std::move(job.channel().stdio);
    job.channel().stdio.clear();
    if (stdio.empty()) {
      link_.report(StdioRequest{job.channel().id});
      for (UniqueFd& fd : link_.await<StdioReply>().fds)
        stdio.emplace_back(std::move(fd), job.channel().uid);
    }
    if (stdio.size() != 3)
      return job.end(Outcome::bad_request,
                     "the client has not passed its descriptors with this channel");
    for (std::size_t i = 0; i < 3; ++i) context.stdio[i] = stdio[i].get();
  }
  context.wake_fd = link_.fd();
  context.stop_flag = &leave_requested;
  std::vector<Order> others;
  context.on_wake = [&]() -> int {
    auto order = link_.poll();
    if (!order) return 0;
    if (const auto* stop = std::get_if<StopJob>(&order->message)) {
      const bool ours = stop->channel == job.channel().id && stop->slot == job.index() &&
                        stop->generation == job.slot().word().generation();
      return ours ? stop->signal : 0;
    }
    others.push_back(std::move(*order));  // closed channels, drains: when the command is over
    return 0;
  };
  const CommandOutput output = [&] {
    const CommandRunning running;
    return run_command(*command, context);
  }();
  for (Order& order : others) link_.keep(std::move(order));
  stdio.clear();
  if (foreign_closes() >= kForeignClosesMax) worn_ = true;
  if (leave_requested) leave_now();

  end_command_job(job, output);
}

}  // namespace jobring
