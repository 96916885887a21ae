// What the pools of jobring's own services have in common.
//
// A service's process holds requests RUNNING for as long as they wait, and completes them in any
// order. It is told which sessions (channels) live when it starts, and of the end of each of those
// and of the ones that it maps; so at no time does it keep anything for a client that is gone. A
// channel that it was told of counts as mapped by it: its number is not used again before it has
// let go.
#include <signal.h>

#include <chrono>

#include "daemon/log.hpp"
#include "daemon/pool.hpp"

namespace jobring {
namespace {

constexpr std::size_t kSessionsPerMessage = 2000;  // a control message has 64 KiB
// Between attempts to hand over cancellations to a service that has not read the last ones.
constexpr std::chrono::milliseconds kCancelAgain{5};

}  // namespace

void Pool::start_service(Worker& worker) {
  service_->start(worker.process.pid, [&](const WorkerOrder& order, std::span<const int> fds) {
    send(worker, order, fds);
  });
  LiveSessions live;
  for (auto& [id, channel] : channels_) {
    if (channel->closed) continue;
    channel->mapped_by.set(worker.lanes.front().index);
    live.sessions.push_back(channel->session);
    if (live.sessions.size() == kSessionsPerMessage) {
      send(worker, live);
      live.sessions.clear();
    }
  }
  live.last = true;
  send(worker, live);
}

void Pool::cancel_request(const Channel& channel, std::uint32_t slot, StateWord running) {
  cancellations_[{channel.id, slot}] = running.generation();
  if (!cancel_timer_) send_cancellations();
}

// Unlike other orders these may wait: how many come is for clients to say.
void Pool::send_cancellations() {
  cancel_timer_.reset();
  const Worker& worker = *workers_.front();
  // What waited in one that is dead is not waiting any more.
  if (worker.state != WorkerState::running) return cancellations_.clear();
  for (auto next = cancellations_.begin(); next != cancellations_.end();) {
    const auto& [place, generation] = *next;
    auto sent =
        send_control(worker.process.control.get(),
                     encode(WorkerOrder(StopJob{place.first, place.second, generation, 0})));
    if (!sent && sent.error().code == Errc::full) {
      cancel_timer_ = host_.loop.after(kCancelAgain, [this] { send_cancellations(); });
      return;
    }
    next = cancellations_.erase(next);
  }
}

// Before the pools drain, so that it can stop what it had in mind for them. It goes on serving.
void Pool::drain_service() {
  drain_told_ = true;
  for (auto& worker : workers_) {
    if (worker->state == WorkerState::running) send(*worker, Drain{});
  }
}

void Pool::end_service() {
  if (!service_->ends_by_itself()) return kill_workers();
  if (killing_) return;  // it was asked already
  draining_ = killing_ = true;
  for (auto& worker : workers_) {
    worker->restart_timer.reset();
    if (worker->state == WorkerState::running || worker->state == WorkerState::starting)
      kill(worker->process.pid, SIGTERM);
  }
  end_timer_ = host_.loop.after(host_.config.kill_grace, [this] {
    log::warning("pool " + config_.name + ": did not end within kill_grace; killing it");
    kill_workers();
  });
}

}  // namespace jobring
