#include "client/cli/durable/session.hpp"

#include <cstdio>
#include <cstdlib>

#include "common/result.hpp"

namespace jobring::cli {

void leave(int status) {
  if (std::fflush(stdout) != 0 && status == 0) {
    std::perror("jobring: write to stdout");
    status = exit_status(Errc::system);
  }
  std::_Exit(status);
}

}  // namespace jobring::cli
