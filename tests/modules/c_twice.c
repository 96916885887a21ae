/* Registers by itself, the same name twice. */
#define JOBRING_OWN_INIT
#include <jobring/handler.h>

static void nothing(struct jobring_job* job, void* user) {
  (void)job;
  (void)user;
}

int jobring_module_init(const struct jobring_registry* registry) {
  return registry->add(registry->host, "c_first", nothing, NULL) != 0 ||
                 registry->add(registry->host, "c_twice", nothing, NULL) != 0 ||
                 registry->add(registry->host, "c_twice", nothing, NULL) != 0
             ? -1
             : 0;
}
