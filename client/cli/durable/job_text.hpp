// What there is to say of a durable job in few words, and the exit status that it stands for. Pure.
#pragma once

#include <optional>
#include <string>

#include <jobring/durable.hpp>

#include "client/cli/table.hpp"

namespace jobring::cli {

// Of a job for "exec" whose payload is here: what is run.
std::optional<Command> command_in(const DurableInfo& job);

// What it does: its name, else its command, else handler and payload. One line, nothing in it that
// a terminal obeys.
std::string what_text(const DurableInfo& job);
// The command line as a shell would read it, or "handler payload". One line.
std::string command_text(const DurableInfo& job);

// Why it is where it is: "in 4m10s", "after 2 jobs", "exit 3, again in 8.0 s", "SIGKILL". Empty if
// its state says all.
std::string note_text(const DurableInfo& job, WallTime now);
// How an attempt ended: "exit 0", "SIGSEGV", "timed out", "lost".
std::string ending_text(const AttemptInfo& attempt);
// Of one that ended without success: what its exit status does not say. One line, or empty.
std::string problem_text(const DurableInfo& job);
// How long it ran: of one that runs, so far. nullopt: it has not begun.
std::optional<std::chrono::nanoseconds> run_time(const DurableInfo& job, WallTime now);

Color state_color(JobState state);

// As `jobring run` would have exited: of one that succeeded 0, the command's own status, 124 timed
// out, 128+signal, 126/127 not started, 75 its deadline passed, 130 cancelled, 69 lost, 1 failed or
// buried. Only of jobs that have ended.
int job_status(const DurableInfo& job);

}  // namespace jobring::cli
