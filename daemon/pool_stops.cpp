// Jobs that somebody wants stopped: asked first, and ended with their worker when they do not
// listen.
#include <signal.h>

#include <utility>

#include "daemon/pool.hpp"

namespace jobring {

void Pool::kill_job(const KillRequest& request) {
  const auto found = channels_.find(request.channel);
  if (found == channels_.end() || request.slot >= found->second->view.shape().slots) return;
  Channel& channel = *found->second;
  // The client has raised the slot's kill_request before it asked us. A worker that makes the job
  // RUNNING looks at that afterwards; so either it sees the request, or we see RUNNING here.
  const Slot& slot = channel.view.slot(request.slot);
  const StateWord word = slot.word(std::memory_order_seq_cst);
  // The job may have ended since the client asked, and the slot been used again: then this is
  // another one, and nobody wants it stopped. Both only ever grow, so a word that is not older than
  // the request, and after it a name that still is the request's, are those of the one job.
  if (word.generation() < request.generation || slot.job.get() != std::uint32_t(request.generation))
    return;
  if (!word.is(SlotState::running)) return;
  if (service_) return cancel_request(channel, request.slot, word);
  stop_running(channel, request.slot, word, request.signal);
}

void Pool::stop_running(Channel& channel, std::uint32_t slot, StateWord running, int signal) {
  const std::uint32_t index = running.owner() - 1;
  if (index >= config_.lanes() || signal < 1 || signal >= NSIG) return;
  Worker& worker = worker_of(index);
  Lane& lane = this->lane(index);
  if (worker.state != WorkerState::running) return;
  if (config_.model == WorkerModel::async)
    return stop_in_flight(worker, channel, slot, running, signal);
  // The slot's word is the client's to scribble on; the worker's own entry must agree before a
  // worker is bothered.
  const WorkerEntry& entry = page().worker(index);
  if (entry.busy.get() == 0 || entry.job_channel.get() != channel.id ||
      entry.job_slot.get() != slot || entry.job_generation.get() != running.generation()) {
    return;
  }
  // We write nothing into the slot: the job may end at this moment, and the next one there would be
  // hit. Its client has raised kill_request, or is gone, which the channel's `closing` says.
  const StopJob order{channel.id, slot, running.generation(), signal, index % config_.lanes_each()};
  const std::uint64_t mask = std::uint64_t{1} << (signal - 1);
  if (lane.stop && lane.stop->channel == channel.id && lane.stop->slot == slot &&
      lane.stop->running == running) {
    // Each signal once: a function does not read its worker's orders, and a worker that has too
    // many unread is taken for dead.
    if ((std::exchange(lane.stop->signals, lane.stop->signals | mask) & mask) == 0)
      send(worker, order);
    return;
  }
  send(worker, order);
  // A command is ended by its worker within kill_grace; a function that does not look goes with its
  // worker.
  auto deadline = host_.loop.after(
      host_.config.kill_grace + std::chrono::milliseconds(200), [this, &worker, &lane] {
        if (!lane.stop || worker.state != WorkerState::running) return;
        const WorkerEntry& current = page().worker(lane.index);
        const bool still = current.busy.get() != 0 &&
                           current.job_channel.get() == lane.stop->channel &&
                           current.job_slot.get() == lane.stop->slot &&
                           current.job_generation.get() == lane.stop->running.generation();
        const StopOrder stop = std::move(*lane.stop);
        lane.stop.reset();
        if (!still) return;
        worker.condemned.push_back({stop.channel, stop.slot, stop.running, Outcome::killed});
        kill(worker.process.pid, SIGKILL);
      });
  lane.stop = StopOrder{channel.id, slot, running, mask, std::move(deadline)};
}

}  // namespace jobring
