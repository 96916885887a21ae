/* Jobs, commands, reservations: what one submits. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"

void submit_and_result(void) {
  struct place place;
  open_place(&place, 2, "");
  jobring_future* future = NULL;
  const char payload[] = "with\0NUL";
  CHECK_OK(
      jobring_submit(place.pool, "echo", payload, sizeof payload, NULL, JOBRING_FOREVER, &future));
  CHECK_OK(jobring_future_wait(future, JOBRING_FOREVER));
  int32_t ready = 0;
  CHECK_OK(jobring_future_ready(future, &ready));
  CHECK(ready == 1);
  jobring_result result = {.size = sizeof result};
  CHECK_OK(jobring_future_result(future, 0, &result));
  CHECK(result.size == sizeof result);
  CHECK(result.outcome == JOBRING_OUTCOME_OK);
  CHECK(result.bytes_len == sizeof payload);
  CHECK(memcmp(result.bytes, payload, sizeof payload) == 0);
  CHECK(result.worker < 2);
  CHECK(result.attempts == 0);
  CHECK(result.queued_ns > 0);
  CHECK_TEXT(result.error_type, "");
  /* The same pointers, as often as one asks. */
  jobring_result again = result_of(future);
  CHECK(again.bytes == result.bytes);
  jobring_future_free(future);

  /* Nothing is something too. */
  CHECK_OK(jobring_submit(place.pool, "echo", NULL, 0, NULL, JOBRING_FOREVER, &future));
  result = result_of(future);
  CHECK(result.outcome == JOBRING_OUTCOME_OK);
  CHECK(result.bytes_len == 0);
  CHECK(result.bytes != NULL);
  jobring_future_free(future);
  close_place(&place);
}

void call(void) {
  struct place place;
  open_place(&place, 2, "");
  void* bytes = NULL;
  size_t len = 0;
  CHECK_OK(jobring_call(place.pool, "echo", "hello", 5, NULL, &bytes, &len));
  CHECK(len == 5);
  CHECK_TEXT(bytes, "hello");
  jobring_free(bytes);
  CHECK_OK(jobring_call(place.pool, "echo", "hello", 5, NULL, &bytes, NULL));
  jobring_free(bytes);

  bytes = &place;
  CHECK_STATUS(jobring_call(place.pool, "throw_std", "x", 1, NULL, &bytes, &len),
               JOBRING_JOB_FAILED);
  CHECK(bytes == NULL);
  CHECK_TEXT(jobring_last_error_kind(), "failed");
  CHECK_TEXT(jobring_last_error(), "job failed: std::runtime_error: thrown: x");
  CHECK(jobring_last_error_exit_status() == 1);
  CHECK_STATUS(jobring_call(place.pool, "no_such", "x", 1, NULL, &bytes, &len), JOBRING_JOB_FAILED);
  CHECK_TEXT(jobring_last_error_kind(), "unknown_handler");
  close_place(&place);
}

void failures_are_told(void) {
  struct place place;
  open_place(&place, 2, "");
  jobring_future* thrown = submit(place.pool, "throw_app", "seven");
  jobring_result result = result_of(thrown);
  CHECK(result.outcome == JOBRING_OUTCOME_FAILED);
  CHECK_TEXT(result.error_type, "app::BadInput");
  CHECK(bytes_are(&result, "not a number: seven"));
  jobring_future* crashed = submit(place.pool, "abort", "");
  result = result_of(crashed);
  CHECK(result.outcome == JOBRING_OUTCOME_CRASHED);
  CHECK(result.detail == 6);
  CHECK(result.bytes_len > 0);
  jobring_future* retried = NULL;
  const jobring_job_options twice = {.size = sizeof twice, .crash_retries = 1};
  CHECK_OK(jobring_submit(place.pool, "abort", "", 0, &twice, JOBRING_FOREVER, &retried));
  result = result_of(retried);
  CHECK(result.outcome == JOBRING_OUTCOME_CRASHED);
  CHECK(result.attempts == 2);
  jobring_future_free(thrown);
  jobring_future_free(crashed);
  jobring_future_free(retried);
  close_place(&place);
}

