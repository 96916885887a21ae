// jobring events: what happens to durable jobs, a line each.
#include <algorithm>
#include <cstdio>

#include "client/cli/durable/job_json.hpp"
#include "client/cli/durable/session.hpp"
#include "client/cli/durable/texts.hpp"
#include "client/cli/durable/when.hpp"
#include "client/cli/shell_quote.hpp"
#include "client/cli/verbs.hpp"
#include "client/client_core.hpp"
#include "common/excerpt.hpp"

namespace jobring::cli {
namespace {

constexpr HelpText kHelp = {
    .verb = "events",
    .usage = "[OPTIONS]",
    .summary =
        "Prints what happened to durable jobs as far as the daemon remembers it: sequence, time, "
        "job, state, attempt, pool, name. With -f what happens from now on.",
    .examples =
        "  jobring events -f --state dead\n"
        "  jobring events --json --after 0 | jq .id\n"};

constexpr std::size_t kAtOnce = 1000;
constexpr auto kPatience = std::chrono::seconds(30);

struct EventFlags {
  std::string socket, pool, name;
  std::vector<JobState> states;
  std::uint64_t after = UINT64_MAX;  // not given
  std::uint64_t count = 0;
  bool follow = false, json = false;
};

bool wanted(const JobEvent& event, const EventFlags& flags) {
  if (!flags.pool.empty() && event.pool != flags.pool) return false;
  if (!flags.name.empty() && event.name != flags.name) return false;
  return flags.states.empty() ||
         std::find(flags.states.begin(), flags.states.end(), event.state) != flags.states.end();
}

void print(const JobEvent& event, bool json) {
  if (json) {
    std::printf("%s\n", event_json(event).c_str());
    return;
  }
  std::printf("%llu\t%s\t%llu\t%s\t%u\t%s\t%s\n", static_cast<unsigned long long>(event.sequence),
              local_time(event.time).c_str(), static_cast<unsigned long long>(event.id),
              event.removed ? "removed" : to_string(event.state), event.attempt,
              one_line(event.pool).c_str(), excerpt(one_line(event.name)).c_str());
}

int print_events(const EventFlags& flags) {
  DurableSession session(flags.socket);
  std::uint64_t after = flags.after;
  if (after == UINT64_MAX) after = flags.follow ? DurableJobs::events_now : 0;
  std::uint64_t printed = 0;
  while (true) {
    const JobEvents page = session.jobs.events(
        after, kAtOnce,
        flags.follow ? std::chrono::nanoseconds(kPatience) : std::chrono::nanoseconds(0));
    if (page.gap) std::fprintf(stderr, "jobring events: some events were forgotten before these\n");
    for (const JobEvent& event : page.events) {
      if (!wanted(event, flags)) continue;
      print(event, flags.json);
      if (flags.count != 0 && ++printed == flags.count) return 0;
    }
    if (page.events.empty() && !flags.follow) return 0;
    after = page.last;
    if (std::fflush(stdout) != 0) detail::throw_error(system_error("write", "stdout"));
  }
}

}  // namespace

int events_verb(Arguments arguments) {
  EventFlags flags;
  Options options(kHelp);
  options.flag("-f,--follow", flags.follow, "go on with what happens; begins with now");
  options.number("--after", flags.after, 0, UINT64_MAX - 1, "SEQUENCE",
                 "what came after this event; 0: all that are remembered");
  options.number("-c,--count", flags.count, 1, UINT32_MAX, "N", "end after so many");
  options.text("--pool", flags.pool, "NAME", "of jobs of this pool");
  options.text("--name", flags.name, "NAME", "of jobs of this name");
  options.value(
      "--state",
      [&](const std::string& text) -> Result<void> {
        flags.states.clear();
        for (const std::string& part : split_commas(text)) {
          const auto state = parse_state(part);
          if (!state) return state.error();
          flags.states.push_back(*state);
        }
        return {};
      },
      "STATE[,STATE]", "of jobs that came into one of these states");
  options.flag("--json", flags.json, "a JSON object a line");
  options.text("--socket", flags.socket, "PATH", "the daemon's socket");
  std::vector<std::string> words;
  if (const auto status = options.parse(arguments, Options::Order::anywhere, words)) return *status;
  if (!words.empty()) return options.usage_error("unexpected word \"" + words[0] + "\"");
  leave(print_events(flags));
}

}  // namespace jobring::cli
