// What "exec" does alike in every kind of worker: a client's command gets its client's rights, and
// a command's end becomes a job's outcome.
#pragma once

#include "worker/exec/run_command.hpp"
#include "worker/job_run.hpp"
#include "worker/worker_process.hpp"

namespace jobring {

// The pool's settings and the job's into a command and its context: whose it is, its environment,
// times, room for its output.
void prepare_command(const JobRun& job, const Welcome& settings, Command& command,
                     CommandContext& context);
// The report and the output as the job's result.
void end_command_job(JobRun& job, const CommandOutput& output);

}  // namespace jobring
