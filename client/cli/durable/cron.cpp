// jobring cron: durable jobs that are submitted by the clock.
#include <unistd.h>

#include <cstdio>

#include "client/cli/durable/job_json.hpp"
#include "client/cli/durable/job_text.hpp"
#include "client/cli/durable/script.hpp"
#include "client/cli/durable/session.hpp"
#include "client/cli/durable/spec_options.hpp"
#include "client/cli/durable/users.hpp"
#include "client/cli/durable/when.hpp"
#include "client/cli/shell_quote.hpp"
#include "client/cli/table.hpp"
#include "client/cli/terminal.hpp"
#include "client/cli/verbs.hpp"
#include "client/client_core.hpp"

namespace jobring::cli {
namespace {

constexpr HelpText kHelp = {
    .verb = "cron",
    .usage =
        "list|add|remove|run ...\n"
        "  cron list [--json]\n"
        "  cron add [OPTIONS] NAME SCHEDULE [--] COMMAND [ARGUMENT...]\n"
        "  cron remove NAME...\n"
        "  cron run NAME",
    .summary =
        "Durable jobs that the daemon submits by the clock. add: prints when it fires next. run: "
        "submits its job now, too, and prints the id.\n"
        "SCHEDULE is five fields as in crontab(5), or @hourly, @daily, @weekly, @monthly, @yearly, "
        "@reboot.",
    .examples =
        "  jobring cron add nightly '30 2 * * *' --retries 3 ./backup.sh\n"
        "  jobring cron add --zone Europe/Berlin --catch-up skip report '0 8 * * mon-fri' -- "
        "report\n"
        "  jobring cron list\n"
        "  jobring cron run nightly\n"};

struct CronFlags {
  std::string socket, zone, catch_up = "once";
  bool replace = false, json = false;
  JobWishes wishes;
  Work work;

