/* A module in C: counts the primes below a number, tells how far it is, and stops when asked.
 *
 *     cc -shared -fPIC -o primes.so primes.c $(pkg-config --cflags jobring-handler)
 *     jobring call --progress primes 5000000        (of a pool with "modules": [".../primes.so"])
 */
#include <jobring/handler.h>

static int is_prime(unsigned long n) {
  unsigned long divisor;
  for (divisor = 2; divisor * divisor <= n; ++divisor) {
    if (n % divisor == 0) return 0;
  }
  return n >= 2;
}

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
  for (n = 0; n < below; ++n) {
    if (n % 4096 == 0) {
      jobring_job_progress(job, n, below, "dividing");
      if (jobring_job_stop_requested(job)) {
        jobring_job_failf(job, "stopped at %lu", n);
        return;
      }
    }
    found += (unsigned long)is_prime(n);
  }
  jobring_job_replyf(job, "%lu", found);
}
