/* The fast lane. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "check.h"

static jobring_channel* open_channel(struct place* place, uint32_t slots) {
  const jobring_pool_options options = {.size = sizeof options, .slots = slots};
  jobring_channel* channel = NULL;
  REQUIRE(jobring_channel_open(place->client, NULL, &options, &channel) == JOBRING_OK);
  return channel;
}

static uint32_t handler_of(jobring_channel* channel, const char* name) {
  uint32_t handler = 77;
  REQUIRE(jobring_channel_handler(channel, name, &handler) == JOBRING_OK);
  return handler;
}

/* The next completion; its pointers are valid until the next call. */
static jobring_completion next_of(jobring_channel* channel) {
  jobring_completion done = {0};
  size_t count = 0;
  REQUIRE(jobring_channel_submit(channel) == JOBRING_OK);
  do {
    REQUIRE(jobring_channel_wait(channel, 1, JOBRING_FOREVER) == JOBRING_OK);
    REQUIRE(jobring_channel_reap(channel, &done, 1, &count) == JOBRING_OK);
  } while (count == 0);
  return done;
}

static int has_bytes(const jobring_completion* done, const void* bytes, size_t len) {
  return done->bytes_len == len && memcmp(done->bytes, bytes, len) == 0;
}

/* Many thousands of jobs, hundreds with each call. */
void channel_batches(void) {
  enum { kJobs = 20000, kBatch = 500 };
  static char texts[kJobs][8];
  static jobring_bytes payloads[kJobs];
  static char seen[kJobs];
  memset(seen, 0, sizeof seen);
  struct place place;
  open_place(&place, 2, "");
  jobring_channel* channel = open_channel(&place, 0);
  const uint32_t echo = handler_of(channel, "echo");
  CHECK(handler_of(channel, "echo") == echo);
  for (int i = 0; i < kJobs; ++i) {
    snprintf(texts[i], sizeof texts[i], "%d", i);
    payloads[i] = (jobring_bytes){texts[i], strlen(texts[i])};
  }
  size_t given = 0, taken = 0;
  int was_full = 0;
  jobring_completion done[JOBRING_REAP_MAX];
  while (taken < kJobs) {
    size_t count = 0;
    while (given < kJobs) {
      const size_t batch = kJobs - given < kBatch ? kJobs - given : kBatch;
      const jobring_status status =
          jobring_channel_prepare_many(channel, echo, payloads + given, batch, given, NULL, &count);
      REQUIRE(status == (count == batch ? JOBRING_OK : JOBRING_NONE));
      given += count;
      was_full |= status == JOBRING_NONE;
      if (status == JOBRING_NONE) break;
    }
    CHECK_OK(jobring_channel_submit(channel));
    REQUIRE(jobring_channel_wait(channel, 100, JOBRING_FOREVER) == JOBRING_OK);
    CHECK_OK(jobring_channel_reap(channel, done, JOBRING_REAP_MAX, &count));
    for (size_t i = 0; i < count; ++i) {
      REQUIRE(done[i].tag < kJobs && !seen[done[i].tag]);
      seen[done[i].tag] = 1;
      CHECK(done[i].outcome == JOBRING_OUTCOME_OK);
      CHECK(has_bytes(&done[i], texts[done[i].tag], strlen(texts[done[i].tag])));
      CHECK(done[i].error_type_len == 0);
    }
    taken += count;
  }
  CHECK(was_full);
  CHECK_STATUS(jobring_channel_wait(channel, 1, JOBRING_FOREVER), JOBRING_NONE);
  uint64_t jobs = 1, slots = 0, payload = 0, result = 0, pool_payload = 0;
  int32_t connected = 0;
  CHECK_OK(jobring_channel_outstanding(channel, &jobs));
  CHECK(jobs == 0);
  CHECK_OK(jobring_channel_slots(channel, &slots));
  CHECK(slots >= kBatch);
  CHECK_OK(jobring_channel_max_payload(channel, &payload));
  CHECK_OK(jobring_pool_max_payload(place.pool, &pool_payload));
  CHECK(payload == pool_payload);
  CHECK_OK(jobring_channel_max_result(channel, &result));
  CHECK(result != 0);
  CHECK_OK(jobring_channel_connected(channel, &connected));
  CHECK(connected == 1);
  jobring_channel_free(channel);
  close_place(&place);
}

