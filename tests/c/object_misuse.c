/* Named objects: what should not be done with them. */
#include "objects.h"

#define CHECK_BAD(call) CHECK_STATUS(call, JOBRING_BAD_INPUT)
#define CHECK_WRONG(call) CHECK_STATUS(call, JOBRING_WRONG_TYPE)
#define LONG_AGO (-1), INT64_MIN

static void do_nothing(jobring_pending* pending, void* user) {
  (void)pending;
  (void)user;
}

void object_handles(void) {
  struct place place;
  open_place(&place, 1, "");
  jobring_objects *objects = open_objects(&place), *no_objects = objects;
  jobring_object *queue = open_object(objects, JOBRING_QUEUE, "q", 0), *made = queue;
  jobring_object_list* list = NULL;
  jobring_object_info info = {.size = sizeof info}, small_info = {.size = 8};
  jobring_entry entry = {.size = sizeof entry};
  jobring_answer answer = {.size = sizeof answer}, small_answer = {.size = 16};
  jobring_pending* pending = NULL;
  jobring_future* future = NULL;
  int32_t flag = 0;
  uint64_t number = 0;

  CHECK_BAD(jobring_objects_open(NULL, &no_objects));
  CHECK(no_objects == NULL);
  CHECK_BAD(jobring_objects_open(place.client, NULL));
  CHECK_BAD(jobring_objects_fd(NULL, &flag));
  CHECK_BAD(jobring_objects_fd(objects, NULL));
  CHECK_BAD(jobring_objects_poll(NULL, &number));
  CHECK_BAD(jobring_objects_remove(NULL, "q"));
  CHECK_BAD(jobring_objects_remove(objects, NULL));
  CHECK_BAD(jobring_objects_get_info(NULL, "q", &info));
  CHECK_BAD(jobring_objects_get_info(objects, NULL, &info));
  CHECK_BAD(jobring_objects_get_info(objects, "q", NULL));
  CHECK_BAD(jobring_objects_get_info(objects, "q", &small_info));
  CHECK_BAD(jobring_objects_list(NULL, NULL, 0, &list));
  CHECK_BAD(jobring_objects_list(objects, NULL, 0, NULL));
  CHECK_BAD(jobring_objects_list(objects, NULL, -1, &list));
  CHECK_BAD(jobring_objects_list(objects, NULL, 12, &list));
  CHECK(list == NULL);
  CHECK_OK(jobring_objects_list(objects, "nothing begins like this", 0, &list));
  CHECK_BAD(jobring_object_list_count(NULL, &number));
  CHECK_BAD(jobring_object_list_count(list, NULL));
  CHECK_BAD(jobring_object_list_at(NULL, 0, &info));
  CHECK_BAD(jobring_object_list_at(list, 0, NULL));
  CHECK_BAD(jobring_object_list_at(list, 0, &small_info));
  CHECK_STATUS(jobring_object_list_at(list, 0, &info), JOBRING_NONE);
  CHECK_STATUS(jobring_object_list_at(list, UINT64_MAX, &info), JOBRING_NONE);
  jobring_object_list_free(list);

  CHECK_BAD(jobring_object_open(NULL, JOBRING_LOCK, "x", NULL, &made));
  CHECK(made == NULL);
  CHECK_BAD(jobring_object_open(objects, JOBRING_LOCK, NULL, NULL, &made));
  CHECK_BAD(jobring_object_open(objects, JOBRING_LOCK, "x", NULL, NULL));
  CHECK_BAD(jobring_object_open(objects, JOBRING_KIND_ANY, "x", NULL, &made));
  CHECK_BAD(jobring_object_open(objects, 12, "x", NULL, &made));
  CHECK_BAD(jobring_object_open(objects, -1, "x", NULL, &made));
  /* A condition needs a lock, which is one; a queue's order is one that there is. */
  jobring_object_options options = {.size = sizeof options};
  CHECK_BAD(jobring_object_open(objects, JOBRING_CONDITION, "x", NULL, &made));
  CHECK_BAD(jobring_object_open(objects, JOBRING_CONDITION, "x", &options, &made));
  options.lock = queue;
  CHECK_WRONG(jobring_object_open(objects, JOBRING_CONDITION, "x", &options, &made));
  options = (jobring_object_options){.size = sizeof options, .order = 3};
  CHECK_BAD(jobring_object_open(objects, JOBRING_QUEUE, "x", &options, &made));
  const uint32_t sizes[] = {0, 4, sizeof options - 1, 5000, UINT32_MAX};
  for (int i = 0; i < 5; ++i) {
    options = (jobring_object_options){.size = sizes[i]};
    CHECK_BAD(jobring_object_open(objects, JOBRING_LOCK, "x", &options, &made));
  }
  CHECK(made == NULL);
  CHECK_BAD(jobring_object_create(NULL, &flag));
  CHECK_BAD(jobring_object_remove(NULL));
  CHECK_BAD(jobring_object_get_info(NULL, &info));
  CHECK_BAD(jobring_object_get_info(queue, NULL));
  CHECK_BAD(jobring_object_get_info(queue, &small_info));
  CHECK_BAD(jobring_object_set_access(NULL, 0600, -1, -1));
  CHECK_STATUS(jobring_object_set_access(queue, 0600, -1, -1), JOBRING_NOT_FOUND);
  CHECK_BAD(jobring_entries_count(NULL, &number));
  CHECK_BAD(jobring_entries_at(NULL, 0, &entry));

  CHECK_BAD(jobring_pending_ready(NULL, &flag));
  CHECK_BAD(jobring_pending_wait(NULL, 0));
  CHECK_BAD(jobring_pending_get(NULL, 0, &answer));
  CHECK_BAD(jobring_pending_cancel(NULL));
  CHECK_BAD(jobring_pending_future(NULL, &future));
  CHECK_BAD(jobring_pending_on_ready(NULL, do_nothing, NULL));
  CHECK(jobring_pending_ref(NULL) == NULL);
  CHECK_OK(jobring_queue_start_get(queue, 0, JOBRING_FOREVER, &pending));
  CHECK_BAD(jobring_pending_ready(pending, NULL));
  CHECK_BAD(jobring_pending_wait(pending, -1));
  CHECK_BAD(jobring_pending_wait(pending, INT64_MIN));
  CHECK_STATUS(jobring_pending_wait(pending, 0), JOBRING_TIMED_OUT);
  CHECK_BAD(jobring_pending_get(pending, -1, &answer));
  CHECK_BAD(jobring_pending_get(pending, 0, &small_answer));
  CHECK_BAD(jobring_pending_future(pending, NULL));
  CHECK_BAD(jobring_pending_on_ready(pending, NULL, NULL));
  CHECK_OK(jobring_pending_cancel(pending));
  CHECK_OK(jobring_pending_cancel(pending));
  CHECK_STATUS(jobring_pending_get(pending, JOBRING_FOREVER, &answer), JOBRING_CANCELLED);
  CHECK_STATUS(jobring_pending_get(pending, 0, NULL), JOBRING_CANCELLED); /* as often as you like */
  CHECK(jobring_pending_ref(pending) == pending);
  jobring_pending_free(pending);
  jobring_pending_free(pending);

  jobring_objects_free(NULL);
  jobring_object_free(NULL);
  jobring_object_list_free(NULL);
  jobring_entries_free(NULL);
  jobring_pending_free(NULL);
  jobring_object_free(queue);
  jobring_objects_free(objects);
  close_place(&place);
}

