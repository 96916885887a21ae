// A channel in ordinary memory, for tests of the shared-memory algorithms.
#pragma once

#include <cstdlib>
#include <cstring>
#include <memory>

#include "common/channel_layout.hpp"

namespace jobring::test {

struct HeapChannel {
  explicit HeapChannel(std::uint32_t slots, std::uint64_t max_payload = 64,
                       std::uint64_t max_result = 1024)
      : shape{slots, max_payload, max_result},
        memory(static_cast<unsigned char*>(std::aligned_alloc(4096, ChannelLayout(shape).total)),
               &std::free),
        view((std::memset(memory.get(), 0, ChannelLayout(shape).total), memory.get()), shape) {
    view.header().slots_used.set(slots);
  }
  // As a client does: makes the slot QUEUED and returns its word for a ring.
  SubmissionWord queue(std::uint32_t index) {
    const StateWord queued = view.slot(index).word().to(SlotState::queued);
    view.slot(index).state.store(queued.raw());
    return SubmissionWord(index, queued.generation());
  }
  StateWord word(std::uint32_t index) const { return view.slot(index).word(); }
  void set(std::uint32_t index, SlotState state, std::uint32_t owner) {
    view.slot(index).state.store(word(index).to(state, owner).raw());
  }

  ChannelShape shape;
  std::unique_ptr<unsigned char, void (*)(void*)> memory;
  ChannelView view;
};

}  // namespace jobring::test
