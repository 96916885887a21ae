#include "worker/worker.hpp"

#include <sched.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string>

#include "common/clock.hpp"
#include "worker/completion.hpp"
#include "worker/crash_report.hpp"
#include "worker/exec/run_command.hpp"
#include "worker/leave.hpp"
#include "worker/private_memory.hpp"
#include "worker/spin.hpp"
#include "worker/wait_set.hpp"

namespace jobring {
namespace {

constexpr std::uint64_t kOrdersEvery =
    1'000'000;  // nanoseconds between looks at the control socket while busy
constexpr std::uint64_t kRssEvery = 100'000'000;  // nanoseconds between looks at our own memory

}  // namespace

Worker::Worker(const WorkerProcess& process, std::uint32_t index, OrderLink& link)
    : process_(process),
      settings_(process.settings),
      link_(link),
      epoll_(or_leave(make_epoll(link.fd()))),
      channels_(link, process.segments, epoll_.get(), ChannelTable::Asking::wait),
      claimer_(process, index, channels_),
      mine_(claimer_.entry()),
      timer_(mine_) {
  spin_.limit(settings_.spin_ns);
  watch_event(epoll_.get(), process.colleagues[index].get());
  pthread_sigmask(SIG_SETMASK, nullptr, &mask_);
}

// ---- running

void Worker::run_batch(const Batch& batch) {
  WorkerChannel& channel = *batch.channel;
  channels_.drop_stdio_except(channel.id);
  BatchPolicy& policy = claimer_.policy();
  // For jobs of a microsecond the time of our last look is near enough; asking would delay them.
  const bool by_batch = policy.short_jobs();
  std::uint64_t started = by_batch ? time_ : now_ns();
  const std::uint64_t batch_started = started;
  mine_.job_channel.set(channel.id);
  mine_.busy.set(1);
  claimer_.begin(batch, started);
  for (std::uint32_t i = 0; i < batch.count; ++i) {
    if (i != 0) claimer_.next(batch, i);
    run_one(channel, claimer_.claim(i), started);
    if (!by_batch && batch.count > 1) {
      started = now_ns();
      if (started - tidied_ns_ > kOrdersEvery) tidy(started);
    }
  }
  channel.completions.move_tail();
  running_handler.store(nullptr, std::memory_order_relaxed);
  mine_.busy.set(0);
  time_ = now_ns();
  const std::uint64_t spent = time_ - batch_started;
  policy.ran(batch.count, spent);
  mine_.busy_us.set(mine_.busy_us.get() + spent / 1000);
  if (settings_.max_jobs != 0) process_.jobs.fetch_add(batch.count, std::memory_order_relaxed);
}

void Worker::run_one(WorkerChannel& channel, const Claim& claim, std::uint64_t started) {
  Slot& slot = channel.view.slot(claim.index);
  const StateWord running = claim.word.to(SlotState::running, claimer_.owner());
  mine_.job_slot.set(claim.index);
  mine_.job_generation.set(running.generation());
  mine_.job_started_ns.set(started);
  // seq_cst: the store half of "run, then look who wants it stopped" (Slot::kill_request).
  if (!slot.move(claim.word, running, std::memory_order_seq_cst)) return;  // stolen
  slot.started_ns.set(started);
  JobRun job(channel, claim.index, payload_copy_, timer_.late());
  if (job.open(started)) {
    if (const Handler* handler = job.resolve(process_.handlers)) {
      const std::uint32_t timeout = slot.timeout_ms.get();
      running_handler.store(handler->name.c_str(), std::memory_order_relaxed);
      if (handler->fn == nullptr) {
        run_command_job(job);
      } else if (timeout == 0) {
        job.run(*handler);
      } else {
        timer_.start(timeout, settings_.kill_grace_ms);
        job.run(*handler);
        const bool late = timer_.late() != 0;
        timer_.stop();
        if (late) job.end(Outcome::timed_out, "timed out after " + std::to_string(timeout) + " ms");
      }
    }
  }
  const BatchPolicy& policy = claimer_.policy();
  slot.run_us.set(
      std::uint32_t(policy.short_jobs() ? policy.mean_ns() / 1000 : (now_ns() - started) / 1000));
  if (!complete(channel, job, running, claimer_.index(), mine_))
    channels_.report_broken(channel, "its completion queue makes no sense");
}

// ---- waiting

bool Worker::spin() {
  return jobring::spin(spin_, time_, [this] {
    const Batch batch = claimer_.look();
    if (batch) run_batch(batch);
    return bool(batch);
  });
}

void Worker::sleep() {
  Batch batch;
  const Claimer::Rest rest = claimer_.prepare_to_sleep(batch);
  if (rest == Claimer::Rest::won) run_batch(batch);
  if (rest != Claimer::Rest::may_sleep) return;
  claimer_.lie_down();                 // W3
  while (!claimer_.work_in_sight()) {  // W4
    epoll_event events[8];
    const int count = epoll_wait(epoll_.get(), events, 8, -1);  // W5
    if (count < 0 && errno != EINTR) leave_without_descriptors();
    bool rung = false, orders = false;
    for (int i = 0; i < count; ++i) (events[i].data.u64 == kControlEvent ? orders : rung) = true;
    // Orders are followed lying down: who submits meanwhile still sees us sleep, and rings us
    // rather than another.
    if (orders) handle_orders();
    if (rung || channels_.draining()) break;
  }
  claimer_.get_up();
}

int Worker::run() {
  for (;;) {
    time_ = now_ns();
    if (time_ - orders_checked_ns_ > kOrdersEvery) {
      orders_checked_ns_ = time_;
      handle_orders();
      tidy(time_);
    }
    if (process_.retiring.load(std::memory_order_relaxed)) return leave();
    // A drain that is ordered during the look, while a channel is mapped, does not make it the
    // last: jobs of a doorbell that came with it have not been looked for.
    const bool last_look = channels_.draining();
    Batch batch = claimer_.look();
    if (batch) run_batch(batch);
    if (batch || spin()) {
      if (time_to_retire()) return leave();
      continue;
    }
    const Claimer::Steal stolen =
        claimer_.alone() ? Claimer::Steal::nothing : claimer_.steal(batch);
    if (stolen == Claimer::Steal::won) {
      run_batch(batch);
      continue;
    }
    if (stolen == Claimer::Steal::wait) {
      sched_yield();
      continue;
    }
    // What a command received that was not for it: nothing on the socket tells of that any more.
    if (auto kept = link_.next_kept()) {
      channels_.follow(*kept);
      continue;
    }
    if (last_look) return leave();
    if (channels_.draining()) continue;
    tidy(time_);
    sleep();
  }
}

// The process may live on for a while, with other lanes at work: whoever rang us for a job must not
// wait for us.
int Worker::leave() {
  if (process_.has_lanes()) {
    tidy(time_);
    claimer_.wake_all();
  }
  return 0;
}

// A StopJob that comes here is for a job that has ended: the flag in its slot did the rest.
void Worker::handle_orders() {
  while (auto order = link_.poll()) channels_.follow(*order);
}

// Between jobs, at the latest a millisecond after one, and before we sleep: what jobs left behind.
void Worker::tidy(std::uint64_t now) {
  tidied_ns_ = now;
  const std::uint64_t begun = mine_.jobs.get();
  if (begun == tidied_jobs_) return;
  tidied_jobs_ = begun;
  if (process_.has_lanes()) {
    pthread_sigmask(SIG_SETMASK, &mask_, nullptr);
  } else {
    process_.baseline.restore();
  }
  if (!may_have_strays()) return;
  if (settings_.keep_strays) {
    reap_dead_strays();
  } else {
    reap_strays();
  }
}

bool Worker::time_to_retire() {
  if (worn_) process_.retiring.store(true);
  if (process_.retiring.load(std::memory_order_relaxed)) return true;
  if (settings_.max_jobs != 0 &&
      process_.jobs.load(std::memory_order_relaxed) >= settings_.max_jobs) {
    process_.retiring.store(true);
    return true;
  }
  if (settings_.max_rss == 0 || time_ - rss_checked_ns_ < kRssEvery) return false;
  rss_checked_ns_ = time_;
  const bool too_much = private_memory() > settings_.max_rss;
  if (too_much) process_.retiring.store(true);
  return too_much;
}

}  // namespace jobring
