/* Durable jobs: submitted, waited for, looked at, changed. */
#include "durable.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

void open_keeper_place(struct place* place, int workers) {
  char pools[1024];
  const int len = snprintf(pools, sizeof pools,
                           "\"default\": {\"workers\": %d, \"modules\": [\"%s/faulty.so\","
                           " \"%s/futures.so\"]}",
                           workers, JOBRING_MODULE_DIR, JOBRING_MODULE_DIR);
  REQUIRE(len > 0 && (size_t)len < sizeof pools);
  open_place_that_keeps(place, pools);
}

jobring_durable* open_durable(struct place* place) {
  jobring_durable* durable = NULL;
  REQUIRE(jobring_durable_open(place->client, &durable) == JOBRING_OK);
  return durable;
}

static jobring_durable_future* attach(jobring_durable* durable, uint64_t id) {
  jobring_durable_future* future = NULL;
  REQUIRE(jobring_durable_attach(durable, id, &future) == JOBRING_OK);
  return future;
}

int32_t state_of(jobring_durable* durable, uint64_t id) {
  jobring_durable_future* future = attach(durable, id);
  jobring_durable_info info = {.size = sizeof info};
  REQUIRE(jobring_durable_future_info(future, JOBRING_FOREVER, &info) == JOBRING_OK);
  CHECK(info.id == id);
  jobring_durable_future_free(future);
  return info.state;
}

/* As it is now. */
static int32_t state_now(jobring_durable* durable, uint64_t id) {
  jobring_durable_list* list = NULL;
  jobring_durable_info info = {.size = sizeof info};
  REQUIRE(jobring_durable_show(durable, id, &list) == JOBRING_OK);
  REQUIRE(jobring_durable_list_job(list, 0, &info) == JOBRING_OK);
  jobring_durable_list_free(list);
  return info.state;
}

static uint64_t echo(jobring_durable* durable, const char* text,
                     const jobring_durable_options* options) {
  uint64_t id = 0;
  REQUIRE(jobring_durable_submit(durable, "echo", text, strlen(text), options, &id) == JOBRING_OK);
  return id;
}

static uint64_t shell(jobring_durable* durable, const char* line,
                      const jobring_durable_options* options) {
  const char* argv[] = {"sh", "-c", line, NULL};
  jobring_command command = {.size = sizeof command, .argv = argv};
  uint64_t id = 0;
  REQUIRE(jobring_durable_run(durable, &command, options, &id) == JOBRING_OK);
  return id;
}

static jobring_durable_filter only(const uint64_t* range) {
  return (jobring_durable_filter){
      .size = sizeof(jobring_durable_filter), .ids = range, .ranges = 1};
}

static uint64_t apply(jobring_durable* durable, int32_t verb, uint64_t id) {
  const uint64_t range[] = {id, id};
  const jobring_durable_filter filter = only(range);
  uint64_t changed = 0;
  CHECK_OK(jobring_durable_apply(durable, verb, &filter, NULL, 0, &changed, NULL));
  return changed;
}

static void count_up(jobring_durable_future* future, void* user) {
  int32_t ready = 0;
  CHECK_OK(jobring_durable_future_ready(future, &ready));
  CHECK(ready == 1);
  ++*(int*)user;
}