void options(void) {
  struct place place;
  open_place(&place, 1, "");
  jobring_future* blocker = submit_reporter(&place, "gate");
  await_report(blocker);
  jobring_future *low, *high, *late;
  jobring_job_options o = {.size = sizeof o, .priority = JOBRING_PRIORITY_LOW, .tag = "the slow"};
  CHECK_OK(jobring_submit(place.pool, "echo", "low", 3, &o, JOBRING_FOREVER, &low));
  o.priority = JOBRING_PRIORITY_HIGH;
  o.tag = NULL;
  CHECK_OK(jobring_submit(place.pool, "echo", "high", 4, &o, JOBRING_FOREVER, &high));
  o.start_within_ns = 1; /* rounded up to a millisecond: not the same as none */
  CHECK_OK(jobring_submit(place.pool, "echo", "late", 4, &o, JOBRING_FOREVER, &late));
  usleep(5000);
  open_gate(&place, "gate");
  jobring_result first = result_of(low), second = result_of(high), third = result_of(late);
  CHECK(bytes_are(&first, "low"));
  CHECK(bytes_are(&second, "high"));
  CHECK(first.queued_ns > second.queued_ns);
  CHECK(third.outcome == JOBRING_OUTCOME_EXPIRED);
  jobring_future_free(blocker);
  jobring_future_free(low);
  jobring_future_free(high);
  jobring_future_free(late);

  /* Seen by who looks. */
  jobring_job_options tagged = {.size = sizeof tagged, .tag = "visible tag"};
  jobring_future* waits = submit_at_gate(&place, place.pool, "gate2", &tagged);
  char* text = NULL;
  for (int tries = 0; tries < 5000; ++tries) {
    REQUIRE(jobring_status_json(place.client, &text, NULL) == JOBRING_OK);
    if (strstr(text, "visible tag") != NULL) break;
    jobring_free(text);
    text = NULL;
    usleep(2000);
  }
  CHECK(text != NULL);
  jobring_free(text);
  open_gate(&place, "gate2");
  CHECK(result_of(waits).outcome == JOBRING_OUTCOME_OK);
  jobring_future_free(waits);

  o = (jobring_job_options){.size = sizeof o, .timeout_ns = 20000000};
  jobring_future* spins = NULL;
  CHECK_OK(jobring_submit(place.pool, "spin", "", 0, &o, JOBRING_FOREVER, &spins));
  CHECK(result_of(spins).outcome == JOBRING_OUTCOME_TIMED_OUT);
  jobring_future_free(spins);
  close_place(&place);
}

void patience(void) {
  struct place place;
  open_place(&place, 2, "");
  const jobring_pool_options two = {.size = sizeof two, .slots = 2};
  jobring_pool* small = NULL;
  CHECK_OK(jobring_pool_open(place.client, "default", &two, &small));
  jobring_future* a = submit_at_gate(&place, small, "a", NULL);
  jobring_future* b = submit_at_gate(&place, small, "b", NULL);
  jobring_future* c = a;
  CHECK_STATUS(jobring_submit(small, "echo", "", 0, NULL, 0, &c), JOBRING_TIMED_OUT);
  CHECK(c == NULL);
  CHECK_STATUS(jobring_submit(small, "echo", "", 0, NULL, 3000000, &c), JOBRING_TIMED_OUT);
  /* A channel of its own: the other one has room. */
  jobring_future* other = submit(place.pool, "no_such", "");
  open_gate(&place, "b");
  CHECK_OK(jobring_submit(small, "echo", "", 0, NULL, JOBRING_FOREVER, &c));
  open_gate(&place, "a");
  CHECK(result_of(a).outcome == JOBRING_OUTCOME_OK);
  CHECK(result_of(b).outcome == JOBRING_OUTCOME_OK);
  CHECK(result_of(c).outcome == JOBRING_OUTCOME_OK);
  CHECK(result_of(other).outcome == JOBRING_OUTCOME_UNKNOWN_HANDLER);
  jobring_future_free(a);
  jobring_future_free(b);
  jobring_future_free(c);
  jobring_future_free(other);
  jobring_pool_free(small);
  close_place(&place);
}

