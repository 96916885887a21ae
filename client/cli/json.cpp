#include "client/cli/json.hpp"

#include <nlohmann/json.hpp>

namespace jobring::cli {
namespace {

using Json = nlohmann::ordered_json;

std::string line(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

std::string job_json(const JobEnd& end, const JobLabel* label) {
  Json json;
  if (label != nullptr) {
    json["seq"] = label->seq;
    json["args"] = label->args;
    json["command"] = label->command;
    json["started"] = label->started;
  }
  json["outcome"] = to_string(end.outcome);
  json["status"] = end.status;
  json["signal"] = end.signal;
  json["attempts"] = end.attempts;
  json["worker"] = end.worker;
  json["queued_us"] = end.queue_ns / 1000;
  json["run_us"] = end.run_us;
  if (end.has_report) {
    const CommandReport& report = end.report;
    json["pid"] = report.pid;
    json["wall_us"] = report.wall_us;
    json["user_us"] = report.user_us;
    json["system_us"] = report.system_us;
    json["max_rss_kib"] = report.max_rss_kib;
    json["timed_out"] = report.timed_out;
    json["killed"] = report.killed;
    json["stdout"] = end.out;
    json["stderr"] = end.err;
    json["stdout_total"] = report.stdout_total;
    json["stderr_total"] = report.stderr_total;
    json["stdout_truncated"] = report.stdout_truncated;
    json["stderr_truncated"] = report.stderr_truncated;
  } else if (end.ok()) {
    json["result"] = end.out;
  }
  if (!end.problem.empty()) json["problem"] = end.problem;
  return line(json);
}

std::string pong_json(const Pong& pong) {
  Json json;
  json["version"] = pong.version;
  json["pid"] = pong.pid;
  json["uptime_ms"] = pong.uptime.count();
  json["round_trip_ns"] = pong.round_trip.count();
  return line(json);
}

std::string started_json(const Pong& pong, const std::string& socket, bool was_running) {
  Json json;
  json["socket"] = socket;
  json["pid"] = pong.pid;
  json["version"] = pong.version;
  json["already_running"] = was_running;
  return line(json);
}

std::string bench_json(const std::vector<BenchRow>& rows) {
  Json json = Json::array();
  for (const BenchRow& row : rows) {
    json.push_back({{"payload", row.payload},
                    {"clients", row.clients},
                    {"depth", row.depth},
                    {"jobs_per_second", row.jobs_per_second},
                    {"bytes_per_second", row.jobs_per_second * 2 * double(row.payload)},
                    {"p50_ns", row.p50},
                    {"p90_ns", row.p90},
                    {"p99_ns", row.p99},
                    {"p99_9_ns", row.p999},
                    {"max_ns", row.max},
                    {"failed", row.failed}});
  }
  return line(json);
}

}  // namespace jobring::cli
