/* The same name may stand in two modules' files, as everything in them is static. */
#include <jobring/handler.h>

JOBRING_HANDLER(from_more_c, job) {
  jobring_job_reply_text(job, "more C");
}