void channel_reserved(void) {
  struct place place;
  open_place(&place, 1, "");
  jobring_channel* channel = open_channel(&place, 2);
  const uint32_t echo = handler_of(channel, "echo");
  void* room = NULL;
  jobring_completion done;
  CHECK_STATUS(jobring_channel_prepare_reserved(channel, echo, 0, 1, NULL, NULL),
               JOBRING_BAD_INPUT);
  CHECK_OK(jobring_channel_reserve(channel, 5000, &room));
  REQUIRE(room != NULL);
  memset(room, 'r', 5000);
  CHECK_STATUS(jobring_channel_prepare_reserved(channel, echo, 5001, 1, NULL, NULL),
               JOBRING_BAD_INPUT);
  CHECK_OK(jobring_channel_prepare(channel, echo, "beside it", 9, 2, NULL, NULL));
  CHECK_STATUS(jobring_channel_prepare(channel, echo, "", 0, 3, NULL, NULL), JOBRING_NONE);
  done = next_of(channel);
  CHECK(done.tag == 2);
  CHECK_OK(jobring_channel_prepare_reserved(channel, echo, 7, 4, NULL, NULL));
  done = next_of(channel);
  CHECK(done.tag == 4);
  CHECK(has_bytes(&done, "rrrrrrr", 7));
  size_t count = 1;
  CHECK_OK(jobring_channel_reap(channel, &done, 1, &count));
  CHECK(count == 0);
  for (int i = 0; i < 5; ++i) CHECK_OK(jobring_channel_reserve(channel, 1, &room));
  CHECK_OK(jobring_channel_prepare(channel, echo, "", 0, 5, NULL, NULL));
  CHECK_OK(jobring_channel_prepare_reserved(channel, echo, 0, 6, NULL, NULL));
  CHECK_STATUS(jobring_channel_reserve(channel, 1, &room), JOBRING_NONE);
  CHECK(room == NULL);
  next_of(channel);
  next_of(channel);
  jobring_channel_free(channel);
  close_place(&place);
}

static jobring_channel* of_progress;
static int reports(void* user) {
  jobring_progress said = {.size = sizeof said};
  const jobring_status status = jobring_channel_progress(of_progress, user, &said);
  return status == JOBRING_OK && said.done != 0 && said.done == said.total;
}

