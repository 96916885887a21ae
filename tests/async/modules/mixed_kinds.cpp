// One coroutine, and one function that has no coroutine of its name.
#include <jobring/async_handler.hpp>

JOBRING_ASYNC_HANDLER(fine, job) {
  job.reply("fine");
  co_return;
}

JOBRING_HANDLER(blocking, job) {
  job.reply("never");
}
