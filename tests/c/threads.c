/* Threads that share handles. */
#include <pthread.h>
#include <stdio.h>

#include "objects.h"

enum { kThreads = 4, kRounds = 200 };

struct share {
  struct place place;
  jobring_future* common; /* everybody has a reference */
  pthread_barrier_t start;
};

static void count(jobring_future* future, void* user) {
  (void)future;
  __atomic_fetch_add((int*)user, 1, __ATOMIC_RELAXED);
}

static void* work(void* argument) {
  struct share* share = argument;
  jobring_pool* pool = share->place.pool;
  int called = 0;
  char text[32], wrong[32];
  CHECK_TEXT(jobring_last_error(), ""); /* of this thread */
  CHECK_TEXT(jobring_last_error_kind(), "");
  CHECK(jobring_last_error_exit_status() == 0);
  pthread_barrier_wait(&share->start);
  for (int i = 0; i < kRounds; ++i) {
    jobring_future *one = NULL, *other = NULL, *none = NULL;
    snprintf(text, sizeof text, "%p %d", (void*)&called, i);
    CHECK_OK(jobring_submit(pool, "echo", text, strlen(text), NULL, JOBRING_FOREVER, &one));
    CHECK_OK(jobring_submit(pool, "echo", text, 1, NULL, JOBRING_FOREVER, &other));
    CHECK_OK(jobring_future_on_ready(other, count, &called));
    /* An error of this thread, in the midst of those of others. */
    snprintf(wrong, sizeof wrong, "%d is no signal", -i - 1);
    CHECK_STATUS(jobring_future_kill(one, -i - 1), JOBRING_BAD_INPUT);
    CHECK_STATUS(jobring_submit(pool, "echo", text, 1, NULL, -1, &none), JOBRING_BAD_INPUT);
    CHECK_STATUS(jobring_future_kill(one, -i - 1), JOBRING_BAD_INPUT);
    jobring_result result = result_of(one);
    CHECK(bytes_are(&result, text));
    CHECK(strstr(jobring_last_error(), wrong) != NULL);
    jobring_future* both[] = {one, other};
    CHECK_OK(jobring_wait(both, 2, JOBRING_WAIT_ALL, JOBRING_FOREVER, NULL));
    /* All wait for the same one, and count its references. */
    jobring_future* mine = jobring_future_ref(share->common);
    int32_t ready = 0;
    CHECK_OK(jobring_future_ready(mine, &ready));
    jobring_future_free(mine);
    jobring_future_free(one);
    jobring_future_free(other);
  }
  jobring_result result = result_of(share->common);
  CHECK(result.outcome == JOBRING_OUTCOME_OK);
  jobring_future_free(share->common);
  /* A callback may run on another thread, after the wait here has ended. */
  CHECK_OK(jobring_pool_poll(pool, NULL));
  while (__atomic_load_n(&called, __ATOMIC_RELAXED) < kRounds) {
  }
  return NULL;
}

void threads(void) {
  struct share share;
  pthread_t ids[kThreads];
  open_place(&share.place, 2, "");
  share.common = submit_at_gate(&share.place, share.place.pool, "gate", NULL);
  for (int i = 1; i < kThreads; ++i) jobring_future_ref(share.common);
  REQUIRE(pthread_barrier_init(&share.start, NULL, kThreads) == 0);
  for (int i = 0; i < kThreads; ++i) REQUIRE(pthread_create(&ids[i], NULL, work, &share) == 0);
  open_gate(&share.place, "gate");
  for (int i = 0; i < kThreads; ++i) pthread_join(ids[i], NULL);
  pthread_barrier_destroy(&share.start);
  close_place(&share.place);
}

/* What threads share of named objects; each counts its own callbacks, which run on any of them. */
struct object_share {
  jobring_objects* objects;
  jobring_object* counter;
  jobring_object* lock;
  int guarded; /* by the lock */
};

static void added(jobring_pending* pending, void* user) {
  jobring_answer answer = {.size = sizeof answer};
  CHECK_OK(jobring_pending_get(pending, 0, &answer));
  CHECK(answer.number > 0);
  /* After its last user may be gone: it can be kept once more. */
  jobring_pending_free(jobring_pending_ref(pending));
  __atomic_fetch_add((int*)user, 1, __ATOMIC_RELAXED);
}

static void* work_on_objects(void* argument) {
  struct object_share* share = argument;
  int called = 0;
  for (int i = 0; i < kRounds; ++i) {
    jobring_pending* pending = NULL;
    CHECK_OK(jobring_counter_start_add(share->counter, 1, &pending));
    CHECK_OK(jobring_pending_on_ready(pending, added, &called));
    if (i % 3 == 0) CHECK_OK(jobring_pending_wait(pending, JOBRING_FOREVER));
    jobring_pending_free(pending);
    if (i % 10 == 0) {
      CHECK_OK(jobring_lock_acquire(share->lock, JOBRING_FOREVER, NULL));
      ++share->guarded;
      CHECK_OK(jobring_lock_release(share->lock));
    }
  }
  while (__atomic_load_n(&called, __ATOMIC_RELAXED) < kRounds)
    CHECK_OK(jobring_objects_poll(share->objects, NULL));
  return NULL;
}

void object_threads(void) {
  struct place place;
  struct object_share share = {0};
  pthread_t ids[kThreads];
  int64_t sum = 0;
  open_place(&place, 1, "");
  share.objects = open_objects(&place);
  share.counter = open_object(share.objects, JOBRING_COUNTER, "c", 0);
  share.lock = open_object(share.objects, JOBRING_LOCK, "l", 0);
  for (int i = 0; i < kThreads; ++i)
    REQUIRE(pthread_create(&ids[i], NULL, work_on_objects, &share) == 0);
  for (int i = 0; i < kThreads; ++i) pthread_join(ids[i], NULL);
  CHECK_OK(jobring_counter_get(share.counter, &sum));
  CHECK(sum == kThreads * kRounds);
  CHECK(share.guarded == kThreads * kRounds / 10);
  jobring_object_free(share.counter);
  jobring_object_free(share.lock);
  jobring_objects_free(share.objects);
  close_place(&place);
}
