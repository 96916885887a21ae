/* Named objects. */
#include <poll.h>

#include "objects.h"

jobring_objects* open_objects(struct place* place) {
  jobring_objects* objects = NULL;
  REQUIRE(jobring_objects_open(place->client, &objects) == JOBRING_OK);
  return objects;
}

jobring_object* open_object(jobring_objects* objects, int32_t kind, const char* name,
                            int64_t number) {
  jobring_object* object = NULL;
  const jobring_object_options options = {.size = sizeof options, .number = number};
  REQUIRE(jobring_object_open(objects, kind, name, &options, &object) == JOBRING_OK);
  return object;
}

int took(jobring_answer* answer, const char* text) {
  const int same = answer->bytes != NULL && answer->bytes_len == strlen(text) &&
                   strcmp(answer->bytes, text) == 0;
  jobring_free(answer->bytes);
  answer->bytes = NULL;
  return same;
}

void object_locks(void) {
  struct place place;
  open_place(&place, 1, "");
  jobring_objects* objects = open_objects(&place);
  jobring_object* lock = open_object(objects, JOBRING_LOCK, "l", 0);
  jobring_answer first = {.size = sizeof first}, second = {.size = sizeof second};
  CHECK_OK(jobring_lock_acquire(lock, 0, &first));
  CHECK(first.token != 0);
  CHECK_STATUS(jobring_lock_acquire(lock, 0, NULL), JOBRING_TIMED_OUT);
  CHECK_STATUS(jobring_lock_acquire(lock, -1, NULL), JOBRING_BAD_INPUT);
  jobring_pending* waits = NULL;
  CHECK_OK(jobring_lock_start_acquire(lock, JOBRING_FOREVER, &waits));
  CHECK_STATUS(jobring_pending_get(waits, 0, &second), JOBRING_TIMED_OUT);
  CHECK_OK(jobring_lock_release(lock));
  CHECK_OK(jobring_pending_get(waits, JOBRING_FOREVER, &second));
  CHECK(second.token > first.token);
  jobring_pending_free(waits);
  CHECK_OK(jobring_lock_start_acquire(lock, JOBRING_FOREVER, &waits));
  CHECK_OK(jobring_pending_cancel(waits));
  CHECK_STATUS(jobring_pending_get(waits, JOBRING_FOREVER, NULL), JOBRING_CANCELLED);
  jobring_pending_free(waits);
  CHECK_OK(jobring_lock_release(lock));
  CHECK_STATUS(jobring_lock_release(lock), JOBRING_NOT_HOLDER);
  CHECK_STATUS(jobring_event_set(lock), JOBRING_WRONG_TYPE);
  jobring_object* same = open_object(objects, JOBRING_DICT, "l", 0);
  CHECK_STATUS(jobring_dict_clear(same), JOBRING_WRONG_TYPE);
  jobring_object* semaphore = open_object(objects, JOBRING_SEMAPHORE, "s", 2);
  CHECK_OK(jobring_semaphore_acquire(semaphore, 2, 0, NULL));
  CHECK_STATUS(jobring_semaphore_acquire(semaphore, 1, 0, NULL), JOBRING_TIMED_OUT);
  CHECK_OK(jobring_semaphore_release(semaphore, 2, 0, NULL));
  CHECK_OK(jobring_object_remove(semaphore));
  CHECK_STATUS(jobring_object_remove(semaphore), JOBRING_NONE);
  CHECK_STATUS(jobring_lock_acquire(NULL, 0, NULL), JOBRING_BAD_INPUT);
  jobring_object_free(semaphore);
  jobring_object_free(same);
  jobring_object_free(lock);
  jobring_objects_free(objects);
  close_place(&place);
}

