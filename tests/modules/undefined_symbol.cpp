// Calls a function that no library has.
#include <jobring/handler.hpp>

extern "C" int jobring_test_function_of_a_missing_library();

JOBRING_HANDLER(never, job) {
  job.reply(jobring_test_function_of_a_missing_library() == 0 ? "a" : "b");
}
