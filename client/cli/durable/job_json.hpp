// Durable jobs as JSON: what `--json`, `export` and `events` print, and what `submit --batch` and
// `import` read. One vocabulary for all: docs/cli.md, "JSON of a durable job". Times are UTC as
// "2026-11-22T07:00:00.000Z", durations numbers of milliseconds whose names end in _ms. Bytes that
// are not UTF-8 stand in base64 under the name with _base64 behind it.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include <jobring/durable.hpp>

#include "common/result.hpp"

namespace jobring::cli {

enum class JobDetail {
  brief,    // what lists know
  complete  // with environment, history and whole payload
};

// One object, no newline.
std::string job_json(const DurableInfo& job, JobDetail detail);
// An array of them.
std::string jobs_json(std::span<const DurableInfo> jobs, JobDetail detail);
// With `record`, what DurableJobs::export_job() gave.
std::string export_json(const DurableInfo& job, const std::string& record);
// The record in a line of an export. Error: bad_input.
Result<std::string> imported_record(const std::string& line);

std::string event_json(const JobEvent& event);
std::string submit_json(const SubmitAnswer& answer);
std::string verb_json(const VerbResult& result);
std::string pools_json(std::span<const PoolJobs> pools);
std::string group_json(const JobGroup& group);
std::string cron_json(std::span<const CronSpec> entries);
// Why a job does not run: {"id", "reasons"}.
std::string reasons_json(JobId id, std::span<const std::string> reasons);

// What is kept of one stream of a command.
struct KeptOutput {
  std::string bytes;
  bool whole = true;  // it wrote no more
};
struct JobOutput {
  std::uint32_t attempt = 0;  // 0: the last
  std::optional<KeptOutput> out{}, err{};
};
// {"id", "attempt", "stdout", "stdout_cut", "stderr", "stderr_cut"}
std::string output_json(JobId id, const JobOutput& output);
// Of a job that has ended: {"id", "name", "state", "status", "problem"}, and "stdout" of a command,
// "result" of a handler.
std::string result_json(const DurableInfo& job, const KeptOutput* out);

// What a line of a batch does not say is as in `defaults`: options, and for commands directory,
// environment and umask.
struct BatchDefaults {
  DurableOptions options;
  Command command;  // without argv
};
// A job of one line of JSON. What only a finished job has (state, attempts, ...) is passed over, so
// that an export can be submitted anew. Error: bad_input.
Result<DurableJob> parse_job_json(const std::string& line, const BatchDefaults& defaults);

}  // namespace jobring::cli
