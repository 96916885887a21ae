// jobring: finds the verb and runs it.
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include <jobring/jobring.hpp>

#include "client/cli/verbs.hpp"
#include "common/config/suggest.hpp"
#include "common/result.hpp"

namespace {

using namespace jobring;
using namespace jobring::cli;

struct Verb {
  const char* name;
  int (*run)(Arguments);
  const char* summary;
};

struct VerbGroup {
  const char* heading;
  std::vector<Verb> verbs;
};

const std::vector<VerbGroup>& verb_groups() {
  static const std::vector<VerbGroup> groups = {
      {"Run jobs and wait for them",
       {{"run", run_verb, "run one command on this terminal's input and output"},
        {"map", map_verb, "run a command or a handler over many inputs"},
        {"call", call_verb, "run one handler and print its result"}}},
      {"Durable jobs: submit",
       {{"submit", submit_verb, "hand a job to the daemon, which keeps it until it has ended"},
        {"cron", cron_verb, "jobs that are submitted by the clock"},
        {"group", group_verb, "jobs that are waited for, and depended on, together"}}},
      {"Durable jobs: look",
       {{"list", list_verb, "show jobs as a table"},
        {"show", show_verb, "tell all about a job, with its attempts"},
        {"explain", explain_verb, "tell why a job does not run yet"},
        {"logs", logs_verb, "print what a command wrote, also while it runs"},
        {"wait", wait_verb, "wait until jobs have ended"},
        {"result", result_verb, "print the result of a job that has ended"},
        {"events", events_verb, "print what happens to jobs"}}},
      {"Durable jobs: change",
       {{"cancel", cancel_verb, "cancel jobs that have not ended"},
        {"kill", kill_verb, "send a signal to jobs that run"},
        {"hold", hold_verb, "keep jobs that wait from running"},
        {"release", release_verb, "let held jobs go on"},
        {"edit", edit_verb, "change priority, time or pool of jobs that wait"},
        {"retry", retry_verb, "run jobs that have ended again"},
        {"bury", bury_verb, "give up jobs that wait"},
        {"kick", kick_verb, "make dead or delayed jobs ready now"},
        {"clear", clear_verb, "cancel jobs, and forget those that have ended"},
        {"clean", clean_verb, "forget jobs that ended long ago"},
        {"export", export_verb, "print jobs as JSON lines"},
        {"import", import_verb, "take in what export printed"}}},
      {"Durable jobs: pools",
       {{"pause", pause_verb, "start no more jobs of a pool"},
        {"resume", resume_verb, "start them again"},
        {"drain", drain_verb, "pause a pool and wait until nothing runs in it"}}},
      {"Named objects",
       {{"lock", lock_verb, "run a command while holding a named lock"},
        {"queue", queue_verb, "put, get or count the items of a named queue"},
        {"event", event_verb, "set, clear or wait for a named event"},
        {"dict", dict_verb, "read, change or watch a named dict"},
        {"objects", objects_verb, "list the named objects, who holds and who waits"}}},
      {"The daemon",
       {{"status", status_verb, "show pools, workers, channels and counters"},
        {"start", start_verb, "put a daemon into the background"},
        {"stop", stop_verb, "end the daemon after its running jobs"},
        {"ping", ping_verb, "see whether a daemon answers, and how fast"},
        {"bench", bench_verb, "measure throughput and latency"}}},
  };
  return groups;
}

// The verbs whose start-up time counts: found without building the table.
int (*frequent(std::string_view name))(Arguments) {
  if (name == "run") return run_verb;
  if (name == "submit") return submit_verb;
  return nullptr;
}

int (*find_verb(std::string_view name))(Arguments) {
  if (const auto found = frequent(name)) return found;
  for (const VerbGroup& group : verb_groups()) {
    for (const Verb& verb : group.verbs) {
      if (name == verb.name) return verb.run;
    }
  }
  return nullptr;
}

void print_help() {
  std::fputs(
      "jobring runs jobs in the worker processes of a daemon, or of a private one that it starts "
      "itself.\n\nUsage: jobring VERB [OPTIONS] ...\n",
      stdout);
  for (const VerbGroup& group : verb_groups()) {
    std::printf("\n%s:\n", group.heading);
    for (const Verb& verb : group.verbs) std::printf("  %-8s %s\n", verb.name, verb.summary);
  }
  std::fputs(
      "\n`jobring VERB --help` tells more. `jobring` alone shows the status of a running "
      "daemon.\n\n"
      "Examples:\n"
      "  jobring run -- make -j4\n"
      "  jobring map sha256sum {} ::: *.iso\n"
      "  jobring start && jobring status\n"
      "  jobring submit --retries 3 -- make world && jobring list\n",
      stdout);
}

int unknown_verb(const std::string& name) {
  std::vector<std::string> known;
  for (const VerbGroup& group : verb_groups()) {
    for (const Verb& verb : group.verbs) known.emplace_back(verb.name);
  }
  const std::string near = nearest(name, known);
  const char* kind = name.starts_with("-") ? "option" : "verb";
  std::fprintf(stderr, "jobring: unknown %s \"%s\"%s; see `jobring --help`\n", kind, name.c_str(),
               near.empty() ? "" : ("; did you mean \"" + near + "\"?").c_str());
  return exit_status(Errc::usage);
}

int status_or_help() {
  try {
    return status_verb({});
  } catch (const Exception& e) {
    if (e.exit_status() != exit_status(Errc::no_daemon)) {
      std::fprintf(stderr, "jobring: %s\n", e.what());
      return e.exit_status();
    }
    print_help();
    return 0;
  }
}

int dispatch(Arguments arguments) {
  if (arguments.empty()) return status_or_help();
  const std::string_view name = arguments[0];
  if (name == "--help" || name == "-h" || name == "help") {
    print_help();
    return 0;
  }
  if (name == "--version" || name == "-V") {
    std::puts("jobring " JOBRING_VERSION);
    return 0;
  }
  if (const auto verb = find_verb(name)) {
    try {
      return verb(arguments.subspan(1));
    } catch (const Exception& e) {
      std::fflush(stdout);
      std::fprintf(stderr, "jobring %s: %s\n", arguments[0], e.what());
      return e.exit_status();
    }
  }
  return unknown_verb(std::string(name));
}

// A descriptor that we open must never become somebody's stdout.
void open_stdio() {
  for (int fd = 0; fd < 3; ++fd) {
    if (fcntl(fd, F_GETFD) < 0) (void)!open("/dev/null", O_RDWR);
  }
}

}  // namespace

int main(int argc, char** argv) {
  open_stdio();
  const int status = dispatch(Arguments(argv + 1, argc > 0 ? std::size_t(argc) - 1 : 0));
  // What a full disk or a closed pipe did to our output is an error too.
  if (std::fflush(stdout) != 0 && status == 0) {
    std::perror("jobring: write to stdout");
    return exit_status(Errc::system);
  }
  return status;
}