void in_place(void) {
  struct place place;
  open_place(&place, 2, ", \"slots\": 4, \"max_payload\": \"1MiB\", \"max_result\": \"1MiB\"");
  enum { kSize = 300000 };
  char* big = malloc(kSize);
  REQUIRE(big != NULL);
  memset(big, 'b', kSize);
  jobring_job_options o = {.size = sizeof o, .in_place = 1};
  jobring_future* held[4];
  for (int i = 0; i < 4; ++i)
    CHECK_OK(jobring_submit(place.pool, "echo", big, kSize, &o, JOBRING_FOREVER, &held[i]));
  for (int i = 0; i < 4; ++i) CHECK_OK(jobring_future_wait(held[i], JOBRING_FOREVER));
  jobring_future* more = NULL;
  CHECK_STATUS(jobring_submit(place.pool, "echo", "", 0, NULL, JOBRING_FOREVER, &more),
               JOBRING_FULL);
  jobring_future_free(held[3]);
  CHECK_OK(jobring_submit(place.pool, "echo", "", 0, NULL, JOBRING_FOREVER, &more));
  jobring_pool_free(place.pool);
  jobring_client_free(place.client);
  place.pool = NULL;
  place.client = NULL;
  for (int i = 0; i < 3; ++i) {
    jobring_result result = result_of(held[i]);
    CHECK(result.bytes_len == kSize);
    CHECK(memcmp(result.bytes, big, kSize) == 0);
    jobring_future_free(held[i]);
  }
  jobring_future_free(more);
  free(big);
  close_place(&place);
}

