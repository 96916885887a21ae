#include "worker/job_timer.hpp"

#include <signal.h>
#include <unistd.h>

#include "worker/job_run.hpp"

namespace jobring {
namespace {

// Async-signal-safe: a flag, and _exit.
void on_alarm(int, siginfo_t* info, void*) {
  if (info->si_code != SI_TIMER) return;  // alarm() of a job, perhaps of an earlier one
  if (JobRun::timed_out != 0) _exit(kExitTimedOut);
  JobRun::timed_out = 1;
}

timespec to_timespec(std::uint32_t ms) {
  return {time_t(ms / 1000), long(ms % 1000) * 1'000'000};
}

}  // namespace

JobTimer::JobTimer() {
  struct sigaction action {};
  action.sa_sigaction = on_alarm;
  action.sa_flags = SA_RESTART | SA_SIGINFO;
  sigaction(SIGALRM, &action, nullptr);
  sigevent event{};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = SIGALRM;
  timer_create(CLOCK_MONOTONIC, &event, &timer_);
}

JobTimer::~JobTimer() {
  timer_delete(timer_);
}

void JobTimer::start(std::uint32_t timeout_ms, std::uint32_t grace_ms) {
  JobRun::timed_out = 0;
  itimerspec when{};
  when.it_value = to_timespec(timeout_ms);
  when.it_interval = to_timespec(grace_ms == 0 ? 1 : grace_ms);
  timer_settime(timer_, 0, &when, nullptr);
}

void JobTimer::stop() {
  const itimerspec off{};
  timer_settime(timer_, 0, &off, nullptr);
  JobRun::timed_out = 0;
}

}  // namespace jobring
