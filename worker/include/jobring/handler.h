// Handlers in C: functions that jobring workers run. (In C++: <jobring/handler.hpp>.)
//
// A module is a shared object that a pool's config names under "modules". This header is all it
// needs; it links against nothing of jobring. A whole module:
//
//     #include <jobring/handler.h>
//
//     JOBRING_HANDLER(square, job) {
//       char text[32];
//       if (jobring_job_text(job, text, sizeof text) != 0) {
//         jobring_job_fail(job, "that is no number");
//         return;
//       }
//       const long n = strtol(text, NULL, 10);
//       jobring_job_replyf(job, "%ld", n * n);
//     }
//
// Build it with `cc -shared -fPIC -o square.so square.c`. C99 or newer, GCC or Clang. Any number of
// JOBRING_HANDLER may stand in one module, in any number of files, beside files of C++ too.
//
// A handler returns: the job succeeds with what it replied, with nothing if it never did, or fails
// if it called one of the functions that say so. It crashes: the job alone fails, with the signal.
// It must return: no longjmp out of it, no pthread_exit, and no exception of C++.
//
// Threads: handlers of one worker process run one at a time, but in a pool whose config says
// "model": "thread": there on several threads at once, also several times the same one. Such a pool
// takes a module only if all its handlers are declared fit for that:
//
//     JOBRING_THREAD_SAFE_HANDLER(square, job) { ... }
//
// A thread-safe handler shares no data without a lock, and changes nothing that belongs to the
// whole process: the working directory, umask, environment, user, descriptors 0 to 2, signal
// handlers. A pool of the model "async" takes coroutines of C++ only.
//
// Ownership: the job, its payload and reserved room are the worker's, and the handler's until it
// returns, on the thread that was called: keep no pointer to them, give them to no other thread.
// What the functions are given stays the handler's and is copied.
#ifndef JOBRING_HANDLER_H
#define JOBRING_HANDLER_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

// ---- what modules and workers agree on

// The version of all that stands here. 2: fail_typed, progress and declare.
#define JOBRING_MODULE_VERSION 2u

// A job as the worker presents it. Everything a handler may do goes through the functions in it, so
// that a module and its worker may be built by different compilers. All take the `host` they stand
// beside; they may be called on the handler's thread only, and let no exception out. Calls with
// names are below: jobring_job_reply() and so on.
struct jobring_job {
  // payload_len bytes, valid until the handler returns; never NULL; no NUL behind them. They are
  // shared memory, in place when the client runs under the worker's own uid, else a private copy:
  // input from outside.
  const unsigned char* payload;
  size_t payload_len;
  // Of a durable job: its number, the same in all its attempts; which attempt this is, from 1;
  // which member of an array, 0 if it is none. Of an attached job 0.
  uint64_t durable_id;
  uint64_t attempt;
  int64_t index;
  uint64_t reserved[3];
  void* host;
  // Room for a result of `len` bytes, to be written in place; NULL if the pool's max_result is
  // less: the job then ends as result_too_big, whatever else it does. A further call takes the
  // place of the one before.
  unsigned char* (*reserve)(void* host, size_t len);
  // Takes the first `len` reserved bytes as the result; at most as many as were reserved.
  void (*commit)(void* host, size_t len);
  // Ends the job as failed with a message; the last call counts.
  void (*fail)(void* host, const char* message, size_t len);
  // 1 once somebody asked for the job to stop.
  int (*stop_requested)(void* host);
  uint64_t (*max_result)(void* host);
  // As fail(), with the type of what went wrong, of which 255 bytes are kept.
  void (*fail_typed)(void* host, const char* type, size_t type_len, const char* message,
                     size_t len);
  // Reports how far the job is; of the text 80 bytes are kept. Costs a few stores.
  void (*progress)(void* host, uint64_t done, uint64_t total, const char* text, size_t len);
};

// A handler. `user` is what it was registered with.
typedef void (*jobring_handler_fn)(struct jobring_job* job, void* user);

// The handler may run on several threads at once.
#define JOBRING_THREAD_SAFE 1u

// What a module is given to register with, for the time of its jobring_module_init().
struct jobring_registry {
  uint32_t version;  // JOBRING_MODULE_VERSION
  void* host;
  // Adds a handler; copies the name. 0, or -1 if the name is empty, longer than 47 bytes, or taken,
  // also by another module of the pool. The worker then says so and refuses the whole module.
  int (*add)(void* host, const char* name, jobring_handler_fn fn, void* user);
  // Says of the handler `name`, added before, what it is fit for: JOBRING_THREAD_SAFE or 0. Returns
  // 0, or -1 if this module has added none of that name.
  int (*declare)(void* host, const char* name, uint32_t traits);
};

// The one function that a worker looks for in a module, and calls once, before any job. Returns 0,
// -1 if it failed, or this module's version of the interface if the worker's is another. This
// header defines it, see its end.
__attribute__((visibility("default"))) int jobring_module_init(
    const struct jobring_registry* registry);

// ---- what a handler does with its job

