// The fast lane: one thread, one pool, jobs in and completions out by batches, without handles,
// allocations or locks. For event loops, and for bindings of other languages that keep futures of
// their own. Include <jobring/jobring.h>.
//
//     jobring_channel* channel = NULL;
//     uint32_t echo = 0;
//     jobring_completion done[JOBRING_REAP_MAX];
//     jobring_channel_open(client, NULL, NULL, &channel);
//     jobring_channel_handler(channel, "echo", &echo);
//     while (more || outstanding) {
//       jobring_channel_prepare_many(channel, echo, payloads, count, first_tag, NULL, &prepared);
//       jobring_channel_submit(channel);           // one publication for all that were prepared
//       jobring_channel_wait(channel, 1, JOBRING_FOREVER);
//       jobring_channel_reap(channel, done, JOBRING_REAP_MAX, &reaped);
//       ...                                        // done[i].tag, done[i].bytes
//     }
//     jobring_channel_free(channel);
#ifndef JOBRING_C_CHANNEL_H
#define JOBRING_C_CHANNEL_H

#include <jobring/c/submit.h>

#ifdef __cplusplus
extern "C" {
#endif

// A channel of its own to one pool. Not thread-safe: one thread at a time. It takes its client's
// connection along: the client may be freed before it.
typedef struct jobring_channel jobring_channel;

// Pool NULL: "default"; `options` may be NULL. *channel is the caller's: jobring_channel_free().
// Errors: as jobring_pool_open().
jobring_status jobring_channel_open(jobring_client* client, const char* pool,
                                    const jobring_pool_options* options, jobring_channel** channel);
// Withdraws what has not started and forgets the rest. NULL: does nothing.
void jobring_channel_free(jobring_channel* channel);

// A handler's name as a number of this channel; the same for the same name. Errors: BAD_INPUT (a
// name of 0 or more than 47 bytes, or more than 64 names).
jobring_status jobring_channel_handler(jobring_channel* channel, const char* name,
                                       uint32_t* handler);

// ---- jobs in

// Names a job for cancel, kill and progress. Not to be read.
typedef struct jobring_job_ref {
  uint64_t generation;
  uint32_t slot;
  uint32_t reserved;
} jobring_job_ref;

// Puts one job behind the others; jobring_channel_submit() publishes them. `tag` comes back with
// its completion. The payload is copied. `options` (all but in_place count) and `ref` may be NULL.
// NONE: no slot is free; submit and reap first. Errors: BAD_INPUT (payload larger than max_payload,
// options that make no sense, `handler` not of this channel), NO_DAEMON.
jobring_status jobring_channel_prepare(jobring_channel* channel, uint32_t handler,
                                       const void* payload, size_t payload_len, uint64_t tag,
                                       const jobring_job_options* options, jobring_job_ref* ref);
// The same for many: payloads[i] gets the tag `first_tag` + i. *prepared is how many were, also on
// errors. NONE: no slot is free for payloads[*prepared].
jobring_status jobring_channel_prepare_many(jobring_channel* channel, uint32_t handler,
                                            const jobring_bytes* payloads, size_t count,
                                            uint64_t first_tag, const jobring_job_options* options,
                                            size_t* prepared);
// As jobring_channel_prepare(), for a command (jobring_command_encode(), handler "exec") that takes
// over stdin, stdout and stderr of this process: needs a channel opened with pass_stdio, once.
jobring_status jobring_channel_prepare_with_stdio(jobring_channel* channel, uint32_t handler,
                                                  const void* payload, size_t payload_len,
                                                  uint64_t tag, const jobring_job_options* options,
                                                  jobring_job_ref* ref);

// Room for a payload of `size` bytes in shared memory, for jobring_channel_prepare_reserved(). It
// takes a slot until then. One at a time: a further one gives the room before back.
// NONE: no slot is free. Errors: BAD_INPUT (larger than max_payload), NO_DAEMON.
jobring_status jobring_channel_reserve(jobring_channel* channel, size_t size, void** bytes);
// Prepares the first `payload_len` bytes of the room. Errors: BAD_INPUT too if there are not so
// many, or nothing is reserved.
jobring_status jobring_channel_prepare_reserved(jobring_channel* channel, uint32_t handler,
                                                size_t payload_len, uint64_t tag,
                                                const jobring_job_options* options,
                                                jobring_job_ref* ref);

// Publishes what was prepared, and wakes a worker if one sleeps.
jobring_status jobring_channel_submit(jobring_channel* channel);

// ---- completions out

// How one job ended. This struct does not grow: arrays of it are passed.
typedef struct jobring_completion {
  uint64_t tag;
  int32_t outcome;     // JOBRING_OUTCOME_...
  int32_t detail;      // a command's exit code or -signal; the signal of a crash
  uint32_t attempts;   // crashes before this outcome
  uint32_t worker;     // index in its pool
  uint64_t queued_ns;  // from submission to start
  uint64_t ran_ns;     // to the microsecond; for jobs of a microsecond their batch's mean
  const void* bytes;   // the result, or the message if it failed; never NULL; no NUL behind them
  size_t bytes_len;
  const char* error_type;  // of the exception that the handler threw; no NUL behind it
  size_t error_type_len;   // 0: none
} jobring_completion;

enum { JOBRING_REAP_MAX = 256 };

// Takes up to `room` completions, and never more than JOBRING_REAP_MAX, in the order in which they
// came. Never blocks: *count may be 0. Their pointers are valid until the next reap, which gives
// the slots back. Once the daemon is gone, every outstanding job completes as LOST.
jobring_status jobring_channel_reap(jobring_channel* channel, jobring_completion* completions,
                                    size_t room, size_t* count);
// Sleeps until `at_least` completions are there, or all that are outstanding: more than 1 are fewer
// wake-ups for who has many jobs under way. OK: there are some, perhaps fewer. TIMED_OUT. NONE:
// nothing is outstanding. What was prepared and not submitted never comes.
jobring_status jobring_channel_wait(jobring_channel* channel, size_t at_least, int64_t timeout_ns);

// Withdraws a job that has not started; it completes as CANCELLED. *withdrawn, if not NULL, is 1,
// or 0 if it had started or ended.
jobring_status jobring_channel_cancel(jobring_channel* channel, const jobring_job_ref* ref,
                                      int32_t* withdrawn);
// The same for all. *count, if not NULL, is how many.
jobring_status jobring_channel_cancel_all(jobring_channel* channel, uint64_t* count);
// As jobring_future_kill() and jobring_future_progress().
jobring_status jobring_channel_kill(jobring_channel* channel, const jobring_job_ref* ref,
                                    int32_t signal);
jobring_status jobring_channel_progress(jobring_channel* channel, const jobring_job_ref* ref,
                                        jobring_progress* progress);

// ---- event loops

// The completion descriptor: readable when completions may be there, or the daemon went away. Then
// call jobring_channel_arm(), reap until *count is 0, and wait for the descriptor again. It is the
// channel's: do not close or read it.
jobring_status jobring_channel_fd(jobring_channel* channel, int32_t* fd);
jobring_status jobring_channel_arm(jobring_channel* channel);

// ---- numbers

// Jobs prepared or submitted, and not reaped.
jobring_status jobring_channel_outstanding(jobring_channel* channel, uint64_t* jobs);
jobring_status jobring_channel_slots(jobring_channel* channel, uint64_t* slots);
// Bytes: the largest payload and the largest result of a job.
jobring_status jobring_channel_max_payload(jobring_channel* channel, uint64_t* bytes);
jobring_status jobring_channel_max_result(jobring_channel* channel, uint64_t* bytes);
// *connected is 0 once the daemon is gone.
jobring_status jobring_channel_connected(jobring_channel* channel, int32_t* connected);

#ifdef __cplusplus
}
#endif

#endif
