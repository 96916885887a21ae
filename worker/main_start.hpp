// What every kind of worker process does first.
#pragma once

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "worker/crash_report.hpp"
#include "worker/leave.hpp"

namespace jobring {

// The control socket that jobringd has left us; -1, with a line for whoever started us by hand.
inline int take_control_fd(const char* program) {
  const char* named = std::getenv("JOBRING_WORKER_FD");
  const int fd = named != nullptr ? std::atoi(named) : -1;
  int type = 0;
  socklen_t size = sizeof type;
  if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_SEQPACKET) {
    std::fprintf(stderr, "%s: started by jobringd, not by hand; see jobringd --help\n", program);
    return -1;
  }
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  unsetenv("JOBRING_WORKER_FD");
  return fd;
}

inline void prepare_process() {
  // A line that a handler printed must not stay in a buffer when the next one crashes.
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  report_crashes();
  leave_on_sigterm();
}

}  // namespace jobring
