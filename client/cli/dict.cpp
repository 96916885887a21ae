// jobring dict get|set|del|incr|list|watch: named dicts from the shell.
#include <charconv>
#include <cstdio>
#include <utility>

#include "client/cli/object_options.hpp"
#include "client/cli/verbs.hpp"

namespace jobring::cli {
namespace {

constexpr HelpText kHelp = {
    .verb = "dict",
    .usage = "get|set|del|incr|list|watch [OPTIONS] NAME [KEY [VALUE]]",
    .summary =
        "get NAME KEY: the value; 1 if there is none. set NAME KEY VALUE ('-': all of stdin).\n"
        "del NAME KEY. incr NAME KEY [BY]: the sum. list NAME: lines of KEY, tab, VALUE.\n"
        "watch NAME [KEY]: a line for each change from now on; a line with no tab: it went.",
    .examples =
        "  jobring dict set config color blue --ttl 1h\n"
        "  jobring dict incr hits /index.html\n"
        "  jobring dict watch --json config | while read change; do ...; done\n"};

struct DictFlags {
  ObjectFlags object;
  PatienceFlags patience;
  std::chrono::milliseconds ttl{0};
  std::uint64_t count = 0;
  bool json = false, all = false;
};

std::string line_of(const DictChange& change, bool json) {
  if (json) return change_json(change) + "\n";
  return change.value ? change.key + "\t" + *change.value + "\n" : change.key + "\n";
}

int watch(Dict& dict, const DictFlags& flags, const std::vector<std::string>& keys) {
  std::uint64_t version = dict.version();
  std::uint64_t told = 0;
  const auto tell = [&](const DictChange& change) {
    write_stdout(line_of(change, flags.json));
    return ++told == flags.count;
  };
  // What changes after `version` is told again, rather than missed.
  bool whole = flags.all;
  for (;;) {
    if (std::exchange(whole, false)) {
      for (const auto& [key, value] : dict.items()) {
        if (!keys.empty() && key != keys[0]) continue;
        if (tell({key, value, version})) return 0;
      }
    }
    const auto patience = flags.patience.resolve();
    const auto changes =
        keys.empty() ? dict.watch(version, patience) : dict.watch_key(keys[0], version, patience);
    if (!changes) return kExitNotInTime;
    version = changes->version;
    whole = changes->compacted;  // some changes are forgotten
    for (const DictChange& change : changes->changed) {
      if (tell(change)) return 0;
    }
  }
}

int list(Dict& dict, bool json) {
  const auto items = dict.items();
  if (json) {
    write_stdout(entries_json(items) + "\n");
    return 0;
  }
  std::string lines;
  for (const auto& [key, value] : items) lines += key + "\t" + value + "\n";
  write_stdout(lines);
  return 0;
}

}  // namespace

int dict_verb(Arguments arguments) {
  DictFlags flags;
  Options options(kHelp);
  options.duration("--ttl", flags.ttl, "set, incr: the key goes after this time");
  options.flag("--json", flags.json, "list: a JSON object; watch: one a line");
  options.number("-c,--count", flags.count, 0, UINT32_MAX, "N", "watch: end after so many changes");
  options.flag("-a,--all", flags.all, "watch: first what is there already");
  flags.patience.add_to(options);
  flags.object.add_to(options);
  std::vector<std::string> words;
  if (const auto status = options.parse(arguments, Options::Order::anywhere, words)) return *status;
  if (words.size() < 2) return options.usage_error("what to do and a name are needed");
  const std::string what = words[0], name = words[1];
  words.erase(words.begin(), words.begin() + 2);
  const auto needs = [&](std::size_t least, std::size_t most) {
    return words.size() >= least && words.size() <= most;
  };
  const bool fits = what == "get" || what == "del" ? needs(1, 1)
                    : what == "set"                ? needs(2, 2)
                    : what == "incr"               ? needs(1, 2)
                    : what == "list"               ? needs(0, 0)
                    : what == "watch"              ? needs(0, 1)
                                                   : false;
  if (!fits) return options.usage_error("\"" + what + "\" does not go with these words");

  ObjectSession session(flags.object.socket);
  Dict dict(session.registry, name, flags.object.resolve());
  const std::chrono::nanoseconds ttl(flags.ttl);
  if (what == "list") return list(dict, flags.json);
  if (what == "watch") return watch(dict, flags, words);
  if (what == "del") return dict.erase(words[0]) ? 0 : 1;
  if (what == "get") {
    const auto value = dict.get(words[0]);
    if (!value) return 1;
    write_stdout(*value + "\n");
    return 0;
  }
  if (what == "set") {
    dict.set(words[0], words[1] == "-" ? read_stdin() : words[1], ttl);
    return 0;
  }
  std::int64_t by = 1;
  if (words.size() == 2) {
    const char* end = words[1].data() + words[1].size();
    const auto [stop, error] = std::from_chars(words[1].data(), end, by);
    if (error != std::errc() || stop != end)
      return options.usage_error("\"" + words[1] + "\" is no whole number");
  }
  std::printf("%lld\n", static_cast<long long>(dict.increment(words[0], by, ttl)));
  return 0;
}

}  // namespace jobring::cli
