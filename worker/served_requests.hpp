// The requests that a service (registry, keeper) has taken from its clients' channels and not yet
// answered: slots that are RUNNING, ours, and completed in any order.
//
//     requests.follow(order)                    // what the supervisor says of channels
//     auto request = requests.take(...)         // a claimed slot: RUNNING from now on
//     requests.answer(request->token, bytes)    // DONE, perhaps much later
//     requests.publish()                        // after each round of answers
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "common/messages.hpp"
#include "common/state_word.hpp"
#include "worker/channel_table.hpp"
#include "worker/claimer.hpp"

namespace jobring {

struct ServedRequest {
  std::uint64_t token;    // names it until it is answered: its place, for a slot has one at a time
  std::uint64_t session;  // the client's channel, never used again
  std::uint32_t slot;
  std::uint64_t generation;  // with which it was submitted: the same however often it is requeued
  bool again;                // a dead process of this service had it before
  std::uint32_t uid, gid;
  const std::vector<std::uint32_t>* groups;  // of its client, supplementary; until the next order
  // In shared memory: it may change while we look. Copy it, then check it.
  const unsigned char* payload;
  std::size_t size;
};

// Not thread-safe.
class ServedRequests {
 public:
  ServedRequests(Claimer& claimer, ChannelTable& channels)
      : claimer_(claimer), channels_(channels), mine_(claimer.entry()) {}

  // Makes it RUNNING. `now`: CLOCK_MONOTONIC. nullopt: it was taken from us, or is answered
  // already, because it is cancelled or makes no sense.
  std::optional<ServedRequest> take(WorkerChannel& channel, const Claim& claim, std::uint64_t now);

  // Both do nothing if it is answered, or its client has gone. The client is woken at once.
  void answer(std::uint64_t token, std::string_view bytes);
  void refuse(std::uint64_t token, Outcome outcome, std::string_view why);
  void publish();

  // Before ChannelTable::follow() of the same order.
  void mapped(const ChannelMapped& order);
  void closed(const ChannelClosed& order);
  // The request that is to be cancelled, if it is open still.
  std::optional<std::uint64_t> stopped(const StopJob& order) const;

 private:
  // What is open in a channel.
  struct Served {
    WorkerChannel* channel = nullptr;
    std::uint64_t session = 0;
    std::vector<std::uint32_t> groups;
    std::vector<StateWord> running;  // by slot; the zero word: nothing
  };

  Served* of(std::uint64_t token);
  void end(Served& served, std::uint32_t slot, Outcome outcome, std::string_view result);

  Claimer& claimer_;
  ChannelTable& channels_;
  WorkerEntry& mine_;
  std::vector<Served> served_;            // by channel id
  WorkerChannel* unpublished_ = nullptr;  // its completion tail is to be moved
};

}  // namespace jobring
