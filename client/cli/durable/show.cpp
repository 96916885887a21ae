// jobring show, explain, result: what is known of single durable jobs.
#include <unistd.h>

#include <cstdio>

#include "client/cli/durable/follow.hpp"
#include "client/cli/durable/job_json.hpp"
#include "client/cli/durable/job_page.hpp"
#include "client/cli/durable/job_text.hpp"
#include "client/cli/durable/selection.hpp"
#include "client/cli/durable/session.hpp"
#include "client/cli/durable/wait_jobs.hpp"
#include "client/cli/terminal.hpp"
#include "client/cli/verbs.hpp"
#include "client/client_core.hpp"
#include "common/exec_codec.hpp"

namespace jobring::cli {
namespace {

constexpr HelpText kShowHelp = {
    .verb = "show",
    .usage = "[OPTIONS] ID|FROM-TO|last...",
    .summary = "Tells all that is known of a durable job, with its attempts.",
    .examples =
        "  jobring show last\n"
        "  jobring show --json 12 | jq '.history[].exit_code'\n"};
constexpr HelpText kExplainHelp = {.verb = "explain",
                                   .usage = "[OPTIONS] ID|last",
                                   .summary = "Tells why a durable job does not run yet.",
                                   .examples = "  jobring explain 12\n"};
constexpr HelpText kResultHelp = {
    .verb = "result",
    .usage = "[OPTIONS] ID|last",
    .summary =
        "Prints the result of a durable job that has ended: of a command what it wrote to stdout, "
        "of a handler its reply.\n"
        "Exits with the job's own status, or 75 if it has not ended.",
    .examples =
        "  jobring result 12 > out.txt\n"
        "  jobring result --wait last\n"};

[[noreturn]] void no_job(JobId id) {
  detail::throw_error({Errc::bad_input, "no job " + std::to_string(id), "", ""});
}

int show_group(DurableJobs& jobs, JobId id, bool json) {
  const JobGroup group = jobs.group(id);
  if (json) {
    std::printf("%s\n", group_json(group).c_str());
  } else {
    std::fputs(group_text(group).c_str(), stdout);
  }
  return 0;
}

int show_one(DurableJobs& jobs, JobId id, bool json, bool color) {
  const auto job = jobs.show(id);
  if (!job) {
    try {
      return show_group(jobs, id, json);
    } catch (const DurableError&) {
      no_job(id);
    }
  }
  if (json) {
    std::printf("%s\n", job_json(*job, JobDetail::complete).c_str());
  } else {
    std::fputs(job_page(*job, std::chrono::system_clock::now(), color).c_str(), stdout);
  }
  return 0;
}

std::vector<JobId> ids_of(DurableJobs& jobs, const IdWords& words) {
  std::vector<JobId> ids;
  for (const auto& [first, last] : words.ranges) {
    if (first == last) {
      ids.push_back(first);
      continue;
    }
    const auto at = std::ptrdiff_t(ids.size());
    for_each_job(jobs, {.ids = {{first, last}}}, [&](const DurableInfo& job) {
      ids.insert(ids.begin() + at, job.id);  // the oldest first
      return true;
    });
  }
  if (words.last) ids.push_back(last_job(jobs));
  return ids;
}

void print_handler_result(const std::string& result) {
  std::fwrite(result.data(), 1, result.size(), stdout);
  if (is_terminal(STDOUT_FILENO) && !result.ends_with('\n')) std::fputc('\n', stdout);
}

int result(DurableJobs& jobs, JobId id, bool wait) {
  if (wait) jobs.attach(id).wait();
  const auto job = jobs.show(id);
  if (!job) no_job(id);
  if (!has_ended(job->state)) {
    detail::throw_error(
        {Errc::full, "job " + std::to_string(id) + " has not ended: it is " + to_string(job->state),
         "", "--wait waits for it"});
  }
  if (job->handler == kExecHandler) {
    if (job->attempts > 0 && !print_output(jobs, id, false, 0, std::nullopt)) {
      std::fprintf(stderr, "jobring result: its output was cut\n");
    }
  } else if (job->state == JobState::succeeded) {
    print_handler_result(job->result);
  }
  const std::string problem = problem_text(*job);
  if (!problem.empty()) {
    std::fflush(stdout);
    std::fprintf(stderr, "jobring result: job %llu: %s\n", static_cast<unsigned long long>(id),
                 problem.c_str());
  }
  return job_status(*job);
}

}  // namespace

int show_verb(Arguments arguments) {
  std::string socket, color = "auto";
  bool json = false;
  Options options(kShowHelp);
  options.flag("--json", json, "a JSON object a job");
  options.choice("--color", color, {"auto", "always", "never"},
                 "colours; auto: on a terminal without $NO_COLOR");
  options.text("--socket", socket, "PATH", "the daemon's socket");
  std::vector<std::string> words;
  if (const auto status = options.parse(arguments, Options::Order::anywhere, words)) return *status;
  if (words.empty()) return options.usage_error("which job?");
  const auto ids = parse_ids(words);
  if (!ids) return options.usage_error(ids.error().line());
  DurableSession session(socket);
  bool first = true;
  for (const JobId id : ids_of(session.jobs, *ids)) {
    if (!first && !json) std::fputc('\n', stdout);
    first = false;
    show_one(session.jobs, id, json, use_color(color, STDOUT_FILENO));
  }
  leave(0);
}

int explain_verb(Arguments arguments) {
  std::string socket;
  bool json = false;
  Options options(kExplainHelp);
  options.flag("--json", json, "a JSON array of lines");
  options.text("--socket", socket, "PATH", "the daemon's socket");
  std::vector<std::string> words;
  if (const auto status = options.parse(arguments, Options::Order::anywhere, words)) return *status;
  if (words.size() != 1) return options.usage_error("one job is needed");
  DurableSession session(socket);
  const auto lines = session.jobs.explain(parse_one_id(session.jobs, words[0]));
  if (json) {
    std::printf("%s\n", lines_json(lines).c_str());
  } else {
    for (const std::string& line : lines) std::printf("%s\n", line.c_str());
  }
  leave(0);
}

int result_verb(Arguments arguments) {
  std::string socket;
  bool wait = false;
  Options options(kResultHelp);
  options.flag("--wait", wait, "wait for its end");
  options.text("--socket", socket, "PATH", "the daemon's socket");
  std::vector<std::string> words;
  if (const auto status = options.parse(arguments, Options::Order::anywhere, words)) return *status;
  if (words.size() != 1) return options.usage_error("one job is needed");
  DurableSession session(socket);
  leave(result(session.jobs, parse_one_id(session.jobs, words[0]), wait));
}

}  // namespace jobring::cli
