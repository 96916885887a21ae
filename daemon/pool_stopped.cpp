// Workers that a signal has stopped (SIGSTOP, a debugger's, a terminal's) and not yet continued.
//
// Such a worker is alive: what it runs is its own, and nobody takes it away. But nothing else may
// wait for it: not the jobs that it has claimed and not started, not a client that would ring it
// because it seems to sleep, and not the time-out of its job, which it cannot keep itself.
#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstring>

#include "common/clock.hpp"
#include "daemon/log.hpp"
#include "daemon/pool.hpp"

namespace jobring {

void Pool::notice_stops() {
  for (auto& worker : workers_) {
    if (worker->state != WorkerState::running && worker->state != WorkerState::starting) continue;
    // Again: it may have been continued and stopped once more.
    for (int i = 0; i < 4; ++i) {
      siginfo_t news{};
      const int found =
          waitid(P_PID, id_t(worker->process.pid), &news, WSTOPPED | WCONTINUED | WNOHANG);
      if (found != 0 || news.si_pid == 0) break;
      if (news.si_code == CLD_CONTINUED) {
        on_continued(*worker);
      } else {
        on_stopped(*worker, news.si_status);
      }
    }
  }
}

void Pool::on_stopped(Worker& worker, int signal) {
  worker.stopped = true;
  // It may have been lying down; whoever rings it now rings in vain.
  std::uint32_t returned = 0;
  for (const Lane& lane : worker.lanes) {
    page().sleeping[lane.index / 64].fetch_and(~(std::uint64_t{1} << (lane.index % 64)),
                                               std::memory_order_seq_cst);
    for (auto& [id, channel] : channels_) returned += requeue_claimed(channel->view, lane.owner());
  }
  log::warning(
      title(worker) + " was stopped by signal " + std::to_string(signal) + " (" +
      strsignal(signal) +
      "); what it runs waits for SIGCONT, jobs returned to the queue: " + std::to_string(returned));
  for (Lane& lane : worker.lanes) watch_timeout(worker, lane);
  rearm_all();
}

void Pool::on_continued(Worker& worker) {
  if (!worker.stopped) return;
  worker.stopped = false;
  for (Lane& lane : worker.lanes) lane.stopped_timeout.reset();
  log::info(title(worker) + " goes on");
  // Its sleeping bits are gone, so nobody else would.
  for (const Lane& lane : worker.lanes) ring(worker_events_[lane.index].get());
}

// The time-out of the job that a lane runs, and the grace that the job has after it.
void Pool::watch_timeout(Worker& worker, Lane& lane) {
  const WorkerEntry& entry = page().worker(lane.index);
  const auto found = channels_.find(entry.job_channel.get());
  const std::uint32_t slot = entry.job_slot.get();
  if (entry.busy.get() == 0 || found == channels_.end() ||
      slot >= found->second->view.shape().slots)
    return;
  const std::uint32_t timeout_ms = found->second->view.slot(slot).timeout_ms.get();
  if (timeout_ms == 0) return;
  const Condemned job{entry.job_channel.get(), slot,
                      StateWord(SlotState::running, lane.owner(), entry.job_generation.get()),
                      Outcome::timed_out};
  const std::uint64_t ends = entry.job_started_ns.get() + std::uint64_t(timeout_ms) * 1'000'000;
  const std::uint64_t now = now_ns();
  const auto left = std::chrono::nanoseconds(ends > now ? ends - now : 0) + host_.config.kill_grace;
  lane.stopped_timeout = host_.loop.after(left, [this, &worker, &lane, job] {
    const WorkerEntry& current = page().worker(lane.index);
    const bool still = worker.stopped && worker.state == WorkerState::running &&
                       current.busy.get() != 0 &&
                       current.job_generation.get() == job.running.generation();
    if (!still) return;
    worker.condemned.push_back(job);
    kill(worker.process.pid, SIGKILL);
  });
}

}  // namespace jobring
