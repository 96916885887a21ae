// jobring status: pools, workers, channels and their counters.
#include <unistd.h>

#include <cstdio>
#include <optional>
#include <vector>

#include <jobring/durable.hpp>

#include "client/cli/connection.hpp"
#include "client/cli/durable/job_json.hpp"
#include "client/cli/durable/job_table.hpp"
#include "client/cli/status_table.hpp"
#include "client/cli/terminal.hpp"
#include "client/cli/verbs.hpp"

namespace jobring::cli {
namespace {

// How many durable jobs there are; nullopt if nobody keeps any: asking would start the keeper.
std::optional<std::vector<PoolJobs>> durable_counts(Client& client, const std::string& status) {
  if (status.find("\"@keeper\"") == std::string::npos) return std::nullopt;
  try {
    return DurableJobs(client).counts();
  } catch (const Exception& e) {
    std::fprintf(stderr, "jobring status: durable jobs: %s\n", e.what());
    return std::nullopt;
  }
}

// One member more for the daemon's object.
std::string with_member(std::string object, const std::string& name, const std::string& value) {
  const std::size_t end = object.rfind('}');
  if (end != std::string::npos) object.insert(end, ",\"" + name + "\":" + value);
  return object;
}

constexpr HelpText kHelp = {.verb = "status",
                            .usage = "[OPTIONS]",
                            .summary =
                                "Shows a running daemon's pools, workers with their current jobs, "
                                "channels and counters, and "
                                "how many durable jobs there are.",
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
  options.flag("--json", json, "print it as a JSON object");
  std::vector<std::string> words;
  if (const auto status = options.parse(arguments, Options::Order::anywhere, words)) return *status;
  if (!words.empty()) return options.usage_error("unexpected word \"" + words[0] + "\"");

  Client client = connect_existing(socket);
  const std::string status = client.status_json();
  const auto durable = durable_counts(client, status);
  if (json) {
    const std::string all =
        durable ? with_member(status, "durable", "{\"pools\":" + pools_json(*durable) + "}")
                : status;
    std::printf("%s\n", all.c_str());
    return 0;
  }
  const bool colors = use_color(color, STDOUT_FILENO);
  std::fputs(status_table(status, colors).c_str(), stdout);
  if (durable) std::fputs(pools_table(*durable, colors).c_str(), stdout);
  return 0;
}

}  // namespace jobring::cli
