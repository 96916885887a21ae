// The verbs that move durable jobs from state to state: cancel, kill, retry, hold, release, bury,
// kick, edit, clear, clean.
#include <cstdio>

#include "client/cli/durable/confirm.hpp"
#include "client/cli/durable/job_json.hpp"
#include "client/cli/durable/selection.hpp"
#include "client/cli/durable/session.hpp"
#include "client/cli/durable/texts.hpp"
#include "client/cli/human.hpp"
#include "client/cli/verbs.hpp"
#include "client/client_core.hpp"
#include "common/config/units.hpp"

namespace jobring::cli {
namespace {

constexpr const char* kUsage = "[OPTIONS] [ID|FROM-TO|last]...";

// What all of them have in common.
struct ChangeFlags {
  Selection selection;
  std::string socket;
  bool yes = false, dry_run = false, json = false, quiet = false;

  void add_to(Options& options, const char* pool_option = "--pool") {
    selection.add_to(options, pool_option);
    options.flag("-y,--yes", yes, "do not ask before many jobs are changed");
    options.flag("--dry-run", dry_run, "only say what would be changed");
    options.flag("-q,--quiet", quiet, "no line about how many were changed");
    options.flag("--json", json, "print how many were changed as a JSON object");
    options.text("--socket", socket, "PATH", "the daemon's socket");
  }
};

struct Change {
  const char* verb;
  const char* done;  // "cancelled"
  bool asks;         // before many are changed
};

// How many of each state `verb` would change.
PoolJobs count_by_state(DurableJobs& jobs, const std::vector<JobVerb>& verbs,
                        const JobFilter& filter) {
  PoolJobs counts;
  for (std::size_t i = 0; i < counts.jobs.size(); ++i) {
    const auto& wanted = filter.states;
    const auto state = JobState(i);
    if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), state) == wanted.end()) continue;
    JobFilter one = filter;
    one.states = {state};
    for (const JobVerb verb : verbs) counts.jobs[i] += jobs.would_apply(verb, one).changed;
  }
  return counts;
}

std::uint64_t total(const PoolJobs& counts) {
  std::uint64_t all = 0;
  for (const std::uint64_t count : counts.jobs) all += count;
  return all;
}

// Nothing was changed, though somebody named jobs: why not?
int tell_unfit(DurableJobs& jobs, const Change& change, const ChangeFlags& flags,
               const JobFilter& filter, const VerbResult& result) {
  if (result.changed != 0 || !flags.selection.has_ids()) return 0;
  const JobPage page = jobs.list(filter, 2);
  if (page.jobs.empty()) {
    detail::throw_error({Errc::bad_input, "there is no such job", "", "see `jobring list`"});
  }
  if (page.jobs.size() > 1) {
    std::fprintf(stderr, "jobring %s: none of these jobs is in a state to be %s\n", change.verb,
                 change.done);
  } else {
    std::fprintf(stderr, "jobring %s: job %llu is %s: it cannot be %s\n", change.verb,
                 static_cast<unsigned long long>(page.jobs[0].id), to_string(page.jobs[0].state),
                 change.done);
  }
  return 1;
}

int tell(DurableJobs& jobs, const Change& change, const ChangeFlags& flags, const JobFilter& filter,
         const VerbResult& result) {
  if (flags.json) std::printf("%s\n", verb_json(result).c_str());
  const int status = tell_unfit(jobs, change, flags, filter, result);
  if (status == 0 && !flags.json && !flags.quiet && !flags.selection.counted()) {
    std::fprintf(stderr, "jobring %s: %s %s %s\n", change.verb, human_count(result.changed).c_str(),
                 result.changed == 1 ? "job" : "jobs", change.done);
  }
  return status;
}

// Whether to go on; if not, `status` is what to exit with.
bool may_go_on(DurableJobs& jobs, const std::vector<JobVerb>& verbs, const Change& change,
               const ChangeFlags& flags, const JobFilter& filter, int& status) {
  const bool asks = change.asks && !flags.yes && !flags.selection.counted();
  if (!asks && !flags.dry_run) return true;
  const PoolJobs counts = count_by_state(jobs, verbs, filter);
  status = 0;
  if (flags.dry_run) {
    if (flags.json) {
      std::printf("%s\n", verb_json({.changed = total(counts)}).c_str());
    } else {
      std::printf("would %s\n", many_text(change.verb, counts).c_str());
    }
    return false;
  }
  if (total(counts) < 2) return true;
  status = 1;
  return confirm(many_text(change.verb, counts));
}

