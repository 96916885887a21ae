// A descriptor for a process: readable when it is dead, and never another process that got the same
// number.
#pragma once

#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include "common/unique_fd.hpp"

namespace jobring {

// Not glibc's own: the header of 2.36 declares it without C linkage. `pid` must be a child that is
// not reaped yet.
inline UniqueFd open_pidfd(pid_t pid) {
  return UniqueFd(int(syscall(SYS_pidfd_open, pid, 0)));
}

}  // namespace jobring
