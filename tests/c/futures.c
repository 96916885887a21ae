/* Futures: loops, callbacks, cancelling, several at once. */
#include <poll.h>
#include <unistd.h>

#include "check.h"

static void count_up(jobring_future* future, void* user) {
  jobring_result result = {.size = sizeof result};
  CHECK_OK(jobring_future_result(future, 0, &result));
  ++*(int*)user;
}

void loop(void) {
  struct place place;
  open_place(&place, 2, "");
  enum { kJobs = 300 };
  int32_t fd = -1;
  CHECK_OK(jobring_pool_fd(place.pool, &fd));
  CHECK(fd >= 0);
  int called = 0;
  uint64_t polled = 0;
  jobring_future* futures[kJobs];
  for (int i = 0; i < kJobs; ++i) {
    futures[i] = submit(place.pool, "echo", "x");
    CHECK_OK(jobring_future_on_ready(futures[i], count_up, &called));
  }
  while (called < kJobs) {
    struct pollfd waits = {.fd = fd, .events = POLLIN};
    REQUIRE(poll(&waits, 1, 20000) == 1);
    uint64_t count = 0;
    CHECK_OK(jobring_pool_poll(place.pool, &count));
    polled += count;
  }
  CHECK(polled <= kJobs);
  /* On one that has ended: at once. */
  CHECK_OK(jobring_future_on_ready(futures[0], count_up, &called));
  CHECK(called == kJobs + 1);
  for (int i = 0; i < kJobs; ++i) jobring_future_free(futures[i]);
  close_place(&place);
}

static void free_all(jobring_future* future, void* user) {
  struct place* place = user;
  jobring_result result = {.size = sizeof result};
  CHECK_OK(jobring_future_result(future, 0, &result));
  CHECK(bytes_are(&result, "x"));
  jobring_future_free(future); /* what submit() gave */
  jobring_pool_free(place->pool);
  jobring_client_free(place->client);
  place->pool = NULL;
  place->client = NULL;
}

void callback_frees_all(void) {
  /* In each of the calls that may run a callback. */
  for (int how = 0; how < 5; ++how) {
    struct place place;
    open_place(&place, 2, "");
    jobring_pool* const pool = place.pool;
    jobring_future* const future = submit(pool, "echo", "x");
    CHECK_OK(jobring_future_on_ready(future, free_all, &place));
    jobring_result result = {.size = sizeof result};
    int32_t ready = 0;
    uint8_t done = 0;
    while (place.pool != NULL) {
      switch (how) {
        case 0:
          CHECK_OK(jobring_pool_poll(pool, NULL));
          break;
        case 1:
          CHECK_OK(jobring_future_wait(future, JOBRING_FOREVER));
          break;
        case 2:
          CHECK_OK(jobring_future_ready(future, &ready));
          break;
        case 3: /* its pointers are gone with the future, its numbers are not */
          CHECK_OK(jobring_future_result(future, JOBRING_FOREVER, &result));
          CHECK(result.bytes_len == 1);
          break;
        default:
          CHECK_OK(jobring_wait(&future, 1, JOBRING_WAIT_ALL, JOBRING_FOREVER, &done));
          CHECK(done == 1);
      }
    }
    close_place(&place);
  }
}

