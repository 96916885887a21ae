// The options of a job that run, map and call have in common.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include <jobring/channel.hpp>

#include "client/cli/options.hpp"

namespace jobring::cli {

struct JobFlags {
  std::string priority = "normal";
  std::chrono::milliseconds timeout{0};
  std::chrono::milliseconds start_within{0};
  std::uint64_t crash_retries = 0;

  void add_to(Options& options) {
    options.duration("--timeout", timeout, "end the job after running so long: 90s, 1h30m");
    options.choice("--priority", priority, {"high", "normal", "low"},
                   "jobs of a higher priority start first");
    options.duration("--start-within", start_within,
                     "give up (75) if it has not started after so long");
  }
  // Not for a job that has our stdin: what its first run read is gone.
  void add_retries_to(Options& options) {
    options.number("--crash-retries", crash_retries, 0, 255, "N",
                   "run again so often if its worker dies under it");
  }
  JobOptions resolve() const {
    JobOptions job;
    job.priority = priority == "high"  ? Priority::high
                   : priority == "low" ? Priority::low
                                       : Priority::normal;
    job.timeout = timeout;
    job.start_within = start_within;
    job.crash_retries = std::uint8_t(crash_retries);
    return job;
  }
};

}  // namespace jobring::cli
