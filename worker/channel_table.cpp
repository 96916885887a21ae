#include "worker/channel_table.hpp"

#include <sys/epoll.h>
#include <unistd.h>

#include <cstdio>
#include <utility>

#include "common/result.hpp"

namespace jobring {

void watch_event(int epoll, int eventfd) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  epoll_ctl(epoll, EPOLL_CTL_ADD, eventfd, &event);
}

ChannelTable::ChannelTable(OrderLink& link, SegmentTable& segments, int epoll, Asking asking)
    : link_(link), segments_(segments), epoll_(epoll), asking_(asking) {}

void ChannelTable::follow(Order& order) {
  if (auto* added = std::get_if<DoorbellAdded>(&order.message)) {
    add_doorbell(*added, std::move(order.fds));
  } else if (auto* closed = std::get_if<ChannelClosed>(&order.message)) {
    unmap(closed->channel);
  } else if (auto* mapped = std::get_if<ChannelMapped>(&order.message)) {
    const WorkerChannel* channel = add_channel(order);
    if (asking_ == Asking::wait || mapped->channel / kChannelsPerDoorbell >= doorbells_.size())
      return;
    WorkerDoorbell& doorbell = *doorbells_[mapped->channel / kChannelsPerDoorbell];
    const std::uint32_t bit = mapped->channel % kChannelsPerDoorbell;
    // Offered, and nobody has looked for its work yet: its ready bits are as its client set them.
    if (!doorbell.asked[bit]) return;
    doorbell.asked.reset(bit);
    // They were cleared when we asked. If there is no such channel, the bit may have been set and
    // cleared again for a new one that the supervisor did not know of when it answered.
    if (channel == nullptr && !doorbell.asked_again[bit]) return;
    doorbell.asked_again.reset(bit);
    for (std::uint32_t p = 0; p < kPriorities; ++p) doorbell.page().set_ready(p, bit);
  } else if (std::holds_alternative<Drain>(order.message)) {
    draining_ = true;
  }
}

void ChannelTable::add_doorbell(const DoorbellAdded& added, std::vector<UniqueFd> fds) {
  if (added.doorbell != doorbells_.size() || fds.size() != 2) return;
  auto mapping = Mapping::map(fds[0].get(), sizeof(DoorbellPage), Mapping::Access::read_write);
  if (!mapping) {
    std::fprintf(stderr, "cannot map a doorbell: %s\n", mapping.error().line().c_str());
    _exit(exit_status(mapping.error().code));
  }
  auto doorbell = std::make_unique<WorkerDoorbell>();
  doorbell->index = added.doorbell;
  doorbell->uid = added.uid;
  doorbell->mapping = std::move(*mapping);
  doorbell->event = std::move(fds[1]);
  watch_event(epoll_, doorbell->event.get());
  doorbells_.push_back(std::move(doorbell));
}

WorkerChannel* ChannelTable::map(WorkerDoorbell& doorbell, std::uint32_t bit) {
  if (WorkerChannel* known = doorbell.channels[bit].get()) return known;
  const std::uint32_t id = doorbell.index * kChannelsPerDoorbell + bit;
  if (asking_ == Asking::later) {
    if (doorbell.asked[bit]) {
      doorbell.asked_again.set(bit);
    } else {
      doorbell.asked.set(bit);
      link_.report(MapRequest{id});
    }
    return nullptr;
  }
  link_.report(MapRequest{id});
  for (;;) {
    Order order = link_.await<ChannelMapped>();
    // What came before the answer, such as the close of this id's previous channel, counts before
    // it. What comes after it must wait: it may be about the channel that we are about to map.
    while (auto earlier = link_.next_kept()) follow(*earlier);
    const bool answer = std::get<ChannelMapped>(order.message).channel == id;
    WorkerChannel* channel = add_channel(order);  // or an offer of another one
    if (answer) return channel;
  }
}

WorkerChannel* ChannelTable::add_channel(Order& order) {
  const auto& mapped = std::get<ChannelMapped>(order.message);
  const std::uint32_t id = mapped.channel;
  if (mapped.slots == 0 || order.fds.size() < 2 || id / kChannelsPerDoorbell >= doorbells_.size())
    return nullptr;
  auto& place = doorbells_[id / kChannelsPerDoorbell]->channels[id % kChannelsPerDoorbell];
  if (place) return place.get();  // offered while we asked
  const ChannelShape shape{mapped.slots, mapped.max_payload, mapped.max_result};
  auto segment = segments_.get(id, std::move(order.fds[0]), ChannelLayout(shape).total,
                               std::move(order.fds[1]));
  if (!segment) {
    // Its jobs would wait for ever. A fresh worker may have room, having fewer channels mapped; if
    // not even that helps, the supervisor tells the clients.
    std::fprintf(stderr,
                 "cannot map a channel of %llu MiB: %s; raise the pool's limits.memory, or lower "
                 "slots, max_payload or max_result\n",
                 static_cast<unsigned long long>(ChannelLayout(shape).total >> 20),
                 segment.error().line().c_str());
    _exit(exit_status(Errc::config));
  }
  auto channel = std::make_unique<WorkerChannel>();
  channel->id = id;
  channel->segment = std::move(*segment);
  channel->view = ChannelView(channel->segment->mapping.base(), shape);
  for (std::uint32_t p = 0; p < kPriorities; ++p)
    channel->submissions[p] = channel->view.submission_consumer(p);
  channel->completions = channel->view.completion_producer();
  channel->client_event = channel->segment->client_event.get();
  if (order.fds.size() == 5) {
    drop_stdio();
    for (std::size_t i = 2; i < 5; ++i)
      channel->stdio.emplace_back(std::move(order.fds[i]), mapped.uid);
    holds_stdio_of_ = id;
  }
  channel->uid = mapped.uid;
  channel->gid = mapped.gid;
  channel->trusted = mapped.uid == geteuid();
  channel->own_bell = mapped.kept || channel->trusted;
  if (mapped.kept) {
    channel->kept = KeptRun{mapped.outputs_dir, mapped.output_max, mapped.state_id};
    if (order.fds.size() == 3) segments_.hold_lives(std::move(order.fds[2]));
  }
  place = std::move(channel);
  return place.get();
}

void ChannelTable::drop_stdio() {
  if (holds_stdio_of_ == kNoChannel) return;
  const std::uint32_t id = std::exchange(holds_stdio_of_, kNoChannel);
  if (auto& channel = doorbells_[id / kChannelsPerDoorbell]->channels[id % kChannelsPerDoorbell])
    channel->stdio.clear();
}

void ChannelTable::unmap(std::uint32_t id) {
  if (id / kChannelsPerDoorbell < doorbells_.size()) {
    doorbells_[id / kChannelsPerDoorbell]->channels[id % kChannelsPerDoorbell].reset();
  }
  link_.report(Unmapped{id});
}

void ChannelTable::report_broken(WorkerChannel& channel, const char* reason) {
  if (channel.broken) return;
  channel.broken = true;
  link_.report(ChannelBroken{channel.id, reason});
}

}  // namespace jobring
