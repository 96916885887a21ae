// jobring show, explain: what is known of durable jobs, one by one.
#include <unistd.h>

#include <cstdio>

#include "client/cli/durable/job_json.hpp"
#include "client/cli/durable/job_page.hpp"
#include "client/cli/durable/pick.hpp"
#include "client/cli/durable/session.hpp"
#include "client/cli/terminal.hpp"
#include "client/cli/verbs.hpp"
#include "client/client_core.hpp"

namespace jobring::cli {
namespace {

constexpr HelpText kShowHelp = {
    .verb = "show",
    .usage = "[OPTIONS] [ID|FROM-TO|last]...",
    .summary = "Tells all that is known of a durable job, with its attempts.",
    .examples =
        "  jobring show last\n"
        "  jobring show --state dead --tag nightly\n"
        "  jobring show --json 12 | jq '.history[].exit_code'\n"};
constexpr HelpText kExplainHelp = {.verb = "explain",
                                   .usage = "[OPTIONS] [ID|FROM-TO|last]...",
                                   .summary = "Tells why durable jobs do not run yet.",
                                   .examples =
                                       "  jobring explain 12\n"
                                       "  jobring explain --state ready --pool slow\n"};
[[noreturn]] void no_job(JobId id) {
  detail::throw_error({Errc::bad_input, "no job " + std::to_string(id), "", ""});
}

void show_group(DurableJobs& jobs, JobId id, bool json) {
  const JobGroup group = jobs.group(id);
  if (json) {
    std::printf("%s\n", group_json(group).c_str());
  } else {
    std::fputs(group_text(group).c_str(), stdout);
  }
}

void show_one(DurableJobs& jobs, JobId id, bool json, bool color) {
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
}

void explain_one(DurableJobs& jobs, JobId id, bool json, bool named) {
  const auto lines = jobs.explain(id);
  if (json) {
    std::printf("%s\n", reasons_json(id, lines).c_str());
    return;
  }
  for (const std::string& line : lines) {
    if (named) std::printf("job %llu: ", static_cast<unsigned long long>(id));
    std::printf("%s\n", line.c_str());
  }
}

}  // namespace

int show_verb(Arguments arguments) {
  std::string socket, color = "auto";
  Pick pick;
  bool json = false;
  Options options(kShowHelp);
  pick.add_to(options);
  options.flag("--json", json, "a JSON object a job, one a line");
  options.choice("--color", color, {"auto", "always", "never"},
                 "colours; auto: on a terminal without $NO_COLOR");
  options.text("--socket", socket, "PATH", "the daemon's socket");
  std::vector<std::string> words;
  if (const auto status = options.parse(arguments, Options::Order::anywhere, words)) return *status;
  if (const auto status = pick.take(options, words)) return *status;
  DurableSession session(socket);
  const Picked picked = pick.find(session.jobs, Pick::Groups::whole);
  bool first = true;
  const int status = for_each_picked("show", picked, [&](JobId id) {
    if (!first && !json) std::fputc('\n', stdout);
    first = false;
    show_one(session.jobs, id, json, use_color(color, STDOUT_FILENO));
  });
  pick.tell("show", picked);
  leave(status);
}

int explain_verb(Arguments arguments) {
  std::string socket;
  Pick pick;
  bool json = false;
  Options options(kExplainHelp);
  pick.add_to(options);
  options.flag("--json", json, "a JSON object a job, one a line: id, reasons");
  options.text("--socket", socket, "PATH", "the daemon's socket");
  std::vector<std::string> words;
  if (const auto status = options.parse(arguments, Options::Order::anywhere, words)) return *status;
  if (const auto status = pick.take(options, words)) return *status;
  DurableSession session(socket);
  const Picked picked = pick.find(session.jobs, Pick::Groups::members);
  const int status = for_each_picked("explain", picked, [&](JobId id) {
    explain_one(session.jobs, id, json, picked.jobs.size() > 1);
  });
  pick.tell("explain", picked);
  leave(status);
}

}  // namespace jobring::cli
