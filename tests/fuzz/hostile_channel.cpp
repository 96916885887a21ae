#include "tests/fuzz/hostile_channel.hpp"

#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "common/control.hpp"
#include "tests/support/scribble.hpp"

namespace jobring::fuzz {

HostileChannel::HostileChannel(const ChannelShape& shape, std::uint32_t ready_bit)
    : shape_(shape), ready_bit_(ready_bit), event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  auto segment = create_segment("jobring:fuzzed", ChannelLayout(shape).total);
  if (!segment) violated("create_segment");
  segment_ = std::move(*segment);
  auto mapping =
      Mapping::map(segment_.get(), ChannelLayout(shape).total, Mapping::Access::read_write);
  if (!mapping) violated("map");
  mapping_ = std::move(*mapping);
  view_ = ChannelView(mapping_.base(), shape);
}

void HostileChannel::reset() {
  fallocate(segment_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, off_t(size()));
  ChannelHeader& header = view_.header();
  header.version.set(kShmVersion);
  header.slots.set(shape_.slots);
  header.slots_used.set(shape_.slots);
  std::strcpy(header.handler_names[0], "echo");
  std::strcpy(header.handler_names[1], "exec");
  header.handler_count = 2;
  for (std::uint32_t p = 0; p < kPriorities; ++p) producers_[p] = view_.submission_producer(p);
  next_slot_ = 0;
}

bool HostileChannel::submit(DoorbellPage& doorbell, std::uint32_t priority, std::uint16_t handler,
                            std::string_view payload) {
  const std::uint32_t index = next_slot_++ % shape_.slots;
  Slot& slot = view_.slot(index);
  if (producers_[priority].full() || payload.size() > shape_.max_payload) return false;
  std::memcpy(view_.payload(index, payload.size()), payload.data(), payload.size());
  slot.payload_len.set(std::uint32_t(payload.size()));
  slot.handler.set(handler);
  const StateWord queued = slot.word().to(SlotState::queued);
  slot.state.store(queued.raw(), std::memory_order_release);
  producers_[priority].put(SubmissionWord(index, queued.generation()));
  producers_[priority].publish();
  doorbell.set_ready(priority, ready_bit_);
  return true;
}

void HostileChannel::scribble(Bytes& bytes) {
  test::scribble(view_, mapping_.as<unsigned char>(), size(), bytes);
}

std::unique_ptr<Channel::Impl> open_client(const HostileChannel& channel, int doorbell,
                                           int pool_page, int event) {
  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0) violated("socketpair");
  static UniqueFd
      daemon_end;  // open until the next client: a hang-up would end all its jobs as lost
  daemon_end.reset(sockets[0]);
  const ChannelShape& shape = channel.view().shape();
  // The answer is there before the question.
  const OpenReply reply{1, 1, shape.slots, shape.max_payload, shape.max_result, 0, 0, 1};
  const int fds[] = {channel.segment(), doorbell, pool_page, channel.event(), event};
  if (!send_control(sockets[0], encode(ClientReply(reply)), fds))
    violated("send_control to the client");
  auto core = std::make_shared<detail::ClientCore>(UniqueFd(sockets[1]), -1, "fuzzed", "fuzzer");
  auto opened = Channel::Impl::open(std::move(core), "fuzzed", {});
  // It refuses a channel whose version was scribbled over.
  return opened ? std::move(*opened) : nullptr;
}

}  // namespace jobring::fuzz
