/* Maps over arrays and sources. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "check.h"

void map_ordered(void) {
  struct place place;
  open_place(&place, 2, "");
  enum { kInputs = 1000 };
  static char texts[kInputs][8];
  static jobring_bytes inputs[kInputs];
  for (int i = 0; i < kInputs; ++i) {
    snprintf(texts[i], sizeof texts[i], "%d", i);
    inputs[i] = (jobring_bytes){texts[i], strlen(texts[i])};
  }
  for (int unordered = 0; unordered < 2; ++unordered) {
    jobring_map_options options = {.size = sizeof options, .unordered = unordered, .chunk = 7};
    jobring_results* results = NULL;
    CHECK_OK(jobring_map_array(place.pool, "echo", inputs, kInputs, &options, &results));
    char seen[kInputs] = {0};
    jobring_result result = {.size = sizeof result};
    uint64_t index = 0;
    for (uint64_t i = 0; i < kInputs; ++i) {
      CHECK_OK(jobring_results_next(results, JOBRING_FOREVER, &index, &result));
      if (!unordered) CHECK(index == i);
      REQUIRE(index < kInputs && !seen[index]);
      seen[index] = 1;
      CHECK(result.outcome == JOBRING_OUTCOME_OK);
      CHECK(bytes_are(&result, texts[index]));
    }
    CHECK_STATUS(jobring_results_next(results, JOBRING_FOREVER, &index, &result), JOBRING_END);
    CHECK_STATUS(jobring_results_next(results, 0, NULL, &result), JOBRING_END);
    jobring_results_free(results);
  }
  jobring_results* none = NULL;
  jobring_result result = {.size = sizeof result};
  CHECK_OK(jobring_map_array(place.pool, "echo", NULL, 0, NULL, &none));
  CHECK_STATUS(jobring_results_next(none, JOBRING_FOREVER, NULL, &result), JOBRING_END);
  jobring_results_free(none);
  close_place(&place);
}

struct counter {
  char text[24];
  uint64_t given;
  uint64_t last;
  jobring_status at_last;
};

static jobring_status give_number(void* user, const void** bytes, size_t* len) {
  struct counter* counter = user;
  if (counter->given == counter->last) return counter->at_last;
  snprintf(counter->text, sizeof counter->text, "%llu", (unsigned long long)counter->given++);
  *bytes = counter->text;
  *len = strlen(counter->text);
  return JOBRING_OK;
}

void map_lazy(void) {
  struct place place;
  open_place(&place, 2, "");
  struct counter counter = {.last = UINT64_MAX};
  const jobring_map_options options = {.size = sizeof options, .buffer = 5};
  jobring_results* results = NULL;
  CHECK_OK(jobring_map(place.pool, "echo", give_number, &counter, &options, &results));
  CHECK(counter.given == 0);
  jobring_result result = {.size = sizeof result};
  for (uint64_t i = 0; i < 200; ++i) {
    uint64_t index = 0;
    char text[24];
    CHECK_OK(jobring_results_next(results, JOBRING_FOREVER, &index, &result));
    snprintf(text, sizeof text, "%llu", (unsigned long long)i);
    CHECK(index == i);
    CHECK(bytes_are(&result, text));
    CHECK(counter.given <= i + 1 + 5);
  }
  CHECK_OK(jobring_results_cancel(results));
  const uint64_t given = counter.given;
  jobring_status status;
  while ((status = jobring_results_next(results, JOBRING_FOREVER, NULL, &result)) == JOBRING_OK)
    CHECK(result.outcome == JOBRING_OUTCOME_OK || result.outcome == JOBRING_OUTCOME_CANCELLED);
  CHECK(status == JOBRING_END);
  CHECK(counter.given == given);
  jobring_results_free(results);

  /* Freed in the middle, and with its pool's handle gone before it. */
  counter = (struct counter){.last = UINT64_MAX};
  CHECK_OK(jobring_map(place.pool, "echo", give_number, &counter, NULL, &results));
  CHECK_OK(jobring_results_next(results, JOBRING_FOREVER, NULL, &result));
  jobring_pool_free(place.pool);
  jobring_client_free(place.client);
  place.pool = NULL;
  place.client = NULL;
  CHECK_OK(jobring_results_next(results, JOBRING_FOREVER, NULL, &result));
  CHECK(result.outcome == JOBRING_OUTCOME_OK);
  jobring_results_free(results);
  close_place(&place);
}

