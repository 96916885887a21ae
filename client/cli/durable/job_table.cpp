#include "client/cli/durable/job_table.hpp"

#include <algorithm>
#include <tuple>

#include "client/cli/durable/job_text.hpp"
#include "client/cli/durable/texts.hpp"
#include "client/cli/durable/users.hpp"
#include "client/cli/durable/when.hpp"
#include "client/cli/human.hpp"
#include "client/cli/shell_quote.hpp"
#include "client/cli/table.hpp"
#include "common/config/suggest.hpp"

namespace jobring::cli {
namespace {

// What a column sorts by: numbers, then text.
using Key = std::pair<std::int64_t, std::string>;

struct Column {
  const char* name;
  const char* heading;  // as Table's
  Cell (*cell)(const DurableInfo&, WallTime now);
  Key (*key)(const DurableInfo&, WallTime now);
};

std::int64_t ticks(WallTime time) {
  return time.time_since_epoch().count();
}
std::string time_or_dash(WallTime time) {
  return time == WallTime() ? "-" : local_time(time);
}
std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ",") + one_line(word);
  return text;
}
std::string exit_text(const DurableInfo& job) {
  return has_ended(job.state) ? std::to_string(job_status(job)) : "-";
}
WallTime started(const DurableInfo& job) {
  return job.last ? job.last->started : WallTime();
}
WallTime ended(const DurableInfo& job) {
  return job.last && has_ended(job.state) ? job.last->ended : WallTime();
}

using Job = const DurableInfo&;

constexpr Column kColumns[] = {
    {"id", ">ID", [](Job j, WallTime) { return Cell{std::to_string(j.id)}; },
     [](Job j, WallTime) {
       return Key{std::int64_t(j.id), ""};
     }},
    {"state", "STATE",
     [](Job j, WallTime) {
       return Cell{to_string(j.state), state_color(j.state)};
     },
     [](Job j, WallTime) {
       return Key{0, to_string(j.state)};
     }},
    {"pool", "POOL", [](Job j, WallTime) { return Cell{one_line(j.options.pool)}; },
     [](Job j, WallTime) {
       return Key{0, j.options.pool};
     }},
    {"priority", ">PRIO", [](Job j, WallTime) { return Cell{std::to_string(j.options.priority)}; },
     [](Job j, WallTime) {
       return Key{j.options.priority, ""};
     }},
    {"age", ">AGE", [](Job j, WallTime now) { return Cell{age_text(j.submitted, now)}; },
     [](Job j, WallTime) {
       return Key{-ticks(j.submitted), ""};
     }},
    {"time", ">TIME",
     [](Job j, WallTime now) {
       const auto took = run_time(j, now);
       // The store counts milliseconds.
       if (took && took->count() == 0) return Cell{"<1 ms"};
       return Cell{took ? human_duration(std::uint64_t(took->count())) : "-"};
     },
     [](Job j, WallTime now) {
       const auto took = run_time(j, now);
       return Key{took ? took->count() : -1, ""};
     }},
    {"tries", ">TRIES", [](Job j, WallTime) { return Cell{std::to_string(j.attempts)}; },
     [](Job j, WallTime) {
       return Key{j.attempts, ""};
     }},
    {"exit", ">EXIT", [](Job j, WallTime) { return Cell{exit_text(j)}; },
     [](Job j, WallTime) {
       return Key{has_ended(j.state) ? job_status(j) : -1, ""};
     }},
    {"note", "NOTE", [](Job j, WallTime now) { return Cell{note_text(j, now)}; },
     [](Job j, WallTime now) {
       return Key{0, note_text(j, now)};
     }},
    {"user", "USER", [](Job j, WallTime) { return Cell{user_name(j.uid)}; },
     [](Job j, WallTime) {
       return Key{0, user_name(j.uid)};
     }},
    {"tags", "TAGS", [](Job j, WallTime) { return Cell{joined(j.options.tags)}; },
     [](Job j, WallTime) {
       return Key{0, joined(j.options.tags)};
     }},
    {"group", ">GROUP",
     [](Job j, WallTime) {
       return Cell{j.options.group != 0 ? std::to_string(j.options.group) : "-"};
     },
     [](Job j, WallTime) {
       return Key{std::int64_t(j.options.group), ""};
     }},
    {"index", ">INDEX",
     [](Job j, WallTime) { return Cell{j.index ? std::to_string(*j.index) : "-"}; },
     [](Job j, WallTime) {
       return Key{j.index.value_or(0), ""};
     }},
    {"handler", "HANDLER", [](Job j, WallTime) { return Cell{one_line(j.handler)}; },
     [](Job j, WallTime) {
       return Key{0, j.handler};
     }},
    {"key", "KEY", [](Job j, WallTime) { return Cell{one_line(j.options.concurrency_key)}; },
     [](Job j, WallTime) {
       return Key{0, j.options.concurrency_key};
     }},
    {"submitted", "SUBMITTED", [](Job j, WallTime) { return Cell{time_or_dash(j.submitted)}; },
     [](Job j, WallTime) {
       return Key{ticks(j.submitted), ""};
     }},
    {"started", "STARTED", [](Job j, WallTime) { return Cell{time_or_dash(started(j))}; },
     [](Job j, WallTime) {
       return Key{ticks(started(j)), ""};
     }},
    {"ended", "ENDED", [](Job j, WallTime) { return Cell{time_or_dash(ended(j))}; },
     [](Job j, WallTime) {
       return Key{ticks(ended(j)), ""};
     }},
    {"due", "DUE", [](Job j, WallTime) { return Cell{time_or_dash(j.due.value_or(WallTime()))}; },
     [](Job j, WallTime) {
       return Key{ticks(j.due.value_or(WallTime())), ""};
     }},
    {"name", "NAME", [](Job j, WallTime) { return Cell{one_line(j.options.name)}; },
     [](Job j, WallTime) {
       return Key{0, j.options.name};
     }},
    {"command", "COMMAND", [](Job j, WallTime) { return Cell{command_text(j)}; },
     [](Job j, WallTime) {
       return Key{0, command_text(j)};
     }},
    {"what", "WHAT", [](Job j, WallTime) { return Cell{what_text(j)}; },
     [](Job j, WallTime) {
       return Key{0, what_text(j)};
     }},
};

