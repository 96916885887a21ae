// No signal handler runs in this thread while one of these lives, except where it is let in.
#pragma once

#include <csignal>

namespace jobring {

// Two reasons. Between vfork() and exec, a handler that runs in the child would write to the
// parent's memory. And a flag that a handler sets between our look at it and our sleep would be
// overlooked: sleep with ppoll(..., before()).
class SignalGate {
 public:
  SignalGate() {
    sigfillset(&all_);
    pthread_sigmask(SIG_SETMASK, &all_, &before_);
  }
  ~SignalGate() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalGate(const SignalGate&) = delete;
  SignalGate& operator=(const SignalGate&) = delete;

  const sigset_t* before() const { return &before_; }
  // Runs the handlers of what is pending: ppoll() does so only if it has nothing else to report.
  void let_in() const {
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    pthread_sigmask(SIG_SETMASK, &all_, nullptr);
  }

 private:
  sigset_t all_, before_;
};

}  // namespace jobring
