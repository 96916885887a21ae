// Connections to a daemon, and pools. Include <jobring/jobring.h>.
#ifndef JOBRING_C_CLIENT_H
#define JOBRING_C_CLIENT_H

#include <jobring/c/base.h>

#ifdef __cplusplus
extern "C" {
#endif

// ---- clients

// A connection to a daemon. Thread-safe.
typedef struct jobring_client jobring_client;

enum {
  JOBRING_DAEMON_ANY = 0,       // the one that listens on the socket, else, if no socket is named
                                // here or in the environment, a private one
  JOBRING_DAEMON_EXISTING = 1,  // only one that listens
  JOBRING_DAEMON_OWN = 2        // always a private one, which ends with this client
};

typedef struct jobring_connect_options {
  uint32_t size;
  int32_t daemon;            // JOBRING_DAEMON_...
  const char* socket;        // NULL: $JOBRING_SOCKET, else the user's, else the machine's
  const char* config_file;   // for a private daemon; NULL: $JOBRING_CONFIG, else defaults
  const char* daemon_path;   // jobringd for a private daemon; NULL: $JOBRING_DAEMON, beside this
                             // program, or in PATH
  const char* name;          // shown by `jobring status`; NULL: this program's name
  uint32_t private_workers;  // workers of a private daemon's default pool; 0: as configured
  uint32_t reserved;         // 0
} jobring_connect_options;

// Connects. `options` may be NULL. *client is the caller's: jobring_client_free().
// Errors: NO_DAEMON (none, and none could be started), PERMISSION, PROTOCOL, SYSTEM. A private
// daemon that cannot run (its config makes no sense) says why on stderr and ends: NO_DAEMON at
// first use.
jobring_status jobring_connect(const jobring_connect_options* options, jobring_client** client);
// Pools, futures and all else that was made with it live on, and with them the connection; when the
// last of them is freed, a private daemon ends. NULL: does nothing.
void jobring_client_free(jobring_client* client);

typedef struct jobring_pong {
  uint32_t size;
  int32_t pid;  // of the daemon
  uint64_t uptime_ms;
  uint64_t round_trip_ns;
  char version[32];  // of the daemon
} jobring_pong;

// Asks the daemon whether it lives. Errors: NO_DAEMON.
jobring_status jobring_ping(jobring_client* client, jobring_pong* pong);
// What `jobring status --json` prints. *text ends with NUL, is *len bytes long without it, and is
// the caller's: jobring_free(). `len` may be NULL. Errors: NO_DAEMON.
jobring_status jobring_status_json(jobring_client* client, char** text, size_t* len);
// *is_private is 1 if the daemon was started for this client alone, else 0.
jobring_status jobring_client_is_private(jobring_client* client, int32_t* is_private);

// ---- pools

// A pool of the daemon, through one channel of this client. Thread-safe.
typedef struct jobring_pool jobring_pool;

typedef struct jobring_pool_options {
  uint32_t size;
  uint32_t slots;      // jobs outstanding at once; 0: the pool's; never more than the pool's
  int32_t pass_stdio;  // 1: this process's descriptors 0, 1 and 2 travel to the one command that
                       // asks for them (jobring_command.use_stdio)
  uint32_t reserved;   // 0
} jobring_pool_options;

// Opens a pool. Name NULL: "default". Without options all handles of one client and name share a
// channel; with options (not NULL) this one gets a channel of its own.
// *pool is the caller's: jobring_pool_free(). Errors: UNKNOWN_POOL, NO_DAEMON, PERMISSION, FULL.
jobring_status jobring_pool_open(jobring_client* client, const char* name,
                                 const jobring_pool_options* options, jobring_pool** pool);
// When the last handle of a channel is freed, its jobs that wait are withdrawn and its outstanding
// futures end as lost; jobring_pool_shutdown() first lets them end. NULL: does nothing.
void jobring_pool_free(jobring_pool* pool);

// Takes no more jobs, through any handle of this channel: submitting is SHUT_DOWN from now on. With
// `cancel_pending` other than 0, withdraws what has not started. Then waits until all has ended:
// OK, or TIMED_OUT if something is outstanding still. Again: does it again. The next
// jobring_pool_open() opens a new channel.
jobring_status jobring_pool_shutdown(jobring_pool* pool, int32_t cancel_pending,
                                     int64_t timeout_ns);

// The completion descriptor, for event loops: readable when completions may be there. Then call
// jobring_pool_poll(). It is the pool's: do not close or read it; valid until the last handle of
// the channel is freed.
jobring_status jobring_pool_fd(jobring_pool* pool, int32_t* fd);
// Makes futures ready and runs their callbacks; never blocks. *count, if not NULL, is how many.
jobring_status jobring_pool_poll(jobring_pool* pool, uint64_t* count);

// Jobs submitted and not ended.
jobring_status jobring_pool_outstanding(jobring_pool* pool, uint64_t* jobs);
// Bytes: the largest payload and the largest result of a job of this pool.
jobring_status jobring_pool_max_payload(jobring_pool* pool, uint64_t* bytes);
jobring_status jobring_pool_max_result(jobring_pool* pool, uint64_t* bytes);
// *name is valid until the handle is freed.
jobring_status jobring_pool_name(jobring_pool* pool, const char** name);

#ifdef __cplusplus
}
#endif

#endif
