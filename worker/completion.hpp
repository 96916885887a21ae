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

// Ends `job`, whose slot holds `running`, which is ours: with what the JobRun says, in the name of
// worker `index`, whose page entry is `mine`. False if the channel's completion queue makes no
// sense: its client must have scribbled on it. Any number of jobs may be under way on a thread.
// Afterwards, at the latest before the thread sleeps, channel.completions.move_tail().
inline bool complete(WorkerChannel& channel, JobRun& job, StateWord running, std::uint32_t index,
                     WorkerEntry& mine) {
  job.settle();
  Slot& slot = job.slot();
  slot.worker.set(std::uint16_t(index));
  mine.jobs.set(mine.jobs.get() + 1);
  if (job.outcome() != Outcome::ok) mine.failed.set(mine.failed.get() + 1);
  // Only we can move it from RUNNING while we live, so a store does. Release: the client sees
  // outcome and result.
  const StateWord done = running.to(SlotState::done);
  slot.state.store(done.raw(), std::memory_order_release);
  if (!channel.completions.publish(job.index(), done.generation())) return false;
  // Before the next job, which may take an hour.
  auto& waiting = channel.view.header().waiting;
  const std::uint32_t wanted = waiting.load(std::memory_order_seq_cst);
  // The exchange only decides who rings (relaxed): the load above is ordered with the client's
  // look.
  if (WaitingWord::reached(wanted, channel.completions.position()) &&
      waiting.exchange(WaitingWord::none, std::memory_order_relaxed) != WaitingWord::none) {
    if (!ring_bell(channel.client_event, channel.trusted) && errno == EBADF)
      leave_without_descriptors();
    mine.wakes.set(mine.wakes.get() + 1);
  }
  return true;
}

}  // namespace jobring
