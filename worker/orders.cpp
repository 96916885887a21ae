// The cold half of a worker: starting, and what the supervisor orders.
#include <sys/epoll.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <utility>

#include "worker/builtins.hpp"
#include "worker/exec/run_command.hpp"
#include "worker/worker.hpp"

namespace jobring {
namespace {

constexpr std::uint64_t kControlEvent = ~std::uint64_t{0};

}  // namespace

Worker::Worker(SupervisorLink& link) : link_(link) {
  link_.report(WorkerHello{kControlVersion, {}});
  Order welcome = link_.await<Welcome>();
  settings_ = std::get<Welcome>(welcome.message);
  const auto fail = [&](const Error& error) {
    link_.report(WorkerFailed{error.line()});
    _exit(exit_status(error.code));
  };
  if (welcome.fds.size() != settings_.workers + 1)
    fail({Errc::protocol, "a welcome without its descriptors", {}, {}});
  auto mapping = Mapping::map(welcome.fds[0].get(), sizeof(PoolPage), Mapping::Access::read_write);
  if (!mapping) fail(mapping.error());
  page_mapping_ = std::move(*mapping);
  page_ = page_mapping_.as<PoolPage>();
  if (page_->version.get() != kShmVersion) {
    fail({Errc::protocol,
          "the shared-memory formats of jobringd and jobring-worker differ",
          {},
          "install both from one release"});
  }
  for (Handler builtin : builtin_handlers()) {
    if (auto added = handlers_.add(std::move(builtin)); !added) fail(added.error());
  }
  for (const std::string& module : settings_.modules) {
    if (auto loaded = handlers_.load_module(module); !loaded) fail(loaded.error());
  }
  batch_.limit(std::min(settings_.batch, kBatchMax));
  spin_.limit(settings_.spin_ns);
  for (std::size_t i = 1; i < welcome.fds.size(); ++i)
    colleagues_.push_back(std::move(welcome.fds[i]));
  epoll_.reset(epoll_create1(EPOLL_CLOEXEC));
  epoll_event control{};
  control.events = EPOLLIN;
  control.data.u64 = kControlEvent;
  if (!epoll_ || epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, link_.fd(), &control) != 0)
    fail(system_error("epoll"));
  watch_event(colleagues_[settings_.index].get());
  baseline_.record();
  spare_children();
  link_.report(WorkerHello{kControlVersion, handlers_.names()});
}

void Worker::handle_orders() {
  while (auto order = link_.poll()) handle(*order);
}

void Worker::handle(Order& order) {
  if (auto* added = std::get_if<DoorbellAdded>(&order.message)) {
    add_doorbell(*added, std::move(order.fds));
  } else if (auto* closed = std::get_if<ChannelClosed>(&order.message)) {
    unmap_channel(closed->channel);
  } else if (std::holds_alternative<ChannelMapped>(order.message)) {
    add_channel(order);
  } else if (std::holds_alternative<Drain>(order.message)) {
    draining_ = true;
  }
  // A StopJob that comes here is for a job that has ended: the flag in its slot did the rest.
}

void Worker::add_doorbell(const DoorbellAdded& added, std::vector<UniqueFd> fds) {
  if (added.doorbell != doorbells_.size() || fds.size() != settings_.workers + 1) return;
  auto mapping = Mapping::map(fds[0].get(), sizeof(DoorbellPage), Mapping::Access::read_write);
  if (!mapping) {
    std::fprintf(stderr, "cannot map a doorbell: %s\n", mapping.error().line().c_str());
    _exit(exit_status(mapping.error().code));
  }
  auto doorbell = std::make_unique<WorkerDoorbell>();
  doorbell->index = added.doorbell;
  doorbell->uid = added.uid;
  doorbell->mapping = std::move(*mapping);
  for (std::size_t i = 1; i < fds.size(); ++i) doorbell->events.push_back(std::move(fds[i]));
  watch_event(doorbell->events[settings_.index].get());
  doorbells_.push_back(std::move(doorbell));
}

