// Durable jobs: kept by the daemon until they have ended, over the death of everything but the disk
// (docs/durable.md). Include <jobring/jobring.h>.
//
//     jobring_durable* durable = NULL;
//     jobring_durable_future* future = NULL;
//     uint64_t id = 0;
//     const char* argv[] = {"make", "world", NULL};
//     jobring_command command = {.size = sizeof command, .argv = argv};
//     jobring_durable_open(client, &durable);
//     jobring_durable_run(durable, &command, NULL, &id);          // remember it: it survives us
//     ...
//     jobring_durable_attach(durable, id, &future);               // perhaps in another process
//     jobring_durable_info info = {.size = sizeof info};
//     jobring_durable_future_info(future, JOBRING_FOREVER, &info);
//     printf("%s\n", jobring_durable_state_name(info.state));
//
// All functions that ask the daemon block until it has answered, which for changes is after they
// are safe; after a crash of the keeper they go on by themselves. Errors of all of them, beside
// those that are named: NO_DAEMON, BAD_INPUT (what makes no sense, or has more bytes than the
// daemon's limits), PERMISSION, FULL (a limit of the daemon, or its disk: nothing was kept),
// STORE_FAILED (the disk refused: nothing was kept).
//
// Times are milliseconds since 1970 (time(NULL) * 1000), 0 meaning none; spans end in _ms, too.
// Lists of strings end with NULL; NULL is an empty one.
#ifndef JOBRING_C_DURABLE_H
#define JOBRING_C_DURABLE_H

#include <jobring/c/client.h>
#include <jobring/c/future.h>
#include <jobring/c/submit.h>

