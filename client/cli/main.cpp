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

constexpr Verb kVerbs[] = {
    {"run", run_verb, "run one command on this terminal's input and output"},
    {"map", map_verb, "run a command or a handler over many inputs"},
    {"call", call_verb, "run one handler and print its result"},
    {"status", status_verb, "show pools, workers, channels and counters"},
    {"ping", ping_verb, "see whether a daemon answers, and how fast"},
    {"bench", bench_verb, "measure throughput and latency"},
    {"start", start_verb, "put a daemon into the background"},
    {"stop", stop_verb, "end the daemon after its running jobs"},
    {"lock", lock_verb, "run a command while holding a named lock"},
    {"queue", queue_verb, "put, get or count the items of a named queue"},
    {"event", event_verb, "set, clear or wait for a named event"},
    {"dict", dict_verb, "read, change or watch a named dict"},
    {"objects", objects_verb, "list the named objects, who holds and who waits"},
};

void print_help() {
  std::fputs(
      "jobring runs jobs in the worker processes of a daemon, or of a private one that it starts "
      "itself.\n\nUsage: jobring VERB [OPTIONS] ...\n\nVerbs:\n",
      stdout);
  for (const Verb& verb : kVerbs) std::printf("  %-8s %s\n", verb.name, verb.summary);
  std::fputs(
      "\n`jobring VERB --help` tells more. `jobring` alone shows the status of a running "
      "daemon.\n\n"
      "Examples:\n"
      "  jobring run -- make -j4\n"
      "  jobring map sha256sum {} ::: *.iso\n"
      "  jobring start && jobring status\n",
      stdout);
}

int unknown_verb(const std::string& name) {
  std::vector<std::string> known;
  for (const Verb& verb : kVerbs) known.emplace_back(verb.name);
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
  for (const Verb& verb : kVerbs) {
    if (name != verb.name) continue;
    try {
      return verb.run(arguments.subspan(1));
    } catch (const Exception& e) {
      std::fprintf(stderr, "jobring %s: %s\n", verb.name, e.what());
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
