/* A module of two languages: the part in C, with a file beside it. */
#include <jobring/handler.h>

JOBRING_THREAD_SAFE_HANDLER(from_c, job) {
  jobring_job_reply_text(job, "C");
}
