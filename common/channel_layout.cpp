#include "common/channel_layout.hpp"

#include <cstring>

namespace jobring {
namespace {

constexpr std::size_t kPage = 4096;

constexpr std::size_t round_up(std::size_t value, std::size_t unit) {
  return (value + unit - 1) / unit * unit;
}

}  // namespace

ChannelLayout::ChannelLayout(const ChannelShape& shape) {
  completion_cells = completion_capacity(shape.slots);
  std::size_t at = round_up(sizeof(ChannelHeader), kCacheLine);
  rings = at;
  at = round_up(at + sizeof(std::uint64_t) * shape.slots * kPriorities, kCacheLine);
  completions = at;
  at = round_up(at + sizeof(std::uint64_t) * completion_cells, kCacheLine);
  retry_bits = at;
  at = round_up(at + sizeof(std::uint64_t) * ((shape.slots + 63) / 64), kCacheLine);
  slots = at;
  at += sizeof(Slot) * shape.slots;
  notes = round_up(at, kPage);
  extents = round_up(notes + sizeof(JobNote) * shape.slots, kPage);
  payload_stride = shape.max_payload > kInlinePayload ? round_up(shape.max_payload, kPage) : 0;
  result_stride = shape.max_result > kInlineResult ? round_up(shape.max_result, kPage) : 0;
  total = extents + (payload_stride + result_stride) * shape.slots;
}

ChannelView::ChannelView(void* base, const ChannelShape& shape)
    : base_(static_cast<unsigned char*>(base)), shape_(shape) {
  const ChannelLayout layout(shape);
  slots_ = reinterpret_cast<Slot*>(base_ + layout.slots);
  notes_ = reinterpret_cast<JobNote*>(base_ + layout.notes);
  retry_ = reinterpret_cast<SharedAtomic<std::uint64_t>*>(base_ + layout.retry_bits);
  extents_ = base_ + layout.extents;
  payload_stride_ = layout.payload_stride;
  extent_stride_ = layout.payload_stride + layout.result_stride;
}

namespace {

SharedAtomic<std::uint64_t>* ring_cells(unsigned char* base, const ChannelShape& shape,
                                        std::uint32_t priority) {
  return reinterpret_cast<SharedAtomic<std::uint64_t>*>(base + ChannelLayout(shape).rings) +
         std::size_t(shape.slots) * priority;
}

SharedAtomic<std::uint64_t>* completion_cells(unsigned char* base, const ChannelShape& shape) {
  return reinterpret_cast<SharedAtomic<std::uint64_t>*>(base + ChannelLayout(shape).completions);
}

}  // namespace

SubmissionProducer<> ChannelView::submission_producer(std::uint32_t priority) const {
  return {&header().submission[priority], ring_cells(base_, shape_, priority), shape_.slots};
}
SubmissionConsumer<> ChannelView::submission_consumer(std::uint32_t priority) const {
  return {&header().submission[priority], ring_cells(base_, shape_, priority), shape_.slots};
}
CompletionProducer<> ChannelView::completion_producer() const {
  return {&header().completion, completion_cells(base_, shape_), completion_capacity(shape_.slots)};
}
CompletionConsumer<> ChannelView::completion_consumer() const {
  return {&header().completion, completion_cells(base_, shape_), completion_capacity(shape_.slots)};
}

std::string handler_name(const ChannelView& channel, std::uint32_t index) {
  if (index >= kHandlersMax) return {};
  char copy[kHandlerNameMax + 1];
  std::memcpy(copy, channel.header().handler_names[index], sizeof copy);
  copy[kHandlerNameMax] = '\0';
  return copy;
}

std::string handler_of(const ChannelView& channel, std::uint32_t slot) {
  const Slot& job = channel.slot(slot);
  return (job.flags.get() & kJobNamed) != 0 ? channel.note(slot).get_handler()
                                            : handler_name(channel, job.handler.get());
}

}  // namespace jobring
