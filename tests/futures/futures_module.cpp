// Handlers that throw, report and build.
#include <stdexcept>
#include <string>

#include <jobring/handler.hpp>

namespace app {
struct BadInput : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};
}  // namespace app

JOBRING_HANDLER(throw_app, job) {
  throw app::BadInput("not a number: " + std::string(job.text()));
}
