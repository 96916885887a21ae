// Submitting jobs: handlers, commands, payloads in place, maps. Include <jobring/jobring.h>.
#ifndef JOBRING_C_SUBMIT_H
#define JOBRING_C_SUBMIT_H

#include <jobring/c/client.h>
#include <jobring/c/future.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { JOBRING_PRIORITY_LOW = -1, JOBRING_PRIORITY_NORMAL = 0, JOBRING_PRIORITY_HIGH = 1 };

typedef struct jobring_job_options {
  uint32_t size;
  int32_t priority;         // JOBRING_PRIORITY_...
  int64_t timeout_ns;       // run time after which it is ended; 0: none; to the millisecond
  int64_t start_within_ns;  // not started within this time: expired; 0: no deadline
  uint32_t crash_retries;   // run again so often if its worker dies under it; at most 255
  int32_t in_place;         // 1: the result stays in shared memory as long as a reference to its
                            // future lives, and keeps its slot: hold fewer than there are slots
  const char* tag;          // for people: `jobring status` shows it; at most 47 bytes
} jobring_job_options;

// Errors of all that submit: BAD_INPUT (payload larger than max_payload, a handler's name of 0 or
// more than 47 bytes, more than 64 names in one channel, options that make no sense), NO_DAEMON,
// SHUT_DOWN, FULL (every slot is held by results that stay in place, or by reservations).
// `options` may be NULL. Payloads are copied before the function returns. *future is the caller's:
// jobring_future_free().

// Submits one job. While the channel is full it blocks for up to `patience_ns`, then TIMED_OUT.
jobring_status jobring_submit(jobring_pool* pool, const char* handler, const void* payload,
                              size_t payload_len, const jobring_job_options* options,
                              int64_t patience_ns, jobring_future** future);

// Submits, waits for ever, and gives the result's bytes, with a NUL behind them. *result is the
// caller's: jobring_free(). `result_len` may be NULL. Errors: JOB_FAILED too; jobring_last_error()
// says why, jobring_last_error_kind() is the outcome's name.
jobring_status jobring_call(jobring_pool* pool, const char* handler, const void* payload,
                            size_t payload_len, const jobring_job_options* options, void** result,
                            size_t* result_len);

// What a command and each process that it starts may use at most (setrlimit(2)).
enum {
  JOBRING_LIMIT_MEMORY = 0,      // bytes of address space
  JOBRING_LIMIT_CPU = 1,         // seconds of processor time: SIGXCPU, after one more SIGKILL
  JOBRING_LIMIT_OPEN_FILES = 2,  // descriptors
  JOBRING_LIMIT_PROCESSES = 3,   // of the user as whom it runs; not heeded for root
  JOBRING_LIMIT_FILE_SIZE = 4,   // bytes of a file that it writes: SIGXFSZ
  JOBRING_LIMIT_CORE = 5,        // bytes of a core file
  JOBRING_LIMIT_STACK = 6        // bytes
};
#define JOBRING_UNLIMITED UINT64_MAX
// This struct does not grow: arrays of it are passed.
typedef struct jobring_limit {
  int32_t what;  // JOBRING_LIMIT_...
  uint32_t reserved;
  uint64_t value;
} jobring_limit;

// A command, run without a shell.
typedef struct jobring_command {
  uint32_t size;
  int32_t env_replaces;     // 1: env is the whole environment; 0: additions to the worker's
  const char* const* argv;  // at least one, NULL behind the last; argv[0] is looked up in PATH
  const char* const* env;   // "NAME=value", NULL behind the last; or NULL
  const char* cwd;          // NULL: the worker's
  const char* stdin_file;   // opened as the command's user; NULL: stdin_bytes
  const void* stdin_bytes;  // fed to the command; none: /dev/null
  size_t stdin_len;
  uint64_t output_max;     // bytes kept of stdout and of stderr each; 0: as much as there is room
  uint32_t kill_grace_ms;  // between TERM and KILL; 0: the daemon's
  int32_t set_umask;       // 1: umask is meant; 0: the worker's stays
  uint32_t umask;
  int32_t use_stdio;  // 1: it takes over this process's stdin, stdout and stderr; needs a pool
                      // opened with pass_stdio, once per pool; patience is for ever then
  // Those that are not named are the worker's. Above its own the command is not started:
  // start_errno is EPERM.
  const jobring_limit* limits;
  size_t limits_count;
} jobring_command;

