// jobring result: what durable jobs that have ended replied.
#include <unistd.h>

#include <cstdio>

#include "client/cli/durable/follow.hpp"
#include "client/cli/durable/job_json.hpp"
#include "client/cli/durable/job_text.hpp"
#include "client/cli/durable/pick.hpp"
#include "client/cli/durable/session.hpp"
#include "client/cli/terminal.hpp"
#include "client/cli/verbs.hpp"
#include "client/client_core.hpp"
#include "common/exec_codec.hpp"

namespace jobring::cli {
namespace {

constexpr HelpText kHelp = {
    .verb = "result",
    .usage = "[OPTIONS] [ID|FROM-TO|last]...",
    .summary =
        "Prints the result of durable jobs that have ended: of a command what it wrote to stdout, "
        "of a handler its reply. Of several, each stands under a line that names the job.\n"
        "Exits with the job's own status, or 75 if it has not ended; of several with 0 if all "
        "succeeded, 75 if some have not ended, else 1.",
    .examples =
        "  jobring result 12 > out.txt\n"
        "  jobring result --wait last\n"
        "  jobring result --json --group 40 | jq -r .stdout\n"};

struct ResultFlags {
  std::string socket;
  Pick pick;
  bool wait = false, json = false;
};

void tell(JobId id, const std::string& what) {
  std::fprintf(stderr, "jobring result: job %llu: %s\n", static_cast<unsigned long long>(id),
               what.c_str());
}

void print_reply(const DurableInfo& job, Parts& to) {
  to.write(job.id, false, job.result);
  if (is_terminal(STDOUT_FILENO) && !job.result.ends_with('\n')) to.write(job.id, false, "\n");
}

// The job's own status. `several`: the command's exit status is not ours, so it is told.
int print_one(DurableJobs& jobs, JobId id, const ResultFlags& flags, bool several, Parts& to) {
  if (flags.wait) jobs.attach(id).wait();
  const auto job = jobs.show(id);
  if (!job) detail::throw_error({Errc::bad_input, "no job " + std::to_string(id), "", ""});
  if (!has_ended(job->state)) {
    detail::throw_error(
        {Errc::full, "job " + std::to_string(id) + " has not ended: it is " + to_string(job->state),
         "", "--wait waits for it"});
  }
  const bool command = job->handler == kExecHandler;
  KeptOutput kept;
  if (!flags.json) to.begin(id, false);
  if (command && job->attempts > 0) {
    kept.whole = read_output(jobs, id, false, 0, std::nullopt, [&](std::string_view bytes) {
      flags.json ? void(kept.bytes += bytes) : to.write(id, false, bytes);
    });
    if (!kept.whole && !flags.json) tell(id, "its output was cut");
  } else if (!command && job->state == JobState::succeeded && !flags.json) {
    print_reply(*job, to);
  }
  if (flags.json) {
    std::printf("%s\n", result_json(*job, command ? &kept : nullptr).c_str());
    return job_status(*job);
  }
  const int status = job_status(*job);
  std::string problem = problem_text(*job);
  if (problem.empty() && several && status != 0) problem = "exit " + std::to_string(status);
  if (!problem.empty()) tell(id, problem);
  return status;
}

int print_results(DurableJobs& jobs, const ResultFlags& flags) {
  const Picked picked = flags.pick.find(jobs, Pick::Groups::members);
  Parts parts(picked.names());
  flags.pick.tell("result", picked);
  int of_one = 0;
  bool all_well = true;
  const int error = for_each_picked("result", picked, [&](JobId id) {
    of_one = print_one(jobs, id, flags, picked.jobs.size() > 1, parts);
    all_well &= of_one == 0;
  });
  if (error != 0) return error;
  return picked.jobs.size() == 1 ? of_one : all_well ? 0 : 1;
}

}  // namespace

int result_verb(Arguments arguments) {
  ResultFlags flags;
  Options options(kHelp);
  flags.pick.add_to(options);
  options.flag("--wait", flags.wait, "wait for their end");
  options.flag("--json", flags.json,
               "a JSON object a job, one a line: id, state, status, stdout or result");
  options.text("--socket", flags.socket, "PATH", "the daemon's socket");
  std::vector<std::string> words;
  if (const auto status = options.parse(arguments, Options::Order::anywhere, words)) return *status;
  if (const auto status = flags.pick.take(options, words)) return *status;
  DurableSession session(flags.socket);
  leave(print_results(session.jobs, flags));
}

}  // namespace jobring::cli
