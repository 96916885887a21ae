/* One function under several names, which a module knows only when it runs, each with its own data.
   Of an undeclared one, nothing is known. */
#define JOBRING_OWN_INIT
#include <jobring/handler.h>

static char words[2][8] = {"one", "two"};

static void reply_word(struct jobring_job* job, void* user) {
  jobring_job_reply_text(job, user);
}

int jobring_module_init(const struct jobring_registry* registry) {
  if (registry->version != JOBRING_MODULE_VERSION) return (int)JOBRING_MODULE_VERSION;
  for (int i = 0; i < 2; ++i) {
    char name[32];
    snprintf(name, sizeof name, "c_say_%s", words[i]);
    if (registry->add(registry->host, name, reply_word, words[i]) != 0 ||
        registry->declare(registry->host, name, JOBRING_THREAD_SAFE) != 0)
      return -1;
  }
  return registry->declare(registry->host, "c_unknown", 0) == -1 ? 0 : -1;
}