void channel_ends(void) {
  struct place place;
  open_place(&place, 1, "");
  jobring_channel* channel = open_channel(&place, 16);
  const uint32_t fail = handler_of(channel, "throw_std"),
                 report = handler_of(channel, "report_fast"), echo = handler_of(channel, "echo"),
                 unknown = handler_of(channel, "nobody");
  jobring_completion done;
  CHECK_OK(jobring_channel_prepare(channel, fail, "x", 1, 1, NULL, NULL));
  done = next_of(channel);
  CHECK(done.outcome == JOBRING_OUTCOME_FAILED);
  CHECK(has_bytes(&done, "thrown: x", 9));
  CHECK(done.error_type_len == 18 && memcmp(done.error_type, "std::runtime_error", 18) == 0);
  CHECK_OK(jobring_channel_prepare(channel, unknown, "", 0, 2, NULL, NULL));
  done = next_of(channel);
  CHECK(done.outcome == JOBRING_OUTCOME_UNKNOWN_HANDLER);
  CHECK(done.error_type != NULL && done.bytes != NULL);

  jobring_job_ref runs, waits, more;
  jobring_progress said = {.size = sizeof said};
  const jobring_job_options tagged = {.size = sizeof tagged, .tag = "of the channel"};
  int32_t withdrawn = 0;
  uint64_t count = 0;
  CHECK_OK(jobring_channel_prepare(channel, report, "", 0, 3, &tagged, &runs));
  CHECK_OK(jobring_channel_prepare(channel, echo, "", 0, 4, NULL, &waits));
  CHECK_OK(jobring_channel_prepare(channel, echo, "", 0, 5, NULL, &more));
  CHECK_OK(jobring_channel_prepare(channel, echo, "", 0, 6, NULL, NULL));
  CHECK_OK(jobring_channel_submit(channel));
  CHECK_STATUS(jobring_channel_wait(channel, 1, 1000000), JOBRING_TIMED_OUT);
  of_progress = channel;
  eventually(reports, &runs, "the job reports");
  CHECK_STATUS(jobring_channel_progress(channel, &waits, &said), JOBRING_NONE);
  CHECK_OK(jobring_channel_cancel(channel, &runs, &withdrawn));
  CHECK(withdrawn == 0);
  CHECK_OK(jobring_channel_cancel(channel, &waits, &withdrawn));
  CHECK(withdrawn == 1);
  CHECK_OK(jobring_channel_cancel(channel, &waits, &withdrawn));
  CHECK(withdrawn == 0);
  CHECK_OK(jobring_channel_kill(channel, &more, 15)); /* the same, of one that waits */
  CHECK_OK(jobring_channel_cancel_all(channel, &count));
  CHECK(count == 1);
  CHECK_OK(jobring_channel_kill(channel, &runs, 15));
  int cancelled = 0;
  for (int i = 0; i < 4; ++i) {
    done = next_of(channel);
    cancelled += done.outcome == JOBRING_OUTCOME_CANCELLED;
    if (done.tag == 3) CHECK(done.outcome == JOBRING_OUTCOME_OK);
  }
  CHECK(cancelled == 3);
  /* Of jobs that have ended, and of none. */
  const jobring_job_ref nonsense = {.generation = 7, .slot = UINT32_MAX};
  CHECK_OK(jobring_channel_kill(channel, &runs, 15));
  CHECK_OK(jobring_channel_kill(channel, &nonsense, 15));
  CHECK_OK(jobring_channel_cancel(channel, &nonsense, NULL));
  CHECK_STATUS(jobring_channel_progress(channel, &nonsense, &said), JOBRING_NONE);
  jobring_channel_free(channel);
  close_place(&place);
}

/* A command, by hand; and a descriptor that says when to reap. */
void channel_loop(void) {
  struct place place;
  open_place(&place, 2, "");
  jobring_channel* channel = open_channel(&place, 0);
  jobring_client_free(place.client); /* the channel has its connection */
  jobring_pool_free(place.pool);
  place.client = NULL;
  place.pool = NULL;
  const char* argv[] = {"sh", "-c", "cat; exit 3", NULL};
  const jobring_command command = {
      .size = sizeof command, .argv = argv, .stdin_bytes = "words", .stdin_len = 5};
  void* payload = NULL;
  size_t len = 0;
  int32_t fd = -1;
  CHECK_OK(jobring_command_encode(&command, &payload, &len));
  CHECK_OK(jobring_channel_fd(channel, &fd));
  const uint32_t exec = handler_of(channel, "exec");
  for (uint64_t i = 0; i < 20; ++i)
    CHECK_OK(jobring_channel_prepare(channel, exec, payload, len, i, NULL, NULL));
  jobring_free(payload);
  CHECK_OK(jobring_channel_submit(channel));
  for (size_t reaped = 0, count = 0; reaped < 20;) {
    jobring_completion done[8];
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    REQUIRE(poll(&readable, 1, 20000) == 1);
    CHECK_OK(jobring_channel_arm(channel));
    do {
      CHECK_OK(jobring_channel_reap(channel, done, 8, &count));
      for (size_t i = 0; i < count; ++i) {
        jobring_command_result report = {.size = sizeof report};
        CHECK(done[i].outcome == JOBRING_OUTCOME_FAILED);
        CHECK_OK(jobring_command_decode(done[i].bytes, done[i].bytes_len, &report));
        CHECK(report.exit_code == 3);
        CHECK(report.stdout_len == 5 && memcmp(report.stdout_bytes, "words", 5) == 0);
      }
      reaped += count;
    } while (count != 0);
  }
  jobring_channel_free(channel);
  close_place(&place);
}

#define CHECK_BAD(call) CHECK_STATUS(call, JOBRING_BAD_INPUT)

