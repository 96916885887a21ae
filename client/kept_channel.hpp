// Kept channels: those of the keeper, which outlive it (daemon/pool_kept.cpp). Not installed.
//
//     auto kept = open_kept(core, "default", uid, gid);
//     if (!kept) ...                              // Errc::full: later
//     for (const AdoptedJob& job : kept->adopted) // what a keeper before us has handed out
//       ...
//     kept->channel.prepare(handler, payload, 0, {.tag = "17.1"});
//
// A job there is known by its slot until it is reaped; Completion::slot says which. That of an
// adopted one has no other tag (Completion::tag is 0), and its queue_ns is 0.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include <jobring/channel.hpp>

#include "client/client_core.hpp"
#include "common/result.hpp"

namespace jobring {

// A job that was in the channel when we opened it. If it is done, or ends, reap() gives it like any
// other; it can be cancelled and killed.
struct AdoptedJob {
  enum class State { queued, claimed, running, done };  // when we looked; it may have gone on

  JobRef job;
  State state = State::queued;
  std::string
      tag;  // JobOptions::tag, empty if it had none. Workers could have changed it: check it
};

// As Channel, which it has: not thread-safe.
struct KeptChannel {
  Channel channel;
  Channel::Impl* impl;                // its inside
  bool fresh = true;                  // it was made for us: nothing that ran here before still runs
  std::vector<AdoptedJob> adopted{};  // at most one of each slot

  // False while the daemon drains or the pool is broken: prepare() would throw.
  bool takes_jobs() const;
  // Its words make no sense, or the supervisor closed it for that: whatever was handed out here and
  // not reaped is lost. close() it, and open it again: that is refused as long as jobs run in it.
  bool broken() const;
  // For ever: what waits is withdrawn, what runs is stopped. Without this, the end of a KeptChannel
  // leaves all as it is, for the next keeper.
  void close();
};

// `core` is the connection that the supervisor gave the keeper. Errors: Errc::full: it was closed,
// and jobs still run in it: try again later. Errc::protocol: what was in it makes no sense: it is
// closed now, and what was handed out is lost; try again. As for any channel else.
//
// A job that the keeper before us had put into a slot and not yet published is withdrawn: nobody
// has seen it.
Result<KeptChannel> open_kept(const std::shared_ptr<detail::ClientCore>& core,
                              const std::string& pool, uid_t uid, gid_t gid);

}  // namespace jobring
