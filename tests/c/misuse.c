/* What should not be done, and what stays when things go. */
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"

#define CHECK_BAD(call)                  \
  CHECK_STATUS(call, JOBRING_BAD_INPUT); \
  CHECK_TEXT(jobring_last_error_kind(), "bad_input")

static void do_nothing(jobring_future* future, void* user) {
  (void)future;
  (void)user;
}

void nulls(void) {
  struct place place;
  open_place(&place, 2, "");
  jobring_client* client = NULL;
  jobring_pool* pool = NULL;
  jobring_future* future = submit(place.pool, "echo", "x");
  jobring_future* made = NULL;
  jobring_reservation* room = NULL;
  jobring_results* results = NULL;
  jobring_as_completed* completed = NULL;
  jobring_result result = {.size = sizeof result};
  jobring_command_result report = {.size = sizeof report};
  jobring_progress said = {.size = sizeof said};
  jobring_pong pong = {.size = sizeof pong};
  const char* argv[] = {"true", NULL};
  const char* nothing[] = {NULL};
  jobring_command command = {.size = sizeof command, .argv = argv};
  jobring_bytes input = {"x", 1};
  const char* name;
  void* bytes;
  char* text;
  uint64_t number;
  int32_t flag;

  CHECK_BAD(jobring_connect(NULL, NULL));
  CHECK_BAD(jobring_ping(NULL, &pong));
  CHECK_BAD(jobring_ping(place.client, NULL));
  CHECK_BAD(jobring_status_json(NULL, &text, NULL));
  CHECK_BAD(jobring_status_json(place.client, NULL, NULL));
  CHECK_BAD(jobring_client_is_private(NULL, &flag));
  CHECK_BAD(jobring_client_is_private(place.client, NULL));
  CHECK_BAD(jobring_pool_open(NULL, NULL, NULL, &pool));
  CHECK_BAD(jobring_pool_open(place.client, NULL, NULL, NULL));
  CHECK_BAD(jobring_pool_shutdown(NULL, 0, 0));
  CHECK_BAD(jobring_pool_fd(NULL, &flag));
  CHECK_BAD(jobring_pool_fd(place.pool, NULL));
  CHECK_BAD(jobring_pool_poll(NULL, &number));
  CHECK_OK(jobring_pool_poll(place.pool, NULL));
  CHECK_BAD(jobring_pool_outstanding(NULL, &number));
  CHECK_BAD(jobring_pool_outstanding(place.pool, NULL));
  CHECK_BAD(jobring_pool_max_payload(NULL, &number));
  CHECK_BAD(jobring_pool_max_payload(place.pool, NULL));
  CHECK_BAD(jobring_pool_max_result(NULL, &number));
  CHECK_BAD(jobring_pool_max_result(place.pool, NULL));
  CHECK_BAD(jobring_pool_name(NULL, &name));
  CHECK_BAD(jobring_pool_name(place.pool, NULL));

  CHECK_BAD(jobring_submit(NULL, "echo", "", 0, NULL, 0, &made));
  CHECK_BAD(jobring_submit(place.pool, NULL, "", 0, NULL, 0, &made));
  CHECK_BAD(jobring_submit(place.pool, "echo", NULL, 1, NULL, 0, &made));
  CHECK_BAD(jobring_submit(place.pool, "echo", "", 0, NULL, 0, NULL));
  CHECK_BAD(jobring_call(NULL, "echo", "", 0, NULL, &bytes, NULL));
  CHECK_BAD(jobring_call(place.pool, NULL, "", 0, NULL, &bytes, NULL));
  CHECK_BAD(jobring_call(place.pool, "echo", NULL, 1, NULL, &bytes, NULL));
  CHECK_BAD(jobring_call(place.pool, "echo", "", 0, NULL, NULL, NULL));
  CHECK_BAD(jobring_run(NULL, &command, NULL, 0, &made));
  CHECK_BAD(jobring_run(place.pool, NULL, NULL, 0, &made));
  CHECK_BAD(jobring_run(place.pool, &command, NULL, 0, NULL));
  command.argv = NULL;
  CHECK_BAD(jobring_run(place.pool, &command, NULL, 0, &made));
  command.argv = nothing;
  CHECK_BAD(jobring_run(place.pool, &command, NULL, 0, &made));
  size_t len = 0;
  CHECK_BAD(jobring_command_encode(NULL, &bytes, &len));
  CHECK_BAD(jobring_command_encode(&command, &bytes, &len));
  CHECK(bytes == NULL);
  command.argv = argv;
  CHECK_BAD(jobring_command_encode(&command, NULL, &len));
  CHECK_BAD(jobring_command_encode(&command, &bytes, NULL));
  CHECK_BAD(jobring_command_decode(NULL, 1, &report));
  CHECK_BAD(jobring_command_decode("no report", 9, &report));
  CHECK_BAD(jobring_command_decode(NULL, 0, &report));
  CHECK_BAD(jobring_command_decode("no report", 9, NULL));
  CHECK_BAD(jobring_reserve(NULL, 1, &room, &bytes));
  CHECK_BAD(jobring_reserve(place.pool, 1, NULL, &bytes));
  CHECK_BAD(jobring_reserve(place.pool, 1, &room, NULL));
  CHECK(room == NULL);
  CHECK_OK(jobring_reserve(place.pool, 1, &room, &bytes));
  CHECK_BAD(jobring_reservation_submit(NULL, "echo", 1, NULL, &made));
  CHECK_BAD(jobring_reservation_submit(room, NULL, 1, NULL, &made));
  CHECK_BAD(jobring_reservation_submit(room, "echo", 1, NULL, NULL));
  jobring_reservation_free(room);
  CHECK_BAD(jobring_map_array(NULL, "echo", &input, 1, NULL, &results));
  CHECK_BAD(jobring_map_array(place.pool, NULL, &input, 1, NULL, &results));
  CHECK_BAD(jobring_map_array(place.pool, "echo", &input, 1, NULL, NULL));
  CHECK_OK(jobring_map_array(place.pool, "echo", &input, 1, NULL, &results));
  CHECK_BAD(jobring_results_next(NULL, 0, NULL, &result));
  CHECK_BAD(jobring_results_next(results, 0, NULL, NULL));
  CHECK_BAD(jobring_results_cancel(NULL));
  jobring_results_free(results);

  CHECK_BAD(jobring_future_ready(NULL, &flag));
  CHECK_BAD(jobring_future_ready(future, NULL));
  CHECK_BAD(jobring_future_wait(NULL, 0));
  CHECK_BAD(jobring_future_result(NULL, 0, &result));
  CHECK_BAD(jobring_future_result(future, 0, NULL));
  CHECK_BAD(jobring_future_command(NULL, 0, &report));
  CHECK_BAD(jobring_future_command(future, 0, NULL));
  CHECK_BAD(jobring_future_cancel(NULL, &flag));
  CHECK_BAD(jobring_future_kill(NULL, 15));
  CHECK_BAD(jobring_future_progress(NULL, &said));
  CHECK_BAD(jobring_future_progress(future, NULL));
  CHECK_BAD(jobring_future_on_ready(NULL, do_nothing, NULL));
  CHECK_BAD(jobring_future_on_ready(future, NULL, NULL));
  CHECK(jobring_future_ref(NULL) == NULL);
  CHECK_BAD(jobring_as_completed_new(NULL, 1, &completed));
  CHECK_BAD(jobring_as_completed_new(&future, 1, NULL));
  CHECK_OK(jobring_as_completed_new(&future, 1, &completed));
  CHECK_BAD(jobring_as_completed_add(NULL, future));
  CHECK_BAD(jobring_as_completed_add(completed, NULL));
  CHECK_BAD(jobring_as_completed_next(NULL, 0, &made));
  CHECK_BAD(jobring_as_completed_next(completed, 0, NULL));
  CHECK_BAD(jobring_as_completed_left(NULL, &number));
  CHECK_BAD(jobring_as_completed_left(completed, NULL));
  jobring_as_completed_free(completed);

  jobring_free(NULL);
  jobring_client_free(client);
  jobring_pool_free(pool);
  jobring_future_free(NULL);
  jobring_reservation_free(NULL);
  jobring_results_free(NULL);
  jobring_as_completed_free(NULL);
  jobring_future_free(future);
  close_place(&place);
}