void commands(void) {
  struct place place;
  open_place(&place, 2, "");
  const char* argv[] = {"sh", "-c",
                        "cat; pwd; umask; echo \"$GREETING\" >&2; echo 0123456789; exit 3", NULL};
  const char* env[] = {"GREETING=good day", NULL};
  jobring_command command = {.size = sizeof command,
                             .argv = argv,
                             .env = env,
                             .cwd = "/usr",
                             .stdin_bytes = "in\n",
                             .stdin_len = 3,
                             .set_umask = 1,
                             .umask = 027};
  jobring_future* future = NULL;
  CHECK_OK(jobring_run(place.pool, &command, NULL, JOBRING_FOREVER, &future));
  jobring_command_result report = {.size = sizeof report};
  CHECK_OK(jobring_future_command(future, JOBRING_FOREVER, &report));
  CHECK(report.exit_code == 3);
  CHECK(report.shell_status == 3);
  CHECK(report.signal == 0);
  CHECK(report.pid != 0);
  CHECK(report.stdout_truncated == 0);
  CHECK(report.stdout_len == 24 &&
        memcmp(report.stdout_bytes, "in\n/usr\n0027\n0123456789\n", 24) == 0);
  CHECK(report.stderr_len == 9 && memcmp(report.stderr_bytes, "good day\n", 9) == 0);
  CHECK(result_of(future).outcome == JOBRING_OUTCOME_FAILED);
  CHECK(result_of(future).detail == 3);
  jobring_future_free(future);

  command.output_max = 4;
  CHECK_OK(jobring_run(place.pool, &command, NULL, JOBRING_FOREVER, &future));
  CHECK_OK(jobring_future_command(future, JOBRING_FOREVER, &report));
  CHECK(report.stdout_truncated == 1);
  CHECK(report.stdout_len == 4);
  CHECK(report.stdout_total == 24);
  jobring_future_free(future);

  /* Limits of its own, and one above its worker's. */
  const char* limited[] = {"sh", "-c", "ulimit -n; ulimit -t", NULL};
  const jobring_limit limits[] = {{.what = JOBRING_LIMIT_OPEN_FILES, .value = 40},
                                  {.what = JOBRING_LIMIT_CPU, .value = 60}};
  command = (jobring_command){
      .size = sizeof command, .argv = limited, .limits = limits, .limits_count = 2};
  CHECK_OK(jobring_run(place.pool, &command, NULL, JOBRING_FOREVER, &future));
  CHECK_OK(jobring_future_command(future, JOBRING_FOREVER, &report));
  CHECK(report.stdout_len == 6 && memcmp(report.stdout_bytes, "40\n60\n", 6) == 0);
  jobring_future_free(future);
  const jobring_limit above = {.what = JOBRING_LIMIT_OPEN_FILES, .value = JOBRING_UNLIMITED};
  command.limits = &above;
  command.limits_count = 1;
  CHECK_OK(jobring_run(place.pool, &command, NULL, JOBRING_FOREVER, &future));
  CHECK_OK(jobring_future_command(future, JOBRING_FOREVER, &report));
  CHECK(report.start_errno == 1 && report.shell_status == 126);
  CHECK(strncmp(report.start_step, "limit open_files to unlimited", 29) == 0);
  jobring_future_free(future);

  const char* missing[] = {"/no/such/program", NULL};
  command = (jobring_command){.size = sizeof command, .argv = missing};
  CHECK_OK(jobring_run(place.pool, &command, NULL, JOBRING_FOREVER, &future));
  CHECK_OK(jobring_future_command(future, JOBRING_FOREVER, &report));
  CHECK(report.exit_code == -1);
  CHECK(report.start_errno == 2);
  CHECK(report.shell_status == 127);
  CHECK_TEXT(report.start_step, "exec /no/such/program");
  CHECK(report.stdout_bytes != NULL);
  jobring_future_free(future);

  /* A time-out of the job, told as one. */
  const char* sleeper[] = {"sleep", "1000", NULL};
  const jobring_job_options brief = {.size = sizeof brief, .timeout_ns = 20000000};
  command.argv = sleeper;
  CHECK_OK(jobring_run(place.pool, &command, &brief, JOBRING_FOREVER, &future));
  CHECK_STATUS(jobring_future_command(future, 0, &report), JOBRING_TIMED_OUT);
  CHECK_OK(jobring_future_command(future, JOBRING_FOREVER, &report));
  CHECK(report.timed_out == 1);
  CHECK(report.shell_status == 124);
  jobring_future_free(future);

  /* No command at all, and one that never ran. */
  future = submit(place.pool, "echo", "hello");
  CHECK_STATUS(jobring_future_command(future, JOBRING_FOREVER, &report), JOBRING_BAD_INPUT);
  jobring_future_free(future);
  future = submit(place.pool, "abort", "");
  CHECK_STATUS(jobring_future_command(future, JOBRING_FOREVER, &report), JOBRING_JOB_FAILED);
  jobring_future_free(future);

  /* This process's own stdout. */
  const jobring_pool_options pass = {.size = sizeof pass, .pass_stdio = 1};
  char path[128];
  snprintf(path, sizeof path, "%s/out", place.dir);
  fflush(stdout);
  const int saved = dup(1);
  const int out = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  REQUIRE(saved >= 0 && out >= 0 && dup2(out, 1) == 1);
  jobring_pool* own = NULL;
  CHECK_OK(jobring_pool_open(place.client, NULL, &pass, &own));
  const char* says[] = {"echo", "straight", NULL};
  command = (jobring_command){.size = sizeof command, .argv = says, .use_stdio = 1};
  CHECK_OK(jobring_run(own, &command, NULL, JOBRING_FOREVER, &future));
  CHECK(result_of(future).outcome == JOBRING_OUTCOME_OK);
  REQUIRE(dup2(saved, 1) == 1);
  char text[32] = {0};
  CHECK(pread(out, text, sizeof text - 1, 0) == 9);
  CHECK_TEXT(text, "straight\n");
  close(saved);
  close(out);
  jobring_future_free(future);
  jobring_pool_free(own);
  close_place(&place);
}