void channel_misuse(void) {
  struct place place;
  open_place(&place, 1, "");
  jobring_channel *channel = open_channel(&place, 4), *none = channel;
  const uint32_t echo = handler_of(channel, "echo");
  jobring_completion done;
  jobring_job_ref ref = {0};
  jobring_progress said = {.size = sizeof said};
  jobring_bytes some[] = {{"1", 1}, {"2", 1}, {NULL, 1}};
  uint32_t handler = 0;
  uint64_t number = 0;
  size_t count = 77;
  int32_t flag = 0;
  void* room = NULL;
  CHECK_BAD(jobring_channel_open(NULL, NULL, NULL, &none));
  CHECK(none == NULL);
  CHECK_BAD(jobring_channel_open(place.client, NULL, NULL, NULL));
  CHECK_STATUS(jobring_channel_open(place.client, "nobody", NULL, &none), JOBRING_UNKNOWN_POOL);
  const jobring_pool_options small = {.size = 3};
  CHECK_BAD(jobring_channel_open(place.client, NULL, &small, &none));
  CHECK_BAD(jobring_channel_handler(NULL, "echo", &handler));
  CHECK_BAD(jobring_channel_handler(channel, NULL, &handler));
  CHECK_BAD(jobring_channel_handler(channel, "echo", NULL));
  CHECK_BAD(jobring_channel_handler(channel, "", &handler));
  CHECK_BAD(jobring_channel_handler(channel, "a_name_of_48_bytes_xxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
                                    &handler));
  /* A number that no name of this channel has. */
  CHECK_BAD(jobring_channel_prepare(channel, echo + 1, "", 0, 0, NULL, NULL));
  CHECK_BAD(jobring_channel_prepare(channel, UINT32_MAX, "", 0, 0, NULL, NULL));
  CHECK_BAD(jobring_channel_prepare(NULL, echo, "", 0, 0, NULL, NULL));
  CHECK_BAD(jobring_channel_prepare(channel, echo, NULL, 1, 0, NULL, NULL));
  const jobring_job_options late = {.size = sizeof late, .timeout_ns = -1};
  CHECK_BAD(jobring_channel_prepare(channel, echo, "", 0, 0, &late, NULL));
  CHECK_BAD(jobring_channel_prepare(channel, echo, "", SIZE_MAX, 0, NULL, NULL));
  CHECK_BAD(jobring_channel_prepare_with_stdio(NULL, echo, "", 0, 0, NULL, NULL));
  CHECK_BAD(jobring_channel_prepare_with_stdio(channel, 9, "", 0, 0, NULL, NULL));
  CHECK_BAD(jobring_channel_prepare_many(NULL, echo, some, 1, 0, NULL, &count));
  CHECK(count == 0);
  CHECK_BAD(jobring_channel_prepare_many(channel, echo, NULL, 1, 0, NULL, &count));
  CHECK_BAD(jobring_channel_prepare_many(channel, echo, some, 1, 0, NULL, NULL));
  CHECK_BAD(jobring_channel_prepare_many(channel, 9, some, 1, 0, NULL, &count));
  CHECK_BAD(jobring_channel_prepare_many(channel, echo, some, 3, 0, NULL, &count));
  CHECK(count == 2); /* those before the bad one are there */
  CHECK_OK(jobring_channel_prepare_many(channel, echo, NULL, 0, 0, NULL, &count));
  CHECK_BAD(jobring_channel_reserve(NULL, 1, &room));
  CHECK_BAD(jobring_channel_reserve(channel, 1, NULL));
  CHECK_BAD(jobring_channel_reserve(channel, SIZE_MAX, &room));
  CHECK_BAD(jobring_channel_prepare_reserved(NULL, echo, 0, 0, NULL, NULL));
  CHECK_BAD(jobring_channel_submit(NULL));
  CHECK_BAD(jobring_channel_reap(NULL, &done, 1, &count));
  CHECK_BAD(jobring_channel_reap(channel, NULL, 1, &count));
  CHECK_BAD(jobring_channel_reap(channel, &done, 1, NULL));
  CHECK_OK(jobring_channel_reap(channel, NULL, 0, &count));
  CHECK(count == 0);
  CHECK_BAD(jobring_channel_wait(NULL, 1, 0));
  CHECK_BAD(jobring_channel_wait(channel, 1, -1));
  CHECK_BAD(jobring_channel_cancel(NULL, &ref, &flag));
  CHECK_BAD(jobring_channel_cancel(channel, NULL, &flag));
  CHECK_BAD(jobring_channel_cancel_all(NULL, &number));
  CHECK_BAD(jobring_channel_kill(NULL, &ref, 15));
  CHECK_BAD(jobring_channel_kill(channel, NULL, 15));
  CHECK_BAD(jobring_channel_kill(channel, &ref, 0));
  CHECK_BAD(jobring_channel_kill(channel, &ref, 65));
  CHECK_BAD(jobring_channel_progress(NULL, &ref, &said));
  CHECK_BAD(jobring_channel_progress(channel, NULL, &said));
  CHECK_BAD(jobring_channel_progress(channel, &ref, NULL));
  said.size = 0;
  CHECK_BAD(jobring_channel_progress(channel, &ref, &said));
  CHECK_BAD(jobring_channel_fd(NULL, &flag));
  CHECK_BAD(jobring_channel_fd(channel, NULL));
  CHECK_BAD(jobring_channel_arm(NULL));
  CHECK_BAD(jobring_channel_outstanding(NULL, &number));
  CHECK_BAD(jobring_channel_outstanding(channel, NULL));
  CHECK_BAD(jobring_channel_slots(NULL, &number));
  CHECK_BAD(jobring_channel_slots(channel, NULL));
  CHECK_BAD(jobring_channel_max_payload(NULL, &number));
  CHECK_BAD(jobring_channel_max_payload(channel, NULL));
  CHECK_BAD(jobring_channel_max_result(NULL, &number));
  CHECK_BAD(jobring_channel_max_result(channel, NULL));
  CHECK_BAD(jobring_channel_connected(NULL, &flag));
  CHECK_BAD(jobring_channel_connected(channel, NULL));
  jobring_channel_free(NULL);
  /* Freed with jobs that are prepared, submitted, run, have ended and are reaped. */
  next_of(channel);
  CHECK_OK(jobring_channel_prepare(channel, handler_of(channel, "spin"), "", 0, 8, NULL, NULL));
  CHECK_OK(jobring_channel_submit(channel));
  CHECK_OK(jobring_channel_prepare(channel, echo, "", 0, 9, NULL, NULL));
  jobring_channel_free(channel);
  close_place(&place);
}

