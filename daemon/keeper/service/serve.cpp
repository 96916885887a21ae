// The keeper's process, from its start.
#include <signal.h>

#include <cstdio>

#include "daemon/keeper/service/seams.hpp"
#include "daemon/keeper/service/service.hpp"
#include "worker/crash_report.hpp"
#include "worker/main_start.hpp"
#include "worker/supervisor_link.hpp"

namespace jobring::keeper {

int serve(const Seams& seams) {
  const int fd = take_control_fd("jobring-keeper");
  if (fd < 0) return 64;
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  // It ends between two turns, when it is asked to (Service::leave()).
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  report_crashes();
  SupervisorLink link{UniqueFd(fd)};
  WorkerProcess process;
  introduce(process, link);
  Service service(process, link, seams);
  service.run();
}

}  // namespace jobring::keeper
