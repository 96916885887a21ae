// Throws from a static initialiser, while it is being loaded.
#include <stdexcept>

#include <jobring/handler.hpp>

namespace {
int refuse() {
  throw std::runtime_error("no licence for this machine");
}
const int refused = refuse();
}  // namespace

JOBRING_HANDLER(never, job) {
  job.reply(refused == 0 ? "a" : "b");
}
