// jobring status: pools, workers, channels and their counters.
#include <unistd.h>

#include <cstdio>

#include <jobring/jobring.hpp>

#include "client/cli/connection.hpp"
#include "client/cli/status_table.hpp"
#include "client/cli/terminal.hpp"
#include "client/cli/verbs.hpp"

namespace jobring::cli {
namespace {

constexpr HelpText kHelp = {
    .verb = "status",
    .usage = "[OPTIONS]",
    .summary =
        "Shows a running daemon's pools, workers with their current jobs, channels and counters.",
    .examples =
        "  jobring status\n"
        "  jobring status --json | jq '.pools[].queued'\n"};

}  // namespace

int status_verb(Arguments arguments) {
  std::string socket;
  std::string color = "auto";
  bool json = false;
  Options options(kHelp);
  options.text("--socket", socket, "PATH", "the daemon's socket");
  options.choice("--color", color, {"auto", "always", "never"},
                 "colours; auto: on a terminal without $NO_COLOR");
  options.flag("--json", json, "print the daemon's JSON as it is");
  std::vector<std::string> words;
  if (const auto status = options.parse(arguments, Options::Order::anywhere, words)) return *status;
  if (!words.empty()) return options.usage_error("unexpected word \"" + words[0] + "\"");

  const std::string status = connect_existing(socket).status_json();
  if (json) {
    std::printf("%s\n", status.c_str());
  } else {
    std::fputs(status_table(status, use_color(color, STDOUT_FILENO)).c_str(), stdout);
  }
  return 0;
}

}  // namespace jobring::cli
