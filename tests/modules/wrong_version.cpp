// Built with a later release's header: the same code, another version of the interface.
#define JOBRING_OWN_INIT
#include <jobring/handler.hpp>
#undef JOBRING_MODULE_VERSION
#define JOBRING_MODULE_VERSION 9u

extern "C" int jobring_module_init(const jobring_registry* registry) {
  return registry->version != JOBRING_MODULE_VERSION ? int(JOBRING_MODULE_VERSION) : 0;
}
