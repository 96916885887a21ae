/* A module in C: counts the primes below a number, tells how far it is, and stops when asked.
 *
 *     cc -shared -fPIC -o primes.so primes.c $(pkg-config --cflags jobring-handler)
 *     jobring call --progress primes 50000000       (of a pool with "modules": [".../primes.so"])
 */
#include <jobring/handler.h>

/* Shares nothing, so that a pool of threads may have it too. */
JOBRING_THREAD_SAFE_HANDLER(primes, job) {
  char text[32];
  char* end = text;
  unsigned long below = 0, found = 0, n;
  if (jobring_job_text(job, text, sizeof text) == 0) below = strtoul(text, &end, 10);
  if (end == text || *end != '\0' || below > 1000000000) {
    jobring_job_fail_as(job, "bad_number", "the payload is no number up to 1000000000");
    return;
  }
  unsigned char* composite = calloc(below + 1, 1);
  if (composite == NULL) {
    jobring_job_fail_as(job, "no_memory", "there is no memory for the sieve");
    return;
  }
  for (n = 2; n < below; ++n) {
    if (n % 65536 == 0) {
      jobring_job_progress(job, n, below, "sieving");
      if (jobring_job_stop_requested(job)) break;
    }
    if (composite[n]) continue;
    ++found;
    for (unsigned long multiple = n * n; multiple < below; multiple += n) composite[multiple] = 1;
  }
  free(composite);
  if (n < below)
    jobring_job_failf(job, "stopped at %lu", n);
  else
    jobring_job_replyf(job, "%lu", found);
}
