// jobring group: durable jobs that are waited for, and depended on, together.
#include <cstdio>

#include "client/cli/durable/job_json.hpp"
#include "client/cli/durable/job_page.hpp"
#include "client/cli/durable/selection.hpp"
#include "client/cli/durable/session.hpp"
#include "client/cli/verbs.hpp"

namespace jobring::cli {
namespace {

constexpr HelpText kHelp = {
    .verb = "group",
    .usage = "new|seal ID|show ID",
    .summary =
        "Groups of durable jobs. new: prints the id of a new one, which jobs join with `submit "
        "--group`. seal: no more join, so that it can be over.\n"
        "Wait for one with `jobring wait ID`, run a job after it with `submit --after ID`.",
    .examples =
        "  g=$(jobring group new)\n"
        "  for f in *.wav; do jobring submit --group $g -- flac $f; done\n"
        "  jobring group seal $g; jobring submit --after $g -- ./publish\n"};

}  // namespace

int group_verb(Arguments arguments) {
  std::string socket;
  bool json = false;
  Options options(kHelp);
  options.flag("--json", json, "show: a JSON object");
  options.text("--socket", socket, "PATH", "the daemon's socket");
  std::vector<std::string> words;
  if (const auto status = options.parse(arguments, Options::Order::anywhere, words)) return *status;
  const std::string what = words.empty() ? "" : words[0];
  const std::size_t needed = what == "new" ? 1 : 2;
  if ((what != "new" && what != "seal" && what != "show") || words.size() != needed) {
    return options.usage_error("new, seal ID or show ID is needed");
  }
  DurableSession session(socket);
  if (what == "new") {
    std::printf("%llu\n", static_cast<unsigned long long>(session.jobs.new_group()));
    leave(0);
  }
  const JobId id = parse_one_id(session.jobs, words[1]);
  if (what == "seal") {
    session.jobs.seal(id);
    leave(0);
  }
  const JobGroup group = session.jobs.group(id);
  if (json) {
    std::printf("%s\n", group_json(group).c_str());
  } else {
    std::fputs(group_text(group).c_str(), stdout);
  }
  leave(0);
}

}  // namespace jobring::cli
