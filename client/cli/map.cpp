// jobring map: a command or a handler over many inputs.
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>

#include <jobring/jobring.hpp>

#include "client/cli/limits.hpp"
#include "client/cli/map_loop.hpp"
#include "client/cli/map_options.hpp"
#include "client/cli/terminal.hpp"
#include "client/cli/verbs.hpp"

namespace jobring::cli {
namespace {

constexpr HelpText kHelp = {
    .verb = "map",
    .usage = "[OPTIONS] [--] [COMMAND...] [::: WORD... | :::: FILE...]...",
    .summary =
        "Runs COMMAND once for each input; inputs are words after :::, lines of files, or lines of "
        "stdin.\n"
        "{} is the input, {.} without extension, {/} its last part, {//} its directory, {/.} last "
        "part without\n"
        "extension, {#} the job's number, {2} the second source's input. Without any of them {} is "
        "added.\n"
        "Several ::: are multiplied, :::+ goes in step with the one before. Without COMMAND each "
        "input is a shell\n"
        "line. Exits with the number of failed jobs, at most 101.",
    .examples =
        "  jobring map sha256sum {} ::: *.iso\n"
        "  find . -name '*.wav' -print0 | jobring map -0 --bar flac -s {} -o {.}.flac\n"
        "  jobring map --shell 'gzip -c {} > {.}.gz' ::: *.log\n"
        "  jobring map -k --handler square ::: 1 2 3\n"
        "  jobring map --joblog log --resume ./simulate {1} {2} ::: a b ::: 1 2 3\n"};

[[noreturn]] void fail(const Error& error) {
  throw Exception(exit_status(error.code), to_string(error.code), error.line());
}

int dry_run(const MapOptions& options) {
  auto inputs = MapInputs::open(options.sources, options.separator, std::size_t(1) << 20);
  if (!inputs) fail(inputs.error());
  const MapJobs jobs(options);
  MapInput input;
  while (!std::ferror(stdout)) {
    const auto pulled = inputs->next(input);
    if (!pulled) fail(pulled.error());
    if (*pulled == Pull::end) break;
    if (*pulled == Pull::later) {
      pollfd fd = {inputs->fd(), POLLIN, 0};
      poll(&fd, 1, -1);
      continue;
    }
    std::printf("%s\n", jobs.title(input).c_str());
  }
  return 0;
}

int map(const MapOptions& options) {
  Client client = Client::connect(options.daemon.resolve());
  Channel channel = client.channel(options.pool);
  // Not before: a private daemon and its commands would inherit it.
  signal(SIGPIPE, SIG_IGN);
  // An unknown handler's name is an error now, not once per input.
  channel.handler(options.handler.empty() ? "exec" : options.handler);
  auto inputs = MapInputs::open(options.sources, options.separator, channel.max_payload());
  if (!inputs) fail(inputs.error());
  SeqSet done;
  std::optional<JobLog> log;
  if (!options.joblog.empty()) {
    auto opened = JobLog::open(options.joblog, options.resume, done);
    if (!opened) fail(opened.error());
    log.emplace(std::move(*opened));
  }
  MapJobs jobs(options);
  return MapLoop(options, jobs, channel, std::move(*inputs), log ? &*log : nullptr, std::move(done))
      .run();
}

}  // namespace

int map_verb(Arguments arguments) {
  MapOptions map_options;
  std::vector<std::string> files;
  std::string halt = "never";
  bool null = false;
  Options options(kHelp);
  options.list("-a,--arg-file", files, "FILE",
               "a source: the lines of FILE (\"-\": stdin); may be repeated");
  options.flag("-0,--null", null, "inputs of files and stdin end with NUL, not with newline");
  options.number("-j,--jobs", map_options.jobs, 1, 1u << 20, "N",
                 "at most N jobs in flight; default: as the workers allow");
  options.flag("-k,--keep-order", map_options.keep_order, "print in the order of the inputs");
  options.flag("--shell", map_options.shell, "run the command through /bin/sh; inputs are quoted");
  options.text("--handler", map_options.handler, "NAME",
               "run this handler instead: its payload is the input (or COMMAND's words)");
  options.text("--pool", map_options.pool, "NAME", "pool to run in; default: \"default\"");
  options.flag("--tag", map_options.tag, "start each line of output with the input and a tab");
  options.flag("--bar", map_options.bar, "a progress bar on stderr");
  options.flag("--eta", map_options.eta, "progress and remaining time on stderr, without the bar");
  options.text("--joblog", map_options.joblog, "FILE", "log each job in GNU parallel's format");
  options.flag("--resume", map_options.resume,
               "leave out jobs that --joblog FILE has, and add to it");
  options.text("--halt", halt, "POLICY",
               "stop early: now,fail=1; soon,fail=10%; now,success=1; default: never");
  options.number("--retries", map_options.tries, 1, 1000, "N",
                 "run a failing job up to N times in all");
  options.size("--max-output", map_options.max_output,
               "keep so much of each job's stdout and stderr: 64MiB");
  add_limits_to(options, map_options.limits);
  map_options.job.add_to(options);
  map_options.job.add_retries_to(options);
  options.flag("--dry-run", map_options.dry_run, "print the commands, run nothing");
  options.flag("--json", map_options.json,
               "print a JSON object per job, one a line, instead of its output");
  options.flag("-q,--quiet", map_options.quiet, "no messages about single jobs");
  map_options.daemon.add_to(options);
  std::vector<std::string> words;
  if (const auto status = options.parse(arguments, Options::Order::before_words, words))
    return *status;

  MapWords split = split_map_words(words);
  map_options.command = std::move(split.command);
  for (std::string& file : files)
    map_options.sources.push_back({.is_file = true, .file = std::move(file)});
  for (SourceSpec& source : split.sources) map_options.sources.push_back(std::move(source));
  map_options.separator = null ? '\0' : '\n';
  map_options.lines_are_commands = map_options.command.empty() && map_options.handler.empty();
  if (!map_options.handler.empty() && map_options.limits != CommandLimits{})
    return options.usage_error("--limit is for commands, not for --handler");
  if (map_options.resume && map_options.joblog.empty())
    return options.usage_error("--resume needs --joblog FILE");
  const auto policy = parse_halt(halt);
  if (!policy) return options.usage_error(policy.error().line());
  map_options.halt = *policy;
  if (map_options.sources.empty()) {
    if (is_terminal(STDIN_FILENO)) {
      if (map_options.lines_are_commands)
        return options.usage_error("neither a command nor inputs are given");
      std::fputs("jobring map: inputs are read from the terminal, one a line; Ctrl-D ends them\n",
                 stderr);
    }
    map_options.sources.push_back({.is_file = true, .file = "-"});
  }
  return map_options.dry_run ? dry_run(map_options) : map(map_options);
}

}  // namespace jobring::cli
