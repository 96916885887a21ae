#include "worker/process_baseline.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace jobring {

void ProcessBaseline::record() {
  directory_.reset(open(".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  for (std::size_t i = 0; i < stdio_.size(); ++i)
    stdio_[i].reset(fcntl(int(i), F_DUPFD_CLOEXEC, 3));
  umask_ = umask(0);
  umask(umask_);
  pthread_sigmask(SIG_SETMASK, nullptr, &mask_);
  sigaction(SIGALRM, nullptr, &alarm_);
  sigaction(SIGTERM, nullptr, &term_);
}

void ProcessBaseline::restore() const {
  // Handlers before the mask: what is pending must find them.
  sigaction(SIGALRM, &alarm_, nullptr);
  sigaction(SIGTERM, &term_, nullptr);
  pthread_sigmask(SIG_SETMASK, &mask_, nullptr);
  umask(umask_);
  // What fails here fails because a job closed all descriptors: the worker is about to leave.
  if (directory_) [[maybe_unused]]
    const int changed = fchdir(directory_.get());
  for (std::size_t i = 0; i < stdio_.size(); ++i) {
    if (stdio_[i]) dup2(stdio_[i].get(), int(i));
  }
}

}  // namespace jobring
