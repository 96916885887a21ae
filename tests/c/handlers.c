/* Handlers in C (tests/modules/c_*.c), in real workers. */
#include <stdio.h>
#include <stdlib.h>

#include "check.h"

#define MODULE(name) "\"" JOBRING_MODULE_DIR "/" name ".so\""

static int ended_as(jobring_future* future, int32_t outcome, const char* bytes, const char* type) {
  jobring_result result = result_of(future);
  const int as_wanted = result.outcome == outcome && bytes_are(&result, bytes) &&
                        strcmp(result.error_type, type) == 0;
  if (!as_wanted) {
    fprintf(stderr, "it ended as %s: \"%.*s\" of type \"%s\"\n",
            jobring_outcome_name(result.outcome), (int)result.bytes_len, (const char*)result.bytes,
            result.error_type);
  }
  jobring_future_free(future);
  return as_wanted;
}

void handlers_in_c(void) {
  struct place place;
  open_place_of(&place,
                "\"default\": {\"workers\": 2, \"max_result\": \"16KiB\", \"modules\": [" MODULE(
                    "c_handlers") "]}");
  jobring_pool* pool = place.pool;
  CHECK(ended_as(submit(pool, "c_square", "-12"), JOBRING_OUTCOME_OK, "144", ""));
  CHECK(ended_as(submit(pool, "c_square", "ten"), JOBRING_OUTCOME_FAILED, "\"ten\" is no number",
                 ""));
  CHECK(ended_as(submit(pool, "c_square", "7777777777777777777777777777777777777777"),
                 JOBRING_OUTCOME_FAILED, "that is no number", ""));
  CHECK(ended_as(submit(pool, "c_nothing", "x"), JOBRING_OUTCOME_OK, "", ""));
  CHECK(ended_as(submit(pool, "c_nulls", ""), JOBRING_OUTCOME_FAILED, "", ""));
  CHECK(ended_as(submit(pool, "c_fail_as", ""), JOBRING_OUTCOME_FAILED, "there is no file \"x\"",
                 "no_such_file"));
  CHECK(ended_as(submit(pool, "c_reply_after_fail", ""), JOBRING_OUTCOME_FAILED, "words", ""));
  CHECK(ended_as(submit(pool, "c_in_place", "in place"), JOBRING_OUTCOME_OK, "in place", ""));
  CHECK(ended_as(submit(pool, "c_too_big", ""), JOBRING_OUTCOME_RESULT_TOO_BIG,
                 "a result of 16385 bytes is more than the pool's max_result of 16384 bytes", ""));
  /* Around the size up to which a format needs no memory, and up to the largest result. */
  const int widths[] = {1, 254, 255, 256, 257, 5000, 16384};
  for (size_t i = 0; i < sizeof widths / sizeof *widths; ++i) {
    for (int sign = -1; sign <= 1; sign += 2) {
      char payload[16];
      snprintf(payload, sizeof payload, "%d", sign * widths[i]);
      jobring_future* future = submit(pool, "c_format", payload);
      jobring_result result = result_of(future);
      const char* bytes = result.bytes;
      CHECK(result.outcome == (sign < 0 ? JOBRING_OUTCOME_FAILED : JOBRING_OUTCOME_OK));
      REQUIRE(result.bytes_len == (size_t)widths[i]);
      CHECK(bytes[result.bytes_len - 1] == '7');
      for (size_t b = 0; b + 1 < result.bytes_len; ++b) REQUIRE(bytes[b] == ' ');
      jobring_future_free(future);
    }
  }
  jobring_future* crashed = submit(pool, "c_crash", "");
  jobring_result result = result_of(crashed);
  CHECK(result.outcome == JOBRING_OUTCOME_CRASHED);
  CHECK(result.detail == 11);
  jobring_future_free(crashed);
  CHECK(ended_as(submit(pool, "c_square", "3"), JOBRING_OUTCOME_OK, "9", ""));
  close_place(&place);
}

void example_handlers(void) {
  struct place place;
  open_place_of(&place, "\"default\": {\"workers\": 1, \"modules\": [" MODULE("primes") "]}");
  CHECK(ended_as(submit(place.pool, "primes", "200000"), JOBRING_OUTCOME_OK, "17984", ""));
  CHECK(ended_as(submit(place.pool, "primes", "2"), JOBRING_OUTCOME_OK, "0", ""));
  CHECK(ended_as(submit(place.pool, "primes", "10 "), JOBRING_OUTCOME_FAILED,
                 "the payload is no number up to 1000000000", "bad_number"));
  jobring_future* long_one = submit(place.pool, "primes", "1000000000");
  await_report(long_one);
  CHECK_OK(jobring_future_kill(long_one, 15));
  jobring_result result = result_of(long_one);
  CHECK(result.outcome == JOBRING_OUTCOME_FAILED);
  CHECK(result.bytes_len > 11 && memcmp(result.bytes, "stopped at ", 11) == 0);
  jobring_future_free(long_one);
  close_place(&place);
}

