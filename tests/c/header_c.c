/* The header alone, first and twice, for a C compiler; header_cxx.cpp for one of C++. */
#include <jobring/jobring.h>

jobring_status connect_as_c(jobring_client** client);
jobring_status connect_as_c(jobring_client** client) {
  return jobring_connect(0, client);
}
