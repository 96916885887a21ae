/* The registry is killed, or the daemon, while C callers hold and wait. */
#include <pthread.h>
#include <signal.h>

#include "objects.h"

struct waiter {
  jobring_object* lock;
  jobring_status status;
};

static void* wait_for_lock(void* user) {
  struct waiter* waiter = user;
  waiter->status = jobring_lock_acquire(waiter->lock, JOBRING_FOREVER, NULL);
  return NULL;
}

struct line {
  jobring_objects* objects;
  const char* name;
  uint32_t length;
};

static int stands_in_line(void* user) {
  struct line* line = user;
  jobring_object_info info = {.size = sizeof info};
  return jobring_objects_get_info(line->objects, line->name, &info) == JOBRING_OK &&
         info.waiters == line->length;
}

void registry_dies(void) {
  struct place place;
  open_place(&place, 1, "");
  jobring_objects* objects = open_objects(&place);
  jobring_object* lock = open_object(objects, JOBRING_LOCK, "l", 0);
  jobring_object* semaphore = open_object(objects, JOBRING_SEMAPHORE, "s", 1);
  jobring_object* barrier = open_object(objects, JOBRING_BARRIER, "b", 2);
  jobring_object* event = open_object(objects, JOBRING_EVENT, "e", 0);
  jobring_object* dict = open_object(objects, JOBRING_DICT, "d", 0);
  jobring_object* queue = open_object(objects, JOBRING_QUEUE, "q", 0);
  const jobring_object_options with_lock = {.size = sizeof with_lock, .lock = lock};
  jobring_object* condition = NULL;
  CHECK_OK(jobring_object_open(objects, JOBRING_CONDITION, "c", &with_lock, &condition));
  jobring_answer answer = {.size = sizeof answer}, permit = {.size = sizeof permit};
  /* What outlives it. */
  CHECK_OK(jobring_dict_set(dict, "k", 1, "v", 1, 0));
  CHECK_OK(jobring_queue_put(queue, "item", 4, 0, 0));
  uint64_t version = 0;
  CHECK_OK(jobring_dict_version(dict, &version));
  jobring_pending *waits_for_event = NULL, *watches = NULL;
  CHECK_OK(jobring_event_start_wait(event, JOBRING_FOREVER, &waits_for_event));
  CHECK_OK(jobring_dict_start_watch(dict, NULL, 0, version, JOBRING_FOREVER, &watches));
  /* Who holds, and who waits, in a call and awaited. */
  CHECK_OK(jobring_lock_acquire(lock, JOBRING_FOREVER, &answer));
  CHECK_OK(jobring_semaphore_acquire(semaphore, 1, JOBRING_FOREVER, &permit));
  jobring_pending* pending[3] = {NULL};
  CHECK_OK(jobring_lock_start_acquire(lock, JOBRING_FOREVER, &pending[0]));
  CHECK_OK(jobring_semaphore_start_acquire(semaphore, 1, JOBRING_FOREVER, &pending[1]));
  CHECK_OK(jobring_barrier_start_wait(barrier, JOBRING_FOREVER, &pending[2]));
  struct waiter waiter = {.lock = lock};
  pthread_t thread;
  REQUIRE(pthread_create(&thread, NULL, wait_for_lock, &waiter) == 0);
  struct line line = {objects, "l", 2};
  eventually(stands_in_line, &line, "two wait for the lock");
  const int before = registry_pid(&place);
  REQUIRE(kill(before, SIGKILL) == 0);
  const int64_t guard = 20ll * 1000 * 1000 * 1000;
  CHECK_STATUS(jobring_pending_get(pending[0], guard, NULL), JOBRING_LOST);
  CHECK_TEXT(jobring_last_error_kind(), "lost");
  CHECK_STATUS(jobring_pending_get(pending[1], guard, NULL), JOBRING_LOST);
  const jobring_status of_barrier = jobring_pending_get(pending[2], guard, NULL);
  CHECK(of_barrier == JOBRING_LOST || of_barrier == JOBRING_BROKEN);
  pthread_join(thread, NULL);
  CHECK(waiter.status == JOBRING_LOST);
  /* What was held is not, and who held it is told so. */
  int32_t held = 1;
  CHECK_OK(jobring_lock_held(lock, &held));
  CHECK(held == 0);
  CHECK_STATUS(jobring_lock_check(lock, &held), JOBRING_LOST);
  CHECK_STATUS(jobring_condition_wait(condition, 0), JOBRING_LOST);
  CHECK_STATUS(jobring_lock_release(lock), JOBRING_LOST);
  CHECK_STATUS(jobring_semaphore_release(semaphore, 1, permit.token, NULL), JOBRING_LOST);
  /* The next one carries on: with greater tokens, and with all that is kept. */
  jobring_answer after = {.size = sizeof after};
  CHECK_OK(jobring_lock_acquire(lock, guard, &after));
  CHECK(after.token > answer.token);
  CHECK(after.after_restart == 1);
  CHECK_OK(jobring_lock_release(lock));
  CHECK_OK(jobring_dict_get(dict, "k", 1, &after));
  CHECK(took(&after, "v"));
  CHECK_OK(jobring_queue_get(queue, 0, 0, &after));
  CHECK(took(&after, "item"));
  CHECK(registry_pid(&place) != before);
  CHECK_OK(jobring_event_set(event));
  CHECK_OK(jobring_pending_get(waits_for_event, guard, NULL));
  CHECK_OK(jobring_dict_set(dict, "k", 1, "w", 1, 0));
  CHECK_OK(jobring_pending_get(watches, guard, &after));
  CHECK(after.entries != NULL);
  jobring_entries_free(after.entries);
  for (int i = 0; i < 3; ++i) jobring_pending_free(pending[i]);
  jobring_pending_free(waits_for_event);
  jobring_pending_free(watches);
  jobring_object* const all[] = {lock, semaphore, barrier, event, dict, queue, condition};
  for (size_t i = 0; i < sizeof all / sizeof *all; ++i) jobring_object_free(all[i]);
  jobring_objects_free(objects);
  close_place(&place);
}

