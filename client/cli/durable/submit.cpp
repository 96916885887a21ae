// jobring submit: hands a job to the daemon, which keeps it until it has ended.
#include <cstdio>

#include "client/cli/durable/batch.hpp"
#include "client/cli/durable/follow.hpp"
#include "client/cli/durable/job_json.hpp"
#include "client/cli/durable/script.hpp"
#include "client/cli/durable/session.hpp"
#include "client/cli/durable/spec_options.hpp"
#include "client/cli/durable/wait_jobs.hpp"
#include "client/cli/verbs.hpp"
#include "client/durable/alone.hpp"

namespace jobring::cli {
namespace {

constexpr HelpText kHelp = {
    .verb = "submit",
    .usage = "[OPTIONS] [--] COMMAND|SCRIPT [ARGUMENT...]",
    .summary =
        "Hands a job to the daemon and prints its id. The daemon keeps it until it has ended, over "
        "crashes, power cuts and our own end.\n"
        "A command gets this directory, environment and umask. A script (a path with a slash) may "
        "have options in #JOBRING lines.",
    .examples =
        "  jobring submit -- make world\n"
        "  jobring submit --retries 3 --backoff 10s..5m --timeout 1h ./backup.sh\n"
        "  jobring submit -c 'sort \"$1\" > sorted' words.txt\n"
        "  jobring submit --after 12,13 --at 'tomorrow 08:00' -- report\n"
        "  jobring submit --array 1-100%10 -c './simulate $JOBRING_INDEX'\n"
        "  jobring submit --handler resize - < photo.jpg\n"
        "  jobring submit --wait -- make test || echo failed\n"
        "  jobring submit --batch jobs.jsonl\n"};

struct SubmitFlags {
  std::string socket;
  JobWishes wishes;
  Work work;
  std::string batch;
  bool wait = false, follow = false, json = false;

  void add_to(Options& options) {
    work.add_to(options);
    options.text("--batch", batch, "FILE",
                 "many jobs at once: a JSON object a line; -: stdin. Other options hold for all");
    options.flag("--wait", wait, "wait for its end, and exit with its status");
    options.flag("--follow", follow, "show its output as it comes, and exit with its status");
    options.flag("--json", json, "print a JSON object instead of the id");
    options.text("--socket", socket, "PATH", "the daemon's socket");
    wishes.add_to(options);
  }
};

void print_answer(const SubmitAnswer& answer, const SubmitFlags& flags) {
  if (flags.json) {
    std::printf("%s\n", submit_json(answer).c_str());
  } else if (flags.follow) {
    // stdout is for the job's own output.
    std::fprintf(stderr, "jobring submit: job %llu\n", static_cast<unsigned long long>(answer.id));
  } else {
    std::printf("%llu\n", static_cast<unsigned long long>(answer.id));
  }
}

bool is_short_lived(const DurableJob& job) {
  return job.options.keep && job.options.keep->count() == 0;
}

// What became of it, said; the exit status.
int tell_answer(const SubmitFlags& flags, const DurableJob& job, const SubmitAnswer& answer) {
  if (answer.status == SubmitAnswer::Status::stored) return print_answer(answer, flags), 0;
  if (flags.json) std::printf("%s\n", submit_json(answer).c_str());
  std::fprintf(stderr, "jobring submit: %s\n", refusal_text(answer, job).c_str());
  return refusal_status(answer.status);
}

int submit_one(const SubmitFlags& flags, DurableJobs& jobs, const DurableJob& job) {
  const SubmitAnswer answer = jobs.submit_all({&job, 1}).at(0);
  const int status = tell_answer(flags, job, answer);
  if (status != 0 || (!flags.wait && !flags.follow)) return status;
  std::fflush(stdout);
  return attend_job(jobs, answer.id,
                    {.verb = "submit",
                     .follow = flags.follow,
                     .json = flags.json,
                     .short_lived = is_short_lived(job)});
}

int submit_many(const SubmitFlags& flags, DurableSession& session) {
  BatchDefaults defaults;
  defaults.options = flags.wishes.resolve(session.jobs);
  defaults.command = flags.work.command();
  const Batch batch = read_batch(flags.batch, defaults);
  return submit_batch(session.jobs, batch, {.json = flags.json, .wait = flags.wait});
}

// Does not return: taking the connection down in good order would take longer than the rest.
[[noreturn]] void submit_words(SubmitFlags& flags, std::vector<std::string> words) {
  if (!flags.wait && !flags.follow && flags.wishes.after_none()) {
    const DurableJob job = flags.work.job(std::move(words), flags.wishes.resolve());
    const SubmitAnswer answer = detail::submit_alone(
        existing_at(flags.socket), job, [&] { return connect_existing(flags.socket); });
    leave(tell_answer(flags, job, answer));
  }
  DurableSession session(flags.socket);
  const DurableJob job = flags.work.job(std::move(words), flags.wishes.resolve(session.jobs));
  leave(submit_one(flags, session.jobs, job));
}

bool has_options(Arguments arguments) {
  return arguments.empty() || (*arguments[0] == '-' && std::string_view(arguments[0]) != "--");
}

int with_options(Arguments arguments) {
  SubmitFlags flags;
  Options options(kHelp);
  flags.add_to(options);
  std::vector<std::string> words;
  if (const auto status = options.parse(arguments, Options::Order::before_words, words))
    return *status;
  const std::size_t taken = arguments.size() - words.size();
  const bool after_dashes = taken > 0 && std::string_view(arguments[taken - 1]) == "--";
  if (const auto head = script_of(words, after_dashes, flags.work)) {
    // Its options count as if they stood before those of the command line.
    SubmitFlags scratch;
    std::vector<std::string> all;
    if (const auto status = add_directives(
            words[0], *head, kHelp, [&](Options& o) { scratch.add_to(o); }, all)) {
      return *status;
    }
    if (!all.empty()) {
      all.insert(all.end(), arguments.begin(), arguments.begin() + std::ptrdiff_t(taken));
      flags = {};
      Options again(kHelp);
      flags.add_to(again);
      std::vector<std::string> none;
      if (const auto status = again.parse(as_arguments(all), Options::Order::before_words, none))
        return *status;
    }
    settle_script(*head, flags.work, words);
  }
  if (!flags.batch.empty()) {
    if (!words.empty()) return options.usage_error("--batch and a command exclude each other");
    if (flags.follow) return options.usage_error("--batch and --follow exclude each other");
    DurableSession session(flags.socket);
    return submit_many(flags, session);
  }
  if (words.empty() && flags.work.shell.empty() && flags.work.handler.empty()) {
    return options.usage_error("no command is given");
  }
  if (flags.follow && flags.wishes.options.array) {
    return options.usage_error("--array and --follow exclude each other");
  }
  if (flags.follow && flags.wishes.options.keep == std::chrono::milliseconds(0)) {
    return options.usage_error("--keep 0 and --follow exclude each other: its output goes with it");
  }
  submit_words(flags, std::move(words));
}

}  // namespace

int submit_verb(Arguments arguments) {
  if (has_options(arguments)) leave(with_options(arguments));
  // Building the options costs as much as half of all the rest of a submission.
  const bool after_dashes = std::string_view(arguments[0]) == "--";
  std::vector<std::string> words(arguments.begin() + (after_dashes ? 1 : 0), arguments.end());
  SubmitFlags flags;
  if (words.empty() || script_of(words, after_dashes, flags.work)) leave(with_options(arguments));
  submit_words(flags, std::move(words));
}

}  // namespace jobring::cli
