#include "daemon/channel.hpp"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/ring_bell.hpp"

namespace jobring {

Result<std::unique_ptr<Channel>> Channel::create(const ChannelShape& shape, const std::string& pool,
                                                 const Peer& peer, bool kept) {
  auto channel = std::make_unique<Channel>();
  channel->peer = peer;
  channel->kept = kept;
  channel->own_bell = kept || peer.uid == geteuid();
  const ChannelLayout layout(shape);
  auto segment = create_segment(("jobring:channel:" + pool).c_str(), layout.total);
  if (!segment) return segment.error();
  auto mapping = Mapping::map(segment->get(), layout.total, Mapping::Access::read_write);
  if (!mapping) return mapping.error();
  if (auto created = channel->create_bell(); !created) return created.error();
  channel->segment = std::move(*segment);
  channel->mapping = std::move(*mapping);
  channel->view = ChannelView(channel->mapping.base(), shape);
  channel->view.header().version.set(kShmVersion);
  channel->view.header().slots.set(shape.slots);
  return channel;
}

Result<void> Channel::create_bell() {
  if (own_bell) {
    auto event = create_event();
    if (!event) return event.error();
    client_event = std::move(*event);
    client_end.reset(fcntl(client_event.get(), F_DUPFD_CLOEXEC, 0));
    return client_end ? Result<void>() : system_error("dup", "eventfd");
  }
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
    return system_error("socketpair", "bell");
  client_event.reset(ends[0]);
  client_end.reset(ends[1]);
  // It is rung one way. What a client could send to our end, descriptors above all, would stay
  // there.
  shutdown(client_event.get(), SHUT_RD);
  return {};
}

void Channel::ring_client() const {
  view.header().waiting.store(0, std::memory_order_seq_cst);
  ring_bell(client_event.get(), own_bell);
}

void ring(int eventfd) {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t n = write(eventfd, &one, sizeof one);
}

Result<UniqueFd> create_event() {
  UniqueFd fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!fd) return system_error("eventfd");
  return fd;
}

}  // namespace jobring