void bad_values(void) {
  struct place place;
  open_place(&place, 2, "");
  jobring_future* made = NULL;
  jobring_future* future = submit(place.pool, "echo", "x");
  jobring_results* results = NULL;
  jobring_result result = {.size = sizeof result};
  jobring_bytes input = {"x", 1};
  const int64_t long_ago = INT64_MIN;
  CHECK_BAD(jobring_submit(place.pool, "echo", "", 0, NULL, -1, &made));
  CHECK_BAD(jobring_submit(place.pool, "echo", "", 0, NULL, long_ago, &made));
  CHECK_BAD(jobring_future_wait(future, -1));
  CHECK_BAD(jobring_future_result(future, -1, &result));
  CHECK_BAD(jobring_wait(&future, 1, JOBRING_WAIT_ALL, -1, NULL));
  CHECK_BAD(jobring_pool_shutdown(place.pool, 0, -1));
  CHECK_OK(jobring_map_array(place.pool, "echo", &input, 1, NULL, &results));
  CHECK_BAD(jobring_results_next(results, -1, NULL, &result));
  CHECK_OK(jobring_results_next(results, JOBRING_FOREVER, NULL, &result));
  jobring_results_free(results);
  jobring_as_completed* completed = NULL;
  CHECK_OK(jobring_as_completed_new(&future, 1, &completed));
  CHECK_BAD(jobring_as_completed_next(completed, -1, &made));
  jobring_as_completed_free(completed);

  jobring_job_options o = {.size = sizeof o, .timeout_ns = -1};
  CHECK_BAD(jobring_submit(place.pool, "echo", "", 0, &o, 0, &made));
  o = (jobring_job_options){.size = sizeof o, .start_within_ns = -1};
  CHECK_BAD(jobring_submit(place.pool, "echo", "", 0, &o, 0, &made));
  o = (jobring_job_options){.size = sizeof o, .priority = 2};
  CHECK_BAD(jobring_submit(place.pool, "echo", "", 0, &o, 0, &made));
  o = (jobring_job_options){.size = sizeof o, .crash_retries = 256};
  CHECK_BAD(jobring_submit(place.pool, "echo", "", 0, &o, 0, &made));
  char name[64];
  memset(name, 'n', sizeof name);
  name[48] = '\0';
  o = (jobring_job_options){.size = sizeof o, .tag = name};
  CHECK_BAD(jobring_submit(place.pool, "echo", "", 0, &o, 0, &made));
  CHECK_BAD(jobring_submit(place.pool, name, "", 0, NULL, 0, &made));
  CHECK_BAD(jobring_submit(place.pool, "", "", 0, NULL, 0, &made));
  name[47] = '\0';
  CHECK_OK(jobring_submit(place.pool, "echo", "", 0, &o, JOBRING_FOREVER, &made));
  jobring_future_free(made);
  /* For ever is as good as none; the longest there is must not come out as a short one. */
  o = (jobring_job_options){
      .size = sizeof o, .timeout_ns = JOBRING_FOREVER, .start_within_ns = JOBRING_FOREVER - 1};
  CHECK_OK(jobring_submit(place.pool, "echo", "", 0, &o, JOBRING_FOREVER, &made));
  CHECK(result_of(made).outcome == JOBRING_OUTCOME_OK);
  jobring_future_free(made);

  uint64_t most = 0;
  CHECK_OK(jobring_pool_max_payload(place.pool, &most));
  char* big = calloc(1, most + 1);
  REQUIRE(big != NULL);
  CHECK_BAD(jobring_submit(place.pool, "echo", big, most + 1, NULL, 0, &made));
  CHECK_BAD(jobring_submit(place.pool, "echo", big, SIZE_MAX, NULL, 0, &made));
  free(big);
  CHECK(made == NULL);

  const char* argv[] = {"true", NULL};
  jobring_command command = {.size = sizeof command, .argv = argv, .set_umask = 1, .umask = 01000};
  CHECK_BAD(jobring_run(place.pool, &command, NULL, 0, &made));
  const jobring_limit limit = {.what = JOBRING_LIMIT_STACK + 1, .value = 1};
  command = (jobring_command){
      .size = sizeof command, .argv = argv, .limits = &limit, .limits_count = 1};
  CHECK_BAD(jobring_run(place.pool, &command, NULL, 0, &made));
  command.limits = NULL;
  CHECK_BAD(jobring_run(place.pool, &command, NULL, 0, &made));
  jobring_client* client = NULL;
  jobring_connect_options connect = {.size = sizeof connect, .daemon = 3};
  CHECK_BAD(jobring_connect(&connect, &client));
  char long_path[300];
  memset(long_path, 'p', sizeof long_path);
  long_path[sizeof long_path - 1] = '\0';
  connect = (jobring_connect_options){.size = sizeof connect, .daemon = 1, .socket = long_path};
  CHECK_STATUS(jobring_connect(&connect, &client), JOBRING_BAD_INPUT);
  connect.socket = "/nonexistent/socket";
  CHECK_STATUS(jobring_connect(&connect, &client), JOBRING_NO_DAEMON);
  CHECK(client == NULL);
  CHECK(jobring_last_error_exit_status() == 69);
  connect.daemon = JOBRING_DAEMON_OWN;
  connect.daemon_path = "/nonexistent/jobringd";
  CHECK_STATUS(jobring_connect(&connect, &client), JOBRING_NO_DAEMON);
  jobring_future_free(future);
  close_place(&place);
}