void cancel_and_kill(void) {
  struct place place;
  open_place(&place, 1, "");
  jobring_future* runs = submit(place.pool, "report_fast", "");
  jobring_future* waits = submit(place.pool, "echo", "x");
  jobring_result result = {.size = sizeof result, .outcome = 77};
  CHECK_STATUS(jobring_future_result(waits, 0, &result), JOBRING_TIMED_OUT);
  CHECK(result.outcome == 77);
  CHECK_STATUS(jobring_future_wait(waits, 1000000), JOBRING_TIMED_OUT);
  int32_t withdrawn = 0;
  CHECK_OK(jobring_future_cancel(waits, &withdrawn));
  CHECK(withdrawn == 1);
  CHECK(result_of(waits).outcome == JOBRING_OUTCOME_CANCELLED);
  CHECK_OK(jobring_future_cancel(waits, &withdrawn));
  CHECK(withdrawn == 0);
  CHECK_OK(jobring_future_cancel(waits, NULL));
  await_report(runs);
  CHECK_OK(jobring_future_cancel(runs, &withdrawn));
  CHECK(withdrawn == 0);
  CHECK_OK(jobring_future_kill(runs, 15));
  result = result_of(runs);
  CHECK_TEXT(jobring_outcome_name(result.outcome), "ok"); /* it returned when it was asked to */
  const char* argv[] = {"sleep", "1000", NULL};
  const jobring_command command = {.size = sizeof command, .argv = argv};
  jobring_future* sleeps = NULL;
  CHECK_OK(jobring_run(place.pool, &command, NULL, JOBRING_FOREVER, &sleeps));
  usleep(20000); /* it may have started or not: both are ends that are asked for */
  CHECK_OK(jobring_future_kill(sleeps, 9));
  result = result_of(sleeps);
  CHECK(result.outcome == JOBRING_OUTCOME_KILLED || result.outcome == JOBRING_OUTCOME_CANCELLED);
  jobring_future_free(sleeps);
  CHECK_STATUS(jobring_future_kill(runs, 0), JOBRING_BAD_INPUT);
  CHECK_STATUS(jobring_future_kill(runs, -9), JOBRING_BAD_INPUT);
  CHECK_STATUS(jobring_future_kill(runs, 65), JOBRING_BAD_INPUT);
  CHECK_OK(jobring_future_kill(runs, 9));
  jobring_future_free(runs);
  jobring_future_free(waits);
  close_place(&place);
}

void progress(void) {
  struct place place;
  open_place(&place, 2, "");
  jobring_future* gate = submit_at_gate(&place, place.pool, "mute", NULL);
  jobring_progress said = {.size = sizeof said};
  CHECK_STATUS(jobring_future_progress(gate, &said), JOBRING_NONE);
  open_gate(&place, "mute");
  jobring_future* reports = submit_reporter(&place, "gate");
  await_report(reports);
  CHECK_OK(jobring_future_progress(reports, &said));
  CHECK(said.done == 1);
  CHECK(said.total == 3);
  CHECK_TEXT(said.text, "first half");
  open_gate(&place, "gate");
  CHECK_OK(jobring_future_wait(reports, JOBRING_FOREVER));
  CHECK_STATUS(jobring_future_progress(reports, &said), JOBRING_NONE);
  jobring_future_free(gate);
  jobring_future_free(reports);
  close_place(&place);
}

void wait_several(void) {
  struct place place;
  open_place(&place, 2, "");
  uint8_t done[4] = {9, 9, 9, 9};
  CHECK_OK(jobring_wait(NULL, 0, JOBRING_WAIT_ALL, JOBRING_FOREVER, NULL));
  CHECK_OK(jobring_wait(NULL, 0, JOBRING_WAIT_FIRST_COMPLETED, 0, done));
  CHECK(done[0] == 9);
  jobring_future* a = submit_at_gate(&place, place.pool, "a", NULL);
  jobring_future* b = submit(place.pool, "echo", "b");
  jobring_future* both[] = {a, b, a, b};
  CHECK_OK(jobring_wait(both, 4, JOBRING_WAIT_FIRST_COMPLETED, JOBRING_FOREVER, done));
  CHECK(done[0] == 0 && done[1] == 1 && done[2] == 0 && done[3] == 1);
  CHECK_STATUS(jobring_wait(both, 4, JOBRING_WAIT_ALL, 1000000, done), JOBRING_TIMED_OUT);
  CHECK(done[0] == 0 && done[1] == 1 && done[2] == 0 && done[3] == 1);
  /* b has not failed: so it waits for all. */
  CHECK_STATUS(jobring_wait(both, 2, JOBRING_WAIT_FIRST_FAILED, 0, NULL), JOBRING_TIMED_OUT);
  jobring_future* fails = submit(place.pool, "throw_int", "");
  jobring_future* three[] = {a, b, fails};
  CHECK_OK(jobring_wait(three, 3, JOBRING_WAIT_FIRST_FAILED, JOBRING_FOREVER, done));
  CHECK(done[0] == 0 && done[1] == 1 && done[2] == 1);
  open_gate(&place, "a");
  CHECK_OK(jobring_wait(three, 3, JOBRING_WAIT_ALL, JOBRING_FOREVER, done));
  CHECK(done[0] == 1 && done[1] == 1 && done[2] == 1);
  CHECK_STATUS(jobring_wait(three, 3, 3, 0, done), JOBRING_BAD_INPUT);
  jobring_future* hole[] = {a, NULL};
  CHECK_STATUS(jobring_wait(hole, 2, JOBRING_WAIT_ALL, 0, done), JOBRING_BAD_INPUT);
  CHECK_STATUS(jobring_wait(NULL, 1, JOBRING_WAIT_ALL, 0, done), JOBRING_BAD_INPUT);
  jobring_future_free(a);
  jobring_future_free(b);
  jobring_future_free(fails);
  close_place(&place);
}