void reservations(void) {
  struct place place;
  open_place(&place, 2, "");
  jobring_reservation* room = NULL;
  void* bytes = NULL;
  jobring_future* future = NULL;
  CHECK_OK(jobring_reserve(place.pool, 100, &room, &bytes));
  REQUIRE(bytes != NULL);
  memcpy(bytes, "made in place", 13);
  CHECK_STATUS(jobring_reservation_submit(room, "echo", 101, NULL, &future), JOBRING_BAD_INPUT);
  CHECK(future == NULL);
  CHECK_OK(jobring_reservation_submit(room, "echo", 13, NULL, &future));
  jobring_result result = result_of(future);
  CHECK(bytes_are(&result, "made in place"));
  jobring_future* twice = future;
  CHECK_STATUS(jobring_reservation_submit(room, "echo", 13, NULL, &twice), JOBRING_BAD_INPUT);
  CHECK(twice == NULL);
  jobring_reservation_free(room);
  jobring_future_free(future);

  /* What is not submitted is given back: more of them than there are slots. */
  const jobring_pool_options two = {.size = sizeof two, .slots = 2};
  jobring_pool* small = NULL;
  CHECK_OK(jobring_pool_open(place.client, NULL, &two, &small));
  for (int i = 0; i < 10; ++i) {
    CHECK_OK(jobring_reserve(small, 10, &room, &bytes));
    jobring_reservation_free(room);
  }
  /* One that is left over when its pool goes. */
  CHECK_OK(jobring_reserve(small, 10, &room, &bytes));
  jobring_pool_free(small);
  memset(bytes, 'x', 10);
  jobring_reservation_free(room);
  uint64_t most = 0;
  CHECK_OK(jobring_pool_max_payload(place.pool, &most));
  CHECK_STATUS(jobring_reserve(place.pool, most + 1, &room, &bytes), JOBRING_BAD_INPUT);
  CHECK(room == NULL);
  CHECK(bytes == NULL);
  close_place(&place);
}

void daemon_words(void) {
  struct place place;
  open_place(&place, 2, ", \"max_payload\": \"1MiB\", \"max_result\": \"2MiB\"");
  jobring_pong pong = {.size = sizeof pong};
  CHECK_OK(jobring_ping(place.client, &pong));
  CHECK(pong.pid > 1);
  CHECK(pong.round_trip_ns > 0);
  CHECK_TEXT(pong.version, jobring_version());
  char* text = NULL;
  size_t len = 0;
  CHECK_OK(jobring_status_json(place.client, &text, &len));
  REQUIRE(text != NULL);
  CHECK(strlen(text) == len);
  CHECK(text[0] == '{');
  CHECK(strstr(text, "\"c_tests\"") != NULL);
  jobring_free(text);
  int32_t private = 0;
  CHECK_OK(jobring_client_is_private(place.client, &private));
  CHECK(private == 1);
  uint64_t number = 1;
  CHECK_OK(jobring_pool_outstanding(place.pool, &number));
  CHECK(number == 0);
  CHECK_OK(jobring_pool_max_payload(place.pool, &number));
  CHECK(number == 1 << 20);
  CHECK_OK(jobring_pool_max_result(place.pool, &number));
  CHECK(number == 2 << 20);
  const char* name = NULL;
  CHECK_OK(jobring_pool_name(place.pool, &name));
  CHECK_TEXT(name, "default");
  jobring_pool* none = place.pool;
  CHECK_STATUS(jobring_pool_open(place.client, "no_such", NULL, &none), JOBRING_UNKNOWN_POOL);
  CHECK(none == NULL);
  CHECK_TEXT(jobring_last_error_kind(), "unknown_pool");
  CHECK(jobring_last_error_exit_status() == 65);
  close_place(&place);
}