void channel_daemon_dies(void) {
  struct place place;
  open_place(&place, 1, "");
  jobring_channel* channel = open_channel(&place, 8);
  const uint32_t spin = handler_of(channel, "spin");
  for (uint64_t i = 0; i < 3; ++i)
    CHECK_OK(jobring_channel_prepare(channel, spin, "", 0, i, NULL, NULL));
  CHECK_OK(jobring_channel_submit(channel));
  kill_daemon(&place);
  uint64_t tags = 0;
  for (int i = 0; i < 3; ++i) {
    const jobring_completion done = next_of(channel);
    CHECK(done.outcome == JOBRING_OUTCOME_LOST);
    CHECK(done.bytes_len != 0);
    CHECK(done.error_type_len == 0);
    tags |= 1ull << done.tag;
  }
  CHECK(tags == 7);
  int32_t connected = 1;
  void* room = &place;
  CHECK_OK(jobring_channel_connected(channel, &connected));
  CHECK(connected == 0);
  CHECK_STATUS(jobring_channel_prepare(channel, spin, "", 0, 1, NULL, NULL), JOBRING_NO_DAEMON);
  CHECK_STATUS(jobring_channel_reserve(channel, 1, &room), JOBRING_NO_DAEMON);
  CHECK(room == NULL);
  CHECK_STATUS(jobring_channel_wait(channel, 1, JOBRING_FOREVER), JOBRING_NONE);
  CHECK_OK(jobring_channel_arm(channel));
  CHECK_OK(jobring_channel_submit(channel));
  jobring_channel_free(channel);
  close_place(&place);
}
