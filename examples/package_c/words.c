/* Handlers in C. */
#include <ctype.h>
#include <jobring/handler.h>

/* The words of a text, as a decimal number. */
JOBRING_THREAD_SAFE_HANDLER(count_words, job) {
  size_t words = 0, i;
  int inside = 0;
  for (i = 0; i < job->payload_len; ++i) {
    const int space = isspace(job->payload[i]) != 0;
    if (!space && !inside) ++words;
    inside = !space;
  }
  jobring_job_replyf(job, "%zu", words);
}
