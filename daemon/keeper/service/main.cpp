// jobring-keeper: started by jobringd with its control socket in $JOBRING_WORKER_FD.
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>

#include <cstdio>
#include <cstdlib>

#include "daemon/keeper/service/service.hpp"
#include "worker/crash_report.hpp"
#include "worker/supervisor_link.hpp"

int main() {
  const char* named = std::getenv("JOBRING_WORKER_FD");
  const int fd = named != nullptr ? std::atoi(named) : -1;
  int type = 0;
  socklen_t size = sizeof type;
  if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_SEQPACKET) {
    std::fprintf(stderr, "jobring-keeper: started by jobringd, not by hand; see jobringd --help\n");
    return 64;
  }
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  unsetenv("JOBRING_WORKER_FD");
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
