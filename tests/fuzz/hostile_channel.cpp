#include "tests/fuzz/hostile_channel.hpp"

#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "common/control.hpp"

namespace jobring::fuzz {

HostileChannel::HostileChannel(const ChannelShape& shape, std::uint32_t ready_bit)
    : shape_(shape), ready_bit_(ready_bit), event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  auto segment = create_segment("jobring:fuzzed", ChannelLayout(shape).total);
  if (!segment) violated("create_segment");
  segment_ = std::move(*segment);
  auto mapping = Mapping::map(segment_.get(), ChannelLayout(shape).total, Mapping::Access::read_write);
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

// A value that is likely to hurt: near a boundary, near what stands there, a state word, or anything.
static std::uint64_t value_for(Bytes& bytes, std::uint64_t current, std::uint32_t slots) {
  switch (bytes.byte() % 6) {
    case 0:
      return bytes.byte();
    case 1:
      return current + std::uint64_t(std::int64_t(std::int8_t(bytes.byte())));
    case 2:
      return ~std::uint64_t{0} - bytes.byte();
    case 3:
      return std::uint64_t{1} << bytes.byte() % 64;
    case 4:
      // State and ring words, with the generation that stands there or the next.
      return StateWord(SlotState(bytes.byte() % 8), bytes.byte() % 4, StateWord(current).generation() + bytes.byte() % 3)
          .raw();
    default: {
      const std::uint32_t index = bytes.below(2 * slots);
      return SubmissionWord(index, bytes.byte()).raw();
    }
  }
}

void HostileChannel::scribble_word(Bytes& bytes) {
  ChannelHeader& header = view_.header();
  const ChannelLayout layout(shape_);
  const auto word_at = [&](std::size_t offset) -> std::atomic<std::uint64_t>& {
    return *reinterpret_cast<std::atomic<std::uint64_t>*>(mapping_.as<unsigned char>() + offset);
  };
  const auto poke = [&](auto& word) { word.store(decltype(word.load())(value_for(bytes, word.load(), shape_.slots))); };
  const std::uint32_t priority = bytes.below(kPriorities);
  switch (bytes.byte() % 14) {
    case 0:
      return poke(header.submission[priority].tail);
    case 1:
      return poke(header.submission[priority].head);
    case 2:
      return poke(header.submission[priority].last);
    case 3:
      return poke(word_at(layout.rings + 8 * bytes.below(shape_.slots * kPriorities)));
    case 4:
      return poke(header.completion.tail);
    case 5:
      return poke(header.completion.head);
    case 6:
      return poke(word_at(layout.completions + 8 * bytes.below(layout.completion_cells)));
    case 7:
      return poke(view_.retry_word(bytes.below(view_.retry_words())));
    case 8:
      header.retries = bytes.byte();
      return poke(view_.retry_word(0));
    case 9:
      header.waiting = bytes.take<std::uint32_t>();
      return;
    case 10:
      header.closing = bytes.byte() % 4;
      return;
    case 11:
      header.rescan = bytes.byte();
      return;
    case 12:
      header.slots_used.set(bytes.take<std::uint32_t>());
      return;
    default:
      return poke(view_.slot(bytes.below(shape_.slots)).state);
  }
}

void HostileChannel::scribble_request(Bytes& bytes) {
  Slot& slot = view_.slot(bytes.below(shape_.slots));
  const std::uint64_t value = value_for(bytes, slot.payload_len.get(), shape_.slots);
  switch (bytes.byte() % 12) {
    case 0:
      return slot.payload_len.set(std::uint32_t(value));
    case 1:
      return slot.payload_len.set(std::uint32_t(shape_.max_payload + bytes.byte() % 3 - 1));
    case 2:
      return slot.handler.set(std::uint16_t(value));
    case 3:
      return slot.flags.set(std::uint8_t(value));
    case 4:
      return slot.crash_retries.set(std::uint8_t(value));
    case 5:
      return slot.timeout_ms.set(std::uint32_t(value));
    case 6:
      slot.kill_request = std::uint8_t(value);
      return;
    case 7:
      return slot.outcome.set(std::uint8_t(value));
    case 8:
      return slot.attempts.set(std::uint8_t(value));
    case 9:
      return slot.result_len.set(std::uint32_t(value));
    case 10:
      return slot.deadline_ns.set(value);
    default:
      return slot.detail.set(std::int32_t(value));
  }
}

void HostileChannel::scribble(Bytes& bytes) {
  switch (bytes.byte() % 6) {
    case 0:
    case 1:
      return scribble_word(bytes);
    case 2:
    case 3:
      return scribble_request(bytes);
    case 4: {
      const std::size_t offset = bytes.take<std::uint32_t>() % size();
      const std::string_view text = bytes.text(std::min<std::size_t>(16, size() - offset));
      std::memcpy(mapping_.as<unsigned char>() + offset, text.data(), text.size());
      return;
    }
    default: {
      char* name = view_.header().handler_names[bytes.below(kHandlersMax)];
      const std::string_view text = bytes.text(kHandlerNameMax + 1);
      std::memcpy(name, text.data(), text.size());
    }
  }
}

std::unique_ptr<Channel::Impl> open_client(const HostileChannel& channel, int doorbell, int pool_page, int event) {
  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0) violated("socketpair");
  static UniqueFd daemon_end;  // open until the next client: a hang-up would end all its jobs as lost
  daemon_end.reset(sockets[0]);
  const ChannelShape& shape = channel.view().shape();
  // The answer is there before the question.
  const OpenReply reply{1, 1, shape.slots, shape.max_payload, shape.max_result, 0, 0, 1};
  const int fds[] = {channel.segment(), doorbell, pool_page, channel.event(), event};
  if (!send_control(sockets[0], encode(ClientReply(reply)), fds)) violated("send_control to the client");
  auto core = std::make_shared<detail::ClientCore>(UniqueFd(sockets[1]), -1, "fuzzed", "fuzzer");
  auto opened = Channel::Impl::open(std::move(core), "fuzzed", {});
  if (!opened) violated("the client does not open its channel");
  return std::move(*opened);
}

}  // namespace jobring::fuzz