void durable_jobs(void) {
  struct place place;
  open_keeper_place(&place, 2);
  jobring_durable* durable = open_durable(&place);
  void* bytes = NULL;
  size_t len = 0;

  const uint64_t id = echo(durable, "hello", NULL);
  CHECK(id != 0);
  jobring_durable_future* future = attach(durable, id);
  uint64_t same = 0;
  CHECK_OK(jobring_durable_future_id(future, &same));
  CHECK(same == id);
  CHECK_OK(jobring_durable_future_wait(future, JOBRING_FOREVER));
  CHECK_OK(jobring_durable_future_get(future, &bytes, &len));
  CHECK(len == 5 && strcmp(bytes, "hello") == 0);
  jobring_free(bytes);
  jobring_durable_info info = {.size = sizeof info};
  CHECK_OK(jobring_durable_future_info(future, 0, &info));
  CHECK(info.state == JOBRING_DURABLE_SUCCEEDED);
  CHECK_TEXT(info.handler, "echo");
  CHECK_TEXT(info.options->pool, "default");
  CHECK(info.attempts == 1 && info.attempts_known == 1);
  CHECK(info.submitted_ms / 1000 + 3600 > time(NULL));
  jobring_durable_attempt attempt = {.size = sizeof attempt};
  CHECK_OK(jobring_durable_future_attempt(future, &attempt));
  CHECK(attempt.number == 1 && attempt.outcome == JOBRING_OUTCOME_OK);
  CHECK(jobring_durable_future_ref(future) == future);
  jobring_durable_future_free(future);
  jobring_durable_future_free(future);

  /* A command: its output, and how it failed. */
  const uint64_t said = shell(durable, "echo out; echo err >&2", NULL);
  future = attach(durable, said);
  CHECK_OK(jobring_durable_future_get(future, &bytes, NULL));
  CHECK_TEXT(bytes, "out\n");
  jobring_free(bytes);
  jobring_durable_future_free(future);
  jobring_durable_log log = {.size = sizeof log, .of_stderr = 1};
  CHECK_OK(jobring_durable_logs(durable, said, &log));
  CHECK(log.bytes_len == 4 && log.end == 1 && log.cut == 0 && log.attempt == 1);
  CHECK_TEXT(log.bytes, "err\n");
  jobring_free(log.bytes);
  future = attach(durable, shell(durable, "exit 3", NULL));
  CHECK_STATUS(jobring_durable_future_get(future, &bytes, NULL), JOBRING_JOB_FAILED);
  CHECK_TEXT(jobring_last_error_kind(), "failed");
  CHECK_OK(jobring_durable_future_attempt(future, &attempt));
  CHECK(attempt.exit_code == 3);
  jobring_durable_future_free(future);

  /* Through the descriptor. The program keeps no handle. */
  int called = 0;
  for (int i = 0; i < 500; ++i) {
    future = attach(durable, echo(durable, "x", NULL));
    CHECK_OK(jobring_durable_future_on_ready(future, count_up, &called));
    jobring_durable_future_free(future);
  }
  struct pollfd loop = {.events = POLLIN};
  CHECK_OK(jobring_durable_fd(durable, &loop.fd));
  CHECK_OK(jobring_durable_poll(durable, NULL));
  while (called < 500) {
    REQUIRE(poll(&loop, 1, 60000) == 1);
    CHECK_OK(jobring_durable_poll(durable, NULL));
  }
  /* What is dropped before its end is told when all is freed. */
  const jobring_durable_options held = {.size = sizeof held, .held = 1};
  future = attach(durable, echo(durable, "x", &held));
  CHECK_OK(jobring_durable_future_on_ready(future, count_up, &called));
  jobring_durable_future_free(future);
  jobring_durable_free(durable);
  CHECK(called == 501);

  /* Again, by its number alone. */
  durable = open_durable(&place);
  CHECK(state_of(durable, id) == JOBRING_DURABLE_SUCCEEDED);
  jobring_durable_free(durable);
  close_place(&place);
}