/* Each call with NULL for its object, and with an object of another kind; `o` stands for it. */
#define BOTH(call)               \
  do {                           \
    jobring_object* o = NULL;    \
    CHECK_BAD(call);             \
    o = wrong;                   \
    CHECK_WRONG(call);           \
    CHECK(pending == NULL);      \
    CHECK(entries == NULL);      \
    CHECK(answer.bytes == NULL); \
  } while (0)

void object_kinds(void) {
  struct place place;
  open_place(&place, 1, "");
  jobring_objects* objects = open_objects(&place);
  jobring_answer answer = {.size = sizeof answer};
  jobring_pending* pending = NULL;
  jobring_entries* entries = NULL;
  int64_t n = 0;
  uint64_t u = 0;
  int32_t f = 0;
  const jobring_bytes bytes = {"x", 1};
  const jobring_dict_step step = {{"x", 1}, {"y", 1}, 0, 0};
  jobring_object* wrong = open_object(objects, JOBRING_COUNTER, "c", 0);
  BOTH(jobring_lock_acquire(o, 0, &answer));
  BOTH(jobring_lock_start_acquire(o, 0, &pending));
  BOTH(jobring_lock_release(o));
  BOTH(jobring_lock_start_release(o, &pending));
  BOTH(jobring_lock_token(o, &u));
  BOTH(jobring_lock_held(o, &f));
  BOTH(jobring_lock_check(o, &f));
  BOTH(jobring_semaphore_acquire(o, 1, 0, &answer));
  BOTH(jobring_semaphore_start_acquire(o, 1, 0, &pending));
  BOTH(jobring_semaphore_consume(o, 1, 0, &answer));
  BOTH(jobring_semaphore_start_consume(o, 1, 0, &pending));
  BOTH(jobring_semaphore_release(o, 1, 0, &n));
  BOTH(jobring_semaphore_value(o, &n));
  BOTH(jobring_event_set(o));
  BOTH(jobring_event_clear(o));
  BOTH(jobring_event_is_set(o, &f));
  BOTH(jobring_event_wait(o, 0));
  BOTH(jobring_event_start_wait(o, 0, &pending));
  BOTH(jobring_condition_wait(o, 0));
  BOTH(jobring_condition_start_wait(o, 0, &pending));
  BOTH(jobring_condition_notify(o, 1, &n));
  BOTH(jobring_barrier_wait(o, 0, &n));
  BOTH(jobring_barrier_start_wait(o, 0, &pending));
  BOTH(jobring_barrier_reset(o));
  BOTH(jobring_barrier_abort(o));
  BOTH(jobring_barrier_broken(o, &f));
  BOTH(jobring_barrier_waiting(o, &n));
  BOTH(jobring_queue_put(o, "x", 1, 0, 0));
  BOTH(jobring_queue_start_put(o, "x", 1, 0, 0, &pending));
  BOTH(jobring_queue_get(o, 0, 0, &answer));
  BOTH(jobring_queue_start_get(o, 0, 0, &pending));
  BOTH(jobring_queue_task_done(o, 1));
  BOTH(jobring_queue_lease_done(o, 1));
  BOTH(jobring_queue_join(o, 0));
  BOTH(jobring_queue_start_join(o, 0, &pending));
  BOTH(jobring_queue_size(o, &n));
  BOTH(jobring_queue_unfinished(o, &n));
  BOTH(jobring_queue_clear(o, &n));
  BOTH(jobring_dict_get(o, "x", 1, &answer));
  BOTH(jobring_dict_start_get(o, "x", 1, &pending));
  BOTH(jobring_dict_set(o, "x", 1, "y", 1, 0));
  BOTH(jobring_dict_start_set(o, "x", 1, "y", 1, 0, &pending));
  BOTH(jobring_dict_set_if_absent(o, "x", 1, "y", 1, 0, &f, &answer));
  BOTH(jobring_dict_erase(o, "x", 1));
  BOTH(jobring_dict_pop(o, "x", 1, &answer));
  BOTH(jobring_dict_increment(o, "x", 1, 1, 0, &n));
  BOTH(jobring_dict_start_increment(o, "x", 1, 1, 0, &pending));
  BOTH(jobring_dict_compare_and_set(o, "x", 1, &bytes, &bytes, 0, &f));
  BOTH(jobring_dict_update(o, &step, 1, 0, &answer));
  BOTH(jobring_dict_update_if(o, 1, &step, 1, 0, &f));
  BOTH(jobring_dict_clear(o));
  BOTH(jobring_dict_expire(o, "x", 1, 0));
  BOTH(jobring_dict_items(o, &entries));
  BOTH(jobring_dict_keys(o, &entries));
  BOTH(jobring_dict_size(o, &n));
  BOTH(jobring_dict_version(o, &u));
  BOTH(jobring_dict_watch(o, NULL, 0, 0, 0, &answer));
  BOTH(jobring_dict_start_watch(o, NULL, 0, 0, 0, &pending));
  BOTH(jobring_list_append(o, "x", 1, &n));
  BOTH(jobring_list_start_append(o, "x", 1, &pending));
  BOTH(jobring_list_extend(o, &bytes, 1, &n));
  BOTH(jobring_list_insert(o, 0, "x", 1));
  BOTH(jobring_list_pop(o, 0, &answer));
  BOTH(jobring_list_get(o, 0, &answer));
  BOTH(jobring_list_set(o, 0, "x", 1));
  BOTH(jobring_list_size(o, &n));
  BOTH(jobring_list_slice(o, 0, 1, &entries));
  BOTH(jobring_list_index(o, "x", 1, &n));
  BOTH(jobring_list_erase(o, "x", 1));
  BOTH(jobring_list_clear(o));
  jobring_object* counter = wrong;
  wrong = open_object(objects, JOBRING_LIST, "l", 0);
  BOTH(jobring_counter_add(o, 1, &n));
  BOTH(jobring_counter_start_add(o, 1, &pending));
  BOTH(jobring_counter_set(o, 1));
  BOTH(jobring_counter_get(o, &n));
  BOTH(jobring_counter_compare_and_set(o, 1, 2, &f, &n));
  /* Nothing of all that has made anything; and the registry knows kinds too. */
  jobring_object_info info = {.size = sizeof info};
  CHECK_STATUS(jobring_object_get_info(counter, &info), JOBRING_NONE);
  CHECK_OK(jobring_counter_set(counter, 1));
  jobring_object* same = open_object(objects, JOBRING_LIST, "c", 0);
  CHECK_WRONG(jobring_list_append(same, "x", 1, NULL));
  CHECK_WRONG(jobring_object_create(same, NULL));
  jobring_object_free(same);
  same = open_object(objects, JOBRING_SEMAPHORE, "s", 3);
  CHECK_OK(jobring_object_create(same, NULL));
  jobring_object_free(same);
  same = open_object(objects, JOBRING_SEMAPHORE, "s", 4);
  CHECK_STATUS(jobring_semaphore_value(same, &n), JOBRING_WRONG_PARAMS);
  jobring_object_free(same);
  const jobring_object_options existing = {.size = sizeof existing, .must_exist = 1};
  CHECK_OK(jobring_object_open(objects, JOBRING_EVENT, "no such event", &existing, &same));
  CHECK_STATUS(jobring_event_set(same), JOBRING_NOT_FOUND);
  jobring_object_free(same);
  jobring_object_free(wrong);
  jobring_object_free(counter);
  jobring_objects_free(objects);
  close_place(&place);
}

