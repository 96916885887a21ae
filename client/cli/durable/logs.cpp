// jobring logs: the output of a durable command, also while it runs.
#include <cstdio>

#include "client/cli/durable/follow.hpp"
#include "client/cli/durable/selection.hpp"
#include "client/cli/durable/session.hpp"
#include "client/cli/verbs.hpp"

namespace jobring::cli {
namespace {

constexpr HelpText kHelp = {
    .verb = "logs",
    .usage = "[OPTIONS] ID|last",
    .summary =
        "Prints what a durable command wrote, also while it runs: its stdout and then its stderr, "
        "each to ours.",
    .examples =
        "  jobring logs last\n"
        "  jobring logs -f --tail 20 12\n"
        "  jobring logs --stderr --attempt 1 12\n"};

struct LogFlags {
  std::string socket;
  bool follow = false, only_out = false, only_err = false;
  std::optional<std::uint64_t> tail;
  std::uint64_t attempt = 0;
};

int print_logs(DurableJobs& jobs, JobId id, const LogFlags& flags) {
  const auto attempt = std::uint32_t(flags.attempt);
  if (flags.follow) {
    follow(
        jobs, id,
        {.out = !flags.only_err, .err = !flags.only_out, .attempt = attempt, .tail = flags.tail});
    return 0;
  }
  bool whole = true;
  if (!flags.only_err) whole = print_output(jobs, id, false, attempt, flags.tail) && whole;
  if (!flags.only_out) whole = print_output(jobs, id, true, attempt, flags.tail) && whole;
  if (!whole) {
    std::fprintf(stderr, "jobring logs: the command wrote more than was kept (--output-max)\n");
  }
  return 0;
}

}  // namespace

int logs_verb(Arguments arguments) {
  LogFlags flags;
  Options options(kHelp);
  options.flag("-f,--follow", flags.follow, "go on as it writes, until it has ended");
  std::uint64_t tail = UINT64_MAX;
  options.number("--tail", tail, 0, UINT32_MAX, "N", "only the last N lines of what there is");
  options.flag("--stdout", flags.only_out, "stdout only");
  options.flag("--stderr", flags.only_err, "stderr only");
  options.number("--attempt", flags.attempt, 1, UINT32_MAX, "N",
                 "of this attempt; default: the last");
  options.text("--socket", flags.socket, "PATH", "the daemon's socket");
  std::vector<std::string> words;
  if (const auto status = options.parse(arguments, Options::Order::anywhere, words)) return *status;
  if (words.size() != 1) return options.usage_error("one job is needed");
  if (flags.only_out && flags.only_err) {
    return options.usage_error("--stdout and --stderr exclude each other");
  }
  if (tail != UINT64_MAX) flags.tail = tail;
  DurableSession session(flags.socket);
  leave(print_logs(session.jobs, parse_one_id(session.jobs, words[0]), flags));
}

}  // namespace jobring::cli
