// jobring wait: until durable jobs have ended.
#include <algorithm>
#include <cstdio>

#include "client/cli/durable/job_json.hpp"
#include "client/cli/durable/selection.hpp"
#include "client/cli/durable/session.hpp"
#include "client/cli/durable/wait_jobs.hpp"
#include "client/cli/verbs.hpp"
#include "client/client_core.hpp"

namespace jobring::cli {
namespace {

constexpr HelpText kHelp = {
    .verb = "wait",
    .usage = "[OPTIONS] [ID|FROM-TO|last]...",
    .summary =
        "Waits until durable jobs have ended. Exits with the status of the one job; of several "
        "with 0 if all succeeded, else 1.\n"
        "The id of an array or a group stands for all of it. Options select the jobs that there "
        "are now.",
    .examples =
        "  jobring wait last\n"
        "  jobring wait --timeout 1h 12 13 20-29\n"
        "  jobring wait --pool fast --state ready,running\n"
        "  jobring wait --group 40 --tag nightly\n"};

// Words as they are, so that groups stay groups; what options select is looked up.
std::vector<JobId> ids_of(DurableJobs& jobs, const Selection& selection) {
  if (selection.counted()) return selection.named(jobs);
  std::vector<JobId> ids;
  for_each_job(jobs, selection.resolve(jobs, true), [&](const DurableInfo& job) {
    ids.push_back(job.id);
    return true;
  });
  if (ids.empty() && selection.has_ids()) {
    detail::throw_error({Errc::bad_input, "there is no such job", "", "see `jobring list`"});
  }
  std::reverse(ids.begin(), ids.end());  // the oldest ends first, as a rule
  return ids;
}

}  // namespace

int wait_verb(Arguments arguments) {
  std::string socket;
  Selection selection;
  std::chrono::milliseconds timeout{-1};
  bool json = false, quiet = false;
  Options options(kHelp);
  selection.add_to(options);
  options.duration("--timeout", timeout, "wait no longer: exit 124");
  options.flag("-q,--quiet", quiet, "no line on stderr for a job that did not succeed");
  options.flag("--json", json, "when all have ended, a JSON object a job");
  options.text("--socket", socket, "PATH", "the daemon's socket");
  std::vector<std::string> words;
  if (const auto status = options.parse(arguments, Options::Order::anywhere, words)) return *status;
  if (const auto taken = selection.take(words); !taken)
    return options.usage_error(taken.error().line());
  if (selection.empty()) return options.usage_error("which jobs?");
  DurableSession session(socket);
  std::optional<std::chrono::nanoseconds> patience;
  if (timeout.count() >= 0) patience = timeout;
  const WaitEnd end =
      wait_all(session.jobs, ids_of(session.jobs, selection), patience, "wait", quiet, json);
  for (const DurableInfo& job : end.ended) {
    std::printf("%s\n",
                (job.members ? group_json(*job.members) : job_json(job, JobDetail::brief)).c_str());
  }
  leave(end.status);
}

}  // namespace jobring::cli
