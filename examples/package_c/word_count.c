/* Counts the words of files, each line in a worker process.
   Usage: word_count_c CONFIG FILE...     (a private daemon is started with that config) */
#define _POSIX_C_SOURCE 200809L
#include <jobring/jobring.h>
#include <stdio.h>
#include <stdlib.h>

/* A map's source: lines are read as the workers take them, so the file may be larger than memory.
 */
struct lines {
  FILE* file;
  char* line;
  size_t room;
};

static jobring_status next_line(void* user, const void** bytes, size_t* len) {
  struct lines* lines = user;
  const ssize_t read = getline(&lines->line, &lines->room, lines->file);
  if (read < 0) return JOBRING_END;
  *bytes = lines->line;
  *len = (size_t)read;
  return JOBRING_OK;
}

/* Adds the words of a file to *total. A failure is told to the user here. */
static int count_file(jobring_pool* pool, FILE* file, long* total) {
  struct lines lines = {.file = file};
  jobring_map_options options = {.size = sizeof options, .unordered = 1};
  jobring_results* results = NULL;
  jobring_result result = {.size = sizeof result};
  int good = 1;
  jobring_status status = jobring_map(pool, "count_words", next_line, &lines, &options, &results);
  while (good && status == JOBRING_OK) {
    status = jobring_results_next(results, JOBRING_FOREVER, NULL, &result);
    if (status != JOBRING_OK) break;
    if (result.outcome == JOBRING_OUTCOME_OK) {
      char text[32];
      snprintf(text, sizeof text, "%.*s", (int)result.bytes_len, (const char*)result.bytes);
      *total += strtol(text, NULL, 10);
    } else {
      fprintf(stderr, "word_count_c: a line was not counted: %s: %.*s\n",
              jobring_outcome_name(result.outcome), (int)result.bytes_len,
              (const char*)result.bytes);
      good = 0;
    }
  }
  if (status < 0) {
    fprintf(stderr, "word_count_c: %s\n", jobring_last_error());
    good = 0;
  }
  jobring_results_free(results);
  free(lines.line);
  return good;
}

int main(int argc, char** argv) {
  if (argc < 3) {
    fprintf(stderr, "usage: word_count_c CONFIG FILE...\n");
    return 64;
  }
  jobring_connect_options options = {
      .size = sizeof options, .daemon = JOBRING_DAEMON_OWN, .config_file = argv[1]};
  jobring_client* client = NULL;
  jobring_pool* pool = NULL;
  if (jobring_connect(&options, &client) != JOBRING_OK ||
      jobring_pool_open(client, NULL, NULL, &pool) != JOBRING_OK) {
    fprintf(stderr, "word_count_c: %s\n", jobring_last_error());
    jobring_client_free(client);
    return jobring_last_error_exit_status();
  }
  long total = 0;
  int good = 1;
  for (int i = 2; good && i < argc; ++i) {
    FILE* file = fopen(argv[i], "r");
    if (file != NULL) {
      good = count_file(pool, file, &total);
      fclose(file);
    } else {
      fprintf(stderr, "word_count_c: cannot read %s\n", argv[i]);
      good = 0;
    }
  }
  if (good) printf("%ld\n", total);
  jobring_pool_free(pool);
  jobring_client_free(client);
  return good ? 0 : 1;
}
