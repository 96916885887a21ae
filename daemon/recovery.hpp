// What the supervisor does to shared memory after a death. Every step is one CAS or idempotent, so
// it may be cut short anywhere and run again.
//
// Precondition of recover_channel: the worker's process and all its descendants are dead. So nobody
// but us moves the slots that name it, except idle workers that steal its CLAIMED ones, which is a
// CAS that one of us wins.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>

#include <jobring/types.hpp>

#include "common/channel_layout.hpp"
#include "common/doorbell.hpp"
#include "common/pool_page.hpp"

namespace jobring {

// What killed a worker, as the job that it ran is told.
struct Death {
  Outcome outcome = Outcome::crashed;  // crashed, killed or timed_out
  std::int32_t signal = 0;             // that ended the worker; 0 if it exited
  bool may_retry = true;               // false: the job was meant to end
  std::string message;                 // becomes the job's result if it is not run again
  std::uint16_t worker = 0;            // index in its pool
  std::uint32_t crash_limit = 256;     // the pool's: attempts, then the job is quarantined
};

// A job that recovery ended, as it was at that moment: its client may have reaped it since.
struct EndedJob {
  std::uint32_t slot = 0;
  StateWord running;  // the word that it had
  std::string handler;
  std::uint32_t attempts = 0;  // that ended their worker
  bool quarantined = false;    // attempts reached the crash limit
  std::string message;         // its result: what happened
};

struct Recovered {
  std::uint32_t requeued = 0;  // claimed, or running with attempts left
  std::uint32_t ended = 0;     // running, with no attempts left
};

// Settles every slot that names `owner`. Raises the channel's rescan flag and the retry bits of all
// REQUEUED slots. Tells `ended` of the jobs that it ends: more than one only if the client has
// forged words.
Recovered recover_channel(const ChannelView& channel, std::uint32_t owner, const Death& death,
                          const std::function<void(const EndedJob&)>& ended = {});

// Ends one job of a dead worker: the one for which it was killed. To be called before
// recover_channel, whose precondition holds here too. Ends nothing and returns false if the slot
// does not hold `running` any more: the job ended in the moment before its worker died.
bool end_running(const ChannelView& channel, std::uint32_t index, StateWord running,
                 const Death& death);

// Gives back what `owner` has claimed and not started: it lives, but cannot go on. A CAS that it
// loses when it does, as against a thief. Returns how many.
std::uint32_t requeue_claimed(const ChannelView& channel, std::uint32_t owner);

// Makes good whatever hint was lost with a process: sets the channel's ready bits.
void rearm(DoorbellPage& doorbell, std::uint32_t ready_bit);

// Forgets a dead worker's hints: its sleeping bit, its batch, its current job.
void clear_worker(PoolPage& page, std::uint32_t index);

// The client is gone: nothing more of it is started. CASes QUEUED and REQUEUED to FREE. Returns how
// many.
std::uint32_t cancel_waiting(const ChannelView& channel);

// The pool cannot run anything: every waiting job ends as lost with `message`. Returns how many.
std::uint32_t fail_waiting(const ChannelView& channel, const std::string& message);

// Calls visit(index, word) for every slot in use. seq_cst: who has raised `closing` or a slot's
// kill_request before sees every job RUNNING that did not see that.
template <class Visit>
void for_each_slot(const ChannelView& channel, Visit visit) {
  const std::uint32_t used = std::min(channel.header().slots_used.get(), channel.shape().slots);
  for (std::uint32_t i = 0; i < used; ++i)
    visit(i, channel.slot(i).word(std::memory_order_seq_cst));
}

}  // namespace jobring