// Runs a command: see jobring_future_command(). Its outcome is OK if it exited with 0. Else as
// jobring_submit().
jobring_status jobring_run(jobring_pool* pool, const jobring_command* command,
                           const jobring_job_options* options, int64_t patience_ns,
                           jobring_future** future);

// A command as the payload of a job of the handler "exec", for maps and channels (use_stdio: see
// jobring_channel_prepare_with_stdio()). *payload is the caller's: jobring_free().
jobring_status jobring_command_encode(const jobring_command* command, void** payload, size_t* len);
// What the result of such a job says, if its outcome is OK, FAILED, TIMED_OUT or KILLED. Pointers
// of *report are into the `len` bytes at `result`. Errors: BAD_INPUT if they are no command's.
jobring_status jobring_command_decode(const void* result, size_t len,
                                      jobring_command_result* report);

// ---- payloads that are made in place

// Room for one payload in shared memory, so that no copy of it is made. It takes one of the
// channel's slots. Not thread-safe.
typedef struct jobring_reservation jobring_reservation;

// Blocks while the channel is full. *bytes are `size` bytes to be written, until the reservation is
// submitted or freed. *reservation is the caller's: jobring_reservation_free().
jobring_status jobring_reserve(jobring_pool* pool, size_t size, jobring_reservation** reservation,
                               void** bytes);
// Submits the first `len` bytes. Errors: BAD_INPUT too if there are not so many, or if it was
// submitted already. The reservation is still to be freed.
jobring_status jobring_reservation_submit(jobring_reservation* reservation, const char* handler,
                                          size_t len, const jobring_job_options* options,
                                          jobring_future** future);
// Gives unsubmitted room back. NULL: does nothing.
void jobring_reservation_free(jobring_reservation* reservation);

// ---- maps

// A handler over many inputs, lazily: inputs are taken, and jobs submitted, within
// jobring_results_next(). It has a channel of its own. Not thread-safe. It outlives its pool's
// handle, but not the pool's shutdown, which ends its inputs.
typedef struct jobring_results jobring_results;

typedef struct jobring_map_options {
  uint32_t size;
  int32_t unordered;  // 1: results as they complete; 0: in the order of the inputs
  uint64_t chunk;     // inputs published at once; 0: up to 32, none held back for long
  uint64_t buffer;    // inputs taken and not given back, at most; 0: as many as the channel's slots
  const jobring_job_options* job;  // NULL: defaults
} jobring_map_options;

// Gives the next input: OK with *bytes and *len (copied before the source is called again), END if
// there is no more, or a negative number, which jobring_results_next() then returns, once; it
// counts as the inputs' end. Called on the thread that asks for results.
typedef jobring_status (*jobring_source)(void* user, const void** bytes, size_t* len);

// *results are the caller's: jobring_results_free(). `options` may be NULL.
jobring_status jobring_map(jobring_pool* pool, const char* handler, jobring_source source,
                           void* user, const jobring_map_options* options,
                           jobring_results** results);

typedef struct jobring_bytes {
  const void* data;
  size_t len;
} jobring_bytes;

// The same over an array, which is not copied: it and its bytes stay until all results were taken
// or the results are freed.
jobring_status jobring_map_array(jobring_pool* pool, const char* handler,
                                 const jobring_bytes* inputs, size_t count,
                                 const jobring_map_options* options, jobring_results** results);

// The next result, whatever its outcome, and, if `index` is not NULL, the number of its input, from
// 0. Pointers of *result are valid until the next call for these results. OK, TIMED_OUT; END: there
// are no more. Errors: those of submitting, which end the inputs; what the source returned. The
// results of what was submitted before can still be taken.
jobring_status jobring_results_next(jobring_results* results, int64_t timeout_ns, uint64_t* index,
                                    jobring_result* result);
// A descriptor for event loops: call jobring_results_next() with a time-out of 0 until it is
// TIMED_OUT, first before the first wait; then wait until this is readable, and do so again, until
// it is END. It is the map's: do not close or read it.
jobring_status jobring_results_fd(jobring_results* results, int32_t* fd);
// Takes no more inputs, and withdraws what has not started (it comes as CANCELLED).
jobring_status jobring_results_cancel(jobring_results* results);
// Withdraws what has not started and forgets the rest. NULL: does nothing. Not from the source.
void jobring_results_free(jobring_results* results);

#ifdef __cplusplus
}
#endif

#endif
