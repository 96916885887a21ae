#include "worker/claimer.hpp"

#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <utility>

#include "common/clock.hpp"
#include "worker/leave.hpp"

namespace jobring {
namespace {

// After so many visits in vain a channel's ready bit is cleared; before that, the next job of its
// client is found without the two shared words of the doorbell changing hands.
constexpr std::uint8_t kEmptyVisits = 64;
// Cells looked at in one visit, at most: a client that cancels much must not keep us from the
// others.
constexpr std::uint32_t kCellsPerVisit = 256;
// An unstarted job of another worker's batch may be stolen when the batch is this old, nanoseconds.
constexpr std::uint64_t kStealAge = 100'000;
// One look in so many starts at the lowest priority, so that it is never starved.
constexpr std::uint32_t kLowFirst = 32;

void ring(int eventfd) {
  const std::uint64_t one = 1;
  // A counter that is full (EAGAIN) is readable anyway.
  if (write(eventfd, &one, sizeof one) < 0 && errno == EBADF) leave_without_descriptors();
}

}  // namespace

Claimer::Claimer(const WorkerProcess& process, std::uint32_t index, ChannelTable& channels)
    : index_(index),
      workers_(process.settings.workers),
      page_(*process.page),
      mine_(process.page->worker(index)),
      channels_(channels),
      colleagues_(process.colleagues) {
  policy_.limit(std::min(process.settings.batch, kBatchMax));
}

Batch Claimer::look() {
  // Retried here and there, strict priorities would let a busy high level starve the others for
  // ever.
  const bool low_first = ++looks_ % kLowFirst == 0;
  for (std::uint32_t level = 0; level < kPriorities; ++level) {
    const Batch batch = look_at_level(low_first ? kPriorities - 1 - level : level);
    if (batch) return batch;
  }
  return {};
}

Batch Claimer::look_at_level(std::uint32_t priority) {
  const std::size_t count = channels_.doorbells().size();
  for (std::size_t n = 0; n < count; ++n) {
    const std::size_t at = (next_doorbell_ + n) % count;
    WorkerDoorbell& doorbell = *channels_.doorbells()[at];
    const auto& words = doorbell.page().ready[priority].words;
    const std::uint32_t start = doorbell.cursor[priority];
    // From the cursor round to it again: the word of the cursor is looked at twice, in two parts.
    for (std::uint32_t i = 0; i <= kReadyWords; ++i) {
      const std::uint32_t w = (start / 64 + i) % kReadyWords;
      // Relaxed: a hint where to look; what stands there has orders of its own.
      std::uint64_t bits = words[w].load(std::memory_order_relaxed);
      if (i == 0) bits &= ~std::uint64_t{0} << (start % 64);
      if (i == kReadyWords) bits &= (std::uint64_t{1} << (start % 64)) - 1;
      for (; bits != 0; bits &= bits - 1) {
        const std::uint32_t bit = w * 64 + std::uint32_t(std::countr_zero(bits));
        if (const std::uint32_t claimed = visit(doorbell, bit, priority)) {
          doorbell.cursor[priority] = (bit + 1) % kChannelsPerDoorbell;  // the others' turn
          next_doorbell_ = (at + 1) % count;
          return {doorbell.channels[bit].get(), claimed};
        }
      }
    }
  }
  return {};
}

// Returns how many jobs it claimed.
std::uint32_t Claimer::visit(WorkerDoorbell& doorbell, std::uint32_t bit, std::uint32_t priority) {
  WorkerChannel* channel = doorbell.channels[bit].get();
  if (channel == nullptr) {
    // Cleared before we ask: if there is no such channel, a client that gets this bit later must
    // find it clear and set it.
    doorbell.page().clear_ready(priority, bit);
    channel = channels_.map(doorbell, bit);
    if (channel == nullptr) return 0;
    doorbell.page().set_ready(priority, bit);
  }
  if (channel->broken) {
    doorbell.page().clear_ready(priority, bit);
    return 0;
  }
  std::uint32_t count = 0;
  // Relaxed: claim_requeued() takes the flag down before it looks, and that orders it.
  if (channel->view.header().retries.load(std::memory_order_relaxed) != 0) {
    count = claim_requeued(*channel);
    if (count != 0) {
      // There may be more. While the flag was down another worker may have settled this bit, and
      // sleep now: S2 and S3 of doorbell.hpp for what is left.
      doorbell.page().set_ready(priority, bit);
      if (workers_ > 1) wake_one();
    }
  }
  if (count == 0) {
    const std::uint64_t backlog = channel->submissions[priority].backlog();
    if (backlog != 0) count = claim(*channel, priority, backlog);
  }
  if (count == 0) {
    if (++channel->empty_visits[priority] >= kEmptyVisits) {
      channel->empty_visits[priority] = 0;
      settle_ready(doorbell, bit, priority);
    }
    return 0;
  }
  channel->empty_visits[priority] = 0;
  return count;
}

std::uint32_t Claimer::claim(WorkerChannel& channel, std::uint32_t priority,
                             std::uint64_t backlog) {
  const bool idle_others = workers_ > 1 && others_sleep();
  const std::uint32_t want = policy_.size(backlog, workers_, idle_others);
  const ChannelView& view = channel.view;
  const std::uint32_t slots = view.shape().slots;
  std::uint32_t count = 0;
  const auto take = [&](SubmissionWord word) {
    if (word.index() >= slots) return false;
    const StateWord queued = word.queued();
    const StateWord claimed = queued.to(SlotState::claimed, owner());
    if (!view.slot(word.index()).move(queued, claimed)) return false;
    claims_[count++] = {std::uint16_t(word.index()), claimed};
    return true;
  };
  const auto prefetch = [&](SubmissionWord word) {
    if (word.index() >= slots) return;
    Slot& slot = view.slot(word.index());
    __builtin_prefetch(&slot.state, 1);
    __builtin_prefetch(slot.payload, 0);
    __builtin_prefetch(slot.result, 1);
  };
  const auto visit = channel.submissions[priority].visit(want, kCellsPerVisit, take, prefetch);
  if (visit.broken) channels_.report_broken(channel, "its submission ring makes no sense");
  // More is left than we take: one more worker may be of use. It wakes the next one in its turn.
  if (visit.left != 0 && idle_others) wake_one();
  return count;
}

std::uint32_t Claimer::claim_requeued(WorkerChannel& channel) {
  const ChannelView& view = channel.view;
  view.header().retries.store(0, std::memory_order_seq_cst);
  for (std::uint32_t w = 0; w < view.retry_words(); ++w) {
    std::uint64_t bits = view.retry_word(w).load(std::memory_order_seq_cst);
    for (; bits != 0; bits &= bits - 1) {
      const std::uint32_t index = w * 64 + std::uint32_t(std::countr_zero(bits));
      // The bit first: recovery sets it after the state, so a bit that we clear here cannot be one
      // that it sets for a later crash (acquire: we see the state for which it was set). If we die
      // before the claim, our recovery sets the bits of all REQUEUED slots again.
      view.retry_word(w).fetch_and(~(std::uint64_t{1} << (index % 64)), std::memory_order_acquire);
      if (index >= view.shape().slots) continue;
      const StateWord word = view.slot(index).word();
      if (!word.is(SlotState::requeued)) continue;
      const StateWord claimed = word.to(SlotState::claimed, owner());
      if (!view.slot(index).move(word, claimed)) continue;
      claims_[0] = {std::uint16_t(index), claimed};
      view.header().retries.store(1, std::memory_order_seq_cst);  // there may be more
      return 1;
    }
  }
  return 0;
}

// W1 and W2 of doorbell.hpp. True if the channel has work after all.
bool Claimer::settle_ready(WorkerDoorbell& doorbell, std::uint32_t bit, std::uint32_t priority) {
  WorkerChannel* channel = doorbell.channels[bit].get();
  doorbell.page().clear_ready(priority, bit);
  if (channel == nullptr || channel->broken) return false;
  if (channel->submissions[priority].backlog() == 0 &&
      channel->view.header().retries.load(std::memory_order_seq_cst) == 0) {
    return false;
  }
  doorbell.page().set_ready(priority, bit);
  return true;
}

bool Claimer::others_sleep() const {
  for (std::uint32_t w = 0; w * 64 < workers_; ++w) {
    if (page_.sleeping[w].load(std::memory_order_seq_cst) != 0) return true;
  }
  return false;
}

void Claimer::wake_one() {
  const int index = wakes_.pick(page_, workers_, index_);
  if (index < 0) return;
  ring(colleagues_[std::size_t(index)].get());
  mine_.wakes.set(mine_.wakes.get() + 1);
}

// A worker that has nothing to do takes over what another has claimed and cannot get to, because a
// job before it takes long. The list is a hint; the CAS from CLAIMED(victim) decides.
Claimer::Steal Claimer::steal(Batch& batch) {
  Steal outcome = Steal::nothing;
  for (std::uint32_t v = 0; v < workers_; ++v) {
    WorkerEntry& victim = page_.worker(v);
    if (!may_have_left(v)) continue;
    outcome = Steal::wait;
    const std::uint64_t since = victim.batch_ns.get();
    const std::uint64_t now = now_ns();
    if (now < since || now - since < kStealAge) continue;
    const std::uint32_t id = victim.batch_channel.get();
    if (id / kChannelsPerDoorbell >= channels_.doorbells().size()) continue;
    WorkerDoorbell& doorbell = *channels_.doorbells()[id / kChannelsPerDoorbell];
    WorkerChannel* channel = doorbell.channels[id % kChannelsPerDoorbell].get();
    if (channel == nullptr) channel = channels_.map(doorbell, id % kChannelsPerDoorbell);
    if (channel == nullptr && channels_.asks_for(doorbell, id % kChannelsPerDoorbell)) continue;
    if (channel == nullptr || channel->broken) {
      // Its client is gone, or wrote nonsense: nothing of this list is for us, however long its
      // owner's first job takes. Asking for the channel again and again would only keep the
      // supervisor busy.
      emptied_ns_[v] = since;
      continue;
    }
    for (const auto& hint : victim.batch) {
      const std::uint32_t index = hint.get();
      if (index >= channel->view.shape().slots) continue;
      const StateWord word = channel->view.slot(index).word();
      if (!word.is(SlotState::claimed) || word.owner() != v + 1) continue;
      const StateWord claimed = word.to(SlotState::claimed, owner());
      if (!channel->view.slot(index).move(word, claimed)) continue;
      claims_[0] = {std::uint16_t(index), claimed};
      mine_.stolen.set(mine_.stolen.get() + 1);
      batch = {channel, 1};
      return Steal::won;
    }
    // Its owner may be in one long job for hours without a chance to say that its list is empty.
    emptied_ns_[v] = since;
  }
  return outcome;
}

// True if worker `v` may have claimed jobs that it has not started.
bool Claimer::may_have_left(std::uint32_t v) const {
  const WorkerEntry& victim = page_.worker(v);
  return v != index_ && victim.batch_count.load(std::memory_order_seq_cst) != 0 &&
         victim.batch_ns.get() != emptied_ns_[v];
}

// Work that is ready and that we have not claimed, in whatever channel and priority; or that
// another has claimed and may not get to: it rang one sleeper for all its list, and that may have
// been us.
bool Claimer::leaves_work() const {
  for (const auto& doorbell : channels_.doorbells()) {
    for (std::uint32_t priority = 0; priority < kPriorities; ++priority) {
      for (std::uint32_t w = 0; w < kReadyWords; ++w) {
        std::uint64_t bits =
            doorbell->page().ready[priority].words[w].load(std::memory_order_seq_cst);
        for (; bits != 0; bits &= bits - 1) {
          const WorkerChannel* channel =
              doorbell->channels[w * 64 + std::uint32_t(std::countr_zero(bits))].get();
          if (channel == nullptr) return true;  // nor do we know better
          if (channel->broken) continue;
          if (channel->submissions[priority].backlog() != 0 ||
              channel->view.header().retries.load(std::memory_order_seq_cst) != 0) {
            return true;
          }
        }
      }
    }
  }
  for (std::uint32_t v = 0; v < workers_; ++v) {
    if (may_have_left(v)) return true;
  }
  return false;
}

bool Claimer::work_in_sight() const {
  for (const auto& doorbell : channels_.doorbells()) {
    if (doorbell->page().any_ready()) return true;
  }
  for (std::uint32_t v = 0; v < workers_; ++v) {
    if (may_have_left(v)) return true;
  }
  return false;
}

// ---- what was found

void Claimer::begin(const Batch& batch, std::uint64_t now) {
  // Several submitters may have rung us, and nobody else, while we slept: what we leave behind is
  // not waited for by anybody yet. After the claim, which took this batch out of the backlog, and
  // after others_sleep(), which orders it (get_up()).
  if (std::exchange(woke_, false) && workers_ > 1 && others_sleep() && leaves_work()) wake_one();
  if (batch.count == 1 || workers_ == 1) return;
  for (std::uint32_t i = 0; i < batch.count; ++i) mine_.batch[i].set(claims_[i].index);
  mine_.batch_channel.set(batch.channel->id);
  mine_.batch_ns.set(now);
  // Whoever lay down after we decided on this batch looks here after saying so; or we see that it
  // sleeps.
  mine_.batch_count.store(batch.count - 1, std::memory_order_seq_cst);
  if (others_sleep()) wake_one();
}

// ---- sleeping

Claimer::Rest Claimer::prepare_to_sleep(Batch& batch) {
  for (auto& doorbell : channels_.doorbells()) {
    for (std::uint32_t priority = 0; priority < kPriorities; ++priority) {
      for (std::uint32_t w = 0; w < kReadyWords; ++w) {
        // Relaxed: W4 sees a bit that we miss here.
        std::uint64_t bits =
            doorbell->page().ready[priority].words[w].load(std::memory_order_relaxed);
        for (; bits != 0; bits &= bits - 1) {
          const std::uint32_t bit = w * 64 + std::uint32_t(std::countr_zero(bits));
          // One that we do not map yet is not ours to clear: look() maps it.
          if (doorbell->channels[bit] == nullptr) return Rest::look_again;
          if (!settle_ready(*doorbell, bit, priority)) continue;
          // There, and not by way of look(): two workers in step could each find the bit taken
          // down by the other's settling, for ever.
          batch = {doorbell->channels[bit].get(), visit(*doorbell, bit, priority)};
          return batch ? Rest::won : Rest::look_again;
        }
      }
    }
  }
  return Rest::may_sleep;
}

void Claimer::lie_down() {
  mine_.sleep_epoch.store(mine_.sleep_epoch.load(std::memory_order_relaxed) + 1,
                          std::memory_order_relaxed);
  page_.sleeping[index_ / 64].fetch_or(std::uint64_t{1} << (index_ % 64),
                                       std::memory_order_seq_cst);  // W3
  mine_.sleeps.set(mine_.sleeps.get() + 1);
}

void Claimer::get_up() {
  // seq_cst: who saw us sleep and rang us, and may have rung nobody else, has published what it
  // rang for before we look for it (begin()). With at most 64 workers our look at the others' bits,
  // which is one at this word, says as much.
  page_.sleeping[index_ / 64].fetch_and(~(std::uint64_t{1} << (index_ % 64)),
                                        std::memory_order_seq_cst);
  woke_ = true;
}

void Claimer::wake_all() {
  for (const UniqueFd& event : colleagues_) ring(event.get());
}

}  // namespace jobring
