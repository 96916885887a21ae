// jobring objects: what named objects there are, who holds and who waits.
#include <unistd.h>

#include <cstdio>

#include "client/cli/human.hpp"
#include "client/cli/object_options.hpp"
#include "client/cli/table.hpp"
#include "client/cli/terminal.hpp"
#include "client/cli/verbs.hpp"

namespace jobring::cli {
namespace {

constexpr HelpText kHelp = {
    .verb = "objects",
    .usage = "[OPTIONS] [PREFIX]",
    .summary = "Lists the named objects that you may read, with their holders and waiters.",
    .examples = "  jobring objects\n  jobring objects --json app/\n"};

std::string mode_text(unsigned mode) {
  char text[8];
  std::snprintf(text, sizeof text, "%03o", mode);
  return text;
}

}  // namespace

int objects_verb(Arguments arguments) {
  std::string socket;
  bool json = false, remove = false;
  Options options(kHelp);
  options.text("--socket", socket, "PATH", "the daemon's socket");
  options.flag("--json", json, "print a JSON array");
  options.flag("--remove", remove, "remove the object of exactly this name; 1 if there is none");
  std::vector<std::string> words;
  if (const auto status = options.parse(arguments, Options::Order::anywhere, words)) return *status;
  if (words.size() > 1) return options.usage_error("unexpected word \"" + words[1] + "\"");
  if (remove && words.empty()) return options.usage_error("which object?");

  ObjectSession session(socket);
  if (remove) return session.registry.remove(words[0]) ? 0 : 1;
  const auto objects = session.registry.objects(words.empty() ? "" : words[0]);
  if (json) {
    write_stdout(objects_json(objects) + "\n");
    return 0;
  }
  Table table({"NAME", "KIND", ">LENGTH", ">HOLDERS", ">WAITERS", ">MEMORY", ">UID", "MODE"});
  for (const ObjectInfo& o : objects) {
    table.row({{o.name},
               {o.broken ? std::string(to_string(o.kind)) + " (broken)" : to_string(o.kind)},
               {std::to_string(o.length)},
               {std::to_string(o.holders)},
               {std::to_string(o.waiters)},
               {human_size(o.bytes)},
               {std::to_string(o.uid)},
               {mode_text(o.mode)}});
  }
  write_stdout(table.print(use_color("auto", STDOUT_FILENO)));
  return 0;
}

}  // namespace jobring::cli