void Worker::watch_event(int eventfd) {
  epoll_event event{};
  // Edge-triggered: one epoll_wait is the whole sleep, nothing has to be read to reset it.
  event.events = EPOLLIN | EPOLLET;
  epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, eventfd, &event);
}

WorkerChannel* Worker::map_channel(WorkerDoorbell& doorbell, std::uint32_t bit) {
  const std::uint32_t id = doorbell.index * kChannelsPerDoorbell + bit;
  link_.report(MapRequest{id});
  for (;;) {
    Order order = link_.await<ChannelMapped>();
    // What came before the answer, such as the close of this id's previous channel, counts before
    // it. What comes after it must wait: it may be about the channel that we are about to map.
    while (auto earlier = link_.next_kept()) handle(*earlier);
    const bool answer = std::get<ChannelMapped>(order.message).channel == id;
    WorkerChannel* channel = add_channel(order);  // or an offer of another one
    if (answer) return channel;
  }
}

WorkerChannel* Worker::add_channel(Order& order) {
  const auto& mapped = std::get<ChannelMapped>(order.message);
  const std::uint32_t id = mapped.channel;
  if (mapped.slots == 0 || order.fds.size() < 2 || id / kChannelsPerDoorbell >= doorbells_.size())
    return nullptr;
  auto& place = doorbells_[id / kChannelsPerDoorbell]->channels[id % kChannelsPerDoorbell];
  if (place) return place.get();  // offered while we asked
  const ChannelShape shape{mapped.slots, mapped.max_payload, mapped.max_result};
  auto mapping =
      Mapping::map(order.fds[0].get(), ChannelLayout(shape).total, Mapping::Access::read_write);
  if (!mapping) {
    // Its jobs would wait for ever. A fresh worker may have room, having fewer channels mapped; if
    // not even that helps, the supervisor tells the clients.
    std::fprintf(stderr,
                 "cannot map a channel of %llu MiB: %s; raise the pool's limits.memory, or lower "
                 "slots, max_payload or max_result\n",
                 static_cast<unsigned long long>(ChannelLayout(shape).total >> 20),
                 mapping.error().line().c_str());
    _exit(exit_status(Errc::config));
  }
  auto channel = std::make_unique<WorkerChannel>();
  channel->id = id;
  channel->mapping = std::move(*mapping);
  channel->view = ChannelView(channel->mapping.base(), shape);
  for (std::uint32_t p = 0; p < kPriorities; ++p)
    channel->submissions[p] = channel->view.submission_consumer(p);
  channel->completions = channel->view.completion_producer();
  channel->client_event = std::move(order.fds[1]);
  if (order.fds.size() == 5) {
    drop_unused_stdio();
    for (std::size_t i = 2; i < 5; ++i)
      channel->stdio.emplace_back(std::move(order.fds[i]), mapped.uid);
    holds_stdio_of_ = id;
  }
  channel->uid = mapped.uid;
  channel->gid = mapped.gid;
  channel->trusted = mapped.uid == geteuid();
  place = std::move(channel);
  return place.get();
}

void Worker::drop_unused_stdio() {
  if (holds_stdio_of_ == kNoChannel) return;
  const std::uint32_t id = std::exchange(holds_stdio_of_, kNoChannel);
  if (auto& channel = doorbells_[id / kChannelsPerDoorbell]->channels[id % kChannelsPerDoorbell])
    channel->stdio.clear();
}

void Worker::unmap_channel(std::uint32_t id) {
  if (id / kChannelsPerDoorbell < doorbells_.size()) {
    doorbells_[id / kChannelsPerDoorbell]->channels[id % kChannelsPerDoorbell].reset();
  }
  link_.report(Unmapped{id});
}

void Worker::report_broken(WorkerChannel& channel, const char* reason) {
  if (channel.broken) return;
  channel.broken = true;
  link_.report(ChannelBroken{channel.id, reason});
}

}  // namespace jobring
