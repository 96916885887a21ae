// What is particular to the pool of the registry.
//
// Its process holds requests RUNNING for as long as they wait, and completes them in any order. It
// is told which sessions (channels) live when it starts, and of the end of each of those and of the
// ones that it maps; so at no time does it keep a lock for a client that is gone. A channel that
// it was told of counts as mapped by it: its number is not used again before it has let go.
#include <chrono>

#include "daemon/log.hpp"
#include "daemon/pool.hpp"

namespace jobring {
namespace {

constexpr std::size_t kSessionsPerMessage = 2000;  // a control message has 64 KiB
// Between attempts to hand over cancellations to a registry that has not read the last ones.
constexpr std::chrono::milliseconds kCancelAgain{5};

}  // namespace

void Pool::start_registry(Worker& worker) {
  const int memory = registry_->memory.get();
  send(worker, registry_->settings, std::span(&memory, 1));
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
    auto sent = send_control(worker.process.control.get(),
                             encode(WorkerOrder(StopJob{place.first, place.second, generation, 0})));
    if (!sent && sent.error().code == Errc::full) {
      cancel_timer_ = host_.loop.after(kCancelAgain, [this] { send_cancellations(); });
      return;
    }
    next = cancellations_.erase(next);
  }
}

}  // namespace jobring