void map_loop(void) {
  struct place place;
  open_place(&place, 2, "");
  struct counter counter = {.last = 300, .at_last = JOBRING_END};
  const jobring_map_options options = {.size = sizeof options, .buffer = 20};
  jobring_results* results = NULL;
  jobring_result result = {.size = sizeof result};
  int32_t fd = -1;
  uint64_t index = 0, taken = 0;
  int slept = 0;
  CHECK_STATUS(jobring_results_fd(NULL, &fd), JOBRING_BAD_INPUT);
  CHECK_OK(jobring_map(place.pool, "echo", give_number, &counter, &options, &results));
  CHECK_STATUS(jobring_results_fd(results, NULL), JOBRING_BAD_INPUT);
  CHECK_OK(jobring_results_fd(results, &fd));
  for (;;) {
    const jobring_status status = jobring_results_next(results, 0, &index, &result);
    if (status == JOBRING_END) break;
    if (status == JOBRING_OK) {
      CHECK(index == taken++);
      continue;
    }
    REQUIRE(status == JOBRING_TIMED_OUT);
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    REQUIRE(poll(&readable, 1, 20000) == 1);
    ++slept;
  }
  CHECK(taken == 300);
  CHECK(slept != 0);
  jobring_results_free(results);
  close_place(&place);
}

static jobring_status give_nonsense(void* user, const void** bytes, size_t* len) {
  (void)user;
  *bytes = NULL;
  *len = 3;
  return JOBRING_OK;
}

/* Takes all; how many were good before the first error, which is *status, or the end. */
static int take_until_error(jobring_results* results, jobring_status* status, int* after) {
  jobring_result result = {.size = sizeof result};
  int before = 0;
  while ((*status = jobring_results_next(results, JOBRING_FOREVER, NULL, &result)) == JOBRING_OK)
    ++before;
  *after = 0;
  while (jobring_results_next(results, JOBRING_FOREVER, NULL, &result) == JOBRING_OK) ++*after;
  CHECK_STATUS(jobring_results_next(results, JOBRING_FOREVER, NULL, &result), JOBRING_END);
  return before;
}

void map_errors(void) {
  struct place place;
  open_place(&place, 2, "");
  jobring_results* results = NULL;
  jobring_status status = 0;
  int after = 0;
  /* Its own error number, once; what was submitted before is still there. */
  struct counter counter = {.last = 3, .at_last = -77};
  CHECK_OK(jobring_map(place.pool, "echo", give_number, &counter, NULL, &results));
  CHECK(take_until_error(results, &status, &after) + after == 3);
  CHECK(status == -77);
  CHECK_TEXT(jobring_last_error_kind(), "source_failed");
  CHECK_TEXT(jobring_last_error(), "the source of a map returned -77");
  jobring_results_free(results);
  /* A positive number that means nothing here. */
  counter = (struct counter){.last = 1, .at_last = JOBRING_TIMED_OUT};
  CHECK_OK(jobring_map(place.pool, "echo", give_number, &counter, NULL, &results));
  CHECK(take_until_error(results, &status, &after) + after == 1);
  CHECK(status == JOBRING_SOURCE_FAILED);
  jobring_results_free(results);
  CHECK_OK(jobring_map(place.pool, "echo", give_nonsense, NULL, NULL, &results));
  CHECK(take_until_error(results, &status, &after) == 0);
  CHECK(status == JOBRING_BAD_INPUT);
  jobring_results_free(results);

  results = (jobring_results*)&place;
  CHECK_STATUS(jobring_map(place.pool, "echo", NULL, NULL, NULL, &results), JOBRING_BAD_INPUT);
  CHECK(results == NULL);
  const jobring_bytes bad[] = {{"x", 1}, {NULL, 1}};
  CHECK_STATUS(jobring_map_array(place.pool, "echo", bad, 2, NULL, &results), JOBRING_BAD_INPUT);
  CHECK_STATUS(jobring_map_array(place.pool, "echo", NULL, 2, NULL, &results), JOBRING_BAD_INPUT);
  /* Jobs that fail are results like others. */
  const jobring_bytes some[] = {{"x", 1}, {"y", 1}};
  jobring_result result = {.size = sizeof result};
  CHECK_OK(jobring_map_array(place.pool, "throw_std", some, 2, NULL, &results));
  CHECK_OK(jobring_results_next(results, JOBRING_FOREVER, NULL, &result));
  CHECK(result.outcome == JOBRING_OUTCOME_FAILED);
  CHECK(bytes_are(&result, "thrown: x"));
  CHECK_TEXT(result.error_type, "std::runtime_error");
  jobring_results_free(results);
  close_place(&place);
}
