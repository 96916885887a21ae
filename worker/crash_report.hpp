// What a worker says as it dies of a fatal signal: the evidence of a crashed job.
//
// SIGSEGV, SIGBUS, SIGFPE, SIGILL and SIGABRT write a few lines to stderr, which the supervisor
// keeps and attaches to the job:
//
//   jobring-worker: SIGSEGV (address 0x10 is not mapped) in handler "resize", pid 4711
//     #0 images.so+0x13f2 shrink+0x22
//     #1 images.so+0x1c04
//     #2 jobring-worker+0x2aa31
//
// Then the signal takes its default action on the thread it came to, with what the kernel told
// about it: exit status and core file are those of a process without this handler. An address after
// a module's name is what `addr2line -Cfe MODULE ADDRESS` takes.
//
// The handler calls nothing that allocates or waits for a lock of ours, and runs on a stack of its
// own, so it also reports an overflow of the main thread's stack (threads of modules report theirs
// only if they call sigaltstack()). Should it hang or crash all the same, because the process died
// inside the loader or its stack is torn, an alarm ends it after kCrashReportTime.
#pragma once

#include <atomic>

namespace jobring {

inline constexpr unsigned kCrashReportTime = 2;  // seconds

// Once, on the main thread, before modules are loaded: a module may install its own handlers
// instead, and call ours from them. A signal that has a handler already, such as a sanitizer's,
// keeps it.
void report_crashes();

// The stack that reports of this thread run on: a thread of ours calls it before its first job, the
// main thread has one already.
void prepare_crash_stack();

// The name of the handler that runs on this thread, or nullptr: for the report. Must outlive the
// job.
extern constinit thread_local std::atomic<const char*> running_handler;

}  // namespace jobring
