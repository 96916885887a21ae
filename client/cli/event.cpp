// jobring event set|clear|wait|is-set: named events from the shell.
#include <cstdio>

#include "client/cli/object_options.hpp"
#include "client/cli/verbs.hpp"

namespace jobring::cli {
namespace {

constexpr HelpText kHelp = {
    .verb = "event",
    .usage = "set|clear|wait|is-set [OPTIONS] NAME",
    .summary =
        "Sets or clears a named event, or waits until it is set: 75 if it was not in time.\n"
        "is-set: exits with 0 if it is set, else with 1.",
    .examples =
        "  jobring event set ready\n"
        "  jobring event wait -w 30s ready && curl localhost:8080\n"};

}  // namespace

int event_verb(Arguments arguments) {
  ObjectFlags object;
  PatienceFlags patience;
  Options options(kHelp);
  patience.add_to(options);
  object.add_to(options);
  std::vector<std::string> words;
  if (const auto status = options.parse(arguments, Options::Order::anywhere, words)) return *status;
  if (words.size() != 2) return options.usage_error("what to do and a name are needed");
  const std::string& what = words[0];
  if (what != "set" && what != "clear" && what != "wait" && what != "is-set")
    return options.usage_error("\"" + what + "\" is none of set, clear, wait, is-set");

  ObjectSession session(object.socket);
  Event event(session.registry, words[1], object.resolve());
  if (what == "set") {
    event.set();
  } else if (what == "clear") {
    event.clear();
  } else if (what == "is-set") {
    return event.is_set() ? 0 : 1;
  } else {
    return event.wait(patience.resolve()) ? 0 : kExitNotInTime;
  }
  return 0;
}

}  // namespace jobring::cli
