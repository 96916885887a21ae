// Many jobs in one submission: JSON lines (job_json.hpp).
#pragma once

#include <string>
#include <vector>

#include <jobring/durable.hpp>

#include "client/cli/durable/job_json.hpp"

namespace jobring::cli {

struct Batch {
  std::vector<DurableJob> jobs;
  std::vector<std::size_t> lines;  // in the file, from 1: where each job stands
};

// Empty lines are passed over. `file`: - is stdin. Throws Exception: bad_input that names the line.
Batch read_batch(const std::string& file, const BatchDefaults& defaults);

struct BatchWishes {
  bool json = false;
  bool wait = false;
};
// Prints an id a line, in the order of the batch; of what is refused a line on stderr (and an empty
// line, so that lines still correspond). Returns the exit status: of the first that was refused, or
// with `wait` 1 if a job did not succeed.
int submit_batch(DurableJobs& jobs, const Batch& batch, const BatchWishes& wishes);

// "the key "x" is taken by job 12".
std::string refusal_text(const SubmitAnswer& answer, const DurableJob& job);
// 75 for a key that is taken, else 65.
int refusal_status(SubmitAnswer::Status status);

}  // namespace jobring::cli
