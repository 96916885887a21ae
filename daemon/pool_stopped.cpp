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
  page().sleeping[worker.index / 64].fetch_and(~(std::uint64_t{1} << (worker.index % 64)),
                                               std::memory_order_seq_cst);
  std::uint32_t returned = 0;
  for (auto& [id, channel] : channels_) returned += requeue_claimed(channel->view, worker.owner());
  log::warning(
      title(worker) + " was stopped by signal " + std::to_string(signal) + " (" +
      strsignal(signal) +
      "); what it runs waits for SIGCONT, jobs returned to the queue: " + std::to_string(returned));
  watch_timeout(worker);
  rearm_all();
}

void Pool::on_continued(Worker& worker) {
  if (!worker.stopped) return;
  worker.stopped = false;
  worker.stopped_timeout.reset();
  log::info(title(worker) + " goes on");
  // Its sleeping bit is gone, so nobody else would.
  ring(worker_events_[worker.index].get());
}

// The time-out of the job that it runs, and the grace that the job has after it.
void Pool::watch_timeout(Worker& worker) {
  const WorkerEntry& entry = page().worker(worker.index);
  const auto found = channels_.find(entry.job_channel.get());
  const std::uint32_t slot = entry.job_slot.get();
  if (entry.busy.get() == 0 || found == channels_.end() ||
      slot >= found->second->view.shape().slots)
    return;
  const std::uint32_t timeout_ms = found->second->view.slot(slot).timeout_ms.get();
  if (timeout_ms == 0) return;
  const Condemned job{entry.job_channel.get(), slot,
                      StateWord(SlotState::running, worker.owner(), entry.job_generation.get()),
                      Outcome::timed_out};
  const std::uint64_t ends = entry.job_started_ns.get() + std::uint64_t(timeout_ms) * 1'000'000;
  const std::uint64_t now = now_ns();
  const auto left = std::chrono::nanoseconds(ends > now ? ends - now : 0) + host_.config.kill_grace;
  worker.stopped_timeout = host_.loop.after(left, [this, &worker, job] {
    const WorkerEntry& current = page().worker(worker.index);
    const bool still = worker.stopped && worker.state == WorkerState::running &&
                       current.busy.get() != 0 &&
                       current.job_generation.get() == job.running.generation();
    if (!still) return;
    worker.condemned.push_back(job);
    kill(worker.process.pid, SIGKILL);
  });
}

}  // namespace jobring
