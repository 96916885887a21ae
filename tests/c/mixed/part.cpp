// A module of two languages: the part in C++.
#include <jobring/handler.hpp>

JOBRING_HANDLER(from_cxx, job) {
  job.reply("C++");
}
