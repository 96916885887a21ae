#include "client/cli/durable/job_json.hpp"

#include <nlohmann/json.hpp>

#include "client/cli/durable/base64.hpp"
#include "client/cli/durable/job_text.hpp"
#include "client/cli/durable/texts.hpp"
#include "client/cli/durable/when.hpp"
#include "common/command_limits.hpp"
#include "common/exec_codec.hpp"

namespace jobring::cli {
namespace {

using Json = nlohmann::ordered_json;

std::string text(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void put_bytes(Json& json, const char* name, const std::string& bytes) {
  if (is_utf8(bytes)) {
    json[name] = bytes;
  } else {
    json[std::string(name) + "_base64"] = to_base64(bytes);
  }
}

const char* name_of(Durability durability) {
  switch (durability) {
    case Durability::none:
      return "none";
    case Durability::batched:
      return "batched";
    case Durability::synced:
      return "synced";
  }
  return "synced";
}

Json retry_json(const RetryPolicy& retry) {
  Json json;
  json["max"] = retry.max;
  json["base_ms"] = retry.base.count();
  json["cap_ms"] = retry.cap.count();
  json["jitter"] = retry.jitter_percent;
  if (!retry.exits.empty()) json["exits"] = retry.exits;
  return json;
}

Json unique_json(const UniqueKey& unique) {
  Json json;
  json["key"] = unique.key;
  if (unique.until == UniqueKey::Until::time) {
    json["for_ms"] = unique.for_time.count();
  } else {
    json["until"] = unique.until == UniqueKey::Until::started ? "started" : "ended";
  }
  if (unique.replace) json["replace"] = true;
  return json;
}

void put_options(Json& json, const DurableOptions& options) {
  json["pool"] = options.pool;
  if (!options.name.empty()) json["name"] = options.name;
  if (!options.tags.empty()) json["tags"] = options.tags;
  json["priority"] = options.priority;
  if (options.durability != Durability::synced) json["durability"] = name_of(options.durability);
  if (options.held) json["held"] = true;
  if (options.delay.count() != 0) json["delay_ms"] = options.delay.count();
  if (options.run_at) json["run_at"] = utc_time(*options.run_at);
  if (options.deadline) json["deadline"] = utc_time(*options.deadline);
  if (options.timeout.count() != 0) json["timeout_ms"] = options.timeout.count();
  if (options.retry.max != 0) json["retry"] = retry_json(options.retry);
  for (const JobDependency& d : options.after) {
    json["after"].push_back(
        {{"id", d.on}, {"after", d.after == JobDependency::After::any ? "any" : "success"}});
  }
  if (options.group != 0) json["group"] = options.group;
  if (!options.unique.key.empty()) json["unique"] = unique_json(options.unique);
  if (!options.concurrency_key.empty()) {
    json["key"] = options.concurrency_key;
    json["key_max"] = options.concurrency_max;
  }
  if (options.keep) json["keep_ms"] = options.keep->count();
  if (options.output_max != 0) json["output_max"] = options.output_max;
  if (options.array) json["array"] = array_text(*options.array);
}

// Bytes, seconds and numbers; only what is no number is a text.
Json limits_json(const CommandLimits& limits) {
  Json json;
  for (const CommandLimit& limit : kCommandLimits) {
    const auto& value = limits.*limit.value;
    if (!value) continue;
    if (*value == CommandLimits::unlimited) {
      json[limit.name] = "unlimited";
    } else {
      json[limit.name] = *value;
    }
  }
  return json;
}

void put_command(Json& json, const Command& command, JobDetail detail) {
  json["argv"] = command.argv;
  if (!command.cwd.empty()) json["cwd"] = command.cwd;
  if (!command.stdin_file.empty()) json["stdin_file"] = command.stdin_file;
  if (detail == JobDetail::brief) return;
  if (!command.stdin_text.empty()) put_bytes(json, "stdin", command.stdin_text);
  if (command.umask >= 0) json["umask"] = command.umask;
  if (command.kill_grace_ms != 0) json["kill_after_ms"] = command.kill_grace_ms;
  if (command.limits != CommandLimits{}) json["limits"] = limits_json(command.limits);
  json["env"] = command.env;
  json["env_replaces"] = command.env_replaces;
}

Json attempt_json(const AttemptInfo& attempt) {
  Json json;
  json["number"] = attempt.number;
  json["worker"] = attempt.worker;
  if (attempt.started != WallTime()) json["started"] = utc_time(attempt.started);
  if (attempt.ended == WallTime()) return json;  // it runs
  json["ended"] = utc_time(attempt.ended);
  json["outcome"] = to_string(attempt.outcome);
  json["exit_code"] = attempt.exit_code;
  json["signal"] = attempt.signal;
  json["user_us"] = attempt.user.count();
  json["system_us"] = attempt.system.count();
  json["max_rss_kib"] = attempt.max_rss_kib;
  if (!attempt.tail.empty()) put_bytes(json, "tail", attempt.tail);
  return json;
}

void put_result(Json& json, const DurableInfo& job) {
  if (job.handler != kExecHandler) {
    if (has_ended(job.state) || !job.result.empty()) put_bytes(json, "result", job.result);
    return;
  }
  const auto decoded = decode_command_result(
      {reinterpret_cast<const unsigned char*>(job.result.data()), job.result.size()});
  if (job.result.empty() || !decoded) return;
  const CommandReport& report = decoded->report;
  if (report.start_errno != 0) {
    json["start_errno"] = report.start_errno;
    json["start_step"] = report.start_step;
  }
  json["wall_us"] = report.wall_us;
  json["stdout_total"] = report.stdout_total;
  json["stderr_total"] = report.stderr_total;
  json["stdout_truncated"] = report.stdout_truncated;
  json["stderr_truncated"] = report.stderr_truncated;
}

Json to_json(const DurableInfo& job, JobDetail detail) {
  Json json;
  json["id"] = job.id;
  json["state"] = to_string(job.state);
  if (has_ended(job.state)) json["status"] = job_status(job);
  json["handler"] = job.handler;
  if (const auto command = command_in(job)) {
    put_command(json, *command, detail);
  } else if (!job.payload_left_out) {
    put_bytes(json, "payload", job.payload);
  }
  put_options(json, job.options);
  if (job.index) json["index"] = *job.index;
  json["uid"] = job.uid;
  json["gid"] = job.gid;
  json["submitted"] = utc_time(job.submitted);
  json["attempts"] = job.attempts;
  if (job.due) json["due"] = utc_time(*job.due);
  if (job.unmet != 0) json["unmet"] = job.unmet;
  if (job.stop_wanted) json["stop_wanted"] = true;
  if (!job.result_left_out) put_result(json, job);
  if (job.last) json["last"] = attempt_json(*job.last);
  if (detail == JobDetail::brief) return json;
  json["history"] = Json::array();
  for (const AttemptInfo& attempt : job.history) json["history"].push_back(attempt_json(attempt));
  if (!job.waits_for.empty()) json["waits_for"] = job.waits_for;
  if (job.progress) {
    json["progress"] = {
        {"done", job.progress->done}, {"total", job.progress->total}, {"text", job.progress->text}};
  }
  return json;
}

}  // namespace

std::string job_json(const DurableInfo& job, JobDetail detail) {
  return text(to_json(job, detail));
}

std::string jobs_json(std::span<const DurableInfo> jobs, JobDetail detail) {
  Json all = Json::array();
  for (const DurableInfo& job : jobs) all.push_back(to_json(job, detail));
  return text(all);
}

std::string export_json(const DurableInfo& job, const std::string& record) {
  Json json = to_json(job, JobDetail::complete);
  json["record"] = to_base64(record);
  return text(json);
}

Result<std::string> imported_record(const std::string& line) {
  const Json json = Json::parse(line, nullptr, false);
  if (!json.is_object()) return Error{Errc::bad_input, "not a JSON object", "", ""};
  const auto found = json.find("record");
  if (found == json.end() || !found->is_string()) {
    return Error{Errc::bad_input, "has no \"record\"", "",
                 "only lines of `jobring export` can be imported; others are submitted with "
                 "`jobring submit --batch`"};
  }
  auto record = from_base64(found->get<std::string>());
  if (!record) return Error{Errc::bad_input, "its \"record\" is not base64", "", ""};
  return std::move(*record);
}

std::string event_json(const JobEvent& event) {
  Json json;
  json["sequence"] = event.sequence;
  json["time"] = utc_time(event.time);
  json["id"] = event.id;
  json["state"] = to_string(event.state);
  json["attempt"] = event.attempt;
  json["uid"] = event.uid;
  json["pool"] = event.pool;
  if (!event.name.empty()) json["name"] = event.name;
  if (event.removed) json["removed"] = true;
  return text(json);
}

std::string submit_json(const SubmitAnswer& answer) {
  Json json;
  json["id"] = answer.id;
  json["status"] = to_string(answer.status);
  if (answer.status == SubmitAnswer::Status::stored) {
    json["count"] = answer.count;
    if (answer.replaced != 0) json["replaced"] = answer.replaced;
  }
  return text(json);
}

std::string verb_json(const VerbResult& result) {
  Json json;
  json["changed"] = result.changed;
  json["unfit"] = result.unfit;
  return text(json);
}

std::string pools_json(std::span<const PoolJobs> pools) {
  Json all = Json::array();
  for (const PoolJobs& pool : pools) {
    Json json;
    json["name"] = pool.pool;
    json["paused"] = pool.paused;
    for (std::size_t i = 0; i < pool.jobs.size(); ++i) {
      json[to_string(JobState(i))] = pool.jobs[i];
    }
    all.push_back(std::move(json));
  }
  return text(all);
}

std::string group_json(const JobGroup& group) {
  Json json;
  json["id"] = group.id;
  json["size"] = group.size;
  json["open"] = group.open;
  json["bad"] = group.bad;
  json["sealed"] = group.sealed;
  return text(json);
}

std::string cron_json(std::span<const CronSpec> entries) {
  static const char* const policies[] = {"skip", "once", "all"};
  Json all = Json::array();
  for (const CronSpec& entry : entries) {
    Json json;
    json["name"] = entry.name;
    json["schedule"] = entry.schedule;
    json["zone"] = entry.zone;
    json["catch_up"] = policies[std::size_t(entry.catch_up) % 3];
    if (entry.next) json["next"] = utc_time(*entry.next);
    if (entry.last) json["last"] = utc_time(*entry.last);
    json["uid"] = entry.uid;
    DurableInfo job;
    job.handler = entry.job.handler;
    job.payload = entry.job.payload;
    Json& of_job = json["job"];
    of_job["handler"] = job.handler;
    if (const auto command = command_in(job)) {
      put_command(of_job, *command, JobDetail::brief);
    } else {
      put_bytes(of_job, "payload", job.payload);
    }
    put_options(of_job, entry.job.options);
    all.push_back(std::move(json));
  }
  return text(all);
}

std::string reasons_json(JobId id, std::span<const std::string> reasons) {
  Json json;
  json["id"] = id;
  json["reasons"] = Json::array();
  for (const std::string& reason : reasons) json["reasons"].push_back(reason);
  return text(json);
}

std::string output_json(JobId id, const JobOutput& output) {
  Json json;
  json["id"] = id;
  if (output.attempt != 0) json["attempt"] = output.attempt;
  if (output.out) {
    put_bytes(json, "stdout", output.out->bytes);
    json["stdout_cut"] = !output.out->whole;
  }
  if (output.err) {
    put_bytes(json, "stderr", output.err->bytes);
    json["stderr_cut"] = !output.err->whole;
  }
  return text(json);
}

std::string result_json(const DurableInfo& job, const KeptOutput* out) {
  Json json;
  json["id"] = job.id;
  if (!job.options.name.empty()) json["name"] = job.options.name;
  json["state"] = to_string(job.state);
  json["status"] = job_status(job);
  const std::string problem = problem_text(job);
  if (!problem.empty()) json["problem"] = problem;
  if (out != nullptr) {
    put_bytes(json, "stdout", out->bytes);
    json["stdout_cut"] = !out->whole;
  } else if (job.state == JobState::succeeded) {
    put_bytes(json, "result", job.result);
  }
  return text(json);
}

}  // namespace jobring::cli
