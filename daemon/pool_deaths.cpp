// Workers that died: what becomes of the jobs that they had, and when they are started again.
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstring>
#include <sstream>

#include "daemon/log.hpp"
#include "daemon/pool.hpp"
#include "daemon/printable.hpp"

namespace jobring {
namespace {

// Exit statuses of jobring-worker that mean something here (worker/main.cpp uses them).
constexpr int kExitRecycled = 0;
constexpr int kExitStopped = 125;  // of an async worker: worker/async/deadlines.hpp
constexpr int kExitConfig = 78;

}  // namespace

void Pool::on_death(Worker& worker) {
  rusage used{};
  if (wait4(worker.process.pid, &worker.wait_status, WNOHANG, &used) != worker.process.pid) return;
  worker.max_rss = std::uint64_t(used.ru_maxrss) << 10;
  worker.death_watch.reset();
  worker.hangup_timer.reset();
  for (Lane& lane : worker.lanes) lane.stopped_timeout.reset();
  worker.control_watch.reset();
  if (worker.output_watch) on_output(worker);  // its last words
  worker.output_watch.reset();
  worker.state = WorkerState::dead;
  settle_dead_workers();
}

void Pool::settle_dead_workers() {
  // No slot is touched while anything that the worker started may still run: that job's first copy
  // would be alive.
  const bool any = std::any_of(workers_.begin(), workers_.end(),
                               [](const auto& w) { return w->state == WorkerState::dead; });
  if (!any || !host_.strays_gone()) return;
  for (auto& worker : workers_) {
    if (worker->state == WorkerState::dead) settle(*worker);
  }
}

Death Pool::describe_death(const Worker& worker) const {
  Death death;
  death.crash_limit = config_.crash_limit;
  std::string how;
  if (WIFSIGNALED(worker.wait_status)) {
    death.signal = WTERMSIG(worker.wait_status);
    how = "was killed by signal " + std::to_string(death.signal) + " (" + strsignal(death.signal) +
          ")";
  } else {
    how = "exited with status " + std::to_string(WEXITSTATUS(worker.wait_status));
  }
  death.message = title(worker) + " " + how;
  const bool out_of_memory = host_.oom_struck();  // asked at every death, to start anew from it
  if (!worker.condemned.empty()) {
    death.message =
        title(worker) + " was killed because of another job, which did not stop in time";
  } else if (worker.killed_for_hangup) {
    death.message = title(worker) +
                    " was killed because its control socket was gone: a job closes descriptors "
                    "that it has not opened";
  } else if (death.signal == SIGKILL) {
    death.message += " not by jobring, when it had used up to " +
                     std::to_string(worker.max_rss >> 20) + " MiB of memory; ";
    death.message += out_of_memory ? "the kernel's out-of-memory killer was at work, see its log"
                                   : "the out-of-memory killer was not seen at work";
  } else if (death.signal == SIGXCPU || death.signal == SIGXFSZ) {
    death.message += death.signal == SIGXCPU ? ": the pool's limits.cpu is used up"
                                             : ": a file outgrew the pool's limits.file_size";
  }
  if (service_) {
    // No job of its clients has done it. What may not be done again ends, the rest is answered by
    // the next one.
    death.outcome = Outcome::lost;
    // One that could not start has lost nothing.
    if (worker.ready) death.message = service_->loss() + "; " + death.message;
    return death;
  }
  if (!worker.output.text().empty()) {
    death.message += "; its last output:\n" + worker.output.text();
  }
  return death;
}

// The jobs for which the worker was ended, by us or by itself. Whatever else it ran has crashed.
std::uint32_t Pool::end_condemned(Worker& worker) {
  const bool stopped =
      WIFEXITED(worker.wait_status) && WEXITSTATUS(worker.wait_status) == kExitStopped;
  for (const Lane& lane : worker.lanes) {
    const WorkerEntry& entry = page().worker(lane.index);
    const std::uint64_t generation = entry.timed_out.get();
    if (generation == 0) continue;
    worker.condemned.push_back({entry.job_channel.get(), entry.job_slot.get(),
                                StateWord(SlotState::running, lane.owner(), generation),
                                stopped ? Outcome::killed : Outcome::timed_out});
  }
  std::uint32_t ended = 0;
  for (const Condemned& job : worker.condemned) {
    const auto found = channels_.find(job.channel);
    if (found == channels_.end()) continue;
    Death death;
    death.outcome = job.outcome;
    death.signal = WIFSIGNALED(worker.wait_status) ? WTERMSIG(worker.wait_status) : 0;
    death.worker = std::uint16_t(job.running.owner() - 1);
    if (job.outcome == Outcome::killed) {
      death.message = "killed on request, with its worker, because it did not stop by itself";
    } else {
      death.message = worker.stopped
                          ? "timed out while its worker was stopped, and was killed with it"
                          : "timed out, and was killed with its worker because it did not stop by "
                            "itself";
    }
    if (end_running(found->second->view, job.slot, job.running, death)) ++ended;
  }
  return ended;
}

void Pool::recover_lane(const Lane& lane, const Death& death, Recovered& total) {
  const WorkerEntry& entry = page().worker(lane.index);
  past_jobs_ += entry.jobs.get();
  past_failed_ += entry.failed.get();
  // We killed it to end ourselves, and its durable jobs have not failed by that: the keeper runs
  // them again, in our next life.
  Death stopped = death;
  stopped.outcome = Outcome::lost;
  stopped.may_retry = false;
  stopped.message = "the daemon was stopped while it ran";
  for (auto& [id, channel] : channels_) {
    const Death& told = killing_ && channel->kept ? stopped : death;
    const Recovered r =
        recover_channel(channel->view, lane.owner(), told, [&](const EndedJob& job) {
          // The worker's own page says what it ran: words in the channel could be forged.
          const bool its_own = entry.job_channel.get() == id && entry.job_slot.get() == job.slot &&
                               entry.job_generation.get() == job.running.generation();
          if (its_own && death.outcome == Outcome::crashed && !killing_)
            note_crash(*channel, job, death);
        });
    total.requeued += r.requeued;
    total.ended += r.ended;
    channel->mapped_by.reset(lane.index);
  }
}

void Pool::settle(Worker& worker) {
  Recovered total;
  total.ended = end_condemned(worker);
  Death death = describe_death(worker);
  std::uint64_t jobs = 0;  // that it ended itself
  for (const Lane& lane : worker.lanes) {
    jobs += page().worker(lane.index).jobs.get();
    death.worker = std::uint16_t(lane.index);
    recover_lane(lane, death, total);
  }
  for (auto& [id, channel] : channels_) {
    if (channel->closed) cancel_waiting(channel->view);
  }
  // It became ready and then found that it cannot serve a single channel: a limit is too low for
  // it, and another one would fare no better.
  const bool useless = worker.ready && jobs == 0 && WIFEXITED(worker.wait_status) &&
                       WEXITSTATUS(worker.wait_status) == kExitConfig;
  const bool was_ready = worker.ready && !useless;
  // It left by itself, and not from within a job.
  const bool recycled = was_ready && total.ended == 0 && WIFEXITED(worker.wait_status) &&
                        WEXITSTATUS(worker.wait_status) == kExitRecycled;
  if (!was_ready && start_failure_.empty() && WIFEXITED(worker.wait_status) &&
      WEXITSTATUS(worker.wait_status) == kExitConfig) {
    start_failure_ = worker.output.last_line();  // it could not even report
  }
  if (!recycled) {
    ++crashes_;
    // What it said is in the log already.
    const std::string line = death.message.substr(0, death.message.find("; its last output:")) +
                             "; jobs requeued: " + std::to_string(total.requeued) +
                             ", ended: " + std::to_string(total.ended);
    // When we killed it ourselves, to end, that is no news.
    if (killing_) {
      log::debug(line);
    } else {
      log::warning(line);
    }
  }
  if (service_) service_->died(page());
  for (Lane& lane : worker.lanes) {
    clear_worker(page(), lane.index);
    page().worker(lane.index).jobs.set(0);
    page().worker(lane.index).failed.set(0);
    lane.stop.reset();
  }
  worker.condemned.clear();
  worker.async_stops = {};
  worker.killed_for_hangup = false;
  worker.stopped = false;
  worker.welcomed = false;
  worker.ready = false;
  worker.process = {};
  worker.state = WorkerState::down;
  for (auto next = channels_.begin(); next != channels_.end();) forget_if_unmapped((next++)->first);
  rearm_all();
  if (draining_ && (killing_ || !has_waiting_jobs())) {
    host_.worker_ended();
  } else if (recycled) {
    worker.policy.retired();
    launch(worker);
  } else {
    schedule_restart(worker, was_ready);
  }
}

void Pool::note_crash(const Channel& channel, const EndedJob& job, const Death& death) {
  if (job.quarantined) {
    log::error("pool " + config_.name + ": quarantined a job of handler \"" +
               printable(job.handler) + "\" from client " + printable(channel.client) + " (pid " +
               std::to_string(channel.peer.pid) + ", uid " + std::to_string(channel.peer.uid) +
               ") after " + std::to_string(job.attempts) +
               (job.attempts == 1 ? " attempt" : " attempts"));
    std::istringstream lines(job.message);
    for (std::string line; std::getline(lines, line);) log::error("  " + line);
  }
  crashed_jobs_.add({std::chrono::system_clock::now(), job.handler, channel.client,
                     channel.peer.pid, channel.peer.uid, job.attempts, death.signal,
                     job.quarantined, job.message});
}

bool Pool::has_waiting_jobs() const {
  bool waiting = false;
  for (const auto& [id, channel] : channels_) {
    if (channel->closed) continue;
    for_each_slot(channel->view, [&](std::uint32_t, StateWord word) {
      waiting = waiting || word.is(SlotState::queued) || word.is(SlotState::requeued);
    });
  }
  return waiting;
}

void Pool::schedule_restart(Worker& worker, bool was_ready) {
  if (was_ready) {
    worker.policy.died_at_work();
    launch(worker);
    return;
  }
  const bool none_runs = std::none_of(workers_.begin(), workers_.end(), [](const auto& w) {
    return w->state == WorkerState::running;
  });
  // It told why it cannot start: trying four more times would only keep its clients waiting.
  if (!start_failure_.empty() && none_runs) worker.policy.force_open();
  const auto wait = worker.policy.died_starting(std::chrono::steady_clock::now());
  if (worker.policy.open() && none_runs) {
    update_broken(!start_failure_.empty() ? start_failure_
                  : !launch_failure_.empty()
                      ? "no worker can be started: " + launch_failure_
                      : "its workers die as soon as they start; see the daemon's log");
  }
  start_failure_.clear();
  worker.restart_timer = host_.loop.after(wait, [this, &worker] { launch(worker); });
}

// No worker can start: those who wait would wait for ever, so they learn it now.
void Pool::update_broken(const std::string& reason) {
  if (broken_reason_.empty()) {
    log::error("pool " + config_.name + " is broken: " + reason + "; trying again every " +
               std::to_string(host_.config.restart.backoff_max / std::chrono::seconds(1)) + " s");
  }
  broken_reason_ = reason;
  for (auto& [id, channel] : channels_) {
    channel->view.header().closing.store(std::max(1u, channel->view.header().closing.load()),
                                         std::memory_order_seq_cst);
    // Durable jobs wait for better times; the keeper hands out no more.
    if (!channel->kept)
      fail_waiting(channel->view, "pool " + config_.name + " is not running: " + reason);
    channel->ring_client();
  }
}

void Pool::mend() {
  log::info("pool " + config_.name + " runs again");
  broken_reason_.clear();
  for (auto& [id, channel] : channels_) {
    if (!channel->closed && !draining_)
      channel->view.header().closing.store(0, std::memory_order_seq_cst);
  }
}

}  // namespace jobring
