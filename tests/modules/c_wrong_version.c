/* Built with a later release's header: the same code, another version of the interface. */
#define JOBRING_OWN_INIT
#include <jobring/handler.h>

int jobring_module_init(const struct jobring_registry* registry) {
  const uint32_t later = JOBRING_MODULE_VERSION + 7;
  return registry->version != later ? (int)later : 0;
}
