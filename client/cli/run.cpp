// jobring run: one command on our own stdin, stdout and stderr, which travel to the worker.
#include <cstdio>
#include <cstdlib>

#include <jobring/jobring.hpp>

#include "client/cli/attend.hpp"
#include "client/cli/caller.hpp"
#include "client/cli/connection.hpp"
#include "client/cli/job_options.hpp"
#include "client/cli/json.hpp"
#include "client/cli/limits.hpp"
#include "client/cli/options.hpp"
#include "client/cli/outcome.hpp"
#include "client/cli/verbs.hpp"
#include "common/exec_codec.hpp"
#include "common/result.hpp"

namespace jobring::cli {
namespace {

constexpr HelpText kHelp = {
    .verb = "run",
    .usage = "[OPTIONS] [--] COMMAND [ARGUMENT...]",
    .summary =
        "Runs one command in a worker, with this directory, environment, umask, stdin, stdout and "
        "stderr.\n"
        "Exits with the command's status: 128+signal, 124 timed out, 126/127 cannot run.",
    .examples =
        "  jobring run -- make -j4\n"
        "  make CC=\"jobring run -- gcc\"\n"
        "  jobring run --timeout 90s --pool slow ./simulate 42 > out.txt\n"
        "  jobring run -c 'sort \"$1\" | uniq -c' words.txt\n"};

struct RunOptions {
  AnyDaemon daemon;
  JobFlags job;
  std::string pool = "default";
  std::string shell;
  std::string cwd;
  std::chrono::milliseconds kill_after{0};
  CommandLimits limits;
  bool json = false;
};

Command make_command(const RunOptions& options, std::vector<std::string> words) {
  Command command = command_of_caller();
  if (!options.cwd.empty()) {
    command.cwd = options.cwd.front() == '/' ? options.cwd : command.cwd + "/" + options.cwd;
  }
  if (!options.shell.empty()) {
    // The words after it are $1, $2, ... as with sh -c.
    command.argv = {"/bin/sh", "-c", options.shell, "sh"};
    command.argv.insert(command.argv.end(), words.begin(), words.end());
  } else {
    command.argv = std::move(words);
  }
  command.kill_grace_ms = std::uint32_t(options.kill_after.count());
  command.limits = options.limits;
  return command;
}

int run_command(const RunOptions& options, const Command& command) {
  Client client = Client::connect(options.daemon.resolve());
  Channel channel = client.channel(options.pool, {.slots = 1, .pass_stdio = true});
  const std::string payload = encode(command);
  JobRef job = {};
  const bool room = channel.prepare_with_stdio(
      channel.handler(kExecHandler), std::as_bytes(std::span(payload.data(), payload.size())), 0,
      options.job.resolve(), &job);
  if (!room) {
    throw Exception(exit_status(Errc::full), to_string(Errc::full), "the channel has no free slot");
  }
  const Attended attended = attend(channel, job);
  const JobEnd end = judge(attended.completion, true);
  if (options.json) {
    std::fprintf(stderr, "%s\n", job_json(end, nullptr).c_str());
  } else if (!end.problem.empty() && attended.signal == 0) {
    std::fprintf(stderr, "jobring run: %s\n", end.problem.c_str());
  }
  const int status = attended.signal != 0 ? 128 + attended.signal : end.status;
  if (!client.is_private()) {
    // The kernel takes down what we hold, and faster than we could; only a private daemon has to be
    // waited for.
    std::fflush(nullptr);
    std::_Exit(status);
  }
  return status;
}

bool has_options(Arguments arguments) {
  return arguments.empty() || (*arguments[0] == '-' && std::string_view(arguments[0]) != "--");
}

// As Options::parse() would take a command line without options. Building the options costs 50 µs,
// a tenth of what a call takes here; `make CC="jobring run -- gcc"` pays it thousands of times.
std::vector<std::string> words_without_options(Arguments arguments) {
  const std::size_t skip = std::string_view(arguments[0]) == "--" ? 1 : 0;
  return {arguments.begin() + std::ptrdiff_t(skip), arguments.end()};
}

}  // namespace

int run_verb(Arguments arguments) {
  RunOptions run;
  if (!has_options(arguments)) {
    std::vector<std::string> words = words_without_options(arguments);
    if (!words.empty()) return run_command(run, make_command(run, std::move(words)));
  }
  Options options(kHelp);
  options.text("--pool", run.pool, "NAME", "pool to run in; default: \"default\"");
  options.text("-c,--shell", run.shell, "STRING",
               "run STRING with /bin/sh; words after it are $1, $2, ...");
  options.text("--cwd", run.cwd, "DIR", "directory to run in");
  run.job.add_to(options);
  options.duration("--kill-after", run.kill_after,
                   "time between TERM and KILL; default: the daemon's");
  add_limits_to(options, run.limits);
  options.flag("--json", run.json, "at the end, a JSON report on stderr");
  run.daemon.add_to(options);
  std::vector<std::string> words;
  if (const auto status = options.parse(arguments, Options::Order::before_words, words))
    return *status;
  if (words.empty() && run.shell.empty()) return options.usage_error("no command is given");
  return run_command(run, make_command(run, std::move(words)));
}

}  // namespace jobring::cli
