// A channel and a doorbell as a worker maps them.
#pragma once

#include <sys/types.h>

#include <array>
#include <bitset>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/channel_layout.hpp"
#include "common/doorbell.hpp"
#include "common/foreign_fd.hpp"
#include "common/result.hpp"
#include "common/segment.hpp"
#include "common/unique_fd.hpp"
#include "worker/modules.hpp"

namespace jobring {

// What the lanes of a process share of a channel.
struct ChannelSegment {
  Mapping mapping;
  UniqueFd client_event;
};

// The channels that some lane of this process has mapped. Thread-safe.
//
// A channel's number is used again only when every lane that mapped it has reported that it has let
// go of it; so while any of them holds a segment, the number means that very channel.
class SegmentTable {
 public:
  // While any process has such a descriptor open, no other daemon takes over its durable jobs
  // (daemon/state_dir.hpp). The first one is kept for ever.
  void hold_lives(UniqueFd lives) {
    const std::lock_guard lock(mutex_);
    if (!lives_) lives_ = std::move(lives);
  }
  // The channel's segment: mapped already, or mapped now. The descriptors are used or closed.
  Result<std::shared_ptr<ChannelSegment>> get(std::uint32_t channel, UniqueFd memory,
                                              std::size_t size, UniqueFd client_event) {
    const std::lock_guard lock(mutex_);
    std::weak_ptr<ChannelSegment>& place = segments_[channel];
    if (auto known = place.lock()) return known;
    auto mapping = Mapping::map(memory.get(), size, Mapping::Access::read_write);
    if (!mapping) return mapping.error();
    auto segment = std::make_shared<ChannelSegment>(
        ChannelSegment{std::move(*mapping), std::move(client_event)});
    place = segment;
    return segment;
  }

 private:
  std::mutex mutex_;
  UniqueFd lives_;
  std::map<std::uint32_t, std::weak_ptr<ChannelSegment>> segments_;  // by channel id
};

// What the durable jobs of a kept channel are run with.
struct KeptRun {
  std::string outputs_dir;       // of their commands' output
  std::uint64_t output_max = 0;  // bytes of one stream of one attempt
  std::string state_id;          // marks their commands, see daemon/state_dir.hpp
};

struct WorkerChannel {
  std::uint32_t id = 0;
  std::shared_ptr<ChannelSegment> segment;
  ChannelView view;
  std::array<SubmissionConsumer<>, kPriorities> submissions;
  CompletionProducer<> completions;
  int client_event = -1;  // of the segment
  // The client's own, for the one command that takes them over. Never kept while another job runs:
  // somebody may wait for the end of what is written to them.
  std::vector<ForeignFd> stdio;
  uid_t uid = 0;
  gid_t gid = 0;
  // The client runs under our own uid: it could harm us anyway, so handlers read its payloads in
  // place.
  bool trusted = false;
  bool own_bell = false;          // client_event is an eventfd (ring_bell.hpp)
  bool broken = false;            // its client wrote nonsense; not looked at any more
  std::optional<KeptRun> kept{};  // of the keeper: its jobs are durable
  std::array<const Handler*, kHandlersMax> handlers{};  // resolved names, by the client's index
  std::array<std::uint8_t, kPriorities> empty_visits{};

  std::uint32_t ready_bit() const { return id % kChannelsPerDoorbell; }
};

struct WorkerDoorbell {
  std::uint32_t index = 0;
  uid_t uid = 0;
  Mapping mapping;
  UniqueFd event;  // ours: clients ring it
  std::array<std::unique_ptr<WorkerChannel>, kChannelsPerDoorbell> channels;
  std::array<std::uint32_t, kPriorities> cursor{};  // where the round-robin goes on
  // ChannelTable::Asking::later: channels that we have asked the supervisor for, and those whose
  // ready bit was set once more meanwhile.
  std::bitset<kChannelsPerDoorbell> asked, asked_again;

  DoorbellPage& page() const { return *mapping.as<DoorbellPage>(); }
};

}  // namespace jobring
