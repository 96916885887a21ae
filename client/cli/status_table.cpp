#include "client/cli/status_table.hpp"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>

#include "client/cli/human.hpp"
#include "client/cli/table.hpp"
#include "common/excerpt.hpp"

namespace jobring::cli {
namespace {

using Json = nlohmann::json;

// Null if it is not there; never throws.
const Json& field(const Json& object, const char* name) {
  static const Json none;
  if (!object.is_object()) return none;
  const auto found = object.find(name);
  return found == object.end() ? none : *found;
}

const Json& list(const Json& object, const char* name) {
  static const Json none = Json::array();
  const Json& found = field(object, name);
  return found.is_array() ? found : none;
}

std::optional<std::uint64_t> number(const Json& object, const char* name) {
  const Json& found = field(object, name);
  if (!found.is_number_integer() ||
      (!found.is_number_unsigned() && found.get<std::int64_t>() < 0)) {
    return std::nullopt;
  }
  return found.get<std::uint64_t>();
}

std::string count(const Json& object, const char* name) {
  const auto value = number(object, name);
  return value ? human_count(*value) : "-";
}

std::string duration(const Json& object, const char* name, std::uint64_t unit_ns) {
  const auto value = number(object, name);
  return value ? human_duration(*value * unit_ns) : "-";
}

std::string text(const Json& object, const char* name, const char* missing = "-") {
  const Json& found = field(object, name);
  return found.is_string() ? found.get<std::string>() : missing;
}

Color state_color(const std::string& state) {
  if (state == "running" || state == "busy") return Color::green;
  if (state == "starting" || state == "backing_off") return Color::yellow;
  if (state == "broken" || state == "down" || state == "stopped") return Color::red;
  return Color::none;
}

Color alarm(const Json& object, const char* name) {
  return number(object, name).value_or(0) > 0 ? Color::red : Color::none;
}

std::string current_job(const Json& job) {
  if (!job.is_object()) return "";
  std::string line = text(job, "handler") + " for " + duration(job, "running_ms", 1'000'000) +
                     ", client " + text(job, "client");
  if (field(job, "tag").is_string()) line += ", " + text(job, "tag");
  if (const Json& progress = field(job, "progress"); progress.is_object()) {
    line += ": " + progress_text(number(progress, "done").value_or(0),
                                 number(progress, "total").value_or(0), text(progress, "text"));
  }
  return line;
}

std::string memory(const Json& worker) {
  const auto kib = number(worker, "rss_kib");
  return kib ? human_size(*kib * 1024) : "-";
}

std::string workers_table(const Json& pool, bool color) {
  Table table({">worker", ">pid", "state", ">jobs", ">failed", ">busy", ">memory", ">restarts",
               "current job"});
  for (const Json& worker : list(pool, "workers")) {
    const std::string state = text(worker, "state");
    const auto pid = number(worker, "pid");
    table.row({{count(worker, "index")},
               {pid && *pid != 0 ? std::to_string(*pid) : "-"},
               {state, state_color(state)},
               {count(worker, "jobs")},
               {count(worker, "failed"), alarm(worker, "failed")},
               {duration(worker, "busy_us", 1'000)},
               {memory(worker)},
               {count(worker, "restarts")},
               {current_job(field(worker, "current"))}});
  }
  return table.print(color, 2);
}

std::string channels_table(const Json& pool, bool color) {
  const Json& channels = list(pool, "channels");
  if (channels.empty()) return "";
  Table table({">channel", "client", ">pid", ">uid", ">slots", ">submitted", ">completed",
               "queued high/normal/low"});
  for (const Json& channel : channels) {
    std::string queued;
    for (const Json& level : list(channel, "queued")) {
      if (!queued.empty()) queued += " / ";
      queued += level.is_number_unsigned() ? human_count(level.get<std::uint64_t>()) : "-";
    }
    const auto pid = number(channel, "client_pid");
    const auto uid = number(channel, "uid");
    // One that outlives its client, which is the keeper.
    const Json& kept = field(channel, "kept");
    const bool outlives = kept.is_boolean() && kept.get<bool>();
    table.row({{count(channel, "id")},
               {text(channel, "client") + (outlives ? " (kept)" : "")},
               {pid ? std::to_string(*pid) : "-"},
               {uid ? std::to_string(*uid) : "-"},
               {count(channel, "slots")},
               {count(channel, "submitted")},
               {count(channel, "completed")},
               {queued.empty() ? "-" : queued}});
  }
  return table.print(color, 2);
}

// The place of the crash in its stack trace, or the signal's name. The first frame that is not the
// C or C++ library's: who called abort() says more than where abort() is.
std::string crash_place(const Json& job) {
  const std::string evidence = text(job, "evidence", "");
  for (std::size_t at = evidence.rfind("\n  #0 "); at < evidence.size();) {
    const std::size_t start = at + 1;
    at = std::min(evidence.find('\n', start), evidence.size());
    if (evidence.compare(start, 3, "  #") != 0) break;
    const std::size_t space = evidence.find(' ', start + 3);
    if (space >= at) break;
    const std::string frame = evidence.substr(space + 1, at - space - 1);
    if (!frame.starts_with("libc.so") && !frame.starts_with("libstdc++.so"))
      return excerpt(frame);  // the worker wrote it
  }
  const auto signal = number(job, "signal");
  if (!signal || *signal == 0) return "exited";
  const char* name = sigabbrev_np(int(*signal));
  return name != nullptr ? std::string("SIG") + name : "signal " + std::to_string(*signal);
}

// The last ones: a screenful is for a look, --json for the rest.
std::string crashed_table(const Json& pool, bool color) {
  constexpr std::size_t kShown = 8;
  const Json& jobs = list(pool, "crashed_jobs");
  if (jobs.empty()) return "";
  Table table({">crashed", "handler", "client", ">pid", ">uid", ">attempts", "end", "in"});
  for (std::size_t i = jobs.size() - std::min(kShown, jobs.size()); i < jobs.size(); ++i) {
    const Json& job = jobs[i];
    const auto pid = number(job, "client_pid");
    const auto uid = number(job, "uid");
    const bool quarantined = field(job, "quarantined") == true;
    table.row({{duration(job, "age_ms", 1'000'000) + " ago"},
               {text(job, "handler")},
               {text(job, "client")},
               {pid ? std::to_string(*pid) : "-"},
               {uid ? std::to_string(*uid) : "-"},
               {count(job, "attempts")},
               {quarantined ? "quarantined" : "crashed", quarantined ? Color::red : Color::none},
               {crash_place(job)}});
  }
  return table.print(color, 2) + "  signals, stack traces and last output: jobring status --json\n";
}

std::string pool_text(const Json& pool, bool color) {
  const std::string state = text(pool, "state");
  std::string out = "\npool " + colored(text(pool, "name"), Color::bold, color) + ": " +
                    colored(state, state_color(state), color);
  if (field(pool, "reason").is_string()) out += " (" + text(pool, "reason") + ")";
  out += ", " + count(pool, "queued") + " queued, " + count(pool, "jobs") + " jobs done, " +
         colored(count(pool, "failed") + " failed", alarm(pool, "failed"), color) + ", " +
         colored(count(pool, "crashes") + " crashes", alarm(pool, "crashes"), color);
  if (alarm(pool, "quarantined") != Color::none)
    out += ", " + colored(count(pool, "quarantined") + " quarantined", Color::red, color);
  out += "\n";
  return out + workers_table(pool, color) + channels_table(pool, color) +
         crashed_table(pool, color);
}

}  // namespace

std::string status_table(const std::string& json, bool color) {
  const Json status = Json::parse(json, nullptr, false);
  const auto pid = number(status, "pid");
  std::string out =
      "jobringd " + text(status, "version") + ", pid " + (pid ? std::to_string(*pid) : "-") +
      ", up " + duration(status, "uptime_ms", 1'000'000) + ", " + count(status, "clients") +
      (number(status, "clients") == 1 ? " client, " : " clients, ") + text(status, "socket") + "\n";
  if (field(status, "draining") == true) {
    out +=
        colored("draining: takes no new jobs, ends after the running ones", Color::yellow, color) +
        "\n";
  }
  for (const Json& pool : list(status, "pools")) out += pool_text(pool, color);
  return out;
}

}  // namespace jobring::cli
