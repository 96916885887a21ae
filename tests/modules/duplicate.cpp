// Has a handler of the same name as examples/modules/square.cpp, after one that is new.
#include <jobring/handler.hpp>

JOBRING_HANDLER(square, job) {
  job.reply("the other square");
}
JOBRING_HANDLER(only_in_duplicate, job) {
  job.reply("new");
}
