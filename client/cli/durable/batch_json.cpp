// The other direction of job_json.cpp: a line of JSON becomes a job.
#include <nlohmann/json.hpp>

#include <algorithm>

#include "client/cli/durable/base64.hpp"
#include "client/cli/durable/job_json.hpp"
#include "client/cli/durable/spec_options.hpp"
#include "client/cli/durable/texts.hpp"
#include "client/cli/durable/when.hpp"
#include "client/cli/limits.hpp"
#include "common/config/suggest.hpp"
#include "common/config/units.hpp"
#include "common/exec_codec.hpp"

namespace jobring::cli {
namespace {

using Json = nlohmann::ordered_json;
using std::chrono::milliseconds;

// What is wrong with a line. Thrown inside this file only.
struct Wrong {
  std::string what, hint;
};

// What only a job that was submitted has.
constexpr const char* kPassedOver[] = {"id",
                                       "state",
                                       "status",
                                       "index",
                                       "uid",
                                       "gid",
                                       "submitted",
                                       "attempts",
                                       "due",
                                       "unmet",
                                       "stop_wanted",
                                       "result",
                                       "result_base64",
                                       "start_errno",
                                       "start_step",
                                       "wall_us",
                                       "stdout_total",
                                       "stderr_total",
                                       "stdout_truncated",
                                       "stderr_truncated",
                                       "last",
                                       "history",
                                       "waits_for",
                                       "progress",
                                       "record"};

// An object whose every name must be asked for, so that a mistyped one is found.
class Fields {
 public:
  Fields(const Json& object, std::string where) : object_(object), where_(std::move(where)) {
    if (!object.is_object()) throw Wrong{where_ + "not a JSON object", ""};
  }

  const Json* find(const char* name) {
    known_.emplace_back(name);
    const auto found = object_.find(name);
    return found == object_.end() || found->is_null() ? nullptr : &*found;
  }
  [[noreturn]] void wrong(const char* name, const std::string& what, const std::string& hint = "") {
    throw Wrong{where_ + "\"" + name + "\": " + what, hint};
  }
  template <class T>
  T of(const char* name, Result<T> result) {
    if (!result)
      throw Wrong{where_ + "\"" + name + "\": " + result.error().what, result.error().hint};
    return std::move(*result);
  }

  bool text(const char* name, std::string& into) {
    const Json* found = find(name);
    if (found == nullptr) return false;
    if (!found->is_string()) wrong(name, "not a text");
    into = found->get<std::string>();
    return true;
  }
  // As text, or in base64 under NAME_base64.
  bool bytes(const char* name, std::string& into) {
    const bool plain = text(name, into);
    const std::string other = std::string(name) + "_base64";
    std::string coded;
    if (!text(other.c_str(), coded)) return plain;
    if (plain) wrong(name, "is there in base64, too");
    auto decoded = from_base64(coded);
    if (!decoded) wrong(other.c_str(), "not base64");
    into = std::move(*decoded);
    return true;
  }
  bool flag(const char* name, bool& into) {
    const Json* found = find(name);
    if (found == nullptr) return false;
    if (!found->is_boolean()) wrong(name, "neither true nor false");
    into = found->get<bool>();
    return true;
  }
  template <class T>
  bool number(const char* name, T& into, std::int64_t least, std::int64_t most) {
    const Json* found = find(name);
    if (found == nullptr) return false;
    const bool whole = found->is_number_integer() &&
                       (!found->is_number_unsigned() || found->get<std::uint64_t>() <= INT64_MAX);
    const std::int64_t value = whole ? found->get<std::int64_t>() : 0;
    if (!whole || value < least || value > most) {
      wrong(name, "no whole number from " + std::to_string(least) + " to " + std::to_string(most));
    }
    into = T(value);
    return true;
  }
  // NAME: "90s", or NAME_ms: 90000.
  bool duration(const char* name, milliseconds& into) {
    std::string words;
    std::int64_t ms = 0;
    const std::string in_ms = std::string(name) + "_ms";
    if (number(in_ms.c_str(), ms, 0, INT64_MAX / 1'000'000)) {
      into = milliseconds(ms);
      return true;
    }
    if (!text(name, words)) return false;
    into = std::chrono::ceil<milliseconds>(of(name, parse_duration(words)));
    return true;
  }
  void when(const char* name, std::optional<WallTime>& into) {
    std::string words;
    if (text(name, words)) into = of(name, parse_when(words, std::chrono::system_clock::now()));
  }
  bool texts(const char* name, std::vector<std::string>& into) {
    const Json* found = find(name);
    if (found == nullptr) return false;
    if (!found->is_array()) wrong(name, "not a list of texts");
    into.clear();
    for (const Json& element : *found) {
      if (!element.is_string()) wrong(name, "not a list of texts");
      into.push_back(element.get<std::string>());
    }
    return true;
  }