void objects_without_daemon(void) {
  struct place place;
  open_place(&place, 1, "");
  jobring_objects* objects = open_objects(&place);
  jobring_object* lock = open_object(objects, JOBRING_LOCK, "l", 0);
  jobring_object* dict = open_object(objects, JOBRING_DICT, "d", 0);
  jobring_pending* waits = NULL;
  jobring_entries* entries = NULL;
  jobring_object_list* list = NULL;
  jobring_object_info info = {.size = sizeof info};
  jobring_answer answer = {.size = sizeof answer};
  CHECK_OK(jobring_lock_acquire(lock, 0, NULL));
  CHECK_OK(jobring_lock_start_acquire(lock, JOBRING_FOREVER, &waits));
  kill_daemon(&place);
  CHECK_STATUS(jobring_pending_get(waits, JOBRING_FOREVER, NULL), JOBRING_LOST);
  int32_t held = 1;
  CHECK_OK(jobring_lock_held(lock, &held));
  CHECK(held == 0);
  /* Everything fails at once, and says that there is no daemon or that what was held is lost. */
#define CHECK_GONE(call)                                      \
  do {                                                        \
    const jobring_status gone = (call);                       \
    CHECK(gone == JOBRING_NO_DAEMON || gone == JOBRING_LOST); \
  } while (0)
  CHECK_GONE(jobring_lock_release(lock));
  CHECK_GONE(jobring_lock_acquire(lock, JOBRING_FOREVER, &answer));
  CHECK_GONE(jobring_lock_check(lock, &held));
  CHECK_GONE(jobring_dict_get(dict, "k", 1, &answer));
  CHECK_GONE(jobring_dict_items(dict, &entries));
  CHECK(entries == NULL);
  CHECK_GONE(jobring_object_create(dict, NULL));
  CHECK_GONE(jobring_object_get_info(dict, &info));
  CHECK_GONE(jobring_objects_list(objects, NULL, 0, &list));
  CHECK(list == NULL);
  CHECK_GONE(jobring_objects_remove(objects, "d"));
  jobring_pending* more = NULL;
  const jobring_status started = jobring_dict_start_get(dict, "k", 1, &more);
  CHECK_GONE(started == JOBRING_OK ? jobring_pending_get(more, JOBRING_FOREVER, NULL) : started);
  jobring_pending_free(more);
  CHECK_OK(jobring_objects_poll(objects, NULL));
  jobring_pending_free(waits);
  jobring_object_free(lock);
  jobring_object_free(dict);
  jobring_objects_free(objects);
  close_place(&place);
}
