// jobring events: what happens to durable jobs, a line each.
#include <algorithm>
#include <cstdio>
#include <unordered_map>
#include <utility>
#include <vector>

#include "client/cli/durable/job_json.hpp"
#include "client/cli/durable/selection.hpp"
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
    .usage = "[OPTIONS] [ID...]",
    .summary =
        "Prints what happened to durable jobs as far as the daemon remembers it: sequence, time, "
        "job, state, attempt, pool, name. With -f what happens from now on. Jobs are chosen by "
        "numbers (12, 5-9, last, an array's) and by options; --state means the state that they "
        "came into. By tag or group only jobs that are still kept are found.",
    .examples =
        "  jobring events -f --state dead\n"
        "  jobring events last\n"
        "  jobring events --json --after 0 | jq .id\n"};

constexpr std::size_t kAtOnce = 1000;
constexpr auto kPatience = std::chrono::seconds(30);

struct EventFlags {
  std::string socket;
  Selection which;
  std::uint64_t after = UINT64_MAX;  // not given
  std::uint64_t count = 0;
  bool follow = false, json = false;
};

// Tells the events that are wanted: an event says less of its job than a filter may ask.
class Wanted {
 public:
  Wanted(DurableJobs& jobs, JobFilter filter)
      : jobs_(jobs), states_(std::move(filter.states)), filter_(std::move(filter)) {
    filter_.states.clear();
    looks_ = !filter_.tag.empty() || filter_.group != 0;
  }
  // Before fits() of any of them.
  void look(const std::vector<JobEvent>& events) {
    if (!looks_) return;
    if (known_.size() > kKnownMost) known_.clear();
    JobFilter asked = filter_;
    asked.ids.clear();
    for (const JobEvent& event : events) {
      if (!may_fit(event) || !known_.emplace(event.id, false).second) continue;
      asked.ids.emplace_back(event.id, event.id);
    }
    if (asked.ids.empty()) return;
    for_each_job(jobs_, asked, [&](const DurableInfo& job) { return known_[job.id] = true; });
  }
  bool fits(const JobEvent& event) const {
    return may_fit(event) && (!looks_ || known_.at(event.id));
  }

 private:
  static constexpr std::size_t kKnownMost = 100'000;

  bool may_fit(const JobEvent& event) const {
    const auto in = [&](const auto& range) {
      return range.first <= event.id && event.id <= range.second;
    };
    return (filter_.pool.empty() || event.pool == filter_.pool) &&
           (filter_.name.empty() || event.name == filter_.name) &&
           (!filter_.uid || event.uid == *filter_.uid) &&
           (states_.empty() ||
            std::find(states_.begin(), states_.end(), event.state) != states_.end()) &&
           (filter_.ids.empty() || std::any_of(filter_.ids.begin(), filter_.ids.end(), in));
  }

  DurableJobs& jobs_;
  const std::vector<JobState> states_;
  JobFilter filter_;
  bool looks_ = false;
  std::unordered_map<JobId, bool> known_;  // whether the job fits
};

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
  Wanted wanted(session.jobs, flags.which.resolve(session.jobs, false));
  std::uint64_t after = flags.after;
  if (after == UINT64_MAX) after = flags.follow ? DurableJobs::events_now : 0;
  std::uint64_t printed = 0;
  while (true) {
    const JobEvents page = session.jobs.events(
        after, kAtOnce,
        flags.follow ? std::chrono::nanoseconds(kPatience) : std::chrono::nanoseconds(0));
    if (page.gap) std::fprintf(stderr, "jobring events: some events were forgotten before these\n");
    wanted.look(page.events);
    for (const JobEvent& event : page.events) {
      if (!wanted.fits(event)) continue;
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
  flags.which.add_to(options);
  options.flag("-f,--follow", flags.follow, "go on with what happens; begins with now");
  options.number("--after", flags.after, 0, UINT64_MAX - 1, "SEQUENCE",
                 "what came after this event; 0: all that are remembered");
  options.number("-c,--count", flags.count, 1, UINT32_MAX, "N", "end after so many");
  options.flag("--json", flags.json, "a JSON object a line");
  options.text("--socket", flags.socket, "PATH", "the daemon's socket");
  std::vector<std::string> words;
  if (const auto status = options.parse(arguments, Options::Order::anywhere, words)) return *status;
  if (const auto taken = flags.which.take(words); !taken)
    return options.usage_error(taken.error().line());
  if (flags.which.has_age()) return options.usage_error("events have no age to be chosen by");
  leave(print_events(flags));
}

}  // namespace jobring::cli