void durable_batches(void) {
  struct place place;
  open_keeper_place(&place, 2);
  jobring_durable* durable = open_durable(&place);
  enum { count = 1000 };
  jobring_durable_job* jobs = calloc(count, sizeof *jobs);
  jobring_durable_answer* answers = calloc(count, sizeof *answers);
  const jobring_durable_options key = {.size = sizeof key, .unique_key = "k", .held = 1};
  const jobring_durable_dependency first = {.on = 0, .any = 1, .in_batch = 1};
  const jobring_durable_options after = {.size = sizeof after, .after = &first, .after_count = 1};
  for (int i = 0; i < count; ++i)
    jobs[i] = (jobring_durable_job){.handler = "echo", .payload = "p", .payload_len = 1};
  jobs[500].options = jobs[501].options = &key;
  jobs[999].options = &after;
  size_t answered = 0;
  CHECK_OK(jobring_durable_submit_all(durable, jobs, count, answers, &answered));
  CHECK(answered == count);
  CHECK(answers[0].status == JOBRING_OK && answers[0].count == 1);
  CHECK(answers[501].status == JOBRING_DUPLICATE && answers[501].id == answers[500].id);
  CHECK_TEXT(answers[501].kind, "duplicate");
  CHECK(state_of(durable, answers[999].id) == JOBRING_DURABLE_SUCCEEDED);

  uint64_t id = 0;
  CHECK_STATUS(jobring_durable_submit(durable, "echo", NULL, 0, &key, &id), JOBRING_DUPLICATE);
  CHECK(id == answers[500].id);
  const jobring_durable_dependency nobody = {.on = 1ull << 40};
  const jobring_durable_options lost = {.size = sizeof lost, .after = &nobody, .after_count = 1};
  CHECK_STATUS(jobring_durable_submit(durable, "echo", NULL, 0, &lost, &id), JOBRING_REFUSED);
  CHECK_TEXT(jobring_last_error_kind(), "no_such_job");

  jobring_future* sent[20];
  for (int i = 0; i < 20; ++i) CHECK_OK(jobring_durable_start_submit(durable, jobs, 10, &sent[i]));
  for (int i = 0; i < 20; ++i) {
    CHECK_OK(jobring_durable_answers(sent[i], JOBRING_FOREVER, answers, 5, &answered));
    CHECK(answered == 10 && answers[4].status == JOBRING_OK);
    jobring_future_free(sent[i]);
  }

  /* An array, and a group of one's own. */
  const jobring_durable_options array = {
      .size = sizeof array, .array_first = 1, .array_last = 10, .array_step = 1};
  id = shell(durable, "test $JOBRING_INDEX -le 9", &array);
  jobring_durable_future* future = attach(durable, id);
  jobring_durable_info info = {.size = sizeof info};
  CHECK_OK(jobring_durable_future_info(future, JOBRING_FOREVER, &info));
  CHECK(info.is_group == 1 && info.members == 10 && info.bad_members == 1);
  CHECK(info.state == JOBRING_DURABLE_DEAD);
  jobring_durable_attempt attempt = {.size = sizeof attempt};
  CHECK_STATUS(jobring_durable_future_attempt(future, &attempt), JOBRING_NONE);
  jobring_durable_future_free(future);
  jobring_durable_group group = {.size = sizeof group};
  CHECK_OK(jobring_durable_group_new(durable, &id));
  const jobring_durable_options member = {.size = sizeof member, .group = id};
  echo(durable, "m", &member);
  CHECK_STATUS(jobring_durable_group_wait(durable, id, 1000000), JOBRING_TIMED_OUT);
  CHECK_OK(jobring_durable_group_seal(durable, id));
  CHECK_OK(jobring_durable_group_wait(durable, id, JOBRING_FOREVER));
  CHECK_OK(jobring_durable_group_get(durable, id, &group));
  CHECK(group.members == 1 && group.open == 0 && group.bad == 0 && group.sealed == 1);
  free(jobs);
  free(answers);
  jobring_durable_free(durable);
  close_place(&place);
}

