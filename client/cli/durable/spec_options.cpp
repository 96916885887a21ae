#include "client/cli/durable/spec_options.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "client/cli/caller.hpp"
#include "client/cli/durable/selection.hpp"
#include "client/cli/durable/texts.hpp"
#include "client/cli/durable/when.hpp"
#include "client/cli/limits.hpp"
#include "client/cli/object_options.hpp"
#include "client/cli/shell_quote.hpp"
#include "client/client_core.hpp"
#include "common/config/units.hpp"
#include "common/exec_codec.hpp"

namespace jobring::cli {
namespace {

using detail::throw_error;
using std::chrono::milliseconds;

constexpr std::size_t kNameMost = 100;  // bytes of a command that are its name

std::function<Result<void>(const std::string&)> into(std::optional<WallTime>& time) {
  return [&time](const std::string& text) -> Result<void> {
    const auto parsed = parse_when(text, std::chrono::system_clock::now());
    if (!parsed) return parsed.error();
    time = *parsed;
    return {};
  };
}

void add_when(Options& options, DurableOptions& job) {
  options.section("When");
  options.value(
      "--priority",
      [&job](const std::string& text) -> Result<void> {
        const auto value = parse_integer(text, INT32_MIN, INT32_MAX);
        if (!value) return value.error();
        job.priority = std::int32_t(*value);
        return {};
      },
      "N", "higher starts sooner; default 0. A level is worth 10,000 places in the line");
  options.duration("--delay", job.delay, "not before so long from now");
  options.value("--at", into(job.run_at), "WHEN",
                "not before: '2026-11-22 08:00', 08:00, 'tomorrow 08:00', +5m, @EPOCH");
  options.value("--deadline", into(job.deadline), "WHEN", "not begun later than this: dead then");
  options.flag("--hold", job.held, "held until `jobring release`");
}

void add_ends(Options& options, DurableOptions& job) {
  options.section("How often and how long");
  options.duration("--timeout", job.timeout, "end each attempt after running so long");
  options.value(
      "--retries",
      [&job](const std::string& text) -> Result<void> {
        const auto value = parse_integer(text, 0, UINT32_MAX);
        if (!value) return value.error();
        job.retry.max = std::uint32_t(*value);
        return {};
      },
      "N", "try again so often if it fails, crashes or times out");
  options.value(
      "--backoff", [&job](const std::string& text) { return parse_backoff(text, job.retry); },
      "BASE[..CAP]", "pause before the first retry, doubled up to CAP; default 1s..1h");
  options.value(
      "--jitter",
      [&job](const std::string& text) -> Result<void> {
        const auto value = parse_integer(text, 0, 100);
        if (!value) return value.error();
        job.retry.jitter_percent = unsigned(*value);
        return {};
      },
      "PERCENT", "of a pause, added or taken away by chance; default 20");
  options.value(
      "--retry-exits",
      [&job](const std::string& text) -> Result<void> {
        const auto codes = parse_integers(text, 0, 255);
        if (!codes) return codes.error();
        job.retry.exits.assign(codes->begin(), codes->end());
        return {};
      },
      "CODE[,CODE]", "only these exit codes are tried again");
}

void add_order(Options& options, JobWishes& wishes) {
  DurableOptions& job = wishes.options;
  options.section("Which with which");
  options.list("--after", wishes.after, "ID[,ID]", "after these jobs or groups have succeeded");
  options.list("--after-any", wishes.after_any, "ID[,ID]", "after these have ended, however");
  options.value(
      "--array",
      [&job](const std::string& text) -> Result<void> {
        const auto array = parse_array(text);
        if (!array) return array.error();
        job.array = *array;
        return {};
      },
      "A-B[:STEP][%N]", "a job for each of A..B, $JOBRING_INDEX; at most N at a time");
  options.number("--group", job.group, 1, (std::uint64_t{1} << 48) - 1, "ID",
                 "joins a group of `jobring group new`");
  options.text("--unique", job.unique.key, "KEY", "refused (75) while a job of yours has this key");
  options.text("--unique-until", wishes.unique_until, "started|ended|DURATION",
               "how long it has the key; default ended");
  options.flag("--replace", job.unique.replace, "the one that waits gives way, with --unique");
  options.value(
      "--key",
      [&job](const std::string& text) -> Result<void> {
        const auto key = parse_key(text);
        if (!key) return key.error();
        job.concurrency_key = key->first;
        job.concurrency_max = key->second;
        return {};
      },
      "KEY=N", "at most N of your jobs with this key run at a time");
}

void add_keeping(Options& options, DurableOptions& job) {
  options.section("What is kept");
  options.value(
      "--durability",
      [&job](const std::string& text) -> Result<void> {
        if (text == "none") {
          job.durability = Durability::none;
        } else if (text == "batched") {
          job.durability = Durability::batched;
        } else if (text == "synced") {
          job.durability = Durability::synced;
        } else {
          return Error{Errc::usage, "\"" + text + "\" is none of synced, batched, none", "", ""};
        }
        return {};
      },
      "synced|batched|none", "what it survives once it is accepted; default synced: power cuts");
  options.value(
      "--keep",
      [&job](const std::string& text) -> Result<void> {
        const auto time = parse_duration(text);
        if (!time) return time.error();
        job.keep = std::chrono::ceil<milliseconds>(*time);
        return {};
      },
      "DURATION", "forgotten so long after its end; 0: at once if it succeeded");
  options.size("--output-max", job.output_max, "keep so much of its stdout and of its stderr");
}

JobDependency dependency(JobId on, JobDependency::After after) {
  JobDependency d;
  d.on = on;
  d.after = after;
  return d;
}

void add_dependencies(DurableJobs& jobs, const std::vector<std::string>& words,
                      JobDependency::After after, std::vector<JobDependency>& into) {
  for (const std::string& word : words) {
    for (const std::string& part : split_commas(word)) {
      into.push_back(dependency(parse_one_id(jobs, part), after));
    }
  }
}

std::string own_name(const Command& command, bool shell) {
  std::string name = one_line(shell ? command.argv[2] : shell_join(command.argv));
  if (name.size() <= kNameMost) return name;
  std::size_t end = kNameMost - 3;
  while (end > 0 && (static_cast<unsigned char>(name[end]) & 0xc0) == 0x80) --end;
  return name.substr(0, end) + "...";
}

std::string environment_entry(const std::string& wish) {
  const std::size_t equals = wish.find('=');
  if (equals == 0 || wish.empty()) {
    throw_error(
        {Errc::usage, "\"" + wish + "\" is no variable", "--env", "write NAME=VALUE or NAME"});
  }
  if (equals != std::string::npos) return wish;
  const char* value = std::getenv(wish.c_str());
  return value == nullptr ? "" : wish + "=" + value;
}

}  // namespace

void JobWishes::add_to(Options& cli) {
  cli.section("What it is called");
  cli.text("--pool", options.pool, "NAME", "pool to run in; default: \"default\"");
  cli.text("--name", options.name, "NAME", "its name; default: the command");
  cli.list("--tag", tags, "TAG[,TAG]", "tags to select it by; may be repeated");
  add_when(cli, options);
  add_ends(cli, options);
  add_order(cli, *this);
  add_keeping(cli, options);
  cli.section("Options");
}

DurableOptions JobWishes::resolve(DurableJobs& jobs) const {
  DurableOptions job = resolve();
  add_dependencies(jobs, after, JobDependency::After::success, job.after);
  add_dependencies(jobs, after_any, JobDependency::After::any, job.after);
  return job;
}

DurableOptions JobWishes::resolve() const {
  DurableOptions job = options;
  for (const std::string& words : tags) {
    for (std::string& tag : split_commas(words)) job.tags.push_back(std::move(tag));
  }
  if (job.unique.key.empty() && (job.unique.replace || !unique_until.empty())) {
    throw_error({Errc::usage, "--replace and --unique-until need --unique", "", ""});
  }
  if (job.delay.count() != 0 && job.run_at) {
    throw_error({Errc::usage, "--delay and --at exclude each other", "", ""});
  }
  if (unique_until == "started") {
    job.unique.until = UniqueKey::Until::started;
  } else if (!unique_until.empty() && unique_until != "ended") {
    const auto time = parse_duration(unique_until);
    if (!time) {
      throw_error({Errc::usage, "\"" + unique_until + "\" is none of started, ended, a duration",
                   "--unique-until", ""});
    }
    job.unique.until = UniqueKey::Until::time;
    job.unique.for_time = std::chrono::ceil<milliseconds>(*time);
  }
  return job;
}

void Work::add_to(Options& options) {
  options.section("What is run");
  options.text("-c,--shell", shell, "STRING",
               "run STRING with /bin/sh; words after it are $1, $2, ...");
  options.text("--handler", handler, "NAME",
               "a handler instead of a command; the word after it is its payload, - is stdin");
  options.text("--cwd", cwd, "DIR", "directory to run in; default: this one");
  options.list("--env", env, "NAME[=VALUE]", "a variable more; may be repeated");
  options.flag("--no-env", no_env, "not this environment: the worker's, and --env");
  options.text("--stdin", stdin_file, "FILE",
               "its stdin, opened when it runs; -: what is our stdin now");
  options.text("--umask", umask, "OCTAL", "default: ours");
  options.duration("--kill-after", kill_after, "time between TERM and KILL; default: the daemon's");
  add_limits_to(options, limits);
  options.section("Options");
}

Command Work::command() const {
  Command command = command_of_caller();
  if (!cwd.empty()) command.cwd = cwd.front() == '/' ? cwd : command.cwd + "/" + cwd;
  if (no_env) {
    command.env.clear();
    command.env_replaces = false;
  }
  for (const std::string& wish : env) {
    std::string entry = environment_entry(wish);
    if (entry.empty()) continue;
    const std::string name = entry.substr(0, entry.find('=') + 1);
    std::erase_if(command.env, [&](const std::string& old) { return old.starts_with(name); });
    command.env.push_back(std::move(entry));
  }
  if (stdin_file == "-") {
    command.stdin_text = read_stdin();
  } else if (!stdin_file.empty()) {
    // Relative to where we are, not to --cwd: it is a word of this command line.
    if (stdin_file.front() == '/') {
      command.stdin_file = stdin_file;
    } else {
      command.stdin_file = command_of_caller().cwd + "/" + stdin_file;
    }
  }
  if (!umask.empty()) {
    const bool octal =
        umask.size() <= 4 && umask.find_first_not_of("01234567") == std::string::npos;
    const long mask = octal ? std::strtol(umask.c_str(), nullptr, 8) : -1;
    if (mask < 0 || mask > 0777) {
      throw_error({Errc::usage, "not a umask: \"" + umask + "\"", "--umask", "write 022"});
    }
    command.umask = int(mask);
  }
  command.kill_grace_ms = std::uint32_t(kill_after.count());
  command.limits = limits;
  return command;
}

DurableJob command_job(Command command, DurableOptions options) {
  if (options.name.empty()) {
    const auto& argv = command.argv;
    options.name = own_name(command, argv.size() > 2 && argv[0] == "/bin/sh" && argv[1] == "-c");
  }
  return {.handler = std::string(kExecHandler),
          .payload = encode(command),
          .options = std::move(options)};
}

DurableJob Work::job(std::vector<std::string> words, DurableOptions options) const {
  if (!handler.empty()) {
    if (!shell.empty()) throw_error({Errc::usage, "--handler and -c exclude each other", "", ""});
    if (limits != CommandLimits{}) {
      throw_error({Errc::usage, "--limit is for commands, not for --handler", "",
                   "a pool has limits for its workers"});
    }
    if (words.size() > 1) {
      throw_error({Errc::usage, "more than one payload: quote it, or use -", "", ""});
    }
    const bool from_stdin = words.size() == 1 && words[0] == "-";
    return {.handler = handler,
            .payload = from_stdin      ? read_stdin()
                       : words.empty() ? ""
                                       : words[0],
            .options = std::move(options)};
  }
  Command all = command();
  if (!shell.empty()) {
    all.argv = {"/bin/sh", "-c", shell};
    // The words after it are $1, $2, ... as with sh -c.
    if (!words.empty()) all.argv.emplace_back("sh");
  }
  all.argv.insert(all.argv.end(), words.begin(), words.end());
  if (all.argv.empty()) throw_error({Errc::usage, "no command is given", "", ""});
  return command_job(std::move(all), std::move(options));
}

}  // namespace jobring::cli
