// Waiting for durable jobs, and what the exit status says of them.
#pragma once

#include <chrono>
#include <optional>
#include <vector>

#include <jobring/durable.hpp>

namespace jobring::cli {

struct Attendance {
  const char* verb = "";  // whose messages these are
  bool follow = false;    // its output is copied to ours
  bool json = false;      // when it has ended, a JSON object on stdout
  // It is forgotten at once if it succeeds (--keep 0), perhaps before we have asked for it.
  bool short_lived = false;
};

// Waits for the end of one job or group; Ctrl-C leaves it alone and says how to come back. Returns
// the job's own exit status (job_status()), of a group 0 if all succeeded, else 1.
int attend_job(DurableJobs& jobs, JobId id, const Attendance& how);

// The exit status of a job or group that has ended.
int status_of(const DurableInfo& info);

struct WaitEnd {
  int status = 0;  // of one job its own, of several 0 if all succeeded, else 1; 124: timed out
  std::vector<DurableInfo> ended;  // those that were waited for, in their order
};
// Waits for all. Each failure is a line on stderr unless `quiet`. Throws DurableError(not_found).
WaitEnd wait_all(DurableJobs& jobs, const std::vector<JobId>& ids,
                 std::optional<std::chrono::nanoseconds> patience, const char* verb, bool quiet,
                 bool keep_infos);

}  // namespace jobring::cli
