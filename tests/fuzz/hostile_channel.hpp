// A channel, its doorbell and its client, and all that the client may do to them instead of using
// them.
#pragma once

#include <cstdint>
#include <memory>

#include "client/channel_impl.hpp"
#include "common/channel_layout.hpp"
#include "common/doorbell.hpp"
#include "common/segment.hpp"
#include "tests/fuzz/fuzz_support.hpp"

namespace jobring::fuzz {

// Memory and descriptors live as long as the program; the contents are fresh in every run.
class HostileChannel {
 public:
  HostileChannel(const ChannelShape& shape, std::uint32_t ready_bit);

  void reset();
  const ChannelView& view() const { return view_; }
  int segment() const { return segment_.get(); }
  int event() const { return event_.get(); }
  std::uint64_t size() const { return mapping_.size(); }
  const unsigned char* bytes() const { return mapping_.as<unsigned char>(); }

  // As a well-behaved client: handler 0 is "echo", 1 is "exec".
  bool submit(DoorbellPage& doorbell, std::uint32_t priority, std::uint16_t handler,
              std::string_view payload);
  void scribble(Bytes& bytes);
  // How many slots were used, counting those that were used again.
  std::uint32_t next() const { return next_slot_; }

 private:
  ChannelShape shape_;
  std::uint32_t ready_bit_;
  UniqueFd segment_, event_;
  Mapping mapping_;
  ChannelView view_;
  SubmissionProducer<> producers_[kPriorities];
  std::uint32_t next_slot_ = 0;
};

// The product's own client over such a channel, without a daemon behind its socket. Null if it
// refuses to open it.
std::unique_ptr<Channel::Impl> open_client(const HostileChannel& channel, int doorbell,
                                           int pool_page, int event);

}  // namespace jobring::fuzz