  void add_to(Options& options) {
    options.text("--zone", zone, "ZONE",
                 "time zone of the schedule: Europe/Berlin; default: the daemon's");
    options.choice("--catch-up", catch_up, {"skip", "once", "all"},
                   "what to do about times that were missed while no daemon ran; default once");
    options.flag("--replace-entry", replace, "instead of the entry of this name");
    options.flag("--json", json, "list: a JSON array");
    options.text("--socket", socket, "PATH", "the daemon's socket");
    work.add_to(options);
    wishes.add_to(options);
  }
};

int add(const CronFlags& flags, const std::string& name, const std::string& schedule,
        std::vector<std::string> words) {
  DurableSession session(flags.socket);
  CronSpec cron;
  cron.name = name;
  cron.schedule = schedule;
  cron.zone = flags.zone;
  cron.catch_up = flags.catch_up == "skip"  ? CronSpec::CatchUp::skip
                  : flags.catch_up == "all" ? CronSpec::CatchUp::all
                                            : CronSpec::CatchUp::once;
  DurableOptions options = flags.wishes.resolve(session.jobs);
  if (options.run_at || options.deadline || !options.after.empty() || options.group != 0) {
    detail::throw_error({Errc::usage,
                         "--at, --deadline, --after and --group mean one moment or job, and a cron "
                         "entry has many",
                         "", ""});
  }
  if (options.name.empty()) options.name = name;
  cron.job = flags.work.job(std::move(words), std::move(options));
  const WallTime next = session.jobs.put_cron(cron, flags.replace);
  std::printf("%s\n",
              next == WallTime() ? "the next start of the machine" : local_time(next).c_str());
  return 0;
}

std::string what_of(const DurableJob& job) {
  DurableInfo info;
  info.handler = job.handler;
  info.payload = job.payload;
  return command_text(info);
}

int list(const CronFlags& flags) {
  DurableSession session(flags.socket);
  const auto entries = session.jobs.cron();
  if (flags.json) {
    std::printf("%s\n", cron_json(entries).c_str());
    return 0;
  }
  Table table({"NAME", "SCHEDULE", "ZONE", "NEXT", "LAST", "POOL", "USER", "WHAT"});
  const auto time = [](const std::optional<WallTime>& t) { return t ? local_time(*t) : "-"; };
  for (const CronSpec& entry : entries) {
    table.row({{one_line(entry.name)},
               {one_line(entry.schedule)},
               {entry.zone.empty() ? "-" : one_line(entry.zone)},
               {time(entry.next)},
               {time(entry.last)},
               {one_line(entry.job.options.pool)},
               {user_name(entry.uid)},
               {what_of(entry.job)}});
  }
  std::fputs(table.print(use_color("auto", STDOUT_FILENO)).c_str(), stdout);
  return 0;
}

int remove(const CronFlags& flags, const std::vector<std::string>& names) {
  DurableSession session(flags.socket);
  int status = 0;
  for (const std::string& name : names) {
    if (session.jobs.remove_cron(name)) continue;
    std::fprintf(stderr, "jobring cron: there is no entry \"%s\"\n", name.c_str());
    status = exit_status(Errc::bad_input);
  }
  return status;
}

int run_now(const CronFlags& flags, const std::string& name) {
  DurableSession session(flags.socket);
  std::printf("%llu\n", static_cast<unsigned long long>(session.jobs.run_cron(name)));
  return 0;
}

// Of `add`: options may stand before NAME, between SCHEDULE and the command, but the command's own
// are not ours. So options are read up to each word in turn.
std::optional<int> read_add(Arguments arguments, CronFlags& flags,
                            std::vector<std::string>& words) {
  std::vector<char*> ours;  // options before and behind NAME and SCHEDULE
  std::vector<std::string> two;
  Arguments rest = arguments;
  while (two.size() < 2) {
    CronFlags scratch;
    Options options(kHelp);
    scratch.add_to(options);
    std::vector<std::string> behind;
    if (const auto status = options.parse(rest, Options::Order::before_words, behind))
      return *status;
    if (behind.empty()) return options.usage_error("add needs NAME, SCHEDULE and a command");
    const std::size_t taken = rest.size() - behind.size();
    ours.insert(ours.end(), rest.begin(), rest.begin() + std::ptrdiff_t(taken));
    two.push_back(behind[0]);
    rest = rest.subspan(taken + 1);
  }
  ours.insert(ours.end(), rest.begin(), rest.end());
  std::vector<std::string> command;
  {
    Options options(kHelp);
    flags.add_to(options);
    if (const auto status = options.parse(ours, Options::Order::before_words, command))
      return *status;
  }
  const std::size_t taken = ours.size() - command.size();
  const bool after_dashes = taken > 0 && std::string_view(ours[taken - 1]) == "--";
  if (const auto head = script_of(command, after_dashes, flags.work)) {
    CronFlags scratch;
    std::vector<std::string> all;
    if (const auto status = add_directives(
            command[0], *head, kHelp, [&](Options& o) { scratch.add_to(o); }, all)) {
      return *status;
    }
    all.insert(all.end(), ours.begin(), ours.begin() + std::ptrdiff_t(taken));
    flags = {};
    Options options(kHelp);
    flags.add_to(options);
    std::vector<std::string> none;
    if (const auto status = options.parse(as_arguments(all), Options::Order::before_words, none))
      return *status;
    settle_script(*head, flags.work, command);
  }
  words = std::move(two);
  words.insert(words.end(), command.begin(), command.end());
  return std::nullopt;
}

}  // namespace

int cron_verb(Arguments arguments) {
  CronFlags flags;
  std::vector<std::string> words;
  Options options(kHelp);
  const std::string what = arguments.empty() ? "" : arguments[0];
  if (what == "add") {
    if (const auto status = read_add(arguments.subspan(1), flags, words)) return *status;
    const std::vector<std::string> command(words.begin() + 2, words.end());
    leave(add(flags, words[0], words[1], command));
  }
  flags.add_to(options);
  if (const auto status = options.parse(arguments, Options::Order::anywhere, words)) return *status;
  if (words.empty() || (words[0] == "list" && words.size() == 1)) leave(list(flags));
  const std::string verb = words[0];
  words.erase(words.begin());
  if (verb == "remove" && !words.empty()) leave(remove(flags, words));
  if (verb == "run" && words.size() == 1) leave(run_now(flags, words[0]));
  return options.usage_error("list, add NAME SCHEDULE COMMAND, remove NAME or run NAME is needed");
}

}  // namespace jobring::cli