void growing_structs(void) {
  struct place place;
  open_place(&place, 2, "");
  jobring_future* future = NULL;
  struct {
    jobring_job_options known;
    uint64_t new_member;
  } options = {.known = {.size = sizeof options}};
  CHECK_OK(jobring_submit(place.pool, "echo", "x", 1, &options.known, JOBRING_FOREVER, &future));
  struct {
    jobring_result known;
    uint64_t new_member;
    uint64_t not_of_it;
  } result = {.known = {.size = sizeof result - 8}, .new_member = 7, .not_of_it = 7};
  CHECK_OK(jobring_future_result(future, JOBRING_FOREVER, &result.known));
  CHECK(bytes_are(&result.known, "x"));
  CHECK(result.known.size == sizeof result - 8);
  CHECK(result.new_member == 0);
  CHECK(result.not_of_it == 7);
  jobring_future* made = NULL;
  options.new_member = 1;
  CHECK_BAD(jobring_submit(place.pool, "echo", "x", 1, &options.known, 0, &made));
  options.new_member = 0;
  const uint32_t wrong[] = {0, 3, sizeof(jobring_job_options) - 1, 1u << 20, UINT32_MAX};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; ++i) {
    options.known.size = wrong[i];
    CHECK_BAD(jobring_submit(place.pool, "echo", "x", 1, &options.known, 0, &made));
    result.known.size = wrong[i];
    CHECK_BAD(jobring_future_result(future, 0, &result.known));
  }
  jobring_future_free(future);
  close_place(&place);
}