const Column* find_column(const std::string& name) {
  for (const Column& column : kColumns) {
    if (name == column.name) return &column;
  }
  return nullptr;
}

Error no_column(const std::string& name) {
  const std::string near = nearest(name, job_columns());
  std::string all;
  for (const std::string& known : job_columns()) all += (all.empty() ? "" : ", ") + known;
  return {Errc::usage, "there is no column \"" + name + "\"", "",
          near.empty() ? "columns are " + all : "did you mean \"" + near + "\"?"};
}

// To so many characters of UTF-8; escape sequences take no room.
std::string cut_line(std::string_view line, std::size_t width) {
  std::string cut;
  std::size_t used = 0;
  bool colored = false;
  for (std::size_t i = 0; i < line.size();) {
    if (line[i] == '\033') {
      const std::size_t end = line.find('m', i);
      cut += line.substr(i, end - i + 1);
      colored = line.substr(i, end - i + 1) != "\033[0m";
      i = end + 1;
      continue;
    }
    if (used == width) break;
    do cut += line[i++];
    while (i < line.size() && (static_cast<unsigned char>(line[i]) & 0xc0) == 0x80);
    ++used;
  }
  return colored ? cut + "\033[0m" : cut;
}

}  // namespace

const std::vector<std::string>& job_columns() {
  static const std::vector<std::string> all = [] {
    std::vector<std::string> names;
    for (const Column& column : kColumns) names.emplace_back(column.name);
    return names;
  }();
  return all;
}

const std::vector<std::string>& default_job_columns() {
  static const std::vector<std::string> columns = {"id",   "state", "pool", "age",
                                                   "time", "tries", "note", "what"};
  return columns;
}

Result<std::vector<std::string>> parse_job_columns(const std::string& text) {
  const bool more = text.starts_with('+');
  std::vector<std::string> columns;
  if (more) columns = default_job_columns();
  auto place = columns.empty() ? 0 : columns.size() - 1;  // what a job does stays last
  for (const std::string& name : split_commas(std::string_view(text).substr(more ? 1 : 0))) {
    if (find_column(name) == nullptr) return no_column(name);
    if (more && std::find(columns.begin(), columns.end(), name) != columns.end()) continue;
    columns.insert(columns.begin() + std::ptrdiff_t(place++), name);
  }
  if (columns.empty()) return no_column("");
  return columns;
}

std::string job_table(std::span<const DurableInfo> jobs, const std::vector<std::string>& columns,
                      WallTime now, const TableStyle& style) {
  std::vector<const Column*> shown;
  std::vector<std::string> headings;
  for (const std::string& name : columns) {
    shown.push_back(find_column(name));
    headings.emplace_back(shown.back()->heading);
  }
  Table table(headings);
  for (const DurableInfo& job : jobs) {
    std::vector<Cell> cells;
    for (const Column* column : shown) cells.push_back(column->cell(job, now));
    table.row(std::move(cells));
  }
  const std::string text = table.print(style.color);
  if (style.width == 0) return text;
  std::string cut;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    cut += cut_line(std::string_view(text).substr(at, end - at), style.width) + "\n";
    at = end + 1;
  }
  return cut;
}

std::string pools_table(std::span<const PoolJobs> pools, bool color) {
  if (pools.empty()) return "";
  constexpr JobState kOrder[] = {JobState::ready,     JobState::running,  JobState::delayed,
                                 JobState::held,      JobState::failed,   JobState::dead,
                                 JobState::cancelled, JobState::succeeded};
  std::vector<std::string> headings = {"pool"};
  for (const JobState state : kOrder) headings.push_back(std::string(">") + to_string(state));
  headings.emplace_back("");
  Table table(headings);
  for (const PoolJobs& pool : pools) {
    std::vector<Cell> cells = {{one_line(pool.pool)}};
    for (const JobState state : kOrder) {
      const std::uint64_t count = pool.jobs[std::size_t(state)];
      cells.push_back({human_count(count), count == 0 ? Color::dim : state_color(state)});
    }
    cells.push_back({pool.paused ? "paused" : "", Color::yellow});
    table.row(std::move(cells));
  }
  return "\n" + colored("durable jobs", Color::bold, color) + "\n" + table.print(color, 2);
}

Result<void> sort_jobs(std::vector<DurableInfo>& jobs, const std::string& by, WallTime now) {
  const bool down = by.starts_with('-');
  const Column* column = find_column(by.substr(down ? 1 : 0));
  if (column == nullptr) return no_column(by.substr(down ? 1 : 0));
  std::vector<std::pair<Key, std::size_t>> order;
  for (std::size_t i = 0; i < jobs.size(); ++i) order.emplace_back(column->key(jobs[i], now), i);
  std::stable_sort(order.begin(), order.end(), [down](const auto& a, const auto& b) {
    return down ? b.first < a.first : a.first < b.first;
  });
  std::vector<DurableInfo> sorted;
  for (const auto& [key, i] : order) sorted.push_back(std::move(jobs[i]));
  jobs = std::move(sorted);
  return {};
}

}  // namespace jobring::cli
