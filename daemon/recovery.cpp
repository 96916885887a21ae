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
bool end_job(const ChannelView& channel, std::uint32_t index, StateWord word, const Death& death) {
  Slot& slot = channel.slot(index);
  slot.outcome.set(std::uint8_t(death.outcome));
  slot.detail.set(death.signal);
  slot.worker.set(death.worker);
  write_message(channel, index, death.message);
  return slot.move(word, word.to(SlotState::done));
}

void set_retry_bit(const ChannelView& channel, std::uint32_t index) {
  channel.retry_word(index / 64)
      .fetch_or(std::uint64_t{1} << (index % 64), std::memory_order_seq_cst);
}

}  // namespace

Recovered recover_channel(const ChannelView& channel, std::uint32_t owner, const Death& death) {
  Recovered recovered;
  for_each_slot(channel, [&](std::uint32_t index, StateWord word) {
    Slot& slot = channel.slot(index);
    if (word.owned_by(owner)) {
      if (word.is(SlotState::claimed)) {
        if (slot.move(word, word.to(SlotState::requeued))) ++recovered.requeued;
      } else if (death.may_retry && slot.attempts.count(word) <= slot.crash_retries.get()) {
        if (slot.move(word, word.to(SlotState::requeued))) ++recovered.requeued;
      } else {
        if (end_job(channel, index, word, death)) ++recovered.ended;
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

void rearm(DoorbellPage& doorbell, std::uint32_t ready_bit) {
  for (std::uint32_t priority = 0; priority < kPriorities; ++priority)
    doorbell.set_ready(priority, ready_bit);
}

void clear_worker(PoolPage& page, std::uint32_t index) {
  WorkerEntry& entry = page.worker(index);
  entry.batch_count.store(0, std::memory_order_seq_cst);
  entry.busy.set(0);
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
  const Death death{Outcome::lost, 0, false, message, 0};
  for_each_slot(channel, [&](std::uint32_t index, StateWord word) {
    if (!word.is(SlotState::queued) && !word.is(SlotState::requeued)) return;
    // Claimed first, so that no worker takes the job while we write its result.
    const StateWord ours = word.to(SlotState::claimed, kSupervisorOwner);
    if (!channel.slot(index).move(word, ours)) return;
    if (end_job(channel, index, ours, death)) ++failed;
  });
  channel.header().rescan.store(1, std::memory_order_seq_cst);
  return failed;
}

}  // namespace jobring
