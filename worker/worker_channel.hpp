// A channel and a doorbell as a worker maps them.
#pragma once

#include <sys/types.h>

#include <array>
#include <bitset>
#include <cstdint>
#include <memory>
#include <vector>

#include "common/channel_layout.hpp"
#include "common/doorbell.hpp"
#include "common/foreign_fd.hpp"
#include "common/segment.hpp"
#include "common/unique_fd.hpp"
#include "worker/modules.hpp"

namespace jobring {

struct WorkerChannel {
  std::uint32_t id = 0;
  Mapping mapping;
  ChannelView view;
  std::array<SubmissionConsumer<>, kPriorities> submissions;
  CompletionProducer<> completions;
  UniqueFd client_event;
  // The client's own, for the one command that takes them over. Never kept while another job runs:
  // somebody may wait for the end of what is written to them.
  std::vector<ForeignFd> stdio;
  uid_t uid = 0;
  gid_t gid = 0;
  // The client runs under our own uid: it could harm us anyway, so handlers read its payloads in
  // place.
  bool trusted = false;
  bool broken = false;  // its client wrote nonsense; not looked at any more
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
