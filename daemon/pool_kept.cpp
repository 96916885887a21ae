// Kept channels: those of the keeper, which outlive it.
//
// There is one of a user whose durable jobs wait or run in the pool; its jobs run with that user's
// rights. While no keeper lives, workers go on with what is queued there, and endings wait in their
// slots. The next keeper opens the same channel and finds everything as it was; so nothing runs
// twice, and nothing is lost.
//
//   open ──► held ──── the keeper's death ────► waiting for a keeper
//             │ ▲                                     │
//             │ └──────────────── open ───────────────┘
//             └── closed by the keeper, or by us because its words make no sense ──► shut
//
// A shut one is gone when no worker maps it and no keeper holds it: before that its user gets no
// fresh one, so a job that still runs in the old one cannot be run again in the new.
#include <unistd.h>

#include "daemon/log.hpp"
#include "daemon/pool.hpp"
#include "daemon/state_dir.hpp"

namespace jobring {

Result<DoorbellSet*> Pool::kept_doorbell() {
  for (DoorbellSet& set : doorbells_) {
    if (set.kept) return &set;
  }
  return add_doorbell(geteuid(), true);
}

Result<Pool::Opened> Pool::open_kept(const OpenRequest& request, pid_t keeper) {
  const std::string where = "pool " + config_.name;
  for (auto& [id, channel] : channels_) {
    if (!channel->kept || channel->peer.uid != request.uid) continue;
    if (channel->closed) {
      return Error{Errc::full,
                   "the kept channel of user " + std::to_string(request.uid) +
                       " was closed, and jobs still run in it",
                   where, "try again later"};
    }
    channel->held = true;
    channel->peer.pid = keeper;
    Opened there = opened(*channel);
    there.reply.adopted = true;
    return there;
  }
  if (auto refused = refusal()) return std::move(*refused);
  auto doorbell = kept_doorbell();
  if (!doorbell) return doorbell.error();
  DoorbellSet& set = **doorbell;
  std::uint32_t bit = 0;
  while (bit < kChannelsPerDoorbell && set.taken[bit]) ++bit;
  if (bit == kChannelsPerDoorbell) {
    return Error{Errc::full,
                 "the pool already has the durable jobs of " +
                     std::to_string(kChannelsPerDoorbell) + " users",
                 where,
                 {}};
  }
  auto made = make_channel(request, Peer{keeper, request.uid, request.gid}, set, bit);
  if (!made) return made.error();
  (*made)->held = true;
  return opened(**made);
}

void Pool::leave_kept(std::uint32_t id) {
  const auto found = channels_.find(id);
  if (found == channels_.end()) return;
  Channel& channel = *found->second;
  channel.held = false;
  if (channel.closed) return forget_if_unmapped(id);
  // What it may have published without telling anybody.
  rearm(doorbell_of(channel).page(), channel.ready_bit);
  for (const UniqueFd& event : worker_events_) ring(event.get());
}

// What a worker needs for durable jobs. With the lock no other daemon begins one of them before
// this worker is gone.
void Pool::describe_kept(ChannelMapped& mapped, std::vector<int>& fds) const {
  mapped.kept = true;
  const StateDir* state = host_.state_dir();
  if (state == nullptr) return;
  mapped.outputs_dir = state->outputs();
  mapped.output_max = host_.config.keeper.output_max;
  mapped.state_id = state->id();
  fds.push_back(state->lives());
}

// A worker found nonsense in it. Workers run the code of users, so it may come from one of them.
void Pool::break_kept(Channel& channel) {
  if (channel.closed) return;
  log::error("pool " + config_.name + ": the durable jobs of user " +
             std::to_string(channel.peer.uid) +
             " that were handed out are lost, for their channel makes no sense; closing it");
  shut_channel(channel);
  channel.ring_client();
  forget_if_unmapped(channel.id);
}

std::vector<KeptName> Pool::kept_channels() const {
  std::vector<KeptName> names;
  for (const auto& [id, channel] : channels_) {
    if (channel->kept && !channel->closed)
      names.push_back({config_.name, channel->peer.uid, channel->peer.gid});
  }
  return names;
}

}  // namespace jobring