void future_outlives_all(void) {
  struct place place;
  open_place(&place, 1, "");
  jobring_future* ended = submit(place.pool, "echo", "early");
  CHECK_OK(jobring_future_wait(ended, JOBRING_FOREVER));
  jobring_future* runs = submit(place.pool, "spin", "");
  jobring_future* waits = submit(place.pool, "echo", "late");
  jobring_pool_free(place.pool);
  place.pool = NULL;
  jobring_client_free(place.client);
  place.client = NULL;
  jobring_result result = result_of(ended);
  CHECK(bytes_are(&result, "early"));
  CHECK(result_of(runs).outcome == JOBRING_OUTCOME_LOST);
  result = result_of(waits);
  CHECK(result.outcome == JOBRING_OUTCOME_LOST || result.outcome == JOBRING_OUTCOME_CANCELLED);
  int32_t flag = 1;
  CHECK_OK(jobring_future_cancel(runs, &flag));
  CHECK(flag == 0);
  CHECK_OK(jobring_future_kill(runs, 15));
  CHECK_OK(jobring_future_ready(runs, &flag));
  CHECK(flag == 1);
  CHECK_OK(jobring_future_on_ready(runs, do_nothing, NULL));
  jobring_progress said = {.size = sizeof said};
  CHECK_STATUS(jobring_future_progress(runs, &said), JOBRING_NONE);
  jobring_future* all[] = {ended, runs, waits};
  CHECK_OK(jobring_wait(all, 3, JOBRING_WAIT_ALL, 0, NULL));
  for (int i = 0; i < 3; ++i) jobring_future_free(all[i]);
  close_place(&place);
}

