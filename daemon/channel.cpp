#include "daemon/channel.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

namespace jobring {

Result<std::unique_ptr<Channel>> Channel::create(const ChannelShape& shape,
                                                 const std::string& pool) {
  auto channel = std::make_unique<Channel>();
  const ChannelLayout layout(shape);
  auto segment = create_segment(("jobring:channel:" + pool).c_str(), layout.total);
  if (!segment) return segment.error();
  auto mapping = Mapping::map(segment->get(), layout.total, Mapping::Access::read_write);
  if (!mapping) return mapping.error();
  auto event = create_event();
  if (!event) return event.error();
  channel->segment = std::move(*segment);
  channel->mapping = std::move(*mapping);
  channel->client_event = std::move(*event);
  channel->view = ChannelView(channel->mapping.base(), shape);
  channel->view.header().version.set(kShmVersion);
  channel->view.header().slots.set(shape.slots);
  return channel;
}

void Channel::ring_client() const {
  view.header().waiting.store(0, std::memory_order_seq_cst);
  ring(client_event.get());
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
