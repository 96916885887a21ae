// jobring logs: the output of durable commands, also while they run.
#include <cstdio>
#include <exception>
#include <thread>

#include "client/cli/durable/follow.hpp"
#include "client/cli/durable/job_json.hpp"
#include "client/cli/durable/pick.hpp"
#include "client/cli/durable/session.hpp"
#include "client/cli/verbs.hpp"
#include "client/client_core.hpp"

namespace jobring::cli {
namespace {

constexpr HelpText kHelp = {
    .verb = "logs",
    .usage = "[OPTIONS] [ID|FROM-TO|last]...",
    .summary =
        "Prints what durable commands wrote, also while they run: stdout and then stderr, each to "
        "ours. Of several, each part stands under a line that names the job.",
    .examples =
        "  jobring logs last\n"
        "  jobring logs -f --tail 20 12\n"
        "  jobring logs --stderr --attempt 1 12\n"
        "  jobring logs --tail 5 --state dead --tag nightly\n"};

// Each has a thread and a request to the daemon for either stream.
constexpr std::size_t kFollowedMost = 64;

struct LogFlags {
  std::string socket;
  Pick pick;
  bool follow = false, only_out = false, only_err = false, json = false;
  std::optional<std::uint64_t> tail;
  std::uint64_t attempt = 0;
};

void print_json(DurableJobs& jobs, JobId id, const LogFlags& flags) {
  JobOutput output;
  output.attempt = std::uint32_t(flags.attempt);
  const auto read = [&](bool of_stderr) {
    KeptOutput kept;
    kept.whole = read_output(jobs, id, of_stderr, output.attempt, flags.tail,
                             [&](std::string_view bytes) { kept.bytes += bytes; });
    return kept;
  };
  if (!flags.only_err) output.out = read(false);
  if (!flags.only_out) output.err = read(true);
  std::printf("%s\n", output_json(id, output).c_str());
}

void print_now(DurableJobs& jobs, JobId id, const LogFlags& flags, Parts& to) {
  bool whole = true;
  const auto print = [&](bool of_stderr) {
    whole = read_output(jobs, id, of_stderr, std::uint32_t(flags.attempt), flags.tail,
                        [&](std::string_view bytes) { to.write(id, of_stderr, bytes); }) &&
            whole;
  };
  to.begin(id, flags.only_err);
  if (!flags.only_err) print(false);
  if (!flags.only_out) print(true);
  if (!whole) {
    std::fprintf(stderr,
                 "jobring logs: the command of job %llu wrote more than was kept (--output-max)\n",
                 static_cast<unsigned long long>(id));
  }
}

// All at a time, as their output comes.
void follow_all(DurableJobs& jobs, const Picked& picked, const LogFlags& flags, Parts& to) {
  const FollowWhat what = {.out = !flags.only_err,
                           .err = !flags.only_out,
                           .attempt = std::uint32_t(flags.attempt),
                           .tail = flags.tail};
  if (picked.jobs.size() == 1) return follow(jobs, picked.jobs.front().id, what, to);
  if (picked.jobs.size() > kFollowedMost) {
    detail::throw_error({Errc::usage,
                         "at most " + std::to_string(kFollowedMost) + " jobs can be followed", "",
                         ""});
  }
  std::vector<std::exception_ptr> failed(picked.jobs.size());
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < picked.jobs.size(); ++i) {
    threads.emplace_back([&, i] {
      try {
        follow(jobs, picked.jobs[i].id, what, to);
      } catch (...) {
        failed[i] = std::current_exception();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::exception_ptr& error : failed) {
    if (error) std::rethrow_exception(error);
  }
}

int print_logs(DurableJobs& jobs, const LogFlags& flags) {
  const Picked picked = flags.pick.find(jobs, Pick::Groups::members);
  Parts parts(picked.names());
  flags.pick.tell("logs", picked);
  if (flags.follow) {
    if (!picked.jobs.empty()) follow_all(jobs, picked, flags, parts);
    return 0;
  }
  return for_each_picked("logs", picked, [&](JobId id) {
    flags.json ? print_json(jobs, id, flags) : print_now(jobs, id, flags, parts);
  });
}

}  // namespace

int logs_verb(Arguments arguments) {
  LogFlags flags;
  Options options(kHelp);
  flags.pick.add_to(options);
  options.flag("-f,--follow", flags.follow, "go on as they write, until they have ended");
  std::uint64_t tail = UINT64_MAX;
  options.number("--tail", tail, 0, UINT32_MAX, "N", "only the last N lines of what there is");
  options.flag("--stdout", flags.only_out, "stdout only");
  options.flag("--stderr", flags.only_err, "stderr only");
  options.number("--attempt", flags.attempt, 1, UINT32_MAX, "N",
                 "of this attempt; default: the last");
  options.flag("--json", flags.json, "a JSON object a job, one a line: id, stdout, stderr");
  options.text("--socket", flags.socket, "PATH", "the daemon's socket");
  std::vector<std::string> words;
  if (const auto status = options.parse(arguments, Options::Order::anywhere, words)) return *status;
  if (const auto status = flags.pick.take(options, words)) return *status;
  if (flags.only_out && flags.only_err) {
    return options.usage_error("--stdout and --stderr exclude each other");
  }
  if (flags.json && flags.follow) {
    return options.usage_error("--json and --follow exclude each other");
  }
  if (tail != UINT64_MAX) flags.tail = tail;
  const bool many = flags.follow && !flags.pick.one();
  DurableSession session(flags.socket, many ? 2 * kFollowedMost + DurableSession::kRequests
                                            : DurableSession::kRequests);
  leave(print_logs(session.jobs, flags));
}

}  // namespace jobring::cli
