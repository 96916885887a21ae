#include "worker/async/deadlines.hpp"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <ctime>

#include "common/clock.hpp"
#include "common/exit_at_once.hpp"
#include "worker/leave.hpp"

namespace jobring {
namespace {

constexpr std::uint64_t kNever = ~std::uint64_t{0};

// The first of all deadlines, as the signal handler sees it: it interrupts the thread that writes
// them, so the order in which they are written is all that counts. `when` is kNever while the
// others change.
std::atomic<std::uint64_t> first_when{kNever};
std::atomic<const SliceOwner*> first_owner{nullptr};
std::atomic<int> first_status{0};
timer_t alarm_timer{};
std::uint64_t armed_for = kNever;

void arm(std::uint64_t when) {
  armed_for = when;
  itimerspec spec{};
  if (when != kNever) {
    spec.it_value = {time_t(when / 1'000'000'000), long(when % 1'000'000'000)};
    // Once more, should the first signal fall into a moment in which the handler may not look.
    spec.it_interval = {0, 50'000'000};
  }
  timer_settime(alarm_timer, TIMER_ABSTIME, &spec, nullptr);
}

// Async-signal-safe: stores, timer_settime() and exit_at_once().
void on_alarm(int, siginfo_t* info, void*) {
  if (info->si_code != SI_TIMER) return leave_when_alarmed();
  const std::uint64_t when = first_when.load(std::memory_order_relaxed);
  if (when == kNever) return;
  if (now_ns() < when) {
    arm(when);
    return;
  }
  // Recovery reads there which job it was that had to end; all others crashed with their worker.
  first_owner.load(std::memory_order_relaxed)->condemn();
  exit_at_once(first_status.load(std::memory_order_relaxed));
}

}  // namespace

Deadlines::Deadlines() {
  struct sigaction action {};
  action.sa_sigaction = on_alarm;
  action.sa_flags = SA_RESTART | SA_SIGINFO;
  sigaction(SIGALRM, &action, nullptr);
  sigevent event{};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = SIGALRM;
  timer_create(CLOCK_MONOTONIC, &event, &alarm_timer);
}

Deadlines::~Deadlines() {
  timer_delete(alarm_timer);
}

Deadlines::Key Deadlines::add(std::uint64_t when_ns, const SliceOwner& owner, int exit_status) {
  const Key key = entries_.insert({when_ns, {&owner, exit_status}});
  if (key == entries_.begin()) publish();
  return key;
}

void Deadlines::remove(Key key) {
  const bool first = key == entries_.begin();
  entries_.erase(key);
  if (first) publish();
}

void Deadlines::publish() {
  const bool any = !entries_.empty();
  first_when.store(kNever, std::memory_order_relaxed);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  first_owner.store(any ? entries_.begin()->second.owner : nullptr, std::memory_order_relaxed);
  first_status.store(any ? entries_.begin()->second.exit_status : 0, std::memory_order_relaxed);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  const std::uint64_t when = any ? entries_.begin()->first : kNever;
  first_when.store(when, std::memory_order_relaxed);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  // One that is armed too early finds that out by itself.
  if (when < armed_for || !any) arm(when);
}

}  // namespace jobring