/* Everything there is, freed in an order that the round number chooses. */
void any_order(void) {
  int fds = 0, maps = 0;
  for (int round = 0; round < 12; ++round) {
    if (round == 1) { /* what is made once has been made */
      fds = descriptors();
      maps = shared_mappings();
    }
    struct place place;
    open_place(&place, 2, "");
    jobring_pool* second = NULL;
    jobring_pool_options own = {.size = sizeof own, .slots = 4};
    jobring_future* future = submit(place.pool, "echo", "x");
    jobring_reservation* room = NULL;
    jobring_results* results = NULL;
    jobring_as_completed* completed = NULL;
    jobring_bytes inputs[] = {{"1", 1}, {"2", 1}, {"3", 1}};
    jobring_result result = {.size = sizeof result};
    void* bytes = NULL;
    CHECK_OK(jobring_pool_open(place.client, "default", &own, &second));
    CHECK_OK(jobring_reserve(second, 8, &room, &bytes));
    CHECK_OK(jobring_map_array(second, "echo", inputs, 3, NULL, &results));
    CHECK_OK(jobring_results_next(results, JOBRING_FOREVER, NULL, &result));
    CHECK_OK(jobring_as_completed_new(&future, 1, &completed));
    CHECK_OK(jobring_future_on_ready(future, do_nothing, NULL));
    jobring_channel* channel = NULL;
    uint32_t echo = 0;
    CHECK_OK(jobring_channel_open(place.client, NULL, &own, &channel));
    CHECK_OK(jobring_channel_handler(channel, "echo", &echo));
    CHECK_OK(jobring_channel_prepare(channel, echo, "x", 1, 0, NULL, NULL));
    CHECK_OK(jobring_channel_submit(channel));
    CHECK_OK(jobring_channel_prepare(channel, echo, "y", 1, 1, NULL, NULL));
    for (int step = 0; step < 8; ++step) {
      switch ((step * (round % 2 ? 3 : 5) + round) % 8) {
        case 0:
          jobring_client_free(place.client);
          place.client = NULL;
          break;
        case 1:
          jobring_pool_free(place.pool);
          place.pool = NULL;
          break;
        case 2:
          jobring_pool_free(second);
          break;
        case 3:
          jobring_future_free(future);
          break;
        case 4:
          jobring_reservation_free(room);
          break;
        case 5:
          jobring_results_free(results);
          break;
        case 6:
          jobring_channel_free(channel);
          break;
        default:
          jobring_as_completed_free(completed);
      }
    }
    close_place(&place);
  }
  CHECK(descriptors() == fds);
  CHECK(shared_mappings() == maps);
}

void daemon_dies(void) {
  struct place place;
  open_place(&place, 2, "");
  jobring_pong pong = {.size = sizeof pong};
  jobring_future* runs = submit(place.pool, "spin", "");
  kill_daemon(&place);
  jobring_result result = result_of(runs);
  CHECK(result.outcome == JOBRING_OUTCOME_LOST);
  CHECK_TEXT(result.error_type, "");
  jobring_future* made = runs;
  CHECK_STATUS(jobring_submit(place.pool, "echo", "", 0, NULL, JOBRING_FOREVER, &made),
               JOBRING_NO_DAEMON);
  CHECK(made == NULL);
  CHECK_STATUS(jobring_ping(place.client, &pong), JOBRING_NO_DAEMON);
  jobring_pool* pool = NULL;
  CHECK_STATUS(
      jobring_pool_open(place.client, "default",
                        &(jobring_pool_options){.size = sizeof(jobring_pool_options)}, &pool),
      JOBRING_NO_DAEMON);
  void* bytes = NULL;
  CHECK_STATUS(jobring_call(place.pool, "echo", "", 0, NULL, &bytes, NULL), JOBRING_NO_DAEMON);
  jobring_future_free(runs);
  close_place(&place);
}

/* Each struct with each size that it cannot have: 0, less than its first release had, more than any
   will have. SIZED evaluates `call` with `s` as the struct. */
