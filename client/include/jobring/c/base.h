// What every part of the C interface shares: status codes, errors, versions, time-outs, memory.
// Include <jobring/jobring.h>, which says how it all goes together.
#ifndef JOBRING_C_BASE_H
#define JOBRING_C_BASE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// What every function returns that can go wrong: 0, a positive number that is no error, or a
// negative number that is one. New ones may be added: treat an unknown negative one as an error.
typedef int32_t jobring_status;
enum {
  JOBRING_OK = 0,
  JOBRING_TIMED_OUT = 1,  // the time was over first; nothing has changed
  JOBRING_END = 2,        // an iterator has nothing more
  JOBRING_NONE = 3,       // there is none of what was asked for

  JOBRING_BAD_INPUT = -1,     // NULL, a negative time-out, a name or payload that is too long, ...
  JOBRING_NO_DAEMON = -2,     // nobody listens, or it went away, or it is shutting down
  JOBRING_UNKNOWN_POOL = -3,  // the daemon's config names no such pool
  JOBRING_FULL = -4,          // a limit is reached: try again later
  JOBRING_SHUT_DOWN = -5,     // the pool takes no more jobs, after jobring_pool_shutdown()
  JOBRING_PERMISSION = -6,    // the daemon's config says who may
  JOBRING_PROTOCOL = -7,      // client and daemon are of different releases
  JOBRING_SYSTEM = -8,        // the operating system refused something
  JOBRING_CONFIG = -9,        // the config makes no sense
  JOBRING_NO_ANSWER = -10,    // the daemon did not answer in time
  JOBRING_JOB_FAILED = -11,   // the job's outcome is not JOBRING_OUTCOME_OK
  JOBRING_NO_MEMORY = -12,
  JOBRING_INTERNAL = -13,       // a defect of jobring: please report it
  JOBRING_SOURCE_FAILED = -14,  // a map's source gave something that is no status of a source

  // Of named objects.
  JOBRING_WRONG_TYPE = -20,    // the object is of another kind
  JOBRING_WRONG_PARAMS = -21,  // it exists with other permits, parties, capacity or order
  JOBRING_NOT_FOUND = -22,     // it does not exist, and was not to be made
  JOBRING_EXISTS = -23,
  JOBRING_NOT_HOLDER = -24,    // released by one who does not hold it, or more often than acquired
  JOBRING_LOST = -25,          // the registry died: the wait is over, what was held is not any more
  JOBRING_CANCELLED = -26,     // by jobring_pending_cancel()
  JOBRING_REMOVED = -27,       // the object was removed meanwhile
  JOBRING_BROKEN = -28,        // the barrier
  JOBRING_OUT_OF_RANGE = -29,  // an index, or a number that does not fit into 64 bits
  JOBRING_NOT_A_NUMBER = -30,

  // Of durable jobs.
  JOBRING_STORE_FAILED = -31,  // the daemon's disk refused: nothing was kept
  JOBRING_DUPLICATE = -32,     // another job has the unique key
  JOBRING_REFUSED = -33        // what it is after is not there or cannot succeed, ...
};

// "JOBRING_FULL" and so on, for messages; "unknown" for a number that is none. Never NULL; static.
const char* jobring_status_name(jobring_status status);

// The last error of this thread, as one line for people: what is wrong, where, what to do. Empty
// before the first. Only a call that returns a negative status changes it; the memory is the
// library's and valid until this thread's next such call. Never NULL.
const char* jobring_last_error(void);
// Its kind in one word: "full", "bad_input", ...; of a failed job its outcome, "crashed". Finer
// than the status may be. Valid as jobring_last_error() is. Never NULL.
const char* jobring_last_error_kind(void);
// The exit status that the command `jobring` has for it (docs/cli.md): 69 no daemon, 75 full, ...
// 0 before the first.
int32_t jobring_last_error_exit_status(void);

// The interface of the library that is linked or loaded: major << 16 | minor. Equal major numbers
// and no smaller minor number than those of the header that a program was compiled with: it runs.
uint32_t jobring_abi_version(void);
enum { JOBRING_ABI_MAJOR = 1, JOBRING_ABI_MINOR = 3 };
// The release: "0.1.0". Static.
const char* jobring_version(void);

// Time-outs are nanoseconds: 0 only looks and never blocks, JOBRING_FOREVER waits for ever, a
// negative one is JOBRING_BAD_INPUT.
#define JOBRING_FOREVER INT64_MAX

// Structs begin with `size`, which the caller sets to sizeof. With it, later versions can add
// members at the end. All bytes zero, apart from size, are the defaults:
//     jobring_job_options options = {.size = sizeof options, .timeout_ns = 5000000000};
// A smaller size is that of an older header; a larger one is JOBRING_BAD_INPUT if members that this
// library does not know are not zero. In structs that the library fills, it sets the members that
// it knows, and the others to zero; size stays.
//
// Strings are UTF-8 or any bytes without NUL, and end with NUL; NULL is the same as empty. Payloads
// and results are pointer and length; NULL with length 0 is nothing.

// Gives back what a function said is to be freed with jobring_free(). NULL: does nothing.
void jobring_free(void* memory);

#ifdef __cplusplus
}
#endif

#endif