  // Of what nobody asked for.
  void refuse_others() {
    for (const auto& [name, value] : object_.items()) {
      if (std::find(known_.begin(), known_.end(), name) != known_.end()) continue;
      const std::string near = nearest(name, known_);
      throw Wrong{where_ + "unknown name \"" + name + "\"",
                  near.empty() ? "" : "did you mean \"" + near + "\"?"};
    }
  }
  void pass_over(const char* name) { known_.emplace_back(name); }

 private:
  const Json& object_;
  std::string where_;
  std::vector<std::string> known_;
};

void read_retry(Fields& job, RetryPolicy& retry) {
  job.number("retries", retry.max, 0, UINT32_MAX);
  const Json* found = job.find("retry");
  if (found == nullptr) return;
  Fields fields(*found, "\"retry\": ");
  fields.number("max", retry.max, 0, UINT32_MAX);
  fields.duration("base", retry.base);
  fields.duration("cap", retry.cap);
  fields.number("jitter", retry.jitter_percent, 0, 100);
  if (const Json* exits = fields.find("exits")) {
    retry.exits.clear();
    if (!exits->is_array()) fields.wrong("exits", "not a list of exit codes");
    for (const Json& code : *exits) {
      if (!code.is_number_unsigned() || code.get<std::uint64_t>() > 255) {
        fields.wrong("exits", "not a list of exit codes");
      }
      retry.exits.push_back(code.get<int>());
    }
  }
  fields.refuse_others();
}

void read_unique(Fields& job, UniqueKey& unique) {
  const Json* found = job.find("unique");
  if (found == nullptr) return;
  unique = {};
  if (found->is_string()) {
    unique.key = found->get<std::string>();
    return;
  }
  Fields fields(*found, "\"unique\": ");
  fields.text("key", unique.key);
  std::string until;
  if (fields.text("until", until)) {
    if (until != "started" && until != "ended") {
      fields.wrong("until", "neither \"started\" nor \"ended\"");
    }
    unique.until = until == "started" ? UniqueKey::Until::started : UniqueKey::Until::ended;
  }
  if (fields.duration("for", unique.for_time)) unique.until = UniqueKey::Until::time;
  fields.flag("replace", unique.replace);
  fields.refuse_others();
}

// 12, {"id": 12, "after": "any"}, {"line": 3}: the job of the third line.
void read_after(Fields& job, std::vector<JobDependency>& after) {
  const Json* found = job.find("after");
  if (found == nullptr) return;
  if (!found->is_array()) job.wrong("after", "not a list");
  after.clear();
  for (const Json& element : *found) {
    JobDependency dependency;
    if (element.is_number_unsigned()) {
      dependency.on = element.get<std::uint64_t>();
    } else {
      Fields fields(element, "\"after\": ");
      constexpr std::int64_t kMost = (std::int64_t{1} << 48) - 1;
      const bool by_id = fields.number("id", dependency.on, 1, kMost);
      std::uint64_t line = 0;
      if (fields.number("line", line, 1, kMost)) {
        if (by_id) fields.wrong("line", "\"id\" is there, too");
        dependency.in_batch = true;
        dependency.on = line - 1;
      } else if (!by_id) {
        job.wrong("after", "neither \"id\" nor \"line\"");
      }
      std::string kind;
      if (fields.text("after", kind)) {
        if (kind != "any" && kind != "success") {
          fields.wrong("after", "neither \"success\" nor \"any\"");
        }
        if (kind == "any") dependency.after = JobDependency::After::any;
      }
      fields.refuse_others();
    }
    after.push_back(dependency);
  }
}

void read_options(Fields& job, DurableOptions& options) {
  job.text("pool", options.pool);
  job.text("name", options.name);
  job.texts("tags", options.tags);
  job.number("priority", options.priority, INT32_MIN, INT32_MAX);
  std::string word;
  if (job.text("durability", word)) {
    if (word != "none" && word != "batched" && word != "synced") {
      job.wrong("durability", "none of \"synced\", \"batched\", \"none\"");
    }
    options.durability = word == "none"      ? Durability::none
                         : word == "batched" ? Durability::batched
                                             : Durability::synced;
  }
  job.flag("held", options.held);
  job.duration("delay", options.delay);
  job.when("run_at", options.run_at);
  job.when("deadline", options.deadline);
  job.duration("timeout", options.timeout);
  read_retry(job, options.retry);
  read_after(job, options.after);
  job.number("group", options.group, 0, (std::int64_t{1} << 48) - 1);
  read_unique(job, options.unique);
  const bool with_key = job.text("key", options.concurrency_key);
  if (!job.number("key_max", options.concurrency_max, 1, UINT32_MAX) && with_key) {
    job.wrong("key", "needs \"key_max\": how many of the key may run at a time");
  }
  milliseconds keep{0};
  if (job.duration("keep", keep)) options.keep = keep;
  job.number("output_max", options.output_max, 0, INT64_MAX);
  if (job.text("array", word)) options.array = job.of("array", parse_array(word));
}

// A list "NAME=value", or an object.
void read_env(Fields& job, Command& command) {
  const Json* found = job.find("env");
  bool replaces = false;
  const bool says = job.flag("env_replaces", replaces);
  if (says && replaces) {
    command.env.clear();
    command.env_replaces = true;
  }
  if (found == nullptr) return;
  std::vector<std::string> entries;
  if (found->is_object()) {
    for (const auto& [name, value] : found->items()) {
      if (!value.is_string()) job.wrong("env", "\"" + name + "\" is not a text");
      entries.push_back(name + "=" + value.get<std::string>());
    }
  } else {
    job.texts("env", entries);
  }
  for (std::string& entry : entries) {
    const std::string name = entry.substr(0, entry.find('=') + 1);
    if (name.size() < 2 || name.back() != '=')
      job.wrong("env", "\"" + entry + "\" is not NAME=value");
    std::erase_if(command.env, [&](const std::string& old) { return old.starts_with(name); });
    command.env.push_back(std::move(entry));
  }
}

// {"memory": 2147483648, "cpu": "90s"}: numbers are bytes and seconds, texts as on the command
// line.
bool read_limits(Fields& job, CommandLimits& limits) {
  const Json* found = job.find("limits");
  if (found == nullptr) return false;
  Fields fields(*found, "\"limits\": ");
  for (const CommandLimit& limit : kCommandLimits) {
    const Json* value = fields.find(limit.name);
    if (value == nullptr) continue;
    if (value->is_number_unsigned()) {
      limits.*limit.value = value->get<std::uint64_t>();
    } else if (value->is_string()) {
      limits.*limit.value = fields.of(limit.name, parse_limit(limit, value->get<std::string>()));
    } else {
      fields.wrong(limit.name, "neither a whole number nor a text");
    }
  }
  fields.refuse_others();
  return true;
}

bool read_command(Fields& job, Command& command) {
  std::string shell;
  const bool by_argv = job.texts("argv", command.argv);
  if (job.text("shell", shell)) {
    if (by_argv) job.wrong("shell", "\"argv\" is there, too");
    command.argv = {"/bin/sh", "-c", shell};
  }
  if (by_argv && command.argv.empty()) job.wrong("argv", "empty");
  std::string cwd;
  if (job.text("cwd", cwd)) {
    command.cwd = cwd.starts_with('/') ? cwd : command.cwd + "/" + cwd;
  }
  job.text("stdin_file", command.stdin_file);
  job.bytes("stdin", command.stdin_text);
  job.number("umask", command.umask, 0, 0777);
  milliseconds kill_after{0};
  if (job.duration("kill_after", kill_after)) {
    command.kill_grace_ms = std::uint32_t(std::min<std::int64_t>(kill_after.count(), UINT32_MAX));
  }
  read_env(job, command);
  return !command.argv.empty();
}

DurableJob read_job(const Json& json, const BatchDefaults& defaults) {
  Fields fields(json, "");
  DurableJob job;
  job.options = defaults.options;
  Command command = defaults.command;
  read_options(fields, job.options);
  const bool runs = read_command(fields, command);
  const bool limited = read_limits(fields, command.limits);
  fields.text("handler", job.handler);
  const bool payload = fields.bytes("payload", job.payload);
  for (const char* name : kPassedOver) fields.pass_over(name);
  fields.refuse_others();
  if (runs && !job.handler.empty() && job.handler != kExecHandler) {
    throw Wrong{"has a handler and a command", ""};
  }
  if (runs) {
    if (payload) throw Wrong{"has a payload and a command", ""};
    return command_job(std::move(command), std::move(job.options));
  }
  if (limited) throw Wrong{"has \"limits\", which are for commands, and no command", ""};
  if (job.handler.empty()) {
    throw Wrong{"has nothing to do", "give \"argv\", \"shell\" or \"handler\""};
  }
  return job;
}

}  // namespace

Result<DurableJob> parse_job_json(const std::string& line, const BatchDefaults& defaults) {
  try {
    const Json json = Json::parse(line, nullptr, false);
    if (json.is_discarded()) return Error{Errc::bad_input, "not JSON", "", ""};
    return read_job(json, defaults);
  } catch (const Wrong& wrong) {
    return Error{Errc::bad_input, wrong.what, "", wrong.hint};
  }
}

}  // namespace jobring::cli
