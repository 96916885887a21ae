// jobring queue put|get|len: named queues from the shell.
#include <cstdio>
#include <deque>

#include "client/cli/object_options.hpp"
#include "client/cli/verbs.hpp"

namespace jobring::cli {
namespace {

constexpr HelpText kHelp = {
    .verb = "queue",
    .usage = "put|get|len [OPTIONS] NAME [ITEM...]",
    .summary =
        "put: the items, or each line of stdin. get: one item, or as many as -c says, a line "
        "each.\n"
        "len: how many there are. Exits with 75 if there was no room, or no item, in time.",
    .examples =
        "  find . -name '*.c' | jobring queue put sources\n"
        "  jobring queue get -w 1s sources\n"
        "  jobring queue get -c 0 -n sources      # all that there are\n"};

struct QueueFlags {
  ObjectFlags object;
  PatienceFlags patience;
  std::uint64_t capacity = 0, count = 1;
  std::string order = "fifo", priority = "0";
  bool null = false, json = false;
};

constexpr std::size_t kPipelined = 512;

bool put_all(Queue& queue, const QueueFlags& flags, const std::vector<std::string>& items) {
  const auto patience = flags.patience.resolve();
  const std::int64_t priority = std::strtoll(flags.priority.c_str(), nullptr, 10);
  std::deque<Pending<bool>> under_way;
  const auto first_done = [&] {
    const Pending<bool> first = std::move(under_way.front());
    under_way.pop_front();
    return first.get();
  };
  for (const std::string& item : items) {
    under_way.push_back(queue.start_put(item, patience, priority));
    if (under_way.size() >= kPipelined && !first_done()) return false;
  }
  while (!under_way.empty()) {
    if (!first_done()) return false;
  }
  return true;
}

std::vector<std::string> split(const std::string& text, char end) {
  std::vector<std::string> items;
  std::size_t start = 0;
  for (std::size_t at; (at = text.find(end, start)) != std::string::npos; start = at + 1)
    items.push_back(text.substr(start, at - start));
  if (start < text.size()) items.push_back(text.substr(start));
  return items;
}

// An item counts as done once it is written: if that fails, or we are killed before, it goes back.
int get(Queue& queue, const QueueFlags& flags) {
  for (std::uint64_t n = 0; flags.count == 0 || n < flags.count; ++n) {
    const auto item = queue.get_leased(flags.patience.resolve());
    if (!item) return flags.count == 0 && n > 0 ? 0 : kExitNotInTime;
    std::string line = flags.json ? item_json(*item) : item->value;
    line += flags.null ? '\0' : '\n';
    write_stdout(line);
    queue.task_done(*item);
  }
  return 0;
}

}  // namespace

int queue_verb(Arguments arguments) {
  QueueFlags flags;
  Options options(kHelp);
  flags.patience.add_to(options);
  options.number("-c,--count", flags.count, 0, UINT32_MAX, "N",
                 "get so many; 0: until there is none in time; default 1");
  options.number("--capacity", flags.capacity, 0, UINT32_MAX, "N",
                 "when it is made: items that it holds, 0: any number");
  options.choice("--order", flags.order, {"fifo", "lifo", "priority"},
                 "when it is made; default fifo");
  options.text("--priority", flags.priority, "N", "put: the smallest goes first; default 0");
  options.flag("-0,--null", flags.null, "items end with NUL instead of newline");
  options.flag("--json", flags.json, "get: a JSON object a line");
  flags.object.add_to(options);
  std::vector<std::string> words;
  if (const auto status = options.parse(arguments, Options::Order::anywhere, words)) return *status;
  if (words.size() < 2) return options.usage_error("what to do and a name are needed");
  const std::string what = words[0], name = words[1];
  words.erase(words.begin(), words.begin() + 2);
  if (what != "put" && !words.empty())
    return options.usage_error("unexpected word \"" + words[0] + "\"");
  if (what != "put" && what != "get" && what != "len")
    return options.usage_error("\"" + what + "\" is none of put, get, len");

  ObjectSession session(flags.object.socket);
  // One that is there is taken as it is.
  const auto known = session.registry.info(name);
  ObjectOptions object = flags.object.resolve();
  object.create = !known && what != "len";
  using Order = QueueOptions::Order;
  Queue queue(session.registry, name,
              {.capacity = std::int64_t(flags.capacity),
               .order = flags.order == "lifo"       ? Order::lifo
                        : flags.order == "priority" ? Order::priority
                                                    : Order::fifo,
               .object = object});
  if (what == "get") return get(queue, flags);
  if (what == "len") {
    std::printf("%lld\n", static_cast<long long>(queue.size()));
    return 0;
  }
  if (words.empty()) words = split(read_stdin(), flags.null ? '\0' : '\n');
  return put_all(queue, flags, words) ? 0 : kExitNotInTime;
}

}  // namespace jobring::cli
