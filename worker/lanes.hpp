// A process of a thread pool: several workers, each a thread (a lane), in one process.
//
//   main thread:  control socket ──orders──► inbox of each lane      (reports go straight out)
//   lane i:       Worker with owner id, page entry, events and inbox of its own
//
// To the shared memory each lane is a worker like any other, and the protocol is the same. What
// there is once in a process is nobody's between jobs and must be left alone by handlers (see
// handler.hpp); what a lane does about it:
//
// - Working directory, umask, descriptors 0 to 2, handlers of signals: not put back between jobs,
// as
//   another lane's job may be running; each lane's own signal mask is.
// - SIGTERM (the supervisor is gone) goes to the main thread alone, which kills all commands.
// - Time-outs: a timer per lane, whose signal goes to its thread.
// - max_jobs and max_rss count the process. A lane that finds one exceeded has all of them stop
//   taking jobs; the process ends when the last job has.
// - Commands are children of their lane. What a command leaves behind comes to the process as a
//   whole: see exec/strays.cpp.
// - A crash ends the process: jobs that other lanes were running have crashed as well.
#pragma once

#include "worker/supervisor_link.hpp"
#include "worker/worker_process.hpp"

namespace jobring {

// Runs settings.threads lanes until all of them are drained or have done their share; returns the
// exit status. On the main thread, after start().
int run_lanes(const WorkerProcess& process, SupervisorLink& link);

}  // namespace jobring
