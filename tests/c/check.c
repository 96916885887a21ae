#define _GNU_SOURCE
#include "check.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static atomic_int failures;

int check_failures(void) {
  return atomic_load(&failures);
}

void check(int ok, const char* what, const char* file, int line) {
  if (ok) return;
  atomic_fetch_add(&failures, 1);
  fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
}

void require(int ok, const char* what, const char* file, int line) {
  check(ok, what, file, line);
  if (!ok) {
    fprintf(stderr, "last error: %s\n", jobring_last_error());
    exit(1);
  }
}

void check_status(jobring_status got, jobring_status wanted, const char* what, const char* file,
                  int line) {
  if (got == wanted) return;
  atomic_fetch_add(&failures, 1);
  fprintf(stderr, "%s:%d: %s gave %s, not %s; last error: %s\n", file, line, what,
          jobring_status_name(got), jobring_status_name(wanted), jobring_last_error());
}

void check_text(const char* got, const char* wanted, const char* what, const char* file, int line) {
  if (got != NULL && strcmp(got, wanted) == 0) return;
  atomic_fetch_add(&failures, 1);
  fprintf(stderr, "%s:%d: %s is \"%s\", not \"%s\"\n", file, line, what, got ? got : "NULL",
          wanted);
}

void open_place(struct place* place, int workers, const char* more) {
  char pools[1024];
  const int len = snprintf(pools, sizeof pools,
                           "\"default\": {\"workers\": %d, \"modules\": [\"%s/faulty.so\","
                           " \"%s/futures.so\"]%s}",
                           workers, JOBRING_MODULE_DIR, JOBRING_MODULE_DIR, more);
  REQUIRE(len > 0 && (size_t)len < sizeof pools);
  open_place_of(place, pools);
}

static void open_with(struct place* place, const char* pools, int keeps) {
  const char* tmp = getenv("TMPDIR");
  char config[128];
  snprintf(place->dir, sizeof place->dir, "%s/jobring-c-XXXXXX", tmp != NULL ? tmp : "/tmp");
  REQUIRE(mkdtemp(place->dir) != NULL);
  snprintf(config, sizeof config, "%s/config.json", place->dir);
  FILE* file = fopen(config, "w");
  REQUIRE(file != NULL);
  fprintf(file, "{\"log\": {\"level\": \"error\"}, \"pools\": {%s}", pools);
  if (keeps) fprintf(file, ", \"keeper\": {\"state_dir\": \"%s/state\"}", place->dir);
  fprintf(file, "}");
  fclose(file);
  jobring_connect_options options = {.size = sizeof options,
                                     .daemon = JOBRING_DAEMON_OWN,
                                     .config_file = config,
                                     .daemon_path = JOBRING_BIN_DIR "/jobringd",
                                     .name = "c_tests"};
  place->client = NULL;
  place->pool = NULL;
  REQUIRE(jobring_connect(&options, &place->client) == JOBRING_OK);
  REQUIRE(jobring_pool_open(place->client, NULL, NULL, &place->pool) == JOBRING_OK);
}

void open_place_of(struct place* place, const char* pools) {
  open_with(place, pools, 0);
}
void open_place_that_keeps(struct place* place, const char* pools) {
  open_with(place, pools, 1);
}

static int remove_it(const char* path, const struct stat* status, int type, struct FTW* walk) {
  (void)status;
  (void)type;
  (void)walk;
  return remove(path);
}

void close_place(struct place* place) {
  jobring_pool_free(place->pool);
  jobring_client_free(place->client);
  CHECK(nftw(place->dir, remove_it, 16, FTW_DEPTH | FTW_PHYS) == 0);
}

void kill_daemon(struct place* place) {
  jobring_pong pong = {.size = sizeof pong};
  REQUIRE(jobring_ping(place->client, &pong) == JOBRING_OK);
  REQUIRE(kill(pong.pid, SIGKILL) == 0);
}

struct registry {
  struct place* place;
  int pid;
};

