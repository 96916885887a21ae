// The JSON that verbs print with --json. Names are stable: docs/cli.md. Bytes that are not UTF-8
// become U+FFFD.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <jobring/jobring.hpp>

#include "client/cli/bench_figures.hpp"
#include "client/cli/outcome.hpp"

namespace jobring::cli {

// What `jobring map` knows of a job beside its end.
struct JobLabel {
  std::uint64_t seq = 0;
  std::vector<std::string> args;
  std::string command;  // or the handler
  double started = 0;   // seconds since 1970
};

// One object, no newline. `label` null: leaves out what it would tell.
std::string job_json(const JobEnd& end, const JobLabel* label);
std::string pong_json(const Pong& pong);
// What `jobring start` prints.
std::string started_json(const Pong& pong, const std::string& socket, bool was_running);
std::string bench_json(const std::vector<BenchRow>& rows);

}  // namespace jobring::cli
