/* Handlers in C, one for each thing that a handler may do. */
#define _POSIX_C_SOURCE 200809L
#include <fcntl.h>
#include <jobring/handler.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

JOBRING_HANDLER(c_square, job) {
  char text[32];
  char* end;
  if (jobring_job_text(job, text, sizeof text) != 0) {
    jobring_job_fail(job, "that is no number");
    return;
  }
  const long n = strtol(text, &end, 10);
  if (end == text || *end != '\0') {
    jobring_job_failf(job, "\"%s\" is no number", text);
    return;
  }
  jobring_job_replyf(job, "%ld", n * n);
}

/* Says nothing: that is a job without a result, and not a failed one. */
JOBRING_HANDLER(c_nothing, job) {}
JOBRING_HANDLER(c_fail_as, job) {
  jobring_job_reply_text(job, "what it had until then");
  jobring_job_fail_as(job, "no_such_file", "there is no file \"x\"");
}
JOBRING_HANDLER(c_reply_after_fail, job) {
  jobring_job_fail_as(job, "a type that is longer than the words", "no");
  jobring_job_reply_text(job, "words");
}
/* NULL wherever it is allowed. */
JOBRING_HANDLER(c_nulls, job) {
  jobring_job_progress(job, 1, 2, NULL);
  jobring_job_fail_as(job, NULL, NULL);
  jobring_job_fail(job, NULL);
  if (jobring_job_reply_text(job, NULL) != 0 || jobring_job_reply(job, NULL, 0) != 0)
    jobring_job_fail(job, "an empty reply is refused");
}

/* The payload once more, in place, in room of all that the pool takes. */
JOBRING_HANDLER(c_in_place, job) {
  char* room = jobring_job_reserve(job, jobring_job_max_result(job));
  if (room == NULL) return;
  memcpy(room, job->payload, job->payload_len);
  jobring_job_commit(job, job->payload_len);
}
/* One byte more than the pool takes; then it does as if nothing had been. */
JOBRING_HANDLER(c_too_big, job) {
  const size_t most = jobring_job_max_result(job);
  char* big = calloc(1, most + 1);
  if (big == NULL) abort();
  if (jobring_job_reserve(job, most + 1) != NULL) abort();
  if (jobring_job_reply(job, big, most + 1) != -1) abort();
  jobring_job_fail(job, "not what counts");
  free(big);
}
/* Replies and messages of any length come out of formats whole. */
JOBRING_HANDLER(c_format, job) {
  char text[32];
  if (jobring_job_text(job, text, sizeof text) != 0) abort();
  const int width = atoi(text);
  if (width < 0)
    jobring_job_failf(job, "%*d", -width, 7);
  else
    jobring_job_replyf(job, "%*d", width, 7);
}

/* The payload names a FIFO: reports, and waits until somebody opens it for writing. */
JOBRING_HANDLER(c_report, job) {
  char path[256];
  if (jobring_job_text(job, path, sizeof path) != 0) abort();
  jobring_job_progress(job, 2, 5, "of C");
  close(open(path, O_RDONLY));
}
/* Reports, and runs until it is asked to stop. */
JOBRING_HANDLER(c_spin, job) {
  jobring_job_progress(job, 0, 0, "spins");
  const struct timespec nap = {0, 1000000};
  while (!jobring_job_stop_requested(job)) nanosleep(&nap, NULL);
  jobring_job_reply_text(job, "stopped when asked");
}
JOBRING_HANDLER(c_crash, job) {
  signal(SIGSEGV, SIG_DFL);
  raise(SIGSEGV);
}
