// jobring export, import: durable jobs as JSON lines, out of one store and into another.
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cstdio>

#include "client/cli/durable/job_json.hpp"
#include "client/cli/durable/selection.hpp"
#include "client/cli/durable/session.hpp"
#include "client/cli/line_reader.hpp"
#include "client/cli/object_options.hpp"
#include "client/cli/verbs.hpp"
#include "client/client_core.hpp"

namespace jobring::cli {
namespace {

constexpr HelpText kExportHelp = {
    .verb = "export",
    .usage = "[OPTIONS] [ID|FROM-TO|last]...",
    .summary =
        "Prints durable jobs as JSON lines, the oldest first: all of them unless some are "
        "selected. "
        "`jobring import` reads them back, `jobring submit --batch` makes new jobs of them.",
    .examples =
        "  jobring export > jobs.jsonl\n"
        "  jobring export --state dead | jq -r .argv[0]\n"};
constexpr HelpText kImportHelp = {
    .verb = "import",
    .usage = "[OPTIONS] [FILE]",
    .summary =
        "Takes in durable jobs that `jobring export` printed, with their ids, states and attempts; "
        "without FILE from stdin. Those whose id is taken are passed over.\n"
        "What ran when it was exported is ready.",
    .examples = "  jobring import jobs.jsonl\n"};

constexpr std::size_t kLineMost = 256 << 20;  // bytes

int export_jobs(DurableJobs& jobs, const JobFilter& filter) {
  // By id, so that memory holds no jobs; a job that goes meanwhile is passed over.
  std::vector<JobId> ids;
  for_each_job(jobs, filter, [&](const DurableInfo& job) {
    ids.push_back(job.id);
    return true;
  });
  for (std::size_t i = ids.size(); i-- > 0;) {
    const auto record = jobs.export_job(ids[i]);
    const auto job = record ? jobs.show(ids[i]) : std::nullopt;
    if (job) write_stdout(export_json(*job, *record) + "\n");
  }
  return 0;
}

int import_jobs(DurableJobs& jobs, LineReader& reader, const std::string& name, bool json) {
  std::uint64_t imported = 0, passed_over = 0;
  std::string line;
  bool too_long = false;
  for (std::size_t number = 1;; ++number) {
    auto pulled = reader.next(line, too_long);
    while (pulled && *pulled == Pull::later) {
      pollfd ready = {reader.fd(), POLLIN, 0};
      poll(&ready, 1, -1);
      pulled = reader.next(line, too_long);
    }
    if (!pulled) detail::throw_error(pulled.error());
    if (*pulled == Pull::end) break;
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const auto record =
        too_long ? Error{Errc::bad_input, "longer than 256 MiB", "", ""} : imported_record(line);
    if (!record) {
      const Error& error = record.error();
      detail::throw_error({error.code, error.what,
                           name + ": line " + std::to_string(number) + " (" +
                               std::to_string(imported) + " jobs were imported before it)",
                           error.hint});
    }
    ++(jobs.import_job(*record) ? imported : passed_over);
  }
  if (json) {
    std::printf("{\"imported\":%llu,\"passed_over\":%llu}\n",
                static_cast<unsigned long long>(imported),
                static_cast<unsigned long long>(passed_over));
  } else {
    std::fprintf(stderr, "jobring import: %llu jobs imported",
                 static_cast<unsigned long long>(imported));
    if (passed_over != 0) {
      std::fprintf(stderr, ", %llu passed over: their ids are taken",
                   static_cast<unsigned long long>(passed_over));
    }
    std::fputc('\n', stderr);
  }
  return 0;
}

}  // namespace

int export_verb(Arguments arguments) {
  Selection selection;
  std::string socket;
  Options options(kExportHelp);
  selection.add_to(options);
  options.text("--socket", socket, "PATH", "the daemon's socket");
  std::vector<std::string> words;
  if (const auto status = options.parse(arguments, Options::Order::anywhere, words)) return *status;
  if (const auto taken = selection.take(words); !taken)
    return options.usage_error(taken.error().line());
  DurableSession session(socket);
  leave(export_jobs(session.jobs, selection.resolve(session.jobs, false)));
}

int import_verb(Arguments arguments) {
  std::string socket;
  bool json = false;
  Options options(kImportHelp);
  options.flag("--json", json, "print how many as a JSON object");
  options.text("--socket", socket, "PATH", "the daemon's socket");
  std::vector<std::string> words;
  if (const auto status = options.parse(arguments, Options::Order::anywhere, words)) return *status;
  if (words.size() > 1) return options.usage_error("unexpected word \"" + words[1] + "\"");
  const bool from_stdin = words.empty() || words[0] == "-";
  const std::string name = from_stdin ? "stdin" : words[0];
  UniqueFd fd(from_stdin ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
                         : open(name.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) detail::throw_error(system_error("open", name));
  LineReader reader(std::move(fd), name, '\n', kLineMost);
  DurableSession session(socket);
  leave(import_jobs(session.jobs, reader, name, json));
}

}  // namespace jobring::cli
