// The supervisor's side of one open channel: it made the segment and keeps it mapped to recover its
// slots.
#pragma once

#include <sys/types.h>

#include <bitset>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/channel_layout.hpp"
#include "common/foreign_fd.hpp"
#include "common/result.hpp"
#include "common/segment.hpp"
#include "common/unique_fd.hpp"
#include "daemon/peer.hpp"

namespace jobring {

struct Channel {
  std::uint32_t id = 0;  // doorbell * kChannelsPerDoorbell + ready_bit
  std::uint32_t ready_bit = 0;
  std::uint64_t session = 0;  // unlike the id never used again in this pool
  Peer peer;
  std::string client;  // name, as the client gave it
  UniqueFd segment;
  // What rings the client, and the client's end of it until it is handed over. For a client of our
  // own uid, and the keeper, whose channels are in other users' names, both are one eventfd. Any
  // other gets one end of a pair of sockets: who shares an eventfd can fill it, and take O_NONBLOCK
  // off it for everybody else as well, and then the next ring of a worker or of ours would never
  // return.
  UniqueFd client_event, client_end;
  bool own_bell = false;  // an eventfd
  Mapping mapping;
  ChannelView view;
  // Of the client, for a command that takes them over; closed with the channel.
  std::vector<ForeignFd> stdio;
  std::bitset<kWorkersMax> mapped_by;
  bool closed = false;  // the client is gone; kept until no worker maps it any more
  // Of the keeper (pool_kept.cpp): it outlives its client. `held`: a client has it open.
  bool kept = false;
  bool held = false;

  // Creates and maps a fresh segment.
  static Result<std::unique_ptr<Channel>> create(const ChannelShape& shape, const std::string& pool,
                                                 const Peer& peer, bool kept = false);
  // Wakes the client, whether or not it says that it waits.
  void ring_client() const;

 private:
  Result<void> create_bell();
};

// Writes 1 to an eventfd. Never blocks: a counter that is full is readable anyway.
void ring(int eventfd);
Result<UniqueFd> create_event();

}  // namespace jobring
