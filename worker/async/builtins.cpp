#include <utility>  // before Asio

#include "worker/async/builtins.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstring>
#include <string>
#include <vector>

#include "common/exec_codec.hpp"
#include "common/http_codec.hpp"
#include "worker/async/async_commands.hpp"
#include "worker/async/duration.hpp"
#include "worker/async/http_client.hpp"
#include "worker/client_command.hpp"

namespace jobring {

namespace asio = boost::asio;

namespace {

constexpr const char* kBuiltIn = "built in";

// How many commands may run at a time: each takes seven descriptors, and channels, connections and
// handlers need some too.
std::size_t commands_at_a_time() {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == RLIM_INFINITY) return 4096;
  return std::clamp<std::size_t>(files.rlim_cur / 10, 4, 4096);
}

void reply(JobRun& job, std::string_view first, std::string_view second = {}) {
  unsigned char* room = job.reserve(first.size() + second.size());
  if (room == nullptr) return;  // too big: reserve() has said so
  std::memcpy(room, first.data(), first.size());
  if (!second.empty()) std::memcpy(room + first.size(), second.data(), second.size());
  job.commit(first.size() + second.size());
}

std::string_view text_of(const JobRun& job) {
  return {reinterpret_cast<const char*>(job.payload().data()), job.payload().size()};
}

}  // namespace

AsyncBuiltins::AsyncBuiltins(asio::io_context::executor_type loop, const WorkerProcess& process,
                             OrderLink& link)
    : process_(process),
      link_(link),
      http_(std::make_unique<HttpClient>(loop)),
      commands_(std::make_unique<AsyncCommands>(loop, commands_at_a_time())) {}

AsyncBuiltins::~AsyncBuiltins() = default;

std::vector<Handler> AsyncBuiltins::handlers() {
  std::vector<Handler> all;
  for (const std::string_view name :
       {std::string_view("echo"), kExecHandler, kHttpHandler, std::string_view("sleep")}) {
    all.push_back({std::string(name), nullptr, nullptr, kBuiltIn});
  }
  return all;
}

std::size_t AsyncBuiltins::commands() const {
  return commands_->running();
}

asio::awaitable<void> AsyncBuiltins::start(AsyncJob& job, const Handler& handler) {
  if (handler.name == kExecHandler) return exec(job);
  if (handler.name == kHttpHandler) return http(job);
  if (handler.name == "sleep") return sleep(job);
  return echo(job);
}

asio::awaitable<void> AsyncBuiltins::echo(AsyncJob& job) {
  reply(job.run, text_of(job.run));
  co_return;
}

asio::awaitable<void> AsyncBuiltins::sleep(AsyncJob& job) {
  const auto time = parse_sleep(text_of(job.run));
  if (!time) {
    job.run.end(Outcome::bad_request,
                "sleep takes a number of seconds, or one with a unit: 2, 0.5, 250ms, 1.5m");
    co_return;
  }
  asio::steady_timer timer(co_await asio::this_coro::executor);
  // From when the job started, not from when this line ran: jobs that start together end together.
  timer.expires_at(asio::steady_timer::time_point(std::chrono::nanoseconds(job.started_ns)) +
                   *time);
  co_await timer.async_wait(asio::use_awaitable);
}

asio::awaitable<void> AsyncBuiltins::http(AsyncJob& job) {
  auto decoded = decode_http_request(job.run.payload());
  if (!decoded) {
    job.run.end(Outcome::bad_request, decoded.error().line());
    co_return;
  }
  if (!decoded->request.ca_file.empty() && !job.channel.trusted) {
    // It would be opened with our rights.
    job.run.end(Outcome::bad_request, "ca_file: only for clients of the daemon's own user");
    co_return;
  }
  const bool plain = decoded->plain;
  HttpClient::Response response;
  try {
    response = co_await http_->fetch(std::move(decoded->request), job.run.max_result());
  } catch (const HttpFailed& e) {
    if (job.stopped || job.timed_out)
      throw boost::system::system_error(asio::error::operation_aborted);
    job.run.end(Outcome::failed, e.what());
    co_return;
  }
  if (!plain) {
    const std::string head = encode_head(response.report, response.body.size());
    reply(job.run, head, response.body);
  } else if (response.report.ok()) {
    reply(job.run, response.body);
  } else {
    job.run.end(Outcome::failed, std::to_string(response.report.status) + " " +
                                     response.report.reason + ": " + response.report.url);
  }
}

asio::awaitable<void> AsyncBuiltins::exec(AsyncJob& job) {
  auto command = decode_command(job.run.payload());
  if (!command) {
    job.run.end(Outcome::bad_request, command.error().line());
    co_return;
  }
  CommandContext context;
  prepare_command(job.run, process_.settings, *command, context);
  std::vector<ForeignFd> stdio;
  if (job.run.slot().flags.get() & kJobUsesStdio) {
    stdio = std::move(job.channel.stdio);
    job.channel.stdio.clear();
    if (stdio.empty()) {
      // The supervisor answers at once: the loop may stand still meanwhile.
      link_.report(StdioRequest{job.channel.id});
      for (UniqueFd& fd : link_.await<StdioReply>().fds)
        stdio.emplace_back(std::move(fd), job.channel.uid);
    }
    if (stdio.size() != 3) {
      job.run.end(Outcome::bad_request,
                  "the client has not passed its descriptors with this channel");
      co_return;
    }
    for (std::size_t i = 0; i < 3; ++i) context.stdio[i] = stdio[i].get();
  }
  AsyncCommands::Control control;
  // Its own clock keeps its time: it has the command's grace.
  job.on_stop = [&control](int signal) {
    if (signal == 0) return;
    if (control.stop) {
      control.stop(signal);
    } else {
      control.asked = signal;
    }
  };
  CommandOutput output;
  output = co_await commands_->run(std::move(*command), context, control);
  job.on_stop = nullptr;
  stdio.clear();
  end_command_job(job.run, output);
}

}  // namespace jobring
