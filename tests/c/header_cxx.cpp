// The C header alone, for a C++ compiler, and beside the C++ one.
#include <jobring/jobring.h>

#include <jobring/jobring.hpp>

jobring_status connect_as_cxx(jobring_client** client);
jobring_status connect_as_cxx(jobring_client** client) {
  return jobring_connect(nullptr, client);
}