void durable_looks(void) {
  struct place place;
  open_keeper_place(&place, 1);
  jobring_durable* durable = open_durable(&place);
  const char* tags[] = {"red", "blue", NULL};
  const int32_t exits[] = {1, 75};
  const jobring_durable_options options = {.size = sizeof options,
                                           .priority = -7,
                                           .name = "nightly",
                                           .tags = tags,
                                           .durability = JOBRING_DURABLE_BATCHED,
                                           .held = 1,
                                           .deadline_ms = 4000000000000,
                                           .timeout_ms = 90000,
                                           .retries = 3,
                                           .no_jitter = 1,
                                           .retry_base_ms = 10,
                                           .retry_exits = exits,
                                           .retry_exits_count = 2,
                                           .unique_key = "k",
                                           .unique_until = JOBRING_DURABLE_UNTIL_STARTED,
                                           .concurrency_key = "disk",
                                           .concurrency_max = 2,
                                           .keep_ms = 1000000,
                                           .output_max = 4096};
  const uint64_t id = echo(durable, "payload", &options);
  jobring_durable_list* list = NULL;
  jobring_durable_info info = {.size = sizeof info};
  CHECK_OK(jobring_durable_show(durable, id, &list));
  uint64_t number = 0;
  CHECK_OK(jobring_durable_list_count(list, &number));
  CHECK(number == 1);
  CHECK_OK(jobring_durable_list_job(list, 0, &info));
  const jobring_durable_options* o = info.options;
  CHECK(info.state == JOBRING_DURABLE_HELD && o->held == 1 && o->priority == -7);
  CHECK_TEXT(o->name, "nightly");
  CHECK(strcmp(o->tags[0], "red") == 0 && strcmp(o->tags[1], "blue") == 0 && o->tags[2] == NULL);
  CHECK(o->durability == JOBRING_DURABLE_BATCHED && o->deadline_ms == 4000000000000);
  CHECK(o->timeout_ms == 90000 && o->retries == 3 && o->no_jitter == 1 && o->retry_base_ms == 10);
  CHECK(o->retry_cap_ms == 3600000 && o->retry_exits_count == 2 && o->retry_exits[1] == 75);
  CHECK_TEXT(o->unique_key, "k");
  CHECK(o->unique_until == JOBRING_DURABLE_UNTIL_STARTED && o->concurrency_max == 2);
  CHECK(o->keep_ms == 1000000 && o->forget == 0 && o->output_max == 4096 && o->array_step == 0);
  CHECK(info.payload_len == 7 && memcmp(info.payload, "payload", 7) == 0);
  CHECK(info.attempts == 0 && info.attempts_known == 0 && info.has_progress == 0);
  jobring_durable_attempt attempt = {.size = sizeof attempt};
  CHECK_STATUS(jobring_durable_list_attempt(list, 0, 0, &attempt), JOBRING_NONE);
  jobring_durable_list_free(list);
  char* text = NULL;
  CHECK_OK(jobring_durable_explain(durable, id, &text));
  CHECK(text != NULL && strchr(text, '\n') != NULL);
  jobring_free(text);

  /* Lists, by filter and in pages. */
  uint64_t last = 0;
  for (int i = 0; i < 9; ++i) last = echo(durable, "x", NULL);
  CHECK(state_of(durable, last) == JOBRING_DURABLE_SUCCEEDED);
  jobring_durable_filter filter = {.size = sizeof filter, .tag = "blue", .pool = "default"};
  CHECK_OK(jobring_durable_list_jobs(durable, &filter, 0, 0, &list));
  CHECK_OK(jobring_durable_list_count(list, &number));
  CHECK(number == 1);
  jobring_durable_list_free(list);
  uint64_t seen = 0, below = 0;
  do {
    CHECK_OK(jobring_durable_list_jobs(durable, NULL, 4, below, &list));
    CHECK_OK(jobring_durable_list_count(list, &number));
    CHECK_OK(jobring_durable_list_next(list, &below));
    seen += number;
    jobring_durable_list_free(list);
  } while (below != 0);
  CHECK(seen == 10);
  CHECK_OK(jobring_durable_pools(durable, &list));
  jobring_durable_pool pool = {.size = sizeof pool};
  CHECK_OK(jobring_durable_list_pool(list, 0, &pool));
  CHECK_TEXT(pool.name, "default");
  CHECK(pool.jobs[JOBRING_DURABLE_HELD] == 1 && pool.paused == 0);
  jobring_durable_list_free(list);

  int32_t gap = 1;
  CHECK_OK(jobring_durable_events(durable, 0, 0, 0, &gap, &list));
  jobring_durable_event event = {.size = sizeof event};
  CHECK_OK(jobring_durable_list_event(list, 0, &event));
  CHECK(event.id == id && event.sequence != 0 && gap == 0);
  CHECK_TEXT(event.name, "nightly");
  CHECK_OK(jobring_durable_list_next(list, &number));
  jobring_durable_list_free(list);
  CHECK_OK(jobring_durable_events(durable, number, 0, 1000000, NULL, &list));
  CHECK_OK(jobring_durable_list_count(list, &number));
  CHECK(number == 0);
  jobring_durable_list_free(list);

  /* Out, away, and in again. */
  void* bytes = NULL;
  size_t len = 0;
  CHECK_OK(jobring_durable_export(durable, id, &bytes, &len));
  CHECK_STATUS(jobring_durable_import(durable, bytes, len), JOBRING_NONE);
  CHECK_OK(jobring_durable_cancel(durable, id));
  CHECK(apply(durable, JOBRING_DURABLE_REMOVE, id) == 1);
  CHECK_STATUS(jobring_durable_show(durable, id, &list), JOBRING_NONE);
  CHECK_OK(jobring_durable_import(durable, bytes, len));
  CHECK(state_now(durable, id) == JOBRING_DURABLE_HELD);
  jobring_free(bytes);
  jobring_durable_free(durable);
  close_place(&place);
}

struct running {
  jobring_durable* durable;
  uint64_t id;
};
static int runs(void* user) {
  const struct running* job = user;
  return state_now(job->durable, job->id) == JOBRING_DURABLE_RUNNING;
}