// `verbs` one after the other, each job by one of them; then, uncounted, `at_last`.
int change_jobs(const Change& change, const std::vector<JobVerb>& verbs, const ChangeFlags& flags,
                const JobEdit& edit = {}, std::optional<JobVerb> at_last = {}) {
  DurableSession session(flags.socket);
  const JobFilter filter = flags.selection.resolve(session.jobs, true);
  int status = 0;
  if (!may_go_on(session.jobs, verbs, change, flags, filter, status)) return status;
  VerbResult all;
  for (const JobVerb verb : verbs) {
    const VerbResult result = session.jobs.apply(verb, filter, edit);
    all.changed += result.changed;
    all.unfit = result.unfit;
  }
  if (at_last) session.jobs.apply(*at_last, filter);
  return tell(session.jobs, change, flags, filter, all);
}

// Options, words and the selection that they make. The exit status if the verb is over.
std::optional<int> read_flags(Options& options, Arguments arguments, ChangeFlags& flags) {
  std::vector<std::string> words;
  if (const auto status = options.parse(arguments, Options::Order::anywhere, words)) return status;
  if (const auto taken = flags.selection.take(words); !taken)
    return options.usage_error(taken.error().line());
  if (flags.selection.empty()) {
    return options.usage_error("which jobs? Ids, --pool, --state, --tag, --name, or --all");
  }
  return std::nullopt;
}

int simple_verb(Arguments arguments, const HelpText& help, const Change& change, JobVerb verb) {
  ChangeFlags flags;
  Options options(help);
  flags.add_to(options);
  if (const auto status = read_flags(options, arguments, flags)) return *status;
  leave(change_jobs(change, {verb}, flags));
}

int kill_jobs(const ChangeFlags& flags, int signal) {
  constexpr Change kKill = {"kill", "killed: it does not run", true};
  DurableSession session(flags.socket);
  JobFilter filter = flags.selection.resolve(session.jobs, true);
  const JobFilter named = filter;
  if (filter.states.empty()) filter.states = {JobState::running};
  int status = 0;
  // What a cancel would change among those that run is what a signal reaches.
  if (!may_go_on(session.jobs, {JobVerb::cancel}, kKill, flags, filter, status)) return status;
  const VerbResult result = {.changed = session.jobs.kill(filter, signal)};
  return tell(session.jobs, {"kill", "killed", true}, flags, named, result);
}

}  // namespace

int cancel_verb(Arguments arguments) {
  return simple_verb(
      arguments,
      {.verb = "cancel",
       .usage = kUsage,
       .summary = "Cancels durable jobs that have not ended: those that wait will not run, "
                  "those that run are stopped.",
       .examples = "  jobring cancel 12\n"
                   "  jobring cancel --pool slow --state ready --yes\n"},
      {"cancel", "cancelled", true}, JobVerb::cancel);
}

int retry_verb(Arguments arguments) {
  return simple_verb(arguments,
                     {.verb = "retry",
                      .usage = kUsage,
                      .summary = "Runs durable jobs that have ended again, with all their retries.",
                      .examples = "  jobring retry last\n"
                                  "  jobring retry --state dead --name nightly\n"},
                     {"retry", "retried", false}, JobVerb::retry);
}

int hold_verb(Arguments arguments) {
  return simple_verb(
      arguments,
      {.verb = "hold",
       .usage = kUsage,
       .summary = "Keeps durable jobs that wait from running until they are released.",
       .examples = "  jobring hold 12-20\n"
                   "  jobring hold --tag nightly\n"},
      {"hold", "held", false}, JobVerb::hold);
}

int release_verb(Arguments arguments) {
  return simple_verb(arguments,
                     {.verb = "release",
                      .usage = kUsage,
                      .summary = "Lets held durable jobs go on where they were.",
                      .examples = "  jobring release 12-20\n"},
                     {"release", "released", false}, JobVerb::release);
}

int bury_verb(Arguments arguments) {
  return simple_verb(
      arguments,
      {.verb = "bury",
       .usage = kUsage,
       .summary = "Gives up durable jobs that wait: they are dead, and kept until somebody "
                  "kicks or clears them.",
       .examples = "  jobring bury --name poison\n"},
      {"bury", "buried", true}, JobVerb::bury);
}

int kick_verb(Arguments arguments) {
  return simple_verb(
      arguments,
      {.verb = "kick",
       .usage = kUsage,
       .summary = "Makes durable jobs that are dead, delayed or wait for their next attempt "
                  "ready now, with all retries.",
       .examples = "  jobring kick --state dead\n"
                   "  jobring kick 12\n"},
      {"kick", "kicked", false}, JobVerb::kick);
}