#ifdef __cplusplus
extern "C" {
#endif

// A client's access to its daemon's durable jobs; all of one client share a channel. Thread-safe.
typedef struct jobring_durable jobring_durable;

// *durable is the caller's: jobring_durable_free(). Errors: the daemon keeps no jobs (a private
// one, or "keeper" is off in its config): its line says so.
jobring_status jobring_durable_open(jobring_client* client, jobring_durable** durable);
// Futures live on. NULL: does nothing.
void jobring_durable_free(jobring_durable* durable);
// The completion descriptor of futures, as jobring_pool_fd() and jobring_pool_poll().
jobring_status jobring_durable_fd(jobring_durable* durable, int32_t* fd);
jobring_status jobring_durable_poll(jobring_durable* durable, uint64_t* count);

enum {
  JOBRING_DURABLE_DELAYED = 0,    // waits for its time or for other jobs
  JOBRING_DURABLE_READY = 1,      // waits for a worker, or for a place under its concurrency key
  JOBRING_DURABLE_RUNNING = 2,    // handed to its pool
  JOBRING_DURABLE_SUCCEEDED = 3,  // ended
  JOBRING_DURABLE_FAILED = 4,     // an attempt failed, the next one waits for its time
  JOBRING_DURABLE_DEAD = 5,       // ended: gave up, or was buried
  JOBRING_DURABLE_CANCELLED = 6,  // ended
  JOBRING_DURABLE_HELD = 7        // waits for its release
};
// "delayed", ...; "unknown" for a number that is none. Never NULL; static.
const char* jobring_durable_state_name(int32_t state);

// ---- submitting

enum {
  JOBRING_DURABLE_SYNCED = 0,   // what was acknowledged survives a power cut
  JOBRING_DURABLE_BATCHED = 1,  // after the daemon's flush time (100 ms by default)
  JOBRING_DURABLE_NONE = 2      // only the death of all jobring processes
};
enum {
  JOBRING_DURABLE_UNTIL_ENDED = 0,
  JOBRING_DURABLE_UNTIL_STARTED = 1,
  JOBRING_DURABLE_UNTIL_TIME = 2
};

// This struct does not grow: arrays of it are passed.
typedef struct jobring_durable_dependency {
  uint64_t on;       // a job, or a group: all that are in it
  int32_t any;       // 1: after its end, however it ends; 0: after its success
  int32_t in_batch;  // 1: `on` is a place in the same jobring_durable_submit_all(), from 0
} jobring_durable_dependency;

typedef struct jobring_durable_options {
  uint32_t size;
  int32_t priority;            // higher is sooner; a level is worth 10,000 places in the line
  const char* pool;            // NULL: "default"
  const char* name;            // for people, and to find it by
  const char* const* tags;     // at most 32
  int32_t durability;          // JOBRING_DURABLE_...
  int32_t held;                // 1: waits for its release
  int64_t delay_ms;            // after the submission
  int64_t run_at_ms;           // a time
  int64_t deadline_ms;         // a time: not begun later
  int64_t timeout_ms;          // of each attempt; 0: none
  uint32_t retries;            // attempts after the first
  int32_t no_jitter;           // 1: pauses are exact; 0: give or take a fifth
  int64_t retry_base_ms;       // the first pause, doubled each time; 0: one second
  int64_t retry_cap_ms;        // the longest pause; 0: an hour
  const int32_t* retry_exits;  // exit codes after which it is tried again
  size_t retry_exits_count;    // 0: all
  const jobring_durable_dependency* after;
  size_t after_count;
  uint64_t group;               // joins it; 0: none
  const char* unique_key;       // at most one job of this user has it at a time
  int32_t unique_until;         // JOBRING_DURABLE_UNTIL_...
  int32_t unique_replace;       // 1: the one that waits is cancelled; 0: this one is refused
  int64_t unique_for_ms;        // with UNTIL_TIME
  const char* concurrency_key;  // of this user's jobs that have it,
  uint32_t concurrency_max;     // so many run at a time
  int32_t forget;       // 1: forgotten as soon as it has succeeded; keep_ms is not looked at
  int64_t keep_ms;      // forgotten so long after its end; 0: as the daemon is configured
  uint64_t output_max;  // bytes of a command's stdout and of its stderr that are kept; 0: as the
                        // daemon is configured
  // An array: one job for each of first, first + step, ... up to last ($JOBRING_INDEX).
  int64_t array_first;
  int64_t array_last;
  int64_t array_step;      // 0: it is no array
  uint32_t array_at_once;  // how many may run at a time; 0: all
  uint32_t reserved;
} jobring_durable_options;

// What became of one that was submitted. This struct does not grow: arrays of it are passed.
typedef struct jobring_durable_answer {
  jobring_status status;  // OK; DUPLICATE: its unique key is taken, by `id`; REFUSED: see `kind`
  uint32_t count;         // of an array: it is the jobs id + 1 ... id + count, `id` is their group
  uint64_t id;            // of the job; of what is in the way of one that is refused
  uint64_t replaced;      // cancelled for this one; 0: none
  const char* kind;       // "stored", "duplicate", "no_such_job", "cannot_succeed",
                          // "no_such_group", "bad"; static
} jobring_durable_answer;

// Submits one job. *id is its number: from 1, growing, never used again; of an array its group's.
// `options` may be NULL. Errors: DUPLICATE (*id is that of the job that has its unique key),
// REFUSED (jobring_last_error_kind() says how).
jobring_status jobring_durable_submit(jobring_durable* durable, const char* handler,
                                      const void* payload, size_t payload_len,
                                      const jobring_durable_options* options, uint64_t* id);
// The same of a command. use_stdio and kill_grace_ms are not for durable ones: they must be 0.
jobring_status jobring_durable_run(jobring_durable* durable, const jobring_command* command,
                                   const jobring_durable_options* options, uint64_t* id);

// One of many. This struct does not grow: arrays of it are passed.
typedef struct jobring_durable_job {
  const char* handler;  // "exec" for commands: the payload is jobring_command_encode()'s
  const void* payload;
  size_t payload_len;
  const jobring_durable_options* options;  // NULL: defaults
} jobring_durable_job;

// Submits many: answers[i] is that of jobs[i]; one that is refused does not stop the others. All in
// one turn, kept whole or not at all, as far as one request has room for them (8 MiB by default),
// else in several, one after the other. *answered, if not NULL, is how many were answered, on
// errors too: the others were not kept. BAD_INPUT for a job that makes no sense: then none was
// kept.
jobring_status jobring_durable_submit_all(jobring_durable* durable, const jobring_durable_job* jobs,
                                          size_t count, jobring_durable_answer* answers,
                                          size_t* answered);
// The same in one request and without waiting: *future, the caller's (jobring_future_free()), is
// ready when they are answered. Errors: BAD_INPUT too if one request has no room for them.
jobring_status jobring_durable_start_submit(jobring_durable* durable,
                                            const jobring_durable_job* jobs, size_t count,
                                            jobring_future** future);
// Waits for it, then the answers: up to `room` of them; *count is how many there are.
jobring_status jobring_durable_answers(jobring_future* submitted, int64_t timeout_ns,
                                       jobring_durable_answer* answers, size_t room, size_t* count);

// ---- one job

typedef struct jobring_durable_attempt {
  uint32_t size;
  uint32_t number;     // from 1
  int32_t worker;      // pid of the command, or of the process whose handler it was
  int32_t outcome;     // JOBRING_OUTCOME_...
  int64_t started_ms;  // times
  int64_t ended_ms;
  int32_t exit_code;
  int32_t signal;
  uint64_t user_us;
  uint64_t system_us;
  uint64_t max_rss_kib;
  const char* tail;  // the last lines of a command's output, or why it ended; never NULL
  size_t tail_len;   // there may be NULs in it
} jobring_durable_attempt;

// All that is known of a job. Pointers are valid as long as what it was asked of: a future, a list.
typedef struct jobring_durable_info {
  uint32_t size;
  int32_t state;  // JOBRING_DURABLE_...
  uint64_t id;
  const char* handler;
  const void* payload;
  size_t payload_len;
  const void* result;
  size_t result_len;
  int32_t payload_left_out;  // 1: it is long: jobring_durable_show() has it
  int32_t result_left_out;
  const jobring_durable_options* options;  // as submitted, pool and priority as they are now
  uint32_t uid;
  uint32_t gid;
  int64_t submitted_ms;  // a time
  int64_t due_ms;        // delayed, failed: the time at which it goes on; 0: none
  uint32_t attempts;     // begun
  uint32_t unmet;        // jobs that it waits for
  int32_t stop_wanted;   // 1: it was cancelled while it runs
  int32_t has_index;     // 1: it is a member of an array, at `index`
  int64_t index;
  // Of jobring_durable_future_info() only, if the future is that of a group or an array: 1. Of the
  // rest id and state are set then: SUCCEEDED if all of its members did, else DEAD.
  int32_t is_group;
  int32_t has_progress;  // 1: of jobring_durable_show() only
  uint64_t members;
  uint64_t bad_members;  // ended without success
  uint64_t progress_done;
  uint64_t progress_total;  // 0: unknown
  const char* progress_text;
  // Attempts that are known, of which the last one is the last that ended. Of
  // jobring_durable_show(): up to 20; else that one.
  uint32_t attempts_known;
  uint32_t waits_for_count;  // of jobring_durable_show() only
  const uint64_t* waits_for;
} jobring_durable_info;

// A job that outlives us, by its number: waited for, in this process or another one. Counted, as
// futures are. Thread-safe. It keeps the connection open; freeing it does not touch the job.
typedef struct jobring_durable_future jobring_durable_future;

// Of a job or of a group. Asks nothing yet. *future is the caller's: jobring_durable_future_free().
jobring_status jobring_durable_attach(jobring_durable* durable, uint64_t id,
                                      jobring_durable_future** future);
jobring_durable_future* jobring_durable_future_ref(jobring_durable_future* future);
void jobring_durable_future_free(jobring_durable_future* future);
jobring_status jobring_durable_future_id(jobring_durable_future* future, uint64_t* id);
// *ready is 1 if it is over, else 0: the job has ended, or cannot be known any more (it was
// forgotten, or the daemon went away). Asks the daemon in the background; never blocks. Any number
// of them may be waited for: they do not need a slot each.
jobring_status jobring_durable_future_ready(jobring_durable_future* future, int32_t* ready);
// OK: it is over. TIMED_OUT.
jobring_status jobring_durable_future_wait(jobring_durable_future* future, int64_t timeout_ns);
// Waits, then all that is known of its end. TIMED_OUT: *info is untouched. Errors: NOT_FOUND (it
// was forgotten), NO_DAEMON (attach again after connecting again).
jobring_status jobring_durable_future_info(jobring_durable_future* future, int64_t timeout_ns,
                                           jobring_durable_info* info);
// Waits for ever, then its result, with a NUL behind it; of a command, what it wrote to stdout, as
// far as it was kept. *result is the caller's: jobring_free(); `result_len` may be NULL. Errors:
// JOB_FAILED unless it succeeded: jobring_last_error() says why, jobring_last_error_kind() is the
// outcome's name.
jobring_status jobring_durable_future_get(jobring_durable_future* future, void** result,
                                          size_t* result_len);
// Once, when it is over; rules as for jobring_future_on_ready(), of the thread that polls, too.
typedef void (*jobring_durable_callback)(jobring_durable_future* future, void* user);
jobring_status jobring_durable_future_on_ready(jobring_durable_future* future,
                                               jobring_durable_callback callback, void* user);

// ---- looking

// Which jobs: those that fit all that is said. Of other users only if we are root, or whom the
// daemon runs as.
typedef struct jobring_durable_filter {
  uint32_t size;
  uint32_t states;      // bits, 1 << JOBRING_DURABLE_...; 0: all
  const uint64_t* ids;  // ranges, first and last of each in turn, both included; NULL: all
  size_t ranges;        // how many: half as many as there are ids
  const char* pool;     // NULL: all; of the rest too
  const char* tag;
  const char* name;
  int32_t has_uid;  // 1: only those of `uid`
  uint32_t uid;
  int64_t ended_before_ms;  // a time; 0: no matter
  uint64_t group;           // in this group or array; 0: any
} jobring_durable_filter;

// Several answers: jobs, pools, events or cron entries. Read-only: any number of threads may.
typedef struct jobring_durable_list jobring_durable_list;
jobring_status jobring_durable_list_count(jobring_durable_list* list, uint64_t* count);
// Of jobs: go on below this id; 0: that was all. Of events: the last one: ask for what is after it.
jobring_status jobring_durable_list_next(jobring_durable_list* list, uint64_t* next);
void jobring_durable_list_free(jobring_durable_list* list);

// Jobs, newest first: at most `most` (0: 50) with ids below `below` (0: from the newest). `filter`
// may be NULL. *list is the caller's: jobring_durable_list_free().
jobring_status jobring_durable_list_jobs(jobring_durable* durable,
                                         const jobring_durable_filter* filter, uint64_t most,
                                         uint64_t below, jobring_durable_list** list);
// One job with all that there is of it, as a list of one. NONE: there is no such job.
jobring_status jobring_durable_show(jobring_durable* durable, uint64_t id,
                                    jobring_durable_list** list);
// NONE: `index` is not below the count. Errors: WRONG_TYPE: it is a list of something else.
jobring_status jobring_durable_list_job(jobring_durable_list* list, uint64_t index,
                                        jobring_durable_info* info);
// An attempt of that job, from 0: see attempts_known.
jobring_status jobring_durable_list_attempt(jobring_durable_list* list, uint64_t index,
                                            uint32_t attempt, jobring_durable_attempt* to);
// The last attempt of a job that has ended. Waits for ever. NONE: it never ran.
jobring_status jobring_durable_future_attempt(jobring_durable_future* future,
                                              jobring_durable_attempt* to);

// Why it does not run yet, a line each. *text ends with NUL and is the caller's: jobring_free().
jobring_status jobring_durable_explain(jobring_durable* durable, uint64_t id, char** text);

typedef struct jobring_durable_pool {
  uint32_t size;
  int32_t paused;
  const char* name;
  uint64_t jobs[8];  // by JOBRING_DURABLE_... state
} jobring_durable_pool;
jobring_status jobring_durable_pools(jobring_durable* durable, jobring_durable_list** list);
jobring_status jobring_durable_list_pool(jobring_durable_list* list, uint64_t index,
                                         jobring_durable_pool* pool);

typedef struct jobring_durable_log {
  uint32_t size;
  int32_t of_stderr;    // in: 1: stderr, 0: stdout
  uint32_t attempt;     // in: 0: the last; out: whose they are
  int32_t end;          // out: 1: nothing will come behind these bytes
  int64_t offset;       // in: below 0: so many bytes before the end; out: of the first byte
  uint64_t most;        // in: bytes; 0: 64 KiB
  int64_t patience_ns;  // in: waits so long for something behind `offset`; 0: does not wait
  int32_t cut;          // out: 1: the command wrote more than is kept
  int32_t reserved;
  void* bytes;       // out: the caller's: jobring_free(); with a NUL behind them
  size_t bytes_len;  // out: 0: there is nothing (yet)
} jobring_durable_log;
// What a command wrote. To follow it: offset += bytes_len, until `end`. Errors: NOT_FOUND.
jobring_status jobring_durable_logs(jobring_durable* durable, uint64_t id,
                                    jobring_durable_log* log);

#define JOBRING_DURABLE_EVENTS_NOW UINT64_MAX
typedef struct jobring_durable_event {
  uint32_t size;
  int32_t state;      // that the job has now
  uint64_t sequence;  // grows, over restarts too
  int64_t time_ms;
  uint64_t id;
  uint32_t attempt;
  uint32_t uid;
  const char* pool;
  const char* name;
  int32_t removed;  // 1: the job was forgotten
  uint32_t reserved;
} jobring_durable_event;
// What happened to jobs after the event `after` (0: all that are remembered; EVENTS_NOW: what
// comes), at most `most` (0: 1000); waits so long for the first. *gap, if not NULL, is 1 if some
// were forgotten before they were read.
jobring_status jobring_durable_events(jobring_durable* durable, uint64_t after, uint64_t most,
                                      int64_t patience_ns, int32_t* gap,
                                      jobring_durable_list** list);
jobring_status jobring_durable_list_event(jobring_durable_list* list, uint64_t index,
                                          jobring_durable_event* event);

// ---- changing

enum {
  JOBRING_DURABLE_HOLD = 0,     // delayed, ready, failed: held
  JOBRING_DURABLE_RELEASE = 1,  // held: where it was
  JOBRING_DURABLE_CANCEL = 2,   // all that have not ended: cancelled; running ones are stopped
  JOBRING_DURABLE_BURY = 3,     // delayed, ready, failed, held: dead
  JOBRING_DURABLE_KICK = 4,     // dead, delayed, failed: ready, with all retries
  JOBRING_DURABLE_RETRY = 5,    // succeeded, dead, cancelled: ready, with all retries
  JOBRING_DURABLE_EDIT = 6,     // delayed, ready, failed, held: as jobring_durable_edit says
  JOBRING_DURABLE_REMOVE = 7    // succeeded, dead, cancelled: forgotten
};
typedef struct jobring_durable_edit {
  uint32_t size;
  int32_t set_priority;  // 1: `priority` is meant
  int32_t priority;
  int32_t set_delay;  // 1: `delay_ms` is meant
  int64_t delay_ms;   // from now
  const char* pool;   // NULL: stays
} jobring_durable_edit;

// Does it with all that the filter selects; NULL selects none: BAD_INPUT. `edit`, else NULL, is
// that of EDIT. dry_run 1: only counts. *changed and *unfit (selected, but the verb means nothing
// in their state) may be NULL.
jobring_status jobring_durable_apply(jobring_durable* durable, int32_t verb,
                                     const jobring_durable_filter* filter,
                                     const jobring_durable_edit* edit, int32_t dry_run,
                                     uint64_t* changed, uint64_t* unfit);
// Cancels one. NONE: it has ended, or there is no such job.
jobring_status jobring_durable_cancel(jobring_durable* durable, uint64_t id);
// Sends a signal to those that run: they end as killed and are not tried again. *count, if not
// NULL, is how many.
jobring_status jobring_durable_kill(jobring_durable* durable, const jobring_durable_filter* filter,
                                    int32_t signal, uint64_t* count);
// Nothing of the pool is started any more, and is again.
jobring_status jobring_durable_pause(jobring_durable* durable, const char* pool);
jobring_status jobring_durable_resume(jobring_durable* durable, const char* pool);
// Pauses it and waits until nothing of it runs. TIMED_OUT: *left, if not NULL, still do.
jobring_status jobring_durable_drain(jobring_durable* durable, const char* pool, int64_t timeout_ns,
                                     uint64_t* left);

typedef struct jobring_durable_group {
  uint32_t size;
  int32_t sealed;  // 1: nothing joins it any more
  uint64_t id;
  uint64_t members;
  uint64_t open;  // not ended
  uint64_t bad;   // ended without success
} jobring_durable_group;
jobring_status jobring_durable_group_new(jobring_durable* durable, uint64_t* id);
jobring_status jobring_durable_group_seal(jobring_durable* durable, uint64_t id);
jobring_status jobring_durable_group_get(jobring_durable* durable, uint64_t id,
                                         jobring_durable_group* group);
// OK: it is sealed and all of its members have ended. TIMED_OUT.
jobring_status jobring_durable_group_wait(jobring_durable* durable, uint64_t id,
                                          int64_t timeout_ns);

// ---- cron

enum {
  JOBRING_DURABLE_CATCH_UP_ONCE = 0,  // of times that were missed while no daemon ran
  JOBRING_DURABLE_CATCH_UP_SKIP = 1,
  JOBRING_DURABLE_CATCH_UP_ALL = 2
};
typedef struct jobring_durable_cron {
  uint32_t size;
  int32_t catch_up;  // JOBRING_DURABLE_CATCH_UP_...
  const char* name;
  const char* schedule;  // "*/5 * * * *", "@daily"
  const char* zone;      // "Europe/Berlin"; NULL: the daemon's
  jobring_durable_job job;
  int64_t next_ms;  // in lists: times
  int64_t last_ms;
  uint32_t uid;
  uint32_t reserved;
} jobring_durable_cron;
// *next_ms, if not NULL, is when it fires next (0: @reboot). Errors: EXISTS (and replace is 0).
jobring_status jobring_durable_cron_put(jobring_durable* durable, const jobring_durable_cron* cron,
                                        int32_t replace, int64_t* next_ms);
// NONE: there is no such entry.
jobring_status jobring_durable_cron_remove(jobring_durable* durable, const char* name);
jobring_status jobring_durable_cron_list(jobring_durable* durable, jobring_durable_list** list);
jobring_status jobring_durable_list_cron(jobring_durable_list* list, uint64_t index,
                                         jobring_durable_cron* cron);
// Submits its job now. Errors: NOT_FOUND.
jobring_status jobring_durable_cron_run(jobring_durable* durable, const char* name, uint64_t* id);

// ---- export and import

// A job as opaque bytes, readable by this version and newer ones. *bytes are the caller's:
// jobring_free(). NONE: there is no such job.
jobring_status jobring_durable_export(jobring_durable* durable, uint64_t id, void** bytes,
                                      size_t* len);
// NONE: its id is taken.
jobring_status jobring_durable_import(jobring_durable* durable, const void* bytes, size_t len);

#ifdef __cplusplus
}
#endif

#endif
