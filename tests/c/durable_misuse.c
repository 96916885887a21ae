/* Durable jobs: what should not be done with them. */
#include "durable.h"

#define CHECK_BAD(call) CHECK_STATUS(call, JOBRING_BAD_INPUT)

static void do_nothing(jobring_durable_future* future, void* user) {
  (void)future;
  (void)user;
}

void durable_nulls(void) {
  jobring_durable *none = NULL, *opened = NULL;
  jobring_durable_list* list = NULL;
  jobring_durable_future* future = NULL;
  jobring_future* plain = NULL;
  jobring_durable_options options = {.size = sizeof options};
  jobring_durable_filter filter = {.size = sizeof filter};
  jobring_durable_info info = {.size = sizeof info};
  jobring_durable_attempt attempt = {.size = sizeof attempt};
  jobring_durable_pool pool = {.size = sizeof pool};
  jobring_durable_event event = {.size = sizeof event};
  jobring_durable_cron cron = {.size = sizeof cron, .name = "n", .schedule = "@daily"};
  jobring_durable_group group = {.size = sizeof group};
  jobring_durable_log log = {.size = sizeof log};
  jobring_durable_job job = {.handler = "echo"};
  jobring_durable_answer answer;
  const char* argv[] = {"true", NULL};
  jobring_command command = {.size = sizeof command, .argv = argv};
  uint64_t number = 17;
  int32_t flag = 0;
  size_t size = 0;
  void* bytes = NULL;
  char* text = NULL;
  int64_t next = 0;

  CHECK_BAD(jobring_durable_open(NULL, &opened));
  CHECK_BAD(jobring_durable_fd(none, &flag));
  CHECK_BAD(jobring_durable_poll(none, &number));
  CHECK_BAD(jobring_durable_submit(none, "echo", NULL, 0, &options, &number));
  CHECK(number == 0);
  CHECK_BAD(jobring_durable_run(none, &command, &options, &number));
  CHECK_BAD(jobring_durable_submit_all(none, &job, 1, &answer, &size));
  CHECK_BAD(jobring_durable_start_submit(none, &job, 1, &plain));
  CHECK_BAD(jobring_durable_answers(NULL, 0, &answer, 1, &size));
  CHECK_BAD(jobring_durable_attach(none, 1, &future));
  CHECK_BAD(jobring_durable_list_jobs(none, &filter, 0, 0, &list));
  CHECK_BAD(jobring_durable_show(none, 1, &list));
  CHECK_BAD(jobring_durable_explain(none, 1, &text));
  CHECK_BAD(jobring_durable_pools(none, &list));
  CHECK_BAD(jobring_durable_logs(none, 1, &log));
  CHECK_BAD(jobring_durable_events(none, 0, 0, 0, NULL, &list));
  CHECK_BAD(jobring_durable_apply(none, JOBRING_DURABLE_HOLD, &filter, NULL, 0, NULL, NULL));
  CHECK_BAD(jobring_durable_cancel(none, 1));
  CHECK_BAD(jobring_durable_kill(none, &filter, 15, NULL));
  CHECK_BAD(jobring_durable_pause(none, "default"));
  CHECK_BAD(jobring_durable_resume(none, "default"));
  CHECK_BAD(jobring_durable_drain(none, "default", 0, NULL));
  CHECK_BAD(jobring_durable_group_new(none, &number));
  CHECK_BAD(jobring_durable_group_seal(none, 1));
  CHECK_BAD(jobring_durable_group_get(none, 1, &group));
  CHECK_BAD(jobring_durable_group_wait(none, 1, 0));
  CHECK_BAD(jobring_durable_cron_put(none, &cron, 0, &next));
  CHECK_BAD(jobring_durable_cron_remove(none, "n"));
  CHECK_BAD(jobring_durable_cron_list(none, &list));
  CHECK_BAD(jobring_durable_cron_run(none, "n", &number));
  CHECK_BAD(jobring_durable_export(none, 1, &bytes, &size));
  CHECK_BAD(jobring_durable_import(none, "", 0));

  CHECK_BAD(jobring_durable_list_count(NULL, &number));
  CHECK_BAD(jobring_durable_list_next(NULL, &number));
  CHECK_BAD(jobring_durable_list_job(NULL, 0, &info));
  CHECK_BAD(jobring_durable_list_attempt(NULL, 0, 0, &attempt));
  CHECK_BAD(jobring_durable_list_pool(NULL, 0, &pool));
  CHECK_BAD(jobring_durable_list_event(NULL, 0, &event));
  CHECK_BAD(jobring_durable_list_cron(NULL, 0, &cron));

  CHECK_BAD(jobring_durable_future_id(NULL, &number));
  CHECK_BAD(jobring_durable_future_ready(NULL, &flag));
  CHECK_BAD(jobring_durable_future_wait(NULL, 0));
  CHECK_BAD(jobring_durable_future_info(NULL, 0, &info));
  CHECK_BAD(jobring_durable_future_attempt(NULL, &attempt));
  CHECK_BAD(jobring_durable_future_get(NULL, &bytes, &size));
  CHECK_BAD(jobring_durable_future_on_ready(NULL, do_nothing, NULL));
  CHECK(jobring_durable_future_ref(NULL) == NULL);

  CHECK(opened == NULL && list == NULL && future == NULL && plain == NULL && bytes == NULL &&
        text == NULL);
  jobring_durable_free(NULL);
  jobring_durable_list_free(NULL);
  jobring_durable_future_free(NULL);
  CHECK_TEXT(jobring_durable_state_name(JOBRING_DURABLE_DELAYED), "delayed");
  CHECK_TEXT(jobring_durable_state_name(JOBRING_DURABLE_HELD), "held");
  CHECK_TEXT(jobring_durable_state_name(8), "unknown");
  CHECK_TEXT(jobring_durable_state_name(-1), "unknown");
}

