// As if it had been built with another release of Boost.
#define JOBRING_OWN_INIT
#include <jobring/async_handler.hpp>

extern "C" int jobring_module_init(const jobring_registry*) {
  return 0;
}
extern "C" std::int64_t jobring_async_module_init(const jobring_async_registry*) {
  return std::int64_t(JOBRING_ASYNC_VERSION) - BOOST_VERSION + 107400;
}
