#include "daemon/recovery.hpp"

#include <cstring>

namespace jobring {
namespace {

void write_message(const ChannelView& channel, std::uint32_t index, const std::string& message) {
  const std::size_t size = std::min<std::size_t>(message.size(), channel.shape().max_result);
  std::memcpy(channel.result(index, size), message.data(), size);
  channel.slot(index).result_len.set(std::uint32_t(size));
}

// Ends a job in its worker's place. The fields come first: DONE shows them to the client.
bool end_job(const ChannelView& channel, std::uint32_t index, StateWord word, const Death& death,
             const std::string& message) {
  Slot& slot = channel.slot(index);
  slot.outcome.set(std::uint8_t(death.outcome));
  slot.detail.set(death.signal);
  slot.worker.set(std::uint8_t(death.worker));
  write_message(channel, index, message);
  return slot.move(word, word.to(SlotState::done));
}

bool may_run_again(Slot& slot, StateWord running, const Death& death) {
  if (!death.may_retry) return false;
  const std::uint32_t attempts = slot.attempts.count(running);
  return attempts <= slot.crash_retries.get() && attempts < death.crash_limit;
}

EndedJob describe(const ChannelView& channel, std::uint32_t index, StateWord running,
                  const Death& death) {
  const Slot& slot = channel.slot(index);
  EndedJob job{index, running, handler_of(channel, index), slot.attempts.get(),
               false, death.message};
  if (!death.may_retry) return job;
  job.quarantined = job.attempts >= death.crash_limit;
  const std::string times = std::to_string(job.attempts) + (job.attempts == 1 ? " time" : " times");
  if (job.quarantined) {
    job.message = "quarantined: it ended its worker " + times +
                  ", as often as crash_limit allows; " +
                  (job.attempts == 1 ? "" : "the last time, ") + death.message;
  } else if (job.attempts > 1) {
    job.message = "it ended its worker " + times + "; the last time, " + death.message;
  }
  return job;
}

void set_retry_bit(const ChannelView& channel, std::uint32_t index) {
  channel.retry_word(index / 64)
      .fetch_or(std::uint64_t{1} << (index % 64), std::memory_order_seq_cst);
}

}  // namespace

Recovered recover_channel(const ChannelView& channel, std::uint32_t owner, const Death& death,
                          const std::function<void(const EndedJob&)>& ended) {
  Recovered recovered;
  for_each_slot(channel, [&](std::uint32_t index, StateWord word) {
    Slot& slot = channel.slot(index);
    if (word.owned_by(owner)) {
      if (word.is(SlotState::claimed)) {
        if (slot.move(word, word.to(SlotState::requeued))) ++recovered.requeued;
      } else if (may_run_again(slot, word, death)) {
        if (slot.move(word, word.to(SlotState::requeued))) ++recovered.requeued;
      } else {
        const EndedJob job = describe(channel, index, word, death);
        if (end_job(channel, index, word, death, job.message)) {
          ++recovered.ended;
          if (ended) ended(job);
        }
      }
    }
    // Also for those that an earlier, interrupted recovery requeued, and those whose bit a dead
    // worker had taken.
    if (slot.word().is(SlotState::requeued)) set_retry_bit(channel, index);
  });
  channel.header().retries.store(1, std::memory_order_seq_cst);
  // A DONE slot may lack its completion word, whoever made it DONE: have the client look.
  channel.header().rescan.store(1, std::memory_order_seq_cst);
  return recovered;
}

bool end_running(const ChannelView& channel, std::uint32_t index, StateWord running,
                 const Death& death) {
  if (index >= channel.shape().slots || !running.is(SlotState::running)) return false;
  // Looked at before anything is written: the slot may be its client's again.
  if (channel.slot(index).word() != running) return false;
  if (!end_job(channel, index, running, death, death.message)) return false;
  channel.header().rescan.store(1, std::memory_order_seq_cst);
  return true;
}

std::uint32_t requeue_claimed(const ChannelView& channel, std::uint32_t owner) {
  std::uint32_t returned = 0;
  for_each_slot(channel, [&](std::uint32_t index, StateWord word) {
    if (!word.is(SlotState::claimed) || word.owner() != owner) return;
    if (!channel.slot(index).move(word, word.to(SlotState::requeued))) return;
    set_retry_bit(channel, index);
    ++returned;
  });
  if (returned != 0) channel.header().retries.store(1, std::memory_order_seq_cst);
  return returned;
}

void rearm(DoorbellPage& doorbell, std::uint32_t ready_bit) {
  for (std::uint32_t priority = 0; priority < kPriorities; ++priority)
    doorbell.set_ready(priority, ready_bit);
}

void clear_worker(PoolPage& page, std::uint32_t index) {
  WorkerEntry& entry = page.worker(index);
  // Relaxed, for nobody waits to see it: who still sees the list steals nothing from it, as its
  // jobs are no longer CLAIMED.
  entry.batch_count.store(0, std::memory_order_relaxed);
  entry.busy.set(0);
  entry.timed_out.set(0);
  // seq_cst: all are rung after this (Pool::rearm_all()), and one that lies down again announces
  // that in a word of its own if there are more than 64. Who still sees the dead one's bit, and
  // rings nobody else, has published its job before that one's look (S1, S3; W4 in doorbell.hpp).
  page.sleeping[index / 64].fetch_and(~(std::uint64_t{1} << (index % 64)),
                                      std::memory_order_seq_cst);
}

std::uint32_t cancel_waiting(const ChannelView& channel) {
  std::uint32_t cancelled = 0;
  for_each_slot(channel, [&](std::uint32_t index, StateWord word) {
    if (!word.is(SlotState::queued) && !word.is(SlotState::requeued)) return;
    if (channel.slot(index).move(word, word.to(SlotState::free))) ++cancelled;
  });
  return cancelled;
}

std::uint32_t fail_waiting(const ChannelView& channel, const std::string& message) {
  std::uint32_t failed = 0;
  Death death;
  death.outcome = Outcome::lost;
  for_each_slot(channel, [&](std::uint32_t index, StateWord word) {
    if (!word.is(SlotState::queued) && !word.is(SlotState::requeued)) return;
    // Claimed first, so that no worker takes the job while we write its result.
    const StateWord ours = word.to(SlotState::claimed, kSupervisorOwner);
    if (!channel.slot(index).move(word, ours)) return;
    if (end_job(channel, index, ours, death, message)) ++failed;
  });
  channel.header().rescan.store(1, std::memory_order_seq_cst);
  return failed;
}

}  // namespace jobring