void durable_private(void) {
  struct place place;
  open_place(&place, 1, "");
  jobring_durable* durable = NULL;
  CHECK_BAD(jobring_durable_open(place.client, NULL));
  CHECK(jobring_durable_open(place.client, &durable) < 0);
  CHECK(durable == NULL);
  CHECK(jobring_last_error()[0] != '\0');
  close_place(&place);
}

/* What is refused of a handle that is one. */
void durable_values(void) {
  struct place place;
  open_keeper_place(&place, 1);
  jobring_durable* durable = open_durable(&place);
  jobring_durable_future* future = NULL;
  jobring_future* plain = NULL;
  jobring_durable_list *jobs = NULL, *pools = NULL;
  jobring_durable_info info = {.size = sizeof info}, small_info = {.size = 8};
  jobring_durable_attempt attempt = {.size = sizeof attempt}, small_attempt = {.size = 8};
  jobring_durable_pool pool = {.size = sizeof pool};
  jobring_durable_event event = {.size = sizeof event};
  jobring_durable_cron cron = {.size = sizeof cron};
  jobring_durable_log log = {.size = sizeof log}, small_log = {.size = 8};
  jobring_durable_group small_group = {.size = 8};
  jobring_durable_answer answers[1];
  uint64_t id = 0, number = 0;
  size_t size = 0;
  void* bytes = NULL;

  CHECK_BAD(jobring_durable_fd(durable, NULL));
  CHECK_BAD(jobring_durable_submit(durable, NULL, NULL, 0, NULL, &id));
  CHECK_BAD(jobring_durable_submit(durable, "", NULL, 0, NULL, &id));
  CHECK_BAD(jobring_durable_submit(durable, "echo", NULL, 1, NULL, &id));
  CHECK_BAD(jobring_durable_submit(durable, "echo", NULL, 0, NULL, NULL));
  jobring_durable_options options = {.size = 8};
  CHECK_BAD(jobring_durable_submit(durable, "echo", NULL, 0, &options, &id));
#define BAD_OPTION(...)                                                       \
  options = (jobring_durable_options){.size = sizeof options, __VA_ARGS__};   \
  CHECK_BAD(jobring_durable_submit(durable, "echo", NULL, 0, &options, &id)); \
  CHECK(id == 0)
  BAD_OPTION(.pool = "");
  BAD_OPTION(.pool = "@keeper");
  BAD_OPTION(.durability = 3);
  BAD_OPTION(.durability = -1);
  BAD_OPTION(.delay_ms = -1);
  BAD_OPTION(.run_at_ms = -1);
  BAD_OPTION(.run_at_ms = INT64_MAX);
  BAD_OPTION(.deadline_ms = INT64_MIN);
  BAD_OPTION(.timeout_ms = -1);
  BAD_OPTION(.timeout_ms = INT64_MAX);
  BAD_OPTION(.retries = 1, .retry_base_ms = -1);
  BAD_OPTION(.retries = 1, .retry_cap_ms = INT64_MIN);
  BAD_OPTION(.retry_exits_count = 1);
  BAD_OPTION(.after_count = 1);
  BAD_OPTION(.unique_until = 3);
  BAD_OPTION(.unique_key = "k", .unique_until = JOBRING_DURABLE_UNTIL_TIME);
  BAD_OPTION(.unique_for_ms = -1);
  BAD_OPTION(.concurrency_key = "k");
  BAD_OPTION(.keep_ms = -1);
  BAD_OPTION(.array_last = 2);
  BAD_OPTION(.array_step = -1);
  BAD_OPTION(.array_first = 2, .array_last = 1, .array_step = 1);
  const jobring_durable_dependency zero = {0};
  BAD_OPTION(.after = &zero, .after_count = 1);
  const char* empty_tag[] = {"", NULL};
  BAD_OPTION(.tags = empty_tag);

  jobring_command command = {.size = sizeof command};
  CHECK_BAD(jobring_durable_run(durable, NULL, NULL, &id));
  CHECK_BAD(jobring_durable_run(durable, &command, NULL, &id)); /* no program */
  const char* argv[] = {"true", NULL};
  command.argv = argv;
  command.use_stdio = 1;
  CHECK_BAD(jobring_durable_run(durable, &command, NULL, &id));

  const jobring_durable_job nameless = {.payload = ""}, good = {.handler = "echo"};
  CHECK_BAD(jobring_durable_submit_all(durable, &nameless, 1, answers, &size));
  CHECK_BAD(jobring_durable_submit_all(durable, NULL, 1, answers, &size));
  CHECK_BAD(jobring_durable_submit_all(durable, &good, 1, NULL, &size));
  CHECK_OK(jobring_durable_submit_all(durable, NULL, 0, NULL, NULL));
  CHECK_BAD(jobring_durable_start_submit(durable, &good, 1, NULL));
  CHECK_BAD(jobring_durable_start_submit(durable, &nameless, 1, &plain));
  CHECK_OK(jobring_durable_start_submit(durable, &good, 1, &plain));
  CHECK_BAD(jobring_durable_answers(plain, -1, answers, 1, &size));
  CHECK_BAD(jobring_durable_answers(plain, 0, NULL, 1, &size));
  CHECK_BAD(jobring_durable_answers(plain, 0, answers, 1, NULL));
  CHECK_OK(jobring_durable_answers(plain, JOBRING_FOREVER, NULL, 0, &size));
  CHECK(size == 1);
  jobring_future_free(plain);
  /* A future of another pool is no submission. */
  plain = submit(place.pool, "echo", "x");
  CHECK(jobring_durable_answers(plain, JOBRING_FOREVER, answers, 1, &size) < 0);
  jobring_future_free(plain);

  CHECK_BAD(jobring_durable_attach(durable, 0, &future));
  CHECK_BAD(jobring_durable_attach(durable, UINT64_MAX, &future));
  CHECK_BAD(jobring_durable_attach(durable, 1, NULL));
  CHECK_OK(jobring_durable_attach(durable, 4711, &future));
  CHECK_BAD(jobring_durable_future_id(future, NULL));
  CHECK_BAD(jobring_durable_future_ready(future, NULL));
  CHECK_BAD(jobring_durable_future_wait(future, -1));
  CHECK_BAD(jobring_durable_future_info(future, -1, &info));
  CHECK_BAD(jobring_durable_future_info(future, 0, NULL));
  CHECK_BAD(jobring_durable_future_info(future, 0, &small_info));
  CHECK_BAD(jobring_durable_future_attempt(future, &small_attempt));
  CHECK_BAD(jobring_durable_future_get(future, NULL, NULL));
  CHECK_BAD(jobring_durable_future_on_ready(future, NULL, NULL));
  CHECK_STATUS(jobring_durable_future_info(future, JOBRING_FOREVER, &info), JOBRING_NOT_FOUND);
  CHECK_STATUS(jobring_durable_future_get(future, &bytes, &size), JOBRING_NOT_FOUND);
  CHECK_STATUS(jobring_durable_future_attempt(future, &attempt), JOBRING_NOT_FOUND);
  jobring_durable_future_free(future);

  jobring_durable_filter filter = {.size = sizeof filter};
  CHECK_OK(jobring_durable_list_jobs(durable, NULL, 0, 0, &jobs));
  CHECK_BAD(jobring_durable_list_jobs(durable, &filter, 0, 0, NULL));
  CHECK_OK(jobring_durable_pools(durable, &pools));
  CHECK_BAD(jobring_durable_list_count(jobs, NULL));
  CHECK_BAD(jobring_durable_list_next(jobs, NULL));
  CHECK_BAD(jobring_durable_list_job(jobs, 0, NULL));
  CHECK_BAD(jobring_durable_list_job(jobs, 0, &small_info));
  CHECK_STATUS(jobring_durable_list_job(jobs, UINT64_MAX, &info), JOBRING_NONE);
  CHECK_STATUS(jobring_durable_list_attempt(jobs, UINT64_MAX, 0, &attempt), JOBRING_NONE);
  CHECK_STATUS(jobring_durable_list_attempt(jobs, 0, UINT32_MAX, &attempt), JOBRING_NONE);
  CHECK_BAD(jobring_durable_list_attempt(jobs, 0, 0, &small_attempt));
  CHECK_STATUS(jobring_durable_list_job(pools, 0, &info), JOBRING_WRONG_TYPE);
  CHECK_STATUS(jobring_durable_list_attempt(pools, 0, 0, &attempt), JOBRING_WRONG_TYPE);
  CHECK_STATUS(jobring_durable_list_pool(jobs, 0, &pool), JOBRING_WRONG_TYPE);
  CHECK_STATUS(jobring_durable_list_event(jobs, 0, &event), JOBRING_WRONG_TYPE);
  CHECK_STATUS(jobring_durable_list_cron(jobs, 0, &cron), JOBRING_WRONG_TYPE);
  CHECK_STATUS(jobring_durable_list_pool(pools, UINT64_MAX, &pool), JOBRING_NONE);
  jobring_durable_list_free(jobs);
  jobring_durable_list_free(pools);

#define BAD_FILTER(...)                                                  \
  filter = (jobring_durable_filter){.size = sizeof filter, __VA_ARGS__}; \
  CHECK_BAD(jobring_durable_list_jobs(durable, &filter, 0, 0, &jobs));   \
  CHECK_BAD(jobring_durable_kill(durable, &filter, 15, NULL));           \
  CHECK_BAD(jobring_durable_apply(durable, JOBRING_DURABLE_HOLD, &filter, NULL, 0, NULL, NULL))
  const uint64_t backwards[] = {2, 1};
  BAD_FILTER(.ids = backwards, .ranges = 1);
  BAD_FILTER(.ranges = 1);
  BAD_FILTER(.states = 1 << 8);
  BAD_FILTER(.ended_before_ms = -1);
  filter = (jobring_durable_filter){.size = sizeof filter};
  CHECK_BAD(jobring_durable_apply(durable, JOBRING_DURABLE_HOLD, NULL, NULL, 0, NULL, NULL));
  CHECK_BAD(jobring_durable_apply(durable, -1, &filter, NULL, 0, NULL, NULL));
  CHECK_BAD(jobring_durable_apply(durable, 8, &filter, NULL, 0, NULL, NULL));
  jobring_durable_edit edit = {.size = sizeof edit, .set_delay = 1, .delay_ms = -1};
  CHECK_BAD(jobring_durable_apply(durable, JOBRING_DURABLE_EDIT, &filter, &edit, 0, NULL, NULL));
  CHECK_BAD(jobring_durable_kill(durable, NULL, 15, NULL));
  CHECK_BAD(jobring_durable_kill(durable, &filter, 0, NULL));
  CHECK_BAD(jobring_durable_kill(durable, &filter, 1000, NULL));
  CHECK_STATUS(jobring_durable_cancel(durable, 4711), JOBRING_NONE);
  CHECK_STATUS(jobring_durable_show(durable, 4711, &jobs), JOBRING_NONE);
  CHECK_BAD(jobring_durable_explain(durable, 1, NULL));
  CHECK_BAD(jobring_durable_pause(durable, NULL));
  CHECK_BAD(jobring_durable_resume(durable, NULL));
  CHECK_BAD(jobring_durable_drain(durable, NULL, 0, NULL));
  CHECK_BAD(jobring_durable_drain(durable, "default", -1, NULL));
  CHECK_BAD(jobring_durable_logs(durable, 1, NULL));
  CHECK_BAD(jobring_durable_logs(durable, 1, &small_log));
  log.patience_ns = -1;
  CHECK_BAD(jobring_durable_logs(durable, 1, &log));
  log.patience_ns = 0;
  CHECK_STATUS(jobring_durable_logs(durable, 4711, &log), JOBRING_NOT_FOUND);
  CHECK_BAD(jobring_durable_events(durable, 0, 0, -1, NULL, &jobs));
  CHECK_BAD(jobring_durable_events(durable, 0, 0, 0, NULL, NULL));
  CHECK_BAD(jobring_durable_group_new(durable, NULL));
  CHECK_BAD(jobring_durable_group_get(durable, 1, &small_group));
  CHECK_BAD(jobring_durable_group_wait(durable, 1, -1));
  CHECK_STATUS(jobring_durable_group_seal(durable, 4711), JOBRING_NOT_FOUND);

  CHECK_BAD(jobring_durable_cron_put(durable, NULL, 0, NULL));
#define BAD_CRON(...)                                              \
  cron = (jobring_durable_cron){.size = sizeof cron, __VA_ARGS__}; \
  CHECK_BAD(jobring_durable_cron_put(durable, &cron, 0, NULL))
  BAD_CRON(.schedule = "@daily", .job = {.handler = "echo"});
  BAD_CRON(.name = "", .schedule = "@daily", .job = {.handler = "echo"});
  BAD_CRON(.name = "n", .job = {.handler = "echo"});
  BAD_CRON(.name = "n", .schedule = "@daily");
  BAD_CRON(.name = "n", .schedule = "now and then", .job = {.handler = "echo"});
  BAD_CRON(.name = "n", .schedule = "@daily", .zone = "Nowhere/At_all", .job = {.handler = "echo"});
  BAD_CRON(.name = "n", .schedule = "@daily", .catch_up = 3, .job = {.handler = "echo"});
  CHECK_BAD(jobring_durable_cron_remove(durable, NULL));
  CHECK_STATUS(jobring_durable_cron_remove(durable, "n"), JOBRING_NONE);
  CHECK_BAD(jobring_durable_cron_list(durable, NULL));
  CHECK_BAD(jobring_durable_cron_run(durable, NULL, &number));
  CHECK_STATUS(jobring_durable_cron_run(durable, "n", &number), JOBRING_NOT_FOUND);
  CHECK_BAD(jobring_durable_export(durable, 1, NULL, &size));
  CHECK_STATUS(jobring_durable_export(durable, 4711, &bytes, &size), JOBRING_NONE);
  CHECK_BAD(jobring_durable_import(durable, "no job", 6));
  CHECK_BAD(jobring_durable_import(durable, NULL, 6));
  jobring_durable_free(durable);
  close_place(&place);
}
