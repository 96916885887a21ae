// What is for C alone: JOBRING_HANDLER as a function of C, and replies in the manner of printf.
// Include <jobring/handler.h>.
#ifndef JOBRING_HANDLER_C_H
#define JOBRING_HANDLER_C_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <jobring/handler.h>

// Defines and registers a handler: JOBRING_HANDLER(name, job) { ... job is a struct jobring_job* }
#define JOBRING_HANDLER(handler_name, job) JOBRING_HANDLER_WITH(handler_name, job, 0u)
// One that may run on several threads at once.
#define JOBRING_THREAD_SAFE_HANDLER(handler_name, job) \
  JOBRING_HANDLER_WITH(handler_name, job, JOBRING_THREAD_SAFE)

#define JOBRING_HANDLER_WITH(handler_name, job, traits)                                            \
  static void jobring_handler_##handler_name(struct jobring_job* job, void* jobring_user);         \
  __attribute__((constructor)) static void jobring_register_##handler_name(void) {                 \
    static struct jobring_registration own = {#handler_name, jobring_handler_##handler_name, NULL, \
                                              traits, NULL};                                       \
    own.next = jobring_registrations;                                                              \
    jobring_registrations = &own;                                                                  \
  }                                                                                                \
  static void jobring_handler_##handler_name(__attribute__((unused)) struct jobring_job* job,      \
                                             __attribute__((unused)) void* jobring_user)

// The text that a format makes; *len is its length. In `small` if it fits there, else in memory
// that is to be freed; NULL without memory, or if the format fails.
static inline char* jobring_format(char* small, size_t size, size_t* len, const char* format,
                                   va_list values) {
  va_list again;
  char* text = small;
  int needed;
  va_copy(again, values);
  needed = vsnprintf(small, size, format, values);
  if (needed < 0) {
    text = NULL;
  } else if ((size_t)needed >= size) {
    text = (char*)malloc((size_t)needed + 1);
    if (text != NULL) vsnprintf(text, (size_t)needed + 1, format, again);
  }
  va_end(again);
  *len = needed < 0 ? 0 : (size_t)needed;
  return text;
}

// jobring_job_reply() of what printf would print. -1 also without memory, or if the format fails:
// the job fails then.
__attribute__((format(printf, 2, 3))) static inline int jobring_job_replyf(struct jobring_job* job,
                                                                           const char* format,
                                                                           ...) {
  char small[256];
  size_t len = 0;
  int status = -1;
  char* text;
  va_list values;
  va_start(values, format);
  text = jobring_format(small, sizeof small, &len, format, values);
  va_end(values);
  if (text != NULL)
    status = jobring_job_reply(job, text, len);
  else
    jobring_job_fail(job, "the reply could not be formatted");
  if (text != small) free(text);
  return status;
}

// jobring_job_fail() with what printf would print.
__attribute__((format(printf, 2, 3))) static inline void jobring_job_failf(struct jobring_job* job,
                                                                           const char* format,
                                                                           ...) {
  char small[256];
  size_t len = 0;
  char* text;
  va_list values;
  va_start(values, format);
  text = jobring_format(small, sizeof small, &len, format, values);
  va_end(values);
  if (text != NULL)
    job->fail(job->host, text, len);
  else
    jobring_job_fail(job, "the message could not be formatted");
  if (text != small) free(text);
}

#endif
