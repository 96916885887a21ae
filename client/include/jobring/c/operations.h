// What named objects do (objects.h). Include <jobring/jobring.h>.
//
// An object of another kind than the function's is WRONG_TYPE. Time-outs are as everywhere: 0 tries
// without waiting, JOBRING_FOREVER waits for ever; TIMED_OUT if the time is over. `answer` may be
// NULL. Each ..._start_... does the same without waiting: jobring_pending_get() has the answer.
// Errors of all: NO_DAEMON; LOST (the registry died meanwhile; what was held is not held any more);
// PERMISSION; NOT_FOUND; WRONG_PARAMS; BAD_INPUT (names, sizes, time-outs); FULL; REMOVED.
#ifndef JOBRING_C_OPERATIONS_H
#define JOBRING_C_OPERATIONS_H

#include <jobring/c/objects.h>
#include <jobring/c/submit.h>

#ifdef __cplusplus
extern "C" {
#endif

// ---- LOCK and RLOCK. Answers: token, owner_died, after_restart; number: levels of an RLOCK.
// A LOCK is held by the process, an RLOCK by the thread; first come, first served.
jobring_status jobring_lock_acquire(jobring_object* lock, int64_t timeout_ns,
                                    jobring_answer* answer);
jobring_status jobring_lock_start_acquire(jobring_object* lock, int64_t timeout_ns,
                                          jobring_pending** pending);
// Errors: NOT_HOLDER.
jobring_status jobring_lock_release(jobring_object* lock);
jobring_status jobring_lock_start_release(jobring_object* lock, jobring_pending** pending);
// The fencing token of the last grant through this handle; 0: none, or it was released.
jobring_status jobring_lock_token(jobring_object* lock, uint64_t* token);
// Whether the last grant through this handle still holds, without asking the registry.
jobring_status jobring_lock_held(jobring_object* lock, int32_t* held);
// Asks it. Errors: LOST, if it was lost.
jobring_status jobring_lock_check(jobring_object* lock, int32_t* held);

// ---- SEMAPHORE and BOUNDED_SEMAPHORE. Answers: as of locks; number: permits left.
// `permits`, all or none, in turn.
jobring_status jobring_semaphore_acquire(jobring_object* semaphore, int64_t permits,
                                         int64_t timeout_ns, jobring_answer* answer);
jobring_status jobring_semaphore_start_acquire(jobring_object* semaphore, int64_t permits,
                                               int64_t timeout_ns, jobring_pending** pending);
// Takes them for good: they do not come back when this process dies.
jobring_status jobring_semaphore_consume(jobring_object* semaphore, int64_t permits,
                                         int64_t timeout_ns, jobring_answer* answer);
jobring_status jobring_semaphore_start_consume(jobring_object* semaphore, int64_t permits,
                                               int64_t timeout_ns, jobring_pending** pending);
// `token`: of the grant, or 0. *left, if not NULL: permits left. Errors: NOT_HOLDER (a bounded one
// has not so many out).
jobring_status jobring_semaphore_release(jobring_object* semaphore, int64_t permits, uint64_t token,
                                         int64_t* left);
jobring_status jobring_semaphore_value(jobring_object* semaphore, int64_t* permits);

// ---- EVENT
jobring_status jobring_event_set(jobring_object* event);
jobring_status jobring_event_clear(jobring_object* event);
jobring_status jobring_event_is_set(jobring_object* event, int32_t* is_set);
jobring_status jobring_event_wait(jobring_object* event, int64_t timeout_ns);
jobring_status jobring_event_start_wait(jobring_object* event, int64_t timeout_ns,
                                        jobring_pending** pending);

// ---- CONDITION. Gives its lock up, waits, and holds it again when it returns OK or TIMED_OUT.
// Errors: NOT_HOLDER.
jobring_status jobring_condition_wait(jobring_object* condition, int64_t timeout_ns);
jobring_status jobring_condition_start_wait(jobring_object* condition, int64_t timeout_ns,
                                            jobring_pending** pending);
// `count`: at most so many; -1: all. *woken may be NULL.
jobring_status jobring_condition_notify(jobring_object* condition, int64_t count, int64_t* woken);

// ---- BARRIER. *index, if not NULL: the order of arrival, from 0. Answer: number, the same.
// Errors: BROKEN, also when the time is over.
jobring_status jobring_barrier_wait(jobring_object* barrier, int64_t timeout_ns, int64_t* index);
jobring_status jobring_barrier_start_wait(jobring_object* barrier, int64_t timeout_ns,
                                          jobring_pending** pending);
jobring_status jobring_barrier_reset(jobring_object* barrier);
jobring_status jobring_barrier_abort(jobring_object* barrier);
jobring_status jobring_barrier_broken(jobring_object* barrier, int32_t* broken);
// Who waits; 0 if it is broken.
jobring_status jobring_barrier_waiting(jobring_object* barrier, int64_t* waiting);

// ---- QUEUE. `priority` is for priority queues: the smallest goes first.
jobring_status jobring_queue_put(jobring_object* queue, const void* bytes, size_t len,
                                 int64_t priority, int64_t timeout_ns);
jobring_status jobring_queue_start_put(jobring_object* queue, const void* bytes, size_t len,
                                       int64_t priority, int64_t timeout_ns,
                                       jobring_pending** pending);
// Answers: bytes; number: items left in the queue; redelivered. `leased` other than 0: the item
// goes back to its place if this process dies before jobring_queue_lease_done() of answer->lease.
jobring_status jobring_queue_get(jobring_object* queue, int32_t leased, int64_t timeout_ns,
                                 jobring_answer* answer);
jobring_status jobring_queue_start_get(jobring_object* queue, int32_t leased, int64_t timeout_ns,
                                       jobring_pending** pending);
// Errors: NOT_HOLDER (this process has not got so many).
jobring_status jobring_queue_task_done(jobring_object* queue, int64_t count);
jobring_status jobring_queue_lease_done(jobring_object* queue, uint64_t lease);
// Until all that was put is done.
jobring_status jobring_queue_join(jobring_object* queue, int64_t timeout_ns);
jobring_status jobring_queue_start_join(jobring_object* queue, int64_t timeout_ns,
                                        jobring_pending** pending);
jobring_status jobring_queue_size(jobring_object* queue, int64_t* items);
// Put, and not yet done.
jobring_status jobring_queue_unfinished(jobring_object* queue, int64_t* items);
// Throws away what nobody has got. *items, if not NULL: how many.
jobring_status jobring_queue_clear(jobring_object* queue, int64_t* items);

// ---- DICT. Times to live: nanoseconds, 0 is for ever. NONE: no such key.
jobring_status jobring_dict_get(jobring_object* dict, const void* key, size_t key_len,
                                jobring_answer* answer);  // bytes
jobring_status jobring_dict_start_get(jobring_object* dict, const void* key, size_t key_len,
                                      jobring_pending** pending);
jobring_status jobring_dict_set(jobring_object* dict, const void* key, size_t key_len,
                                const void* value, size_t value_len, int64_t ttl_ns);
jobring_status jobring_dict_start_set(jobring_object* dict, const void* key, size_t key_len,
                                      const void* value, size_t value_len, int64_t ttl_ns,
                                      jobring_pending** pending);
// *done is 1 if it was set, else 0. `present` may be NULL; if it was not set, its bytes are what is
// there.
jobring_status jobring_dict_set_if_absent(jobring_object* dict, const void* key, size_t key_len,
                                          const void* value, size_t value_len, int64_t ttl_ns,
                                          int32_t* done, jobring_answer* present);
jobring_status jobring_dict_erase(jobring_object* dict, const void* key, size_t key_len);
jobring_status jobring_dict_pop(jobring_object* dict, const void* key, size_t key_len,
                                jobring_answer* answer);  // bytes
// Decimal text; a missing key counts as 0. *sum may be NULL. Errors: NOT_A_NUMBER, OUT_OF_RANGE.
jobring_status jobring_dict_increment(jobring_object* dict, const void* key, size_t key_len,
                                      int64_t by, int64_t ttl_ns, int64_t* sum);
jobring_status jobring_dict_start_increment(jobring_object* dict, const void* key, size_t key_len,
                                            int64_t by, int64_t ttl_ns,
                                            jobring_pending** pending);  // number: the sum
// NULL stands for "no such key". *done is 1 if it was as expected and now is as desired, else 0.
jobring_status jobring_dict_compare_and_set(jobring_object* dict, const void* key, size_t key_len,
                                            const jobring_bytes* expected,
                                            const jobring_bytes* desired, int64_t ttl_ns,
                                            int32_t* done);
typedef struct jobring_dict_step {
  jobring_bytes key;
  jobring_bytes value;
  int32_t erase;  // 1: the key goes; 0: it is set
  int32_t reserved;
} jobring_dict_step;
// All or nothing. Answer: number, the dict's version after it.
jobring_status jobring_dict_update(jobring_object* dict, const jobring_dict_step* steps,
                                   size_t count, int64_t ttl_ns, jobring_answer* answer);
// The same if the dict's version is still `version`: *done is 1; else 0, and nothing has changed.
jobring_status jobring_dict_update_if(jobring_object* dict, uint64_t version,
                                      const jobring_dict_step* steps, size_t count, int64_t ttl_ns,
                                      int32_t* done);
jobring_status jobring_dict_clear(jobring_object* dict);
jobring_status jobring_dict_expire(jobring_object* dict, const void* key, size_t key_len,
                                   int64_t ttl_ns);
// *entries is the caller's: jobring_entries_free(). In the order in which the keys came.
jobring_status jobring_dict_items(jobring_object* dict, jobring_entries** entries);
// The same without the values: has_value is 0.
jobring_status jobring_dict_keys(jobring_object* dict, jobring_entries** entries);
jobring_status jobring_dict_size(jobring_object* dict, int64_t* keys);
jobring_status jobring_dict_version(jobring_object* dict, uint64_t* version);
// Waits until something has changed after `version`; with key NULL of any key. Answers: entries,
// the changes; number: the version to watch from next; flag 1: some are forgotten, read the whole
// dict.
jobring_status jobring_dict_watch(jobring_object* dict, const void* key, size_t key_len,
                                  uint64_t version, int64_t timeout_ns, jobring_answer* answer);
jobring_status jobring_dict_start_watch(jobring_object* dict, const void* key, size_t key_len,
                                        uint64_t version, int64_t timeout_ns,
                                        jobring_pending** pending);

// ---- LIST. Indices below 0 count from the end. Errors: OUT_OF_RANGE.
// *length, if not NULL: after it.
jobring_status jobring_list_append(jobring_object* list, const void* bytes, size_t len,
                                   int64_t* length);
jobring_status jobring_list_start_append(jobring_object* list, const void* bytes, size_t len,
                                         jobring_pending** pending);  // number: the length
jobring_status jobring_list_extend(jobring_object* list, const jobring_bytes* values, size_t count,
                                   int64_t* length);
jobring_status jobring_list_insert(jobring_object* list, int64_t index, const void* bytes,
                                   size_t len);
jobring_status jobring_list_pop(jobring_object* list, int64_t index, jobring_answer* answer);
jobring_status jobring_list_get(jobring_object* list, int64_t index, jobring_answer* answer);
jobring_status jobring_list_set(jobring_object* list, int64_t index, const void* bytes, size_t len);
jobring_status jobring_list_size(jobring_object* list, int64_t* length);
// From `begin` to before `end`, which may lie beyond the ends: 0 and INT64_MAX are all. *entries is
// the caller's.
jobring_status jobring_list_slice(jobring_object* list, int64_t begin, int64_t end,
                                  jobring_entries** entries);
// The first that is equal. NONE: there is none.
jobring_status jobring_list_index(jobring_object* list, const void* bytes, size_t len,
                                  int64_t* index);
jobring_status jobring_list_erase(jobring_object* list, const void* bytes, size_t len);
jobring_status jobring_list_clear(jobring_object* list);

// ---- COUNTER: 64 bits. Errors: OUT_OF_RANGE.
jobring_status jobring_counter_add(jobring_object* counter, int64_t by, int64_t* sum);
jobring_status jobring_counter_start_add(jobring_object* counter, int64_t by,
                                         jobring_pending** pending);
jobring_status jobring_counter_set(jobring_object* counter, int64_t value);
jobring_status jobring_counter_get(jobring_object* counter, int64_t* value);
// *done is 1 if it was as expected; *present, if not NULL, is what it was.
jobring_status jobring_counter_compare_and_set(jobring_object* counter, int64_t expected,
                                               int64_t desired, int32_t* done, int64_t* present);

#ifdef __cplusplus
}
#endif

#endif