// Sets the result by copying `len` bytes; the last reply counts. `bytes` may be NULL if len is 0.
// 0, or -1 if the pool's max_result is less: the job then ends as result_too_big.
static inline int jobring_job_reply(struct jobring_job* job, const void* bytes, size_t len) {
  unsigned char* room = job->reserve(job->host, len);
  if (room == NULL) return -1;
  if (len != 0) memcpy(room, bytes, len);
  job->commit(job->host, len);
  return 0;
}

// The same, for a string: without its NUL. NULL is the same as empty.
static inline int jobring_job_reply_text(struct jobring_job* job, const char* text) {
  return jobring_job_reply(job, text, text != NULL ? strlen(text) : 0);
}

// Room for `len` bytes of result in shared memory, to be filled without a copy and then committed.
// NULL: as jobring_job_reply() fails.
static inline void* jobring_job_reserve(struct jobring_job* job, size_t len) {
  return job->reserve(job->host, len);
}
// Takes the first `len` reserved bytes as the result; at most as many as were reserved.
static inline void jobring_job_commit(struct jobring_job* job, size_t len) {
  job->commit(job->host, len);
}

// Fails the job: its outcome is "failed", with this message. It stays failed; the last message
// counts, and a reply after it takes the message's place. NULL is the same as empty.
static inline void jobring_job_fail(struct jobring_job* job, const char* message) {
  if (message == NULL) message = "";
  job->fail(job->host, message, strlen(message));
}
// The same with a word for what kind of failure it is, as the type of an exception is in other
// languages: "no_such_file". Of it 255 bytes are kept.
static inline void jobring_job_fail_as(struct jobring_job* job, const char* type,
                                       const char* message) {
  if (type == NULL) type = "";
  if (message == NULL) message = "";
  job->fail_typed(job->host, type, strlen(type), message, strlen(message));
}

// Tells whoever looks (jobring_future_progress(), `jobring status`) how far the job is: `done` of
// `total`, 0 if that is not known, and a few words or NULL, of which 80 bytes are kept. Cheap
// enough for an inner loop: some stores to shared memory, and nobody is woken.
static inline void jobring_job_progress(struct jobring_job* job, uint64_t done, uint64_t total,
                                        const char* text) {
  if (text == NULL) text = "";
  job->progress(job->host, done, total, text, strlen(text));
}

// Other than 0 once somebody asked for this job to stop (a kill, or the death of its client). A
// long handler looks now and then and returns; one that does not is killed with its worker after
// the pool's kill_grace.
static inline int jobring_job_stop_requested(struct jobring_job* job) {
  return job->stop_requested(job->host);
}

// Of a durable job: its number, which is the same in all its attempts (an attempt may have been cut
// short by a crash when it had done half of its work; what both do in the number's name can be seen
// to be one). 0: the job is attached.
static inline uint64_t jobring_job_durable_id(const struct jobring_job* job) {
  return job->durable_id;
}
// Which attempt of a durable job this is, from 1. 0: the job is attached.
static inline uint32_t jobring_job_attempt(const struct jobring_job* job) {
  return (uint32_t)job->attempt;
}
// Which member of an array of durable jobs it is; 0 if it is none.
static inline int64_t jobring_job_index(const struct jobring_job* job) {
  return job->index;
}

// Bytes, the largest result that this pool takes.
static inline size_t jobring_job_max_result(struct jobring_job* job) {
  return (size_t)job->max_result(job->host);
}

// Copies the payload, with a NUL behind it, into `size` bytes at `text`. 0, or -1 if it does not
// fit or has a NUL in it; nothing is copied then.
static inline int jobring_job_text(struct jobring_job* job, char* text, size_t size) {
  if (job->payload_len >= size || memchr(job->payload, 0, job->payload_len) != NULL) return -1;
  memcpy(text, job->payload, job->payload_len);
  text[job->payload_len] = '\0';
  return 0;
}

// ---- a module's list of handlers

// One handler of this module. It lives as long as the module.
struct jobring_registration {
  const char* name;
  jobring_handler_fn fn;
  void* user;
  uint32_t traits;  // JOBRING_THREAD_SAFE or 0
  struct jobring_registration* next;
};

// All of them, put there while the module is being loaded. Weak: each file has it, the linker keeps
// one. Hidden: two modules in one process must not take each other's.
__attribute__((weak, visibility("hidden"))) struct jobring_registration* jobring_registrations =
    NULL;

// A module that registers in its own way, for example under names that it learns at run time,
// defines JOBRING_OWN_INIT before it includes this header, and writes the function itself.
#ifndef JOBRING_OWN_INIT
__attribute__((weak, visibility("default"))) int jobring_module_init(
    const struct jobring_registry* registry) {
  struct jobring_registration* each;
  if (registry->version != JOBRING_MODULE_VERSION) return (int)JOBRING_MODULE_VERSION;
  for (each = jobring_registrations; each != NULL; each = each->next) {
    if (registry->add(registry->host, each->name, each->fn, each->user) != 0 ||
        registry->declare(registry->host, each->name, each->traits) != 0)
      return -1;
  }
  return 0;
}
#endif

#ifdef __cplusplus
}
#else
#include <jobring/handler_c.h>
#endif

#endif