void as_completed(void) {
  struct place place;
  open_place(&place, 2, "");
  jobring_future* slow = submit_at_gate(&place, place.pool, "slow", NULL);
  jobring_future* quick = submit(place.pool, "echo", "quick");
  jobring_future* given[] = {slow, quick};
  jobring_as_completed* completed = NULL;
  jobring_future* next = NULL;
  uint64_t left = 0;
  CHECK_OK(jobring_as_completed_new(given, 2, &completed));
  CHECK_OK(jobring_as_completed_next(completed, JOBRING_FOREVER, &next));
  CHECK(next == quick);
  jobring_future_free(next);
  CHECK_STATUS(jobring_as_completed_next(completed, 0, &next), JOBRING_TIMED_OUT);
  CHECK(next == NULL);
  CHECK_OK(jobring_as_completed_left(completed, &left));
  CHECK(left == 1);
  /* Again the same one, which has ended, twice. */
  CHECK_OK(jobring_as_completed_add(completed, quick));
  CHECK_OK(jobring_as_completed_add(completed, quick));
  for (int i = 0; i < 2; ++i) {
    CHECK_OK(jobring_as_completed_next(completed, JOBRING_FOREVER, &next));
    CHECK(next == quick);
    jobring_future_free(next);
  }
  open_gate(&place, "slow");
  CHECK_OK(jobring_as_completed_next(completed, JOBRING_FOREVER, &next));
  CHECK(next == slow);
  jobring_future_free(next);
  CHECK_STATUS(jobring_as_completed_next(completed, JOBRING_FOREVER, &next), JOBRING_END);
  CHECK(next == NULL);
  jobring_as_completed_free(completed);
  jobring_future_free(slow);
  jobring_future_free(quick);

  /* It keeps what it was given; freed before the end it gives it back. */
  jobring_future* kept = submit_at_gate(&place, place.pool, "kept", NULL);
  CHECK_OK(jobring_as_completed_new(&kept, 1, &completed));
  jobring_future_free(kept);
  open_gate(&place, "kept");
  CHECK_OK(jobring_as_completed_next(completed, JOBRING_FOREVER, &next));
  CHECK(next == kept);
  CHECK_OK(jobring_as_completed_add(completed, next));
  jobring_future_free(next);
  jobring_as_completed_free(completed);
  CHECK_OK(jobring_as_completed_new(NULL, 0, &completed));
  CHECK_STATUS(jobring_as_completed_next(completed, 0, &next), JOBRING_END);
  jobring_as_completed_free(completed);
  close_place(&place);
}

void shutdown_pool(void) {
  struct place place;
  open_place(&place, 1, "");
  jobring_future* runs = submit_reporter(&place, "gate");
  await_report(runs);
  jobring_future* waits = submit(place.pool, "echo", "x");
  jobring_future* future = NULL;
  CHECK_STATUS(jobring_pool_shutdown(place.pool, 0, 0), JOBRING_TIMED_OUT);
  CHECK_STATUS(jobring_submit(place.pool, "echo", "", 0, NULL, 0, &future), JOBRING_SHUT_DOWN);
  CHECK_TEXT(jobring_last_error_kind(), "shut_down");
  CHECK_STATUS(jobring_pool_shutdown(place.pool, 1, 0), JOBRING_TIMED_OUT);
  CHECK(result_of(waits).outcome == JOBRING_OUTCOME_CANCELLED);
  open_gate(&place, "gate");
  CHECK_OK(jobring_pool_shutdown(place.pool, 0, JOBRING_FOREVER));
  CHECK(result_of(runs).outcome == JOBRING_OUTCOME_OK);
  jobring_pool* again = NULL;
  CHECK_OK(jobring_pool_open(place.client, NULL, NULL, &again));
  void* bytes = NULL;
  CHECK_OK(jobring_call(again, "echo", "y", 1, NULL, &bytes, NULL));
  jobring_free(bytes);
  jobring_pool_free(again);
  jobring_future_free(runs);
  jobring_future_free(waits);
  close_place(&place);
}
