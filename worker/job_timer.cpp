#include "worker/job_timer.hpp"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/exit_at_once.hpp"
#include "worker/leave.hpp"

namespace jobring {
namespace {

thread_local JobTimer* of_thread = nullptr;

timespec to_timespec(std::uint32_t ms) {
  return {time_t(ms / 1000), long(ms % 1000) * 1'000'000};
}

}  // namespace

// Async-signal-safe: a flag, a store to shared memory, and exit_at_once().
void JobTimer::on_alarm(int, siginfo_t* info, void*) {
  // Else it is alarm() of a job, perhaps of an earlier one.
  if (info->si_code != SI_TIMER) return leave_when_alarmed();
  JobTimer* timer = of_thread;
  if (timer == nullptr || info->si_value.sival_ptr != timer) return;  // a timer of a job's own
  if (timer->late_ != 0) {
    timer->entry_.timed_out.set(timer->entry_.job_generation.get());
    return exit_at_once(kExitTimedOut);
  }
  timer->late_ = 1;
}

JobTimer::JobTimer(WorkerEntry& entry) : entry_(entry) {
  of_thread = this;
  struct sigaction action {};
  action.sa_sigaction = &JobTimer::on_alarm;
  action.sa_flags = SA_RESTART | SA_SIGINFO;
  sigaction(SIGALRM, &action, nullptr);
  sigevent event{};
  event.sigev_notify = SIGEV_THREAD_ID;
  event._sigev_un._tid = pid_t(syscall(SYS_gettid));
  event.sigev_signo = SIGALRM;
  event.sigev_value.sival_ptr = this;
  timer_create(CLOCK_MONOTONIC, &event, &timer_);
}

JobTimer::~JobTimer() {
  timer_delete(timer_);
  of_thread = nullptr;
}

void JobTimer::start(std::uint32_t timeout_ms, std::uint32_t grace_ms) {
  late_ = 0;
  itimerspec when{};
  when.it_value = to_timespec(timeout_ms);
  when.it_interval = to_timespec(grace_ms == 0 ? 1 : grace_ms);
  timer_settime(timer_, 0, &when, nullptr);
}

void JobTimer::stop() {
  const itimerspec off{};
  timer_settime(timer_, 0, &off, nullptr);
  late_ = 0;
}

}  // namespace jobring