void object_containers(void) {
  struct place place;
  open_place(&place, 1, "");
  jobring_objects* objects = open_objects(&place);
  jobring_object* queue = open_object(objects, JOBRING_QUEUE, "q", 1);
  jobring_object* dict = open_object(objects, JOBRING_DICT, "d", 0);
  jobring_object* list = open_object(objects, JOBRING_LIST, "l", 0);
  jobring_object* counter = open_object(objects, JOBRING_COUNTER, "c", 0);
  jobring_answer got = {.size = sizeof got};
  CHECK_STATUS(jobring_queue_get(queue, 0, 0, &got), JOBRING_TIMED_OUT);
  CHECK_OK(jobring_queue_put(queue, "a\0b", 3, 0, 0));
  CHECK_STATUS(jobring_queue_put(queue, "c", 1, 0, 0), JOBRING_TIMED_OUT);
  CHECK_OK(jobring_queue_get(queue, 1, 0, &got));
  CHECK(got.bytes_len == 3 && memcmp(got.bytes, "a\0b", 3) == 0);
  jobring_free(got.bytes);
  CHECK_OK(jobring_queue_lease_done(queue, got.lease));
  CHECK_OK(jobring_queue_join(queue, 0));
  int64_t number = 0;
  CHECK_OK(jobring_dict_increment(dict, "k", 1, 5, 0, &number));
  CHECK(number == 5);
  CHECK_OK(jobring_dict_get(dict, "k", 1, &got));
  CHECK_TEXT(got.bytes, "5");
  jobring_free(got.bytes);
  CHECK_STATUS(jobring_dict_get(dict, "x", 1, &got), JOBRING_NONE);
  /* A change after this version. */
  uint64_t version = 0;
  jobring_pending* watch = NULL;
  CHECK_OK(jobring_dict_version(dict, &version));
  CHECK_STATUS(jobring_dict_watch(dict, NULL, 0, version, 0, &got), JOBRING_TIMED_OUT);
  CHECK_OK(jobring_dict_start_watch(dict, NULL, 0, version, JOBRING_FOREVER, &watch));
  CHECK_OK(jobring_dict_set(dict, "k", 1, "v", 1, 0));
  CHECK_OK(jobring_pending_get(watch, JOBRING_FOREVER, &got));
  jobring_pending_free(watch);
  REQUIRE(got.entries != NULL);
  jobring_entry entry = {.size = sizeof entry};
  CHECK_OK(jobring_entries_at(got.entries, 0, &entry));
  CHECK(entry.has_value == 1 && entry.key_len == 1 && entry.value_len == 1);
  CHECK_STATUS(jobring_entries_at(got.entries, 1, &entry), JOBRING_NONE);
  jobring_entries_free(got.entries);
  CHECK_OK(jobring_list_append(list, "one", 3, &number));
  CHECK(number == 1);
  CHECK_STATUS(jobring_list_get(list, 1, &got), JOBRING_OUT_OF_RANGE);
  CHECK_OK(jobring_counter_add(counter, 2, NULL));
  CHECK_OK(jobring_counter_get(counter, &number));
  CHECK(number == 2);
  /* A loop hears of what is pending. */
  int32_t fd = -1, ready = 0;
  jobring_pending* waits = NULL;
  CHECK_OK(jobring_objects_fd(objects, &fd));
  CHECK_OK(jobring_queue_start_get(queue, 0, JOBRING_FOREVER, &waits));
  CHECK_OK(jobring_queue_put(queue, "x", 1, 0, 0));
  while (!ready) {
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    REQUIRE(poll(&wait, 1, 20000) >= 0);
    CHECK_OK(jobring_objects_poll(objects, NULL));
    CHECK_OK(jobring_pending_ready(waits, &ready));
  }
  CHECK_OK(jobring_pending_get(waits, 0, &got));
  CHECK_TEXT(got.bytes, "x");
  jobring_free(got.bytes);
  jobring_pending_free(waits);
  jobring_object_free(queue);
  jobring_object_free(dict);
  jobring_object_free(list);
  jobring_object_free(counter);
  jobring_objects_free(objects);
  close_place(&place);
}