/* Times, names, sizes and places for answers that make no sense, and nothing is done. */
void object_values(void) {
  struct place place;
  open_place(&place, 1, "");
  jobring_objects* objects = open_objects(&place);
  jobring_object* lock = open_object(objects, JOBRING_LOCK, "l", 0);
  jobring_object* semaphore = open_object(objects, JOBRING_SEMAPHORE, "s", 2);
  jobring_object* event = open_object(objects, JOBRING_EVENT, "e", 0);
  jobring_object* barrier = open_object(objects, JOBRING_BARRIER, "b", 2);
  jobring_object* queue = open_object(objects, JOBRING_QUEUE, "q", 0);
  jobring_object* dict = open_object(objects, JOBRING_DICT, "d", 0);
  jobring_object* list = open_object(objects, JOBRING_LIST, "i", 0);
  jobring_object* counter = open_object(objects, JOBRING_COUNTER, "n", 0);
  const jobring_object_options with_lock = {.size = sizeof with_lock, .lock = lock};
  jobring_object* condition = NULL;
  CHECK_OK(jobring_object_open(objects, JOBRING_CONDITION, "c", &with_lock, &condition));
  jobring_pending* pending = NULL;
  jobring_answer answer = {.size = sizeof answer};
  int32_t f = 0;
  const int64_t times[] = {LONG_AGO};
  for (int i = 0; i < 2; ++i) {
    const int64_t t = times[i];
    CHECK_BAD(jobring_lock_acquire(lock, t, NULL));
    CHECK_BAD(jobring_lock_start_acquire(lock, t, &pending));
    CHECK_BAD(jobring_semaphore_acquire(semaphore, 1, t, NULL));
    CHECK_BAD(jobring_semaphore_start_acquire(semaphore, 1, t, &pending));
    CHECK_BAD(jobring_semaphore_consume(semaphore, 1, t, NULL));
    CHECK_BAD(jobring_semaphore_start_consume(semaphore, 1, t, &pending));
    CHECK_BAD(jobring_event_wait(event, t));
    CHECK_BAD(jobring_event_start_wait(event, t, &pending));
    CHECK_BAD(jobring_condition_wait(condition, t));
    CHECK_BAD(jobring_condition_start_wait(condition, t, &pending));
    CHECK_BAD(jobring_barrier_wait(barrier, t, NULL));
    CHECK_BAD(jobring_barrier_start_wait(barrier, t, &pending));
    CHECK_BAD(jobring_queue_put(queue, "x", 1, 0, t));
    CHECK_BAD(jobring_queue_start_put(queue, "x", 1, 0, t, &pending));
    CHECK_BAD(jobring_queue_get(queue, 0, t, NULL));
    CHECK_BAD(jobring_queue_start_get(queue, 1, t, &pending));
    CHECK_BAD(jobring_queue_join(queue, t));
    CHECK_BAD(jobring_queue_start_join(queue, t, &pending));
    CHECK_BAD(jobring_dict_set(dict, "x", 1, "y", 1, t));
    CHECK_BAD(jobring_dict_start_set(dict, "x", 1, "y", 1, t, &pending));
    CHECK_BAD(jobring_dict_set_if_absent(dict, "x", 1, "y", 1, t, &f, NULL));
    CHECK_BAD(jobring_dict_increment(dict, "x", 1, 1, t, NULL));
    CHECK_BAD(jobring_dict_start_increment(dict, "x", 1, 1, t, &pending));
    CHECK_BAD(jobring_dict_compare_and_set(dict, "x", 1, NULL, NULL, t, &f));
    CHECK_BAD(jobring_dict_update(dict, NULL, 0, t, NULL));
    CHECK_BAD(jobring_dict_update_if(dict, 0, NULL, 0, t, &f));
    CHECK_BAD(jobring_dict_expire(dict, "x", 1, t));
    CHECK_BAD(jobring_dict_watch(dict, NULL, 0, 0, t, NULL));
    CHECK_BAD(jobring_dict_start_watch(dict, "x", 1, 0, t, &pending));
    CHECK(pending == NULL);
  }
  /* A handle to be given has to have a place. */
  CHECK_BAD(jobring_lock_start_acquire(lock, 0, NULL));
  CHECK_BAD(jobring_lock_start_release(lock, NULL));
  CHECK_BAD(jobring_queue_start_get(queue, 0, 0, NULL));
  CHECK_BAD(jobring_lock_token(lock, NULL));
  CHECK_BAD(jobring_lock_held(lock, NULL));
  CHECK_BAD(jobring_lock_check(lock, NULL));
  CHECK_BAD(jobring_semaphore_value(semaphore, NULL));
  CHECK_BAD(jobring_event_is_set(event, NULL));
  CHECK_BAD(jobring_barrier_broken(barrier, NULL));
  CHECK_BAD(jobring_barrier_waiting(barrier, NULL));
  CHECK_BAD(jobring_queue_size(queue, NULL));
  CHECK_BAD(jobring_queue_unfinished(queue, NULL));
  CHECK_BAD(jobring_dict_items(dict, NULL));
  CHECK_BAD(jobring_dict_keys(dict, NULL));
  CHECK_BAD(jobring_dict_size(dict, NULL));
  CHECK_BAD(jobring_dict_version(dict, NULL));
  CHECK_BAD(jobring_dict_set_if_absent(dict, "x", 1, "y", 1, 0, NULL, NULL));
  CHECK_BAD(jobring_dict_compare_and_set(dict, "x", 1, NULL, NULL, 0, NULL));
  CHECK_BAD(jobring_dict_update_if(dict, 0, NULL, 0, 0, NULL));
  CHECK_BAD(jobring_list_size(list, NULL));
  CHECK_BAD(jobring_list_slice(list, 0, 1, NULL));
  CHECK_BAD(jobring_list_index(list, "x", 1, NULL));
  CHECK_BAD(jobring_counter_get(counter, NULL));
  CHECK_BAD(jobring_counter_compare_and_set(counter, 0, 1, NULL, NULL));
  answer.size = 8;
  CHECK_BAD(jobring_lock_acquire(lock, 0, &answer));
  CHECK_BAD(jobring_semaphore_acquire(semaphore, 1, 0, &answer));
  CHECK_BAD(jobring_queue_get(queue, 0, 0, &answer));
  CHECK_BAD(jobring_dict_set_if_absent(dict, "x", 1, "y", 1, 0, &f, &answer));
  CHECK_BAD(jobring_dict_pop(dict, "x", 1, &answer));
  CHECK_BAD(jobring_list_get(list, 0, &answer));
  answer.size = sizeof answer;
  /* NULL with a length; nothing as a key or an item is fine. */
  const jobring_dict_step step = {{NULL, 1}, {NULL, 0}, 0, 0};
  const jobring_bytes bytes = {NULL, 1};
  CHECK_BAD(jobring_queue_put(queue, NULL, 1, 0, 0));
  CHECK_BAD(jobring_dict_get(dict, NULL, 1, &answer));
  CHECK_BAD(jobring_dict_set(dict, "x", 1, NULL, 1, 0));
  CHECK_BAD(jobring_dict_compare_and_set(dict, "x", 1, &bytes, NULL, 0, &f));
  CHECK_BAD(jobring_dict_compare_and_set(dict, "x", 1, NULL, &bytes, 0, &f));
  CHECK_BAD(jobring_dict_update(dict, &step, 1, 0, NULL));
  CHECK_BAD(jobring_dict_update(dict, NULL, 1, 0, NULL));
  CHECK_BAD(jobring_dict_update_if(dict, 0, NULL, 1, 0, &f));
  CHECK_BAD(jobring_dict_watch(dict, NULL, 1, 0, 0, NULL));
  CHECK_BAD(jobring_list_append(list, NULL, 1, NULL));
  CHECK_BAD(jobring_list_extend(list, NULL, 1, NULL));
  CHECK_BAD(jobring_list_extend(list, &bytes, 1, NULL));
  /* Numbers that make no sense. */
  CHECK_BAD(jobring_semaphore_acquire(semaphore, 0, 0, NULL));
  CHECK_BAD(jobring_semaphore_acquire(semaphore, -1, 0, NULL));
  CHECK_BAD(jobring_semaphore_release(semaphore, -1, 0, NULL));
  CHECK_BAD(jobring_semaphore_release(semaphore, 0, 0, NULL));
  CHECK_BAD(jobring_semaphore_consume(semaphore, 0, 0, NULL));
  CHECK_BAD(jobring_queue_task_done(queue, 0));
  CHECK_BAD(jobring_queue_task_done(queue, -1));
  CHECK_BAD(jobring_condition_notify(condition, 0, NULL));
  CHECK_BAD(jobring_queue_lease_done(queue, 0));
  CHECK_STATUS(jobring_queue_lease_done(queue, 77), JOBRING_NOT_HOLDER);
  jobring_object* made = NULL;
  const jobring_object_options none = {.size = sizeof none, .number = -1};
  CHECK_OK(jobring_object_open(objects, JOBRING_BARRIER, "parties", &none, &made));
  CHECK_BAD(jobring_barrier_wait(made, 0, NULL));
  jobring_object_free(made);
  CHECK_OK(jobring_object_open(objects, JOBRING_QUEUE, "capacity", &none, &made));
  CHECK_BAD(jobring_queue_size(made, &(int64_t){0}));
  jobring_object_free(made);
  /* Names and keys. */
  char name[2048];
  memset(name, 'n', sizeof name);
  name[sizeof name - 1] = '\0';
  CHECK_BAD(jobring_dict_set(dict, name, 1025, "", 0, 0));
  CHECK_OK(jobring_dict_set(dict, name, 1024, "", 0, 0));
  const char* const names[] = {"", name};
  for (int i = 0; i < 2; ++i) {
    made = NULL;
    const jobring_status status =
        jobring_object_open(objects, JOBRING_COUNTER, names[i], NULL, &made);
    CHECK_BAD(status == JOBRING_OK ? jobring_counter_add(made, 1, NULL) : status);
    jobring_object_free(made);
    CHECK_BAD(jobring_objects_remove(objects, names[i]));
  }
  /* Nobody who does not hold it gives it back, and nobody twice. */
  CHECK_STATUS(jobring_lock_release(lock), JOBRING_NOT_HOLDER);
  CHECK_OK(jobring_lock_start_release(lock, &pending));
  CHECK_STATUS(jobring_pending_get(pending, JOBRING_FOREVER, NULL), JOBRING_NOT_HOLDER);
  jobring_pending_free(pending);
  CHECK_OK(jobring_lock_acquire(lock, 0, NULL));
  CHECK_OK(jobring_lock_release(lock));
  CHECK_STATUS(jobring_lock_release(lock), JOBRING_NOT_HOLDER);
  CHECK_STATUS(jobring_condition_wait(condition, 0), JOBRING_NOT_HOLDER);
  jobring_object* rlock = open_object(objects, JOBRING_RLOCK, "r", 0);
  CHECK_OK(jobring_lock_acquire(rlock, 0, NULL));
  CHECK_OK(jobring_lock_acquire(rlock, 0, &answer));
  CHECK(answer.number == 2);
  CHECK_OK(jobring_lock_release(rlock));
  CHECK_OK(jobring_lock_release(rlock));
  CHECK_STATUS(jobring_lock_release(rlock), JOBRING_NOT_HOLDER);
  jobring_object* bounded = open_object(objects, JOBRING_BOUNDED_SEMAPHORE, "o", 2);
  CHECK_OK(jobring_semaphore_acquire(bounded, 2, 0, &answer));
  CHECK_OK(jobring_semaphore_release(bounded, 2, answer.token, NULL));
  CHECK_STATUS(jobring_semaphore_release(bounded, 1, 0, NULL), JOBRING_NOT_HOLDER);
  CHECK_TEXT(jobring_last_error_kind(), "over_release");
  jobring_object* const all[] = {lock, semaphore, event,     barrier, queue,  dict,
                                 list, counter,   condition, rlock,   bounded};
  for (size_t i = 0; i < sizeof all / sizeof *all; ++i) jobring_object_free(all[i]);
  jobring_objects_free(objects);
  close_place(&place);
}

