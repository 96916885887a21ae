// jobring-keeper: started by jobringd with its control socket in $JOBRING_WORKER_FD.
#include <signal.h>

#include <cstdio>

#include "daemon/keeper/service/service.hpp"
#include "worker/crash_report.hpp"
#include "worker/main_start.hpp"
#include "worker/supervisor_link.hpp"

int main() {
  const int fd = jobring::take_control_fd("jobring-keeper");
  if (fd < 0) return 64;
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  // It ends between two turns, when it is asked to (Service::leave()).
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  jobring::report_crashes();
  jobring::SupervisorLink link{jobring::UniqueFd(fd)};
  jobring::WorkerProcess process;
  jobring::introduce(process, link);
  jobring::keeper::Service service(process, link);
  service.run();
}
