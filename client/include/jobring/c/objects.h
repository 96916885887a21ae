// Named objects: the connection to the registry, handles, answers, pending operations. The
// operations are in operations.h. Include <jobring/jobring.h>.
#ifndef JOBRING_C_OBJECTS_H
#define JOBRING_C_OBJECTS_H

#include <jobring/c/client.h>
#include <jobring/c/future.h>

#ifdef __cplusplus
extern "C" {
#endif

// A client's session with its daemon's registry; all of one client are one: what one thread holds,
// the process holds. Thread-safe.
typedef struct jobring_objects jobring_objects;

// *objects is the caller's: jobring_objects_free(). Errors: NO_DAEMON, UNKNOWN_POOL (the daemon has
// no registry), PERMISSION.
jobring_status jobring_objects_open(jobring_client* client, jobring_objects** objects);
// Objects and pending operations live on; what is held is released when the last of them and the
// client are freed, or the process ends. NULL: does nothing.
void jobring_objects_free(jobring_objects* objects);
// The completion descriptor of pending operations, as jobring_pool_fd() and jobring_pool_poll().
jobring_status jobring_objects_fd(jobring_objects* objects, int32_t* fd);
jobring_status jobring_objects_poll(jobring_objects* objects, uint64_t* count);
// Removes an object of whatever kind; who waits for it hears REMOVED. NONE: there is no such one.
jobring_status jobring_objects_remove(jobring_objects* objects, const char* name);

enum {
  JOBRING_KIND_ANY = 0,
  JOBRING_LOCK = 1,
  JOBRING_RLOCK = 2,
  JOBRING_SEMAPHORE = 3,
  JOBRING_BOUNDED_SEMAPHORE = 4,
  JOBRING_EVENT = 5,
  JOBRING_CONDITION = 6,
  JOBRING_BARRIER = 7,
  JOBRING_QUEUE = 8,
  JOBRING_DICT = 9,
  JOBRING_LIST = 10,
  JOBRING_COUNTER = 11
};

typedef struct jobring_object_info {
  uint32_t size;
  int32_t kind;      // JOBRING_LOCK, ...
  int64_t capacity;  // permits, parties, capacity (0: unbounded)
  int64_t length;    // items, keys, permits left, parties that wait, the counter, 1: set
  uint64_t token;    // of the present holder; version of a dict
  uint64_t bytes;    // memory that is accounted for it
  uint32_t holders;  // lock: its levels; semaphore: permits out; queue: leases
  uint32_t waiters;
  uint32_t uid;
  uint32_t gid;
  uint32_t mode;
  int32_t ephemeral;
  int32_t broken;  // barrier
  uint32_t reserved;
  const char* name;
} jobring_object_info;

// Of the object of that name, whatever its kind; info->name is NULL: you have it. NONE: there is
// none.
jobring_status jobring_objects_get_info(jobring_objects* objects, const char* name,
                                        jobring_object_info* info);

// The objects whose names begin with `prefix` that this user may read, of one kind or of any.
// *list is the caller's: jobring_object_list_free(); names in infos are valid until then.
typedef struct jobring_object_list jobring_object_list;
jobring_status jobring_objects_list(jobring_objects* objects, const char* prefix, int32_t kind,
                                    jobring_object_list** list);
jobring_status jobring_object_list_count(jobring_object_list* list, uint64_t* count);
// NONE: `index` is not below the count.
jobring_status jobring_object_list_at(jobring_object_list* list, uint64_t index,
                                      jobring_object_info* info);
void jobring_object_list_free(jobring_object_list* list);

// ---- one object

// A name and a kind. Nothing is asked of the registry before the first operation: errors that it
// has, WRONG_TYPE and WRONG_PARAMS among them, come then. Thread-safe.
typedef struct jobring_object jobring_object;

enum { JOBRING_ORDER_FIFO = 0, JOBRING_ORDER_LIFO = 1, JOBRING_ORDER_PRIORITY = 2 };

typedef struct jobring_object_options {
  uint32_t size;
  int32_t must_exist;  // 1: NOT_FOUND if it does not; 0: the first operation makes it
  int32_t ephemeral;   // when it is made: it vanishes with the last client that used it
  uint32_t mode;       // when it is made: as of files; 0: 0700
  int64_t number;      // semaphores: permits, 0 means 1; barrier: parties; queue: capacity, 0 means
                       // unbounded
  int32_t order;       // queue: JOBRING_ORDER_...
  uint32_t reserved;
  jobring_object* lock;  // condition: its LOCK or RLOCK, which may be freed after
} jobring_object_options;

// *object is the caller's: jobring_object_free(). `options` may be NULL, but for conditions and
// barriers.
jobring_status jobring_object_open(jobring_objects* objects, int32_t kind, const char* name,
                                   const jobring_object_options* options, jobring_object** object);
// Releases nothing that is held. NULL: does nothing.
void jobring_object_free(jobring_object* object);
// Makes it now, with the parameters of its handle. *created, if not NULL, is 0 if it existed
// already.
jobring_status jobring_object_create(jobring_object* object, int32_t* created);
// NONE: there is no such object.
jobring_status jobring_object_remove(jobring_object* object);
jobring_status jobring_object_get_info(jobring_object* object, jobring_object_info* info);
// As chmod and chown: mode 0 and ids of -1 stay as they are.
jobring_status jobring_object_set_access(jobring_object* object, uint32_t mode, int64_t uid,
                                         int64_t gid);

// ---- answers

// Several values: of a list, of a dict, or its changes.
typedef struct jobring_entries jobring_entries;

typedef struct jobring_entry {
  uint32_t size;
  int32_t has_value;  // 0: the key went
  const void* key;    // nothing in lists
  size_t key_len;
  const void* value;
  size_t value_len;
  uint64_t version;  // of a change
} jobring_entry;

// All of entries is read-only: any number of threads may. Pointers are valid until it is freed.
jobring_status jobring_entries_count(jobring_entries* entries, uint64_t* count);
// NONE: `index` is not below the count.
jobring_status jobring_entries_at(jobring_entries* entries, uint64_t index, jobring_entry* entry);
void jobring_entries_free(jobring_entries* entries);

// What an operation brought. Each operation says which members it sets; the others are zero.
typedef struct jobring_answer {
  uint32_t size;
  int32_t flag;
  int64_t number;
  uint64_t token;         // a fencing token: greater than those of all grants before it
  int32_t owner_died;     // 1: who held it before died holding it: what it guards may be half done
  int32_t after_restart;  // 1: the first grant since the registry died
  uint64_t lease;         // queue: for jobring_queue_lease_done()
  int32_t redelivered;    // queue: 1: leased before, to a client that died
  uint32_t reserved;
  void* bytes;  // the caller's: jobring_free(); with a NUL behind them; NULL if there are none
  size_t bytes_len;
  jobring_entries* entries;  // the caller's: jobring_entries_free(); NULL if there are none
} jobring_answer;

// ---- operations under way

// One that was started with a function jobring_..._start_...(). Thread-safe. Counted, as futures
// are. Freeing the last reference does not withdraw it: a lock that is granted to nobody who looks
// is held all the same. So cancel what you drop.
typedef struct jobring_pending jobring_pending;

jobring_pending* jobring_pending_ref(jobring_pending* pending);
void jobring_pending_free(jobring_pending* pending);
jobring_status jobring_pending_ready(jobring_pending* pending, int32_t* ready);
jobring_status jobring_pending_wait(jobring_pending* pending, int64_t timeout_ns);
// Waits for the end of the operation, then what the operation itself returns and answers, as often
// as you like. TIMED_OUT also if it has not ended; jobring_pending_ready() tells which.
jobring_status jobring_pending_get(jobring_pending* pending, int64_t timeout_ns,
                                   jobring_answer* answer);
// Takes the request out of its line: jobring_pending_get() is CANCELLED then, unless it was granted
// before. Does not wait.
jobring_status jobring_pending_cancel(jobring_pending* pending);
// The same operation as a future, for jobring_wait() and jobring_as_completed among others; what it
// brought, only jobring_pending_get() tells. *future is the caller's: jobring_future_free().
jobring_status jobring_pending_future(jobring_pending* pending, jobring_future** future);
// As jobring_future_on_ready().
typedef void (*jobring_pending_callback)(jobring_pending* pending, void* user);
jobring_status jobring_pending_on_ready(jobring_pending* pending, jobring_pending_callback callback,
                                        void* user);

#ifdef __cplusplus
}
#endif

#endif