void durable_verbs(void) {
  struct place place;
  open_keeper_place(&place, 1);
  jobring_durable* durable = open_durable(&place);
  const jobring_durable_options later = {.size = sizeof later, .delay_ms = 3600000};
  uint64_t id = echo(durable, "x", &later), number = 0, unfit = 0;
  CHECK(state_now(durable, id) == JOBRING_DURABLE_DELAYED);
  CHECK(apply(durable, JOBRING_DURABLE_HOLD, id) == 1);
  CHECK(state_now(durable, id) == JOBRING_DURABLE_HELD);
  const uint64_t range[] = {id, id};
  const jobring_durable_filter filter = only(range);
  CHECK_OK(jobring_durable_apply(durable, JOBRING_DURABLE_CANCEL, &filter, NULL, 1, &number, NULL));
  CHECK(number == 1 && state_now(durable, id) == JOBRING_DURABLE_HELD);
  CHECK_OK(
      jobring_durable_apply(durable, JOBRING_DURABLE_REMOVE, &filter, NULL, 0, &number, &unfit));
  CHECK(number == 0 && unfit == 1);
  CHECK(apply(durable, JOBRING_DURABLE_RELEASE, id) == 1);
  const jobring_durable_edit edit = {
      .size = sizeof edit, .set_priority = 1, .priority = 5, .set_delay = 1, .delay_ms = 0};
  CHECK_OK(jobring_durable_apply(durable, JOBRING_DURABLE_EDIT, &filter, &edit, 0, &number, NULL));
  CHECK(number == 1);
  CHECK(state_of(durable, id) == JOBRING_DURABLE_SUCCEEDED);

  CHECK_OK(jobring_durable_pause(durable, "default"));
  id = echo(durable, "x", NULL);
  CHECK(apply(durable, JOBRING_DURABLE_BURY, id) == 1);
  CHECK(state_of(durable, id) == JOBRING_DURABLE_DEAD);
  CHECK(apply(durable, JOBRING_DURABLE_KICK, id) == 1);
  CHECK(state_now(durable, id) == JOBRING_DURABLE_READY);
  CHECK_OK(jobring_durable_resume(durable, "default"));
  CHECK(state_of(durable, id) == JOBRING_DURABLE_SUCCEEDED);
  CHECK(apply(durable, JOBRING_DURABLE_RETRY, id) == 1);
  CHECK(state_of(durable, id) == JOBRING_DURABLE_SUCCEEDED);

  struct running job = {durable, shell(durable, "exec sleep 600", NULL)};
  eventually(runs, &job, "the command runs");
  CHECK_STATUS(jobring_durable_drain(durable, "default", 1000000, &number), JOBRING_TIMED_OUT);
  CHECK(number == 1);
  const uint64_t killed[] = {job.id, job.id};
  const jobring_durable_filter victim = only(killed);
  CHECK_OK(jobring_durable_kill(durable, &victim, SIGKILL, &number));
  CHECK(number == 1);
  CHECK(state_of(durable, job.id) == JOBRING_DURABLE_DEAD);
  CHECK_OK(jobring_durable_drain(durable, "default", JOBRING_FOREVER, NULL));
  CHECK_OK(jobring_durable_resume(durable, "default"));

  const jobring_durable_job work = {.handler = "echo", .payload = "c", .payload_len = 1};
  jobring_durable_cron cron = {.size = sizeof cron,
                               .name = "often",
                               .schedule = "*/5 * * * *",
                               .zone = "Europe/Berlin",
                               .catch_up = JOBRING_DURABLE_CATCH_UP_SKIP,
                               .job = work};
  int64_t next = 0;
  CHECK_OK(jobring_durable_cron_put(durable, &cron, 0, &next));
  CHECK(next / 1000 > time(NULL) - 5 && next / 1000 < time(NULL) + 301);
  CHECK_STATUS(jobring_durable_cron_put(durable, &cron, 0, NULL), JOBRING_EXISTS);
  CHECK_OK(jobring_durable_cron_put(durable, &cron, 1, NULL));
  jobring_durable_list* list = NULL;
  CHECK_OK(jobring_durable_cron_list(durable, &list));
  jobring_durable_cron entry = {.size = sizeof entry};
  CHECK_OK(jobring_durable_list_cron(list, 0, &entry));
  CHECK_TEXT(entry.name, "often");
  CHECK_TEXT(entry.schedule, "*/5 * * * *");
  CHECK_TEXT(entry.zone, "Europe/Berlin");
  CHECK_TEXT(entry.job.handler, "echo");
  CHECK(entry.catch_up == JOBRING_DURABLE_CATCH_UP_SKIP && entry.next_ms >= next);
  CHECK(entry.job.payload_len == 1 && entry.job.options->priority == 0);
  jobring_durable_list_free(list);
  CHECK_OK(jobring_durable_cron_run(durable, "often", &id));
  CHECK(state_of(durable, id) == JOBRING_DURABLE_SUCCEEDED);
  CHECK_OK(jobring_durable_cron_remove(durable, "often"));
  jobring_durable_free(durable);
  close_place(&place);
}
