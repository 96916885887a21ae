/* A name of 48 bytes, one more than there may be. */
#include <jobring/handler.h>

JOBRING_HANDLER(c_a_name_that_is_one_byte_longer_than_is_allowed, job) {}
