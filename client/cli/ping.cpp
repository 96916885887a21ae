// jobring ping: does a daemon answer, and how fast?
#include <cstdio>

#include <jobring/jobring.hpp>

#include "client/cli/connection.hpp"
#include "client/cli/human.hpp"
#include "client/cli/json.hpp"
#include "client/cli/verbs.hpp"

namespace jobring::cli {
namespace {

constexpr HelpText kHelp = {
    .verb = "ping",
    .usage = "[OPTIONS]",
    .summary = "Asks a running daemon for its version, pid and uptime; 69 if none answers.",
    .examples = "  jobring ping\n  jobring ping --socket /run/jobring/socket --json\n"};

}  // namespace

int ping_verb(Arguments arguments) {
  std::string socket;
  bool json = false;
  Options options(kHelp);
  options.text("--socket", socket, "PATH", "the daemon's socket");
  options.flag("--json", json, "print a JSON object");
  std::vector<std::string> words;
  if (const auto status = options.parse(arguments, Options::Order::anywhere, words)) return *status;
  if (!words.empty()) return options.usage_error("unexpected word \"" + words[0] + "\"");

  const Pong pong = connect_existing(socket).ping();
  if (json) {
    std::printf("%s\n", pong_json(pong).c_str());
    return 0;
  }
  using std::chrono::nanoseconds;
  std::printf("jobringd %s, pid %d, up %s, round trip %s\n", pong.version.c_str(), int(pong.pid),
              human_duration(std::uint64_t(nanoseconds(pong.uptime).count())).c_str(),
              human_duration(std::uint64_t(pong.round_trip.count())).c_str());
  return 0;
}

}  // namespace jobring::cli
