// Throws from its own jobring_module_init.
#include <stdexcept>

#define JOBRING_OWN_INIT
#include <jobring/handler.hpp>

extern "C" int jobring_module_init(const jobring_registry*) {
  throw std::runtime_error("cannot read its model");
}