void handlers_report_and_stop(void) {
  struct place place;
  open_place_of(&place, "\"default\": {\"workers\": 2, \"modules\": [" MODULE("c_handlers") "]}");
  jobring_future* future = submit_at_fifo(&place, place.pool, "c_report", "gate", NULL);
  await_report(future);
  jobring_progress said = {.size = sizeof said};
  CHECK_OK(jobring_future_progress(future, &said));
  CHECK(said.done == 2);
  CHECK(said.total == 5);
  CHECK_TEXT(said.text, "of C");
  open_gate(&place, "gate");
  CHECK(ended_as(future, JOBRING_OUTCOME_OK, "", ""));
  /* It ends because it looks, long before anybody would be killed: kill_grace is 5 seconds. */
  future = submit(place.pool, "c_spin", "");
  await_report(future);
  CHECK_OK(jobring_future_kill(future, 15));
  CHECK(ended_as(future, JOBRING_OUTCOME_OK, "stopped when asked", ""));
  close_place(&place);
}

void handlers_of_threads(void) {
  struct place place;
  open_place_of(&place,
                "\"default\": {\"model\": \"thread\", \"workers\": 1, \"threads\": 4, \"modules\": "
                "[" MODULE("c_thread_safe") ", " MODULE("c_own_init") "]}");
  jobring_future* meeting[4];
  for (int i = 0; i < 4; ++i) meeting[i] = submit(place.pool, "c_meet", "4");
  for (int i = 0; i < 4; ++i) CHECK(ended_as(meeting[i], JOBRING_OUTCOME_OK, "4", ""));
  for (int i = 0; i < 500; ++i)
    CHECK(ended_as(submit(place.pool, "c_echo", "words"), JOBRING_OUTCOME_OK, "words", ""));
  CHECK(ended_as(submit(place.pool, "c_say_one", ""), JOBRING_OUTCOME_OK, "one", ""));
  CHECK(ended_as(submit(place.pool, "c_say_two", ""), JOBRING_OUTCOME_OK, "two", ""));
  close_place(&place);
}

struct refused {
  jobring_pool* pool;
  const char* words;
  char told[1024];
};

/* Until its only worker has tried to start, the pool takes jobs, which then end as lost. */
static int says_why(void* user) {
  struct refused* refused = user;
  jobring_future* future = NULL;
  const jobring_status status =
      jobring_submit(refused->pool, "echo", "", 0, NULL, JOBRING_FOREVER, &future);
  if (status == JOBRING_OK) {
    jobring_result result = result_of(future);
    snprintf(refused->told, sizeof refused->told, "%.*s", (int)result.bytes_len,
             (const char*)result.bytes);
  } else {
    snprintf(refused->told, sizeof refused->told, "%s", jobring_last_error());
  }
  jobring_future_free(future);
  return strstr(refused->told, refused->words) != NULL;
}

/* All the bad ones in one daemon, a pool each: the reason reaches who submits, in one line. */
void bad_modules(void) {
  static const struct {
    const char *pool, *words;
  } bad[] = {
      {"version", "was built for version 9 of the module interface, this worker has version 2"},
      {"entry", "has no jobring_module_init"},
      {"twice", "the handler \"c_twice\" exists already"},
      {"long", "has 48 bytes, 47 are allowed"},
      {"threads", "the handler \"c_crash\" of module"},
      {"coroutines", "is a function: while it runs, no other job of its worker would"},
  };
  struct place place;
  open_place_of(
      &place,
      "\"default\": {\"workers\": 1},"
      "\"version\": {\"workers\": 1, \"modules\": [" MODULE("c_wrong_version") "]},"
      "\"entry\": {\"workers\": 1, \"modules\": [" MODULE("c_no_init") "]},"
      "\"twice\": {\"workers\": 1, \"modules\": [" MODULE("c_twice") "]},"
      "\"long\": {\"workers\": 1, \"modules\": [" MODULE("c_long_name") "]},"
      "\"threads\": {\"model\": \"thread\", \"workers\": 1, \"modules\": [" MODULE("c_handlers") "]},"
      "\"coroutines\": {\"model\": \"async\", \"workers\": 1, \"modules\": [" MODULE("c_handlers") "]}");
  for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i) {
    struct refused refused = {.words = bad[i].words};
    /* The daemon may know already, and not even open it. */
    if (jobring_pool_open(place.client, bad[i].pool, NULL, &refused.pool) != JOBRING_OK) {
      snprintf(refused.told, sizeof refused.told, "%s", jobring_last_error());
      CHECK(strstr(refused.told, refused.words) != NULL);
    } else {
      eventually(says_why, &refused, bad[i].words);
    }
    CHECK(strchr(refused.told, '\n') == NULL);
    jobring_pool_free(refused.pool);
  }
  jobring_future* future = submit(place.pool, "echo", "the others do not mind");
  CHECK(result_of(future).outcome == JOBRING_OUTCOME_OK);
  jobring_future_free(future);
  close_place(&place);
}