static int registry_serves(void* user) {
  struct registry* registry = user;
  char* status = NULL;
  REQUIRE(jobring_status_json(registry->place->client, &status, NULL) == JOBRING_OK);
  /* Members stand in the order of their names: the pool's state and workers come after its name. */
  const char* at = strstr(status, "\"name\":\"@registry\"");
  const char* state = at != NULL ? strstr(at, "\"state\":\"running\"") : NULL;
  const char* pid = at != NULL ? strstr(at, "\"pid\":") : NULL;
  registry->pid = state != NULL && pid != NULL ? atoi(pid + 6) : 0;
  jobring_free(status);
  return registry->pid > 0;
}

int registry_pid(struct place* place) {
  struct registry registry = {.place = place};
  eventually(registry_serves, &registry, "the registry serves");
  return registry.pid;
}

static void gate_path(const struct place* place, const char* name, char* path, size_t size) {
  snprintf(path, size, "%s/%s", place->dir, name);
}

jobring_future* submit_at_fifo(struct place* place, jobring_pool* pool, const char* handler,
                               const char* name, const jobring_job_options* options) {
  char path[128];
  gate_path(place, name, path, sizeof path);
  REQUIRE(mkfifo(path, 0600) == 0);
  jobring_future* future = NULL;
  REQUIRE(jobring_submit(pool, handler, path, strlen(path), options, JOBRING_FOREVER, &future) ==
          JOBRING_OK);
  return future;
}

jobring_future* submit_at_gate(struct place* place, jobring_pool* pool, const char* name,
                               const jobring_job_options* options) {
  return submit_at_fifo(place, pool, "wait_at_fifo", name, options);
}

void open_gate(const struct place* place, const char* name) {
  char path[128];
  gate_path(place, name, path, sizeof path);
  close(open(path, O_WRONLY | O_CLOEXEC));
}

jobring_future* submit(jobring_pool* pool, const char* handler, const char* payload) {
  jobring_future* future = NULL;
  REQUIRE(jobring_submit(pool, handler, payload, strlen(payload), NULL, JOBRING_FOREVER, &future) ==
          JOBRING_OK);
  return future;
}

jobring_result result_of(jobring_future* future) {
  jobring_result result = {.size = sizeof result};
  REQUIRE(jobring_future_result(future, JOBRING_FOREVER, &result) == JOBRING_OK);
  return result;
}

int bytes_are(const jobring_result* result, const char* text) {
  return result->bytes_len == strlen(text) && memcmp(result->bytes, text, result->bytes_len) == 0;
}

static int count_lines_with(const char* file, const char* part) {
  FILE* lines = fopen(file, "r");
  REQUIRE(lines != NULL);
  char line[512];
  int count = 0;
  while (fgets(line, sizeof line, lines) != NULL) {
    if (strstr(line, part) != NULL) ++count;
  }
  fclose(lines);
  return count;
}

int shared_mappings(void) {
  return count_lines_with("/proc/self/maps", "memfd:");
}

int descriptors(void) {
  DIR* dir = opendir("/proc/self/fd");
  REQUIRE(dir != NULL);
  int count = 0;
  while (readdir(dir) != NULL) ++count;
  closedir(dir);
  return count;
}

void eventually(int (*holds)(void* user), void* user, const char* what) {
  struct timespec nap = {.tv_sec = 0, .tv_nsec = 2000000};
  for (int i = 0; i < 10000; ++i) {
    if (holds(user)) return;
    nanosleep(&nap, NULL);
  }
  check(0, what, __FILE__, __LINE__);
}

jobring_future* submit_reporter(struct place* place, const char* gate) {
  return submit_at_fifo(place, place->pool, "report", gate, NULL);
}

static int has_reported(void* user) {
  jobring_progress progress = {.size = sizeof progress};
  return jobring_future_progress(user, &progress) == JOBRING_OK;
}

void await_report(jobring_future* future) {
  eventually(has_reported, future, "the job reports");
}
