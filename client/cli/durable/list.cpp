// jobring list: durable jobs as a table.
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "client/cli/durable/job_json.hpp"
#include "client/cli/durable/job_table.hpp"
#include "client/cli/durable/selection.hpp"
#include "client/cli/durable/session.hpp"
#include "client/cli/durable/when.hpp"
#include "client/cli/human.hpp"
#include "client/cli/terminal.hpp"
#include "client/cli/verbs.hpp"
#include "client/client_core.hpp"
#include "common/exec_codec.hpp"

namespace jobring::cli {
namespace {

constexpr HelpText kHelp = {
    .verb = "list",
    .usage = "[OPTIONS] [ID|FROM-TO|last]...",
    .summary = "Shows the durable jobs, the newest first: 50, unless -n says otherwise.",
    .examples =
        "  jobring list\n"
        "  jobring list --state failed,dead --pool fast\n"
        "  jobring list -n 0 --since 1h --sort -time\n"
        "  jobring list --columns +tags,user --tag nightly\n"
        "  jobring cancel $(jobring list -q --name world)\n"};

// To sort jobs all of them must be here; so many and no more.
constexpr std::size_t kSortedMost = 200'000;
constexpr std::uint64_t kLimit = 50, kNotSaid = UINT64_MAX;

struct ListFlags {
  Selection selection;
  std::string socket, color = "auto", sort;
  std::vector<std::string> columns = default_job_columns();
  std::uint64_t limit = kNotSaid;
  std::optional<WallTime> since;
  bool json = false, quiet = false, reverse = false, wide = false;
};

struct Found {
  std::vector<DurableInfo> jobs;
  bool more = false;
};

Found find(DurableJobs& jobs, const ListFlags& flags) {
  Found found;
  const std::size_t most = !flags.sort.empty() ? kSortedMost
                           : flags.limit == 0  ? SIZE_MAX
                                               : std::size_t(flags.limit);
  const JobFilter filter = flags.selection.resolve(jobs, false);
  const auto take = [&](DurableInfo& job) {
    // Ids grow with time.
    if (flags.since && job.submitted < *flags.since) return false;
    if (found.jobs.size() == most) {
      found.more = true;
      return false;
    }
    found.jobs.push_back(std::move(job));
    return true;
  };
  for_each_job(jobs, filter, take, std::min<std::size_t>(most, 500) + 1);
  return found;
}

// Lists leave out long payloads. What a command is called is in its name, unless a program
// submitted it without one.
void complete(DurableJobs& jobs, std::vector<DurableInfo>& found, const ListFlags& flags) {
  const auto& columns = flags.columns;
  const bool commands = std::find(columns.begin(), columns.end(), "command") != columns.end();
  const bool what = std::find(columns.begin(), columns.end(), "what") != columns.end();
  for (DurableInfo& job : found) {
    const bool wanted = commands || (what && job.options.name.empty());
    if (!wanted || !job.payload_left_out || job.handler != kExecHandler) continue;
    if (auto all = jobs.show(job.id)) {
      job.payload = std::move(all->payload);
      job.payload_left_out = all->payload_left_out;
    }
  }
}

void print(const std::vector<DurableInfo>& jobs, const ListFlags& flags) {
  if (flags.quiet) {
    for (const DurableInfo& job : jobs) {
      std::printf("%llu\n", static_cast<unsigned long long>(job.id));
    }
    return;
  }
  if (flags.json) {
    std::printf("%s\n", jobs_json(jobs, JobDetail::brief).c_str());
    return;
  }
  const bool fit = is_terminal(STDOUT_FILENO) && !flags.wide;
  const TableStyle style = {.color = use_color(flags.color, STDOUT_FILENO),
                            .width = fit ? std::size_t(terminal_width(STDOUT_FILENO)) : 0};
  std::fputs(job_table(jobs, flags.columns, std::chrono::system_clock::now(), style).c_str(),
             stdout);
}

int list(const ListFlags& flags) {
  DurableSession session(flags.socket);
  Found found = find(session.jobs, flags);
  if (!flags.sort.empty()) {
    if (found.more) {
      detail::throw_error({Errc::full,
                           "more than " + human_count(kSortedMost) + " jobs fit: too many to sort",
                           "--sort", "say more about which"});
    }
    const auto sorted = sort_jobs(found.jobs, flags.sort, std::chrono::system_clock::now());
    if (!sorted) detail::throw_error(sorted.error());
    if (flags.limit != 0 && found.jobs.size() > flags.limit) {
      found.jobs.resize(flags.limit);
      found.more = true;
    }
  }
  if (flags.reverse) std::reverse(found.jobs.begin(), found.jobs.end());
  if (!flags.quiet && !flags.json) complete(session.jobs, found.jobs, flags);
  print(found.jobs, flags);
  if (found.more && !flags.quiet) {
    std::fflush(stdout);
    std::fprintf(stderr, "jobring list: there are more than these %zu; -n 0 shows all\n",
                 found.jobs.size());
  }
  return 0;
}

}  // namespace

int list_verb(Arguments arguments) {
  ListFlags flags;
  Options options(kHelp);
  flags.selection.add_to(options);
  options.value(
      "--since",
      [&](const std::string& text) -> Result<void> {
        const auto time = parse_past(text, std::chrono::system_clock::now());
        if (!time) return time.error();
        flags.since = *time;
        return {};
      },
      "AGE|WHEN", "submitted since: 1h, '2026-11-22 08:00'");
  options.number("-n,--limit", flags.limit, 0, UINT32_MAX, "N",
                 "at most so many; 0: all; default 50, with --all all");
  options.text("--sort", flags.sort, "COLUMN", "by this column; -COLUMN: the largest first");
  options.flag("-r,--reverse", flags.reverse, "turn the order round: the newest last");
  options.value(
      "-o,--columns",
      [&](const std::string& text) -> Result<void> {
        auto columns = parse_job_columns(text);
        if (!columns) return columns.error();
        flags.columns = std::move(*columns);
        return {};
      },
      "NAME[,NAME]", "these columns; +NAME: besides the usual ones");
  options.flag("-w,--wide", flags.wide, "do not cut lines to the width of the terminal");
  options.flag("-q,--quiet", flags.quiet, "ids only, one a line");
  options.flag("--json", flags.json, "a JSON array");
  options.choice("--color", flags.color, {"auto", "always", "never"},
                 "colours; auto: on a terminal without $NO_COLOR");
  options.text("--socket", flags.socket, "PATH", "the daemon's socket");
  std::vector<std::string> words;
  if (const auto status = options.parse(arguments, Options::Order::anywhere, words)) return *status;
  if (const auto taken = flags.selection.take(words); !taken)
    return options.usage_error(taken.error().line());
  if (flags.limit == kNotSaid) flags.limit = flags.selection.all() ? 0 : kLimit;
  leave(list(flags));
}

}  // namespace jobring::cli
