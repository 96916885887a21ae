/* Handlers in C that may run several times at once. */
#define _POSIX_C_SOURCE 200809L
#include <jobring/handler.h>
#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t came = PTHREAD_COND_INITIALIZER;
static int here;

/* Waits until as many jobs as the payload says are in it at once, in one process. */
JOBRING_THREAD_SAFE_HANDLER(c_meet, job) {
  char text[32];
  if (jobring_job_text(job, text, sizeof text) != 0) abort();
  const int all = atoi(text);
  pthread_mutex_lock(&lock);
  ++here;
  pthread_cond_broadcast(&came);
  while (here < all) pthread_cond_wait(&came, &lock);
  pthread_mutex_unlock(&lock);
  jobring_job_replyf(job, "%d", all);
}
JOBRING_THREAD_SAFE_HANDLER(c_echo, job) {
  jobring_job_reply(job, job->payload, job->payload_len);
}
