// Throws what is not a std::exception from its own jobring_module_init.
#define JOBRING_OWN_INIT
#include <jobring/handler.hpp>

extern "C" int jobring_module_init(const jobring_registry*) {
  throw 7;
}