int clear_verb(Arguments arguments) {
  constexpr HelpText kHelp = {.verb = "clear",
                              .usage = kUsage,
                              .summary =
                                  "Cancels the selected durable jobs that have not ended, and "
                                  "forgets those that have, with "
                                  "their outputs.\n"
                                  "Those that run are stopped, and stay as cancelled.",
                              .examples =
                                  "  jobring clear --pool slow\n"
                                  "  jobring clear --state dead,cancelled --yes\n"};
  ChangeFlags flags;
  Options options(kHelp);
  flags.add_to(options);
  if (const auto status = read_flags(options, arguments, flags)) return *status;
  // What had ended before goes first, so that nothing is counted as cancelled and as removed.
  leave(change_jobs({"clear", "cleared", true}, {JobVerb::remove, JobVerb::cancel}, flags, {},
                    JobVerb::remove));
}

int clean_verb(Arguments arguments) {
  constexpr HelpText kHelp = {
      .verb = "clean",
      .usage = "--older-than AGE|WHEN [OPTIONS] [ID|FROM-TO]...",
      .summary = "Forgets durable jobs that have ended so long ago, with their outputs.",
      .examples =
          "  jobring clean --older-than 7d --yes\n"
          "  jobring clean --older-than 1h --state succeeded\n"};
  ChangeFlags flags;
  Options options(kHelp);
  flags.add_to(options);
  if (const auto status = read_flags(options, arguments, flags)) return *status;
  if (!flags.selection.has_age()) return options.usage_error("--older-than is missing");
  leave(change_jobs({"forget", "forgotten", true}, {JobVerb::remove}, flags));
}

int kill_verb(Arguments arguments) {
  constexpr HelpText kHelp = {
      .verb = "kill",
      .usage = "[-s SIGNAL] [OPTIONS] [ID|FROM-TO|last]...",
      .summary =
          "Sends a signal to durable jobs that run. They end as killed, and are not tried again.",
      .examples =
          "  jobring kill 12\n"
          "  jobring kill -s KILL --pool slow\n"};
  ChangeFlags flags;
  int signal = 15;
  Options options(kHelp);
  options.value(
      "-s,--signal",
      [&](const std::string& text) -> Result<void> {
        const auto parsed = parse_signal(text);
        if (!parsed) return parsed.error();
        signal = *parsed;
        return {};
      },
      "SIGNAL", "TERM, KILL, 9, ...; default TERM");
  flags.add_to(options);
  if (const auto status = read_flags(options, arguments, flags)) return *status;
  leave(kill_jobs(flags, signal));
}

int edit_verb(Arguments arguments) {
  constexpr HelpText kHelp = {
      .verb = "edit",
      .usage = "[--priority N] [--delay DURATION] [--pool NAME] [OPTIONS] [ID|FROM-TO|last]...",
      .summary = "Changes durable jobs that wait: their place in the line, their time, their pool.",
      .examples =
          "  jobring edit --priority 5 12\n"
          "  jobring edit --pool fast --in-pool slow --state ready\n"
          "  jobring edit --delay 1h --tag nightly\n"};
  ChangeFlags flags;
  JobEdit edit;
  Options options(kHelp);
  options.value(
      "--priority",
      [&](const std::string& text) -> Result<void> {
        const auto value = parse_integer(text, INT32_MIN, INT32_MAX);
        if (!value) return value.error();
        edit.priority = std::int32_t(*value);
        return {};
      },
      "N", "higher starts sooner");
  options.value(
      "--delay",
      [&](const std::string& text) -> Result<void> {
        const auto time = parse_duration(text);
        if (!time) return time.error();
        edit.delay = std::chrono::ceil<std::chrono::milliseconds>(*time);
        return {};
      },
      "DURATION", "not before so long from now; 0: now");
  options.value(
      "--pool",
      [&](const std::string& text) -> Result<void> {
        edit.pool = text;
        return {};
      },
      "NAME", "the pool to run in");
  flags.add_to(options, "--in-pool");
  if (const auto status = read_flags(options, arguments, flags)) return *status;
  if (!edit.priority && !edit.delay && !edit.pool) {
    return options.usage_error("what is to be changed? --priority, --delay or --pool");
  }
  const JobEdit wanted = edit;
  leave(change_jobs({"edit", "edited", false}, {JobVerb::edit}, flags, wanted));
}

}  // namespace jobring::cli
