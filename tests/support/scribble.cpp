#include "tests/support/scribble.hpp"

#include <cstring>

namespace jobring::test {
namespace {

// A value that is likely to hurt: near a boundary, near what stands there, a state word, or
// anything.
std::uint64_t value_for(Bytes& bytes, std::uint64_t current, std::uint32_t slots) {
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
      return StateWord(SlotState(bytes.byte() % 8), bytes.byte() % 4,
                       StateWord(current).generation() + bytes.byte() % 3)
          .raw();
    default: {
      const std::uint32_t index = bytes.below(2 * slots);
      return SubmissionWord(index, bytes.byte()).raw();
    }
  }
}

void scribble_word(const ChannelView& view, unsigned char* base, Bytes& bytes) {
  ChannelHeader& header = view.header();
  const ChannelLayout layout(view.shape());
  const auto word_at = [&](std::size_t offset) -> std::atomic<std::uint64_t>& {
    return *reinterpret_cast<std::atomic<std::uint64_t>*>(base + offset);
  };
  const auto poke = [&](auto& word) {
    word.store(decltype(word.load())(value_for(bytes, word.load(), view.shape().slots)));
  };
  const std::uint32_t priority = bytes.below(kPriorities);
  switch (bytes.byte() % 14) {
    case 0:
      return poke(header.submission[priority].tail);
    case 1:
      return poke(header.submission[priority].head);
    case 2:
      return poke(header.submission[priority].last);
    case 3:
      return poke(word_at(layout.rings + 8 * bytes.below(view.shape().slots * kPriorities)));
    case 4:
      return poke(header.completion.tail);
    case 5:
      return poke(header.completion.head);
    case 6:
      return poke(word_at(layout.completions + 8 * bytes.below(layout.completion_cells)));
    case 7:
      return poke(view.retry_word(bytes.below(view.retry_words())));
    case 8:
      header.retries = bytes.byte();
      return poke(view.retry_word(0));
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
      return poke(view.slot(bytes.below(view.shape().slots)).state);
  }
}

void scribble_request(const ChannelView& view, Bytes& bytes) {
  Slot& slot = view.slot(bytes.below(view.shape().slots));
  const std::uint64_t value = value_for(bytes, slot.payload_len.get(), view.shape().slots);
  switch (bytes.byte() % 12) {
    case 0:
      return slot.payload_len.set(std::uint32_t(value));
    case 1:
      return slot.payload_len.set(std::uint32_t(view.shape().max_payload + bytes.byte() % 3 - 1));
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
      std::memcpy(static_cast<void*>(&slot.attempts), &value, sizeof slot.attempts);
      return;
    case 9:
      return slot.result_len.set(std::uint32_t(value));
    case 10:
      return slot.deadline_ns.set(value);
    default:
      return slot.detail.set(std::int32_t(value));
  }
}

}  // namespace

void scribble(const ChannelView& view, unsigned char* base, std::size_t size, Bytes& bytes) {
  switch (bytes.byte() % 6) {
    case 0:
    case 1:
      return scribble_word(view, base, bytes);
    case 2:
    case 3:
      return scribble_request(view, bytes);
    case 4: {
      const std::size_t offset = bytes.take<std::uint32_t>() % size;
      const std::string_view text = bytes.text(std::min<std::size_t>(16, size - offset));
      std::memcpy(base + offset, text.data(), text.size());
      return;
    }
    default: {
      char* name = view.header().handler_names[bytes.below(kHandlersMax)];
      const std::string_view text = bytes.text(kHandlerNameMax + 1);
      std::memcpy(name, text.data(), text.size());
    }
  }
}

}  // namespace jobring::test
