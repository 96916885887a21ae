// A channel's segment: one client's jobs for one pool.
//
//   header · handler names · submission ring ×3 · completion queue · retry bitmap · slot table ·
//   notes · extents
//
// The segment is a sparse file of fixed size, sealed against shrinking and growing. Every slot has
// its own range for a large payload and another for a large result, so there is no allocator, and
// nothing that one could lose in a crash. Where things are follows from three numbers
// (ChannelShape); every process gets them from the supervisor and never reads them from the
// segment, which its client may overwrite.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

#include "common/completion_queue.hpp"
#include "common/job_note.hpp"
#include "common/limits.hpp"
#include "common/shared_atomic.hpp"
#include "common/shared_field.hpp"
#include "common/slot.hpp"
#include "common/submission_ring.hpp"

namespace jobring {

struct ChannelShape {
  std::uint32_t slots = 0;        // a power of two, 1 .. kSlotsMax
  std::uint64_t max_payload = 0;  // bytes of one payload
  std::uint64_t max_result = 0;   // bytes of one result

  friend bool operator==(const ChannelShape&, const ChannelShape&) = default;
};

// What a sleeping client waits for: the low bits of the completion queue's position that is to be
// reached. A client with many jobs under way need not be woken by each.
struct WaitingWord {
  static constexpr std::uint32_t none = 0;
  static std::uint32_t until(std::uint64_t position) {
    const auto low = std::uint32_t(position);
    return low == none ? low - 1 : low;  // one earlier than asked, never later
  }
  static bool reached(std::uint32_t word, std::uint64_t position) {
    return word != none && std::int32_t(std::uint32_t(position) - word) >= 0;
  }
};

// The head of the segment. Fields grouped by who writes them.
struct ChannelHeader {
  // Supervisor, once, before anybody else maps it.
  SharedField<std::uint32_t> version;  // kShmVersion
  SharedField<std::uint32_t> slots;

  // Client.
  // Not 0 while the client sleeps or is about to: see WaitingWord. Set (seq_cst) before its last
  // look at the completion queue. A worker that published looks here (seq_cst), and whoever turns
  // it to 0 rings the client's eventfd.
  alignas(kCacheLine) SharedAtomic<std::uint32_t> waiting;
  // Slots [0, slots_used) have ever been used: recovery looks at no others, so that it does not
  // touch fresh pages.
  SharedField<std::uint32_t> slots_used;

  // Supervisor.
  // Raised by recovery when a DONE slot's completion word may have been lost: the client looks at
  // all slots once.
  alignas(kCacheLine) SharedAtomic<std::uint32_t> rescan;
  SharedAtomic<std::uint32_t> closing;  // 1: the daemon drains, submit nothing more; 2: the client
                                        // is gone, run nothing more
  SharedAtomic<std::uint32_t> retries;  // 1: look at the retry bitmap

  // Client: names of handlers, in order of first use; [0, handler_count) never change again.
  alignas(kCacheLine) SharedAtomic<std::uint32_t> handler_count;
  char handler_names[kHandlersMax][kHandlerNameMax + 1];

  SubmissionLines<> submission[kPriorities];
  CompletionLines<> completion;
};

// Offsets of the parts, in bytes from the segment's start.
struct ChannelLayout {
  explicit ChannelLayout(const ChannelShape& shape);

  std::uint32_t completion_cells;
  std::size_t rings;           // kPriorities rings of `slots` words
  std::size_t completions;     // completion_cells words
  std::size_t retry_bits;      // one bit per slot
  std::size_t slots;           // Slot × slots
  std::size_t notes;           // page-aligned; JobNote × slots
  std::size_t extents;         // page-aligned; per slot: payload extent, result extent
  std::size_t payload_stride;  // bytes, page-aligned; 0 if every payload fits into the slot
  std::size_t result_stride;
  std::size_t total;  // bytes, page-aligned
};

// Pointers into one mapped channel. Copyable; does not own the mapping.
class ChannelView {
 public:
  ChannelView() = default;
  ChannelView(void* base, const ChannelShape& shape);

  const ChannelShape& shape() const { return shape_; }
  ChannelHeader& header() const { return *reinterpret_cast<ChannelHeader*>(base_); }
  Slot& slot(std::uint32_t index) const { return slots_[index]; }
  JobNote& note(std::uint32_t index) const { return notes_[index]; }
  SharedAtomic<std::uint64_t>& retry_word(std::uint32_t word) const { return retry_[word]; }
  std::uint32_t retry_words() const { return (shape_.slots + 63) / 64; }

  // Where a payload or result of `size` bytes of this slot stands. The caller has checked `size`
  // against the shape.
  unsigned char* payload(std::uint32_t index, std::size_t size) const {
    return size <= kInlinePayload ? slots_[index].payload : payload_extent(index);
  }
  unsigned char* result(std::uint32_t index, std::size_t size) const {
    return size <= kInlineResult ? slots_[index].result : result_extent(index);
  }
  unsigned char* payload_extent(std::uint32_t index) const {
    return extents_ + index * extent_stride_;
  }
  unsigned char* result_extent(std::uint32_t index) const {
    return extents_ + index * extent_stride_ + payload_stride_;
  }
  std::size_t offset_of(const void* p) const {
    return std::size_t(static_cast<const unsigned char*>(p) - base_);
  }

  SubmissionProducer<> submission_producer(std::uint32_t priority) const;
  SubmissionConsumer<> submission_consumer(std::uint32_t priority) const;
  CompletionProducer<> completion_producer() const;
  CompletionConsumer<> completion_consumer() const;

 private:
  unsigned char* base_ = nullptr;
  Slot* slots_ = nullptr;
  JobNote* notes_ = nullptr;
  SharedAtomic<std::uint64_t>* retry_ = nullptr;
  unsigned char* extents_ = nullptr;
  std::size_t extent_stride_ = 0;
  std::size_t payload_stride_ = 0;
  ChannelShape shape_;
};

// A handler's name as the channel's table has it now, cut at its NUL; empty if `index` is out of
// range. Copies: the client may change the bytes at any time.
std::string handler_name(const ChannelView& channel, std::uint32_t index);
// Of the job in a slot, from wherever its client has put it.
std::string handler_of(const ChannelView& channel, std::uint32_t slot);

}  // namespace jobring
