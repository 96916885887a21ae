// Futures: the results to come of jobs, and what waits for several. Include <jobring/jobring.h>.
#ifndef JOBRING_C_FUTURE_H
#define JOBRING_C_FUTURE_H

#include <jobring/c/base.h>

#ifdef __cplusplus
extern "C" {
#endif

// The result to come of one job. Thread-safe. Counted: whoever keeps one beyond the life of the
// handle that he was given takes a reference with jobring_future_ref(), and gives each back with
// jobring_future_free(). Freeing the last one neither stops the job nor forgets its callbacks.
// A future outlives its pool and client: then it has ended, as lost if not otherwise before.
typedef struct jobring_future jobring_future;

// Returns the future itself. NULL: does nothing.
jobring_future* jobring_future_ref(jobring_future* future);
void jobring_future_free(jobring_future* future);

// How a job ended.
enum {
  JOBRING_OUTCOME_OK = 0,
  JOBRING_OUTCOME_FAILED = 1,           // the handler said so; the result is its message
  JOBRING_OUTCOME_UNKNOWN_HANDLER = 2,  // the pool has no handler of that name
  JOBRING_OUTCOME_RESULT_TOO_BIG = 3,   // more than the pool's max_result
  JOBRING_OUTCOME_TIMED_OUT = 4,        // ended by its time-out
  JOBRING_OUTCOME_KILLED = 5,           // ended on somebody's request
  JOBRING_OUTCOME_CRASHED = 6,          // its worker died under it; the result says how
  JOBRING_OUTCOME_EXPIRED = 7,          // not started before its deadline
  JOBRING_OUTCOME_CANCELLED = 8,        // withdrawn before it started
  JOBRING_OUTCOME_LOST = 9,             // daemon or pool went away before the job ended
  JOBRING_OUTCOME_BAD_REQUEST = 10      // the payload makes no sense to the handler
};
// "ok", "crashed", ...; "unknown" for a number that is none. Never NULL; static.
const char* jobring_outcome_name(int32_t outcome);

// What became of one job.
typedef struct jobring_result {
  uint32_t size;
  int32_t outcome;    // JOBRING_OUTCOME_...
  int32_t detail;     // a command's exit code or -signal; the signal of a crash
  uint32_t attempts;  // crashes before this outcome
  uint32_t worker;    // index in its pool
  uint32_t reserved;
  uint64_t queued_ns;  // from submission to start
  uint64_t ran_ns;     // to the microsecond
  const void* bytes;   // the result, or the message if it failed; never NULL
  size_t bytes_len;
  const char* error_type;  // of the exception that the handler threw: "std::out_of_range"; else ""
} jobring_result;

// *ready is 1 if the job has ended, else 0. Looks for completions first; never blocks.
jobring_status jobring_future_ready(jobring_future* future, int32_t* ready);
// OK: the job has ended. TIMED_OUT.
jobring_status jobring_future_wait(jobring_future* future, int64_t timeout_ns);
// Waits, then the result, whatever its outcome; as often as you like. Its pointers are valid until
// the future's last reference is freed; no copy is made. TIMED_OUT: *result is untouched.
jobring_status jobring_future_result(jobring_future* future, int64_t timeout_ns,
                                     jobring_result* result);

// Withdraws the job if it has not started; its outcome is CANCELLED then. *withdrawn, if not NULL,
// is 1, or 0 if it had started or ended.
jobring_status jobring_future_cancel(jobring_future* future, int32_t* withdrawn);
// Withdraws the job as jobring_future_cancel() does, or, if it runs, asks for it to be stopped: a
// command's process group gets the signal (15 is SIGTERM), a handler learns that a stop was
// requested; after the pool's kill_grace it is killed. Errors: BAD_INPUT for a number that is no
// signal.
jobring_status jobring_future_kill(jobring_future* future, int32_t signal);

typedef struct jobring_progress {
  uint32_t size;
  uint32_t reserved;
  uint64_t done;
  uint64_t total;  // 0: unknown
  char text[88];   // at most 80 bytes, then NUL
} jobring_progress;

// What the job last reported. NONE: nothing yet, or it does not run (any more). Never blocks.
jobring_status jobring_future_progress(jobring_future* future, jobring_progress* progress);

// Called once the job has ended, at once if it has. `future` is borrowed for the time of the call.
// Jobring starts no threads: a callback runs on a thread that is in a function of jobring that
// looks for completions or ends jobs (wait, result, ready, poll, submit, cancel, kill, shutdown,
// freeing the last handle of a pool). No lock is held: it may call everything, and free everything.
// Callbacks do not nest: what becomes due in one runs after it. Each runs exactly once.
// It must return: no longjmp, no exception (one of C++ is reported on stderr and goes no further).
typedef void (*jobring_callback)(jobring_future* future, void* user);
jobring_status jobring_future_on_ready(jobring_future* future, jobring_callback callback,
                                       void* user);

// ---- the result of a command

typedef struct jobring_command_result {
  uint32_t size;
  int32_t shell_status;  // as a shell has it: exit code, 128 + signal, 124 timed out, 126, 127
  int32_t exit_code;     // 0 .. 255 if it exited, else -1
  int32_t signal;        // the signal that ended it, else 0
  int32_t start_errno;   // errno of the step that failed if it could not be started, else 0
  int32_t timed_out;     // 1: ended by its time-out
  int32_t killed;        // 1: ended because somebody asked
  uint32_t pid;
  int32_t stdout_truncated;  // 1: more came than was kept
  int32_t stderr_truncated;
  uint64_t stdout_total;  // bytes that it wrote, kept or not
  uint64_t stderr_total;
  uint64_t wall_us;
  uint64_t user_us;
  uint64_t system_us;
  uint64_t max_rss_kib;
  const void* stdout_bytes;  // what was kept; never NULL
  size_t stdout_len;
  const void* stderr_bytes;
  size_t stderr_len;
  char start_step[128];  // what failed if it could not be started: "exec /usr/bin/foo" (cut short
                         // if need be), else ""
} jobring_command_result;

// Waits, then how the command of jobring_run() went. Pointers as of jobring_future_result().
// Errors: BAD_INPUT if the job is no command, JOB_FAILED if there is no report (it was cancelled,
// expired, lost, or its worker crashed).
jobring_status jobring_future_command(jobring_future* future, int64_t timeout_ns,
                                      jobring_command_result* result);

// ---- several futures

enum {
  JOBRING_WAIT_ALL = 0,
  JOBRING_WAIT_FIRST_COMPLETED = 1,
  JOBRING_WAIT_FIRST_FAILED = 2  // the first whose outcome is not OK, else all
};

// Waits for several futures, of one pool or of several. OK: the condition holds. TIMED_OUT. In both
// cases done[i], if `done` is not NULL, is 1 if futures[i] has ended, else 0. Of none: OK at once.
// The same future may be there twice.
jobring_status jobring_wait(jobring_future* const* futures, size_t count, int32_t until,
                            int64_t timeout_ns, uint8_t* done);

// Futures in the order in which they complete; more may be added meanwhile. Not thread-safe.
typedef struct jobring_as_completed jobring_as_completed;

// `futures` may be NULL if count is 0. Takes references to all of them. *completed is the caller's:
// jobring_as_completed_free().
jobring_status jobring_as_completed_new(jobring_future* const* futures, size_t count,
                                        jobring_as_completed** completed);
jobring_status jobring_as_completed_add(jobring_as_completed* completed, jobring_future* future);
// The next one to complete: the very handle that was added; its reference goes to the caller:
// jobring_future_free(). END: all have been returned. TIMED_OUT.
jobring_status jobring_as_completed_next(jobring_as_completed* completed, int64_t timeout_ns,
                                         jobring_future** future);
// Added and not returned.
jobring_status jobring_as_completed_left(jobring_as_completed* completed, uint64_t* left);
void jobring_as_completed_free(jobring_as_completed* completed);

#ifdef __cplusplus
}
#endif

#endif