/* Handles freed in an order that the round chooses, some with requests under way and held things.
 */
void object_any_order(void) {
  int fds = 0, maps = 0;
  for (int round = 0; round < 8; ++round) {
    if (round == 2) { /* what is made once has been made */
      fds = descriptors();
      maps = shared_mappings();
    }
    struct place place;
    open_place(&place, 1, "");
    jobring_objects* objects = open_objects(&place);
    jobring_object* lock = open_object(objects, JOBRING_LOCK, "l", 0);
    jobring_object* queue = open_object(objects, JOBRING_QUEUE, "q", 0);
    jobring_object* dict = open_object(objects, JOBRING_DICT, "d", 0);
    jobring_pending *waits = NULL, *watches = NULL, *ended = NULL;
    jobring_entries* entries = NULL;
    jobring_future* future = NULL;
    CHECK_OK(jobring_lock_acquire(lock, 0, NULL));
    CHECK_OK(jobring_lock_start_acquire(lock, JOBRING_FOREVER, &waits));
    CHECK_OK(jobring_pending_on_ready(waits, do_nothing, NULL));
    CHECK_OK(jobring_pending_future(waits, &future));
    CHECK_OK(jobring_dict_set(dict, "k", 1, "v", 1, 0));
    CHECK_OK(jobring_dict_items(dict, &entries));
    CHECK_OK(jobring_dict_start_watch(dict, NULL, 0, 0, JOBRING_FOREVER, &ended));
    CHECK_OK(jobring_dict_start_watch(dict, "other", 5, UINT32_MAX, JOBRING_FOREVER, &watches));
    CHECK_OK(jobring_pending_wait(ended, JOBRING_FOREVER)); /* with changes nobody takes */
    CHECK_OK(jobring_queue_put(queue, "x", 1, 0, 0));
    for (int step = 0; step < 11; ++step) {
      switch ((step * (round % 2 ? 3 : 7) + round) % 11) {
        case 0:
          jobring_client_free(place.client);
          place.client = NULL;
          break;
        case 1:
          jobring_pool_free(place.pool);
          place.pool = NULL;
          break;
        case 2:
          jobring_objects_free(objects);
          break;
        case 3:
          jobring_object_free(lock);
          break;
        case 4:
          jobring_object_free(queue);
          break;
        case 5:
          jobring_object_free(dict);
          break;
        case 6:
          jobring_pending_free(waits);
          break;
        case 7:
          jobring_pending_free(watches);
          break;
        case 8:
          jobring_pending_free(ended);
          break;
        case 9:
          jobring_entries_free(entries);
          break;
        default:
          jobring_future_free(future);
      }
    }
    close_place(&place);
  }
  CHECK(descriptors() == fds);
  CHECK(shared_mappings() == maps);
}
