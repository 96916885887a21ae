// Ending a job: from RUNNING to DONE, and telling its client.
#pragma once

#include <cerrno>
#include <cstdint>

#include "common/pool_page.hpp"
#include "common/ring_bell.hpp"
#include "common/state_word.hpp"
#include "worker/job_run.hpp"
#include "worker/leave.hpp"
#include "worker/worker_channel.hpp"

namespace jobring {

// Publishes that slot `index`, whose word is `running` and ours, is DONE, and tells its client; its
// outcome is written. False if the channel's completion queue makes no sense: its client must have
// scribbled on it. Afterwards, at the latest before the thread sleeps,
// channel.completions.move_tail().
inline bool publish_done(WorkerChannel& channel, std::uint32_t index, StateWord running,
                         WorkerEntry& mine) {
  // Only we can move it from RUNNING while we live, so a store does. Release: the client sees
  // outcome and result.
  const StateWord done = running.to(SlotState::done);
  channel.view.slot(index).state.store(done.raw(), std::memory_order_release);
  if (!channel.completions.publish(index, done.generation())) return false;
  // Before the next job, which may take an hour.
  auto& waiting = channel.view.header().waiting;
  const std::uint32_t wanted = waiting.load(std::memory_order_seq_cst);
  // The exchange only decides who rings (relaxed): the load above is ordered with the client's
  // look.
  if (WaitingWord::reached(wanted, channel.completions.position()) &&
      waiting.exchange(WaitingWord::none, std::memory_order_relaxed) != WaitingWord::none) {
    if (!ring_bell(channel.client_event, channel.own_bell) && errno == EBADF)
      leave_without_descriptors();
    mine.wakes.set(mine.wakes.get() + 1);
  }
  return true;
}

// Ends `job`, whose slot holds `running`, which is ours: with what the JobRun says, in the name of
// worker `index`, whose page entry is `mine`. As publish_done(). Any number of jobs may be under
// way on a thread.
inline bool complete(WorkerChannel& channel, JobRun& job, StateWord running, std::uint32_t index,
                     WorkerEntry& mine) {
  job.settle();
  job.slot().worker.set(std::uint16_t(index));
  mine.jobs.set(mine.jobs.get() + 1);
  if (job.outcome() != Outcome::ok) mine.failed.set(mine.failed.get() + 1);
  return publish_done(channel, job.index(), running, mine);
}

}  // namespace jobring
