// Throws where nothing may be thrown, while it is being loaded: the C++ runtime ends the process.
#include <stdexcept>

#include <jobring/handler.hpp>

namespace {
void fail() {
  throw std::runtime_error("no way out");
}
int refuse() noexcept {
  fail();
  return 0;
}
const int refused = refuse();
}  // namespace

JOBRING_HANDLER(never, job) {
  job.reply(refused == 0 ? "a" : "b");
}