#define SIZED(type, call)                                                \
  do {                                                                   \
    const uint32_t sizes[] = {0, 4, sizeof(type) - 1, 5000, UINT32_MAX}; \
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i) {          \
      type s;                                                            \
      memset(&s, 0, sizeof s);                                           \
      s.size = sizes[i];                                                 \
      CHECK_BAD(call);                                                   \
      CHECK(s.size == sizes[i]);                                         \
    }                                                                    \
  } while (0)

void struct_sizes(void) {
  struct place place;
  open_place(&place, 1, "");
  const char* argv[] = {"true", NULL};
  const jobring_command command = {.size = sizeof command, .argv = argv};
  const jobring_bytes input = {"x", 1};
  jobring_client* client = NULL;
  jobring_pool* pool = NULL;
  jobring_channel* channel = NULL;
  jobring_objects* objects = NULL;
  jobring_object *queue = NULL, *made = NULL;
  jobring_results* results = NULL;
  jobring_entries* entries = NULL;
  jobring_future *future = NULL, *none = NULL;
  CHECK_OK(jobring_run(place.pool, &command, NULL, JOBRING_FOREVER, &future));
  CHECK_OK(jobring_future_wait(future, JOBRING_FOREVER));
  CHECK_OK(jobring_objects_open(place.client, &objects));
  CHECK_OK(jobring_object_open(objects, JOBRING_LIST, "l", NULL, &queue));
  CHECK_OK(jobring_list_append(queue, "x", 1, NULL));
  CHECK_OK(jobring_list_slice(queue, 0, 1, &entries));
  SIZED(jobring_connect_options, jobring_connect(&s, &client));
  SIZED(jobring_pong, jobring_ping(place.client, &s));
  SIZED(jobring_pool_options, jobring_pool_open(place.client, NULL, &s, &pool));
  SIZED(jobring_pool_options, jobring_channel_open(place.client, NULL, &s, &channel));
  SIZED(jobring_job_options, jobring_submit(place.pool, "echo", "", 0, &s, 0, &none));
  SIZED(jobring_command, (s.argv = argv, jobring_run(place.pool, &s, NULL, 0, &none)));
  SIZED(jobring_map_options, jobring_map_array(place.pool, "echo", &input, 1, &s, &results));
  CHECK(results == NULL);
  CHECK_OK(jobring_map_array(place.pool, "echo", &input, 1, NULL, &results));
  SIZED(jobring_result, jobring_future_result(future, 0, &s));
  SIZED(jobring_result, jobring_results_next(results, JOBRING_FOREVER, NULL, &s));
  SIZED(jobring_progress, jobring_future_progress(future, &s));
  SIZED(jobring_command_result, jobring_future_command(future, 0, &s));
  SIZED(jobring_object_options, jobring_object_open(objects, JOBRING_LOCK, "x", &s, &made));
  SIZED(jobring_object_info, jobring_object_get_info(queue, &s));
  SIZED(jobring_answer, jobring_list_pop(queue, 0, &s));
  SIZED(jobring_entry, jobring_entries_at(entries, 0, &s));
  /* No call with a bad struct has done anything: the map has its result, the list its item. */
  jobring_result result = {.size = sizeof result};
  int64_t items = 0;
  CHECK_OK(jobring_results_next(results, JOBRING_FOREVER, NULL, &result));
  CHECK_OK(jobring_list_size(queue, &items));
  CHECK(items == 1);
  CHECK(client == NULL && pool == NULL && channel == NULL && none == NULL && made == NULL);
  /* A pool's name of any length is one that is not there. */
  char* name = malloc(100000);
  REQUIRE(name != NULL);
  memset(name, 'p', 99999);
  name[99999] = '\0';
  CHECK(jobring_pool_open(place.client, name, NULL, &pool) < 0);
  CHECK(jobring_channel_open(place.client, name, NULL, &channel) < 0);
  CHECK(pool == NULL && channel == NULL);
  free(name);
  jobring_entries_free(entries);
  jobring_object_free(queue);
  jobring_objects_free(objects);
  jobring_results_free(results);
  jobring_future_free(future);
  close_place(&place);
}
