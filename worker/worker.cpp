#include "worker/worker.hpp"

#include <sched.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <utility>

#include "common/clock.hpp"
#include "common/ring_bell.hpp"
#include "worker/crash_report.hpp"
#include "worker/exec/run_command.hpp"
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
constexpr std::uint64_t kOrdersEvery =
    1'000'000;  // nanoseconds between looks at the control socket while busy
constexpr std::uint64_t kRssEvery = 100'000'000;  // nanoseconds between looks at our own memory
constexpr std::uint64_t kControlEvent = ~std::uint64_t{0};

void ring(int eventfd) {
  const std::uint64_t one = 1;
  // A counter that is full (EAGAIN) is readable anyway.
  if (write(eventfd, &one, sizeof one) < 0 && errno == EBADF) leave_without_descriptors();
}

}  // namespace

// ---- finding work

bool Worker::look() {
  // Retried here and there, strict priorities would let a busy high level starve the others for
  // ever.
  const bool low_first = ++looks_ % kLowFirst == 0;
  for (std::uint32_t level = 0; level < kPriorities; ++level) {
    if (look_at_level(low_first ? kPriorities - 1 - level : level)) return true;
  }
  return false;
}

bool Worker::look_at_level(std::uint32_t priority) {
  const std::size_t count = doorbells_.size();
  for (std::size_t n = 0; n < count; ++n) {
    const std::size_t at = (next_doorbell_ + n) % count;
    WorkerDoorbell& doorbell = *doorbells_[at];
    const auto& words = doorbell.page().ready[priority].words;
    const std::uint32_t start = doorbell.cursor[priority];
    // From the cursor round to it again: the word of the cursor is looked at twice, in two parts.
    for (std::uint32_t i = 0; i <= kReadyWords; ++i) {
      const std::uint32_t w = (start / 64 + i) % kReadyWords;
      std::uint64_t bits = words[w].load(std::memory_order_acquire);
      if (i == 0) bits &= ~std::uint64_t{0} << (start % 64);
      if (i == kReadyWords) bits &= (std::uint64_t{1} << (start % 64)) - 1;
      for (; bits != 0; bits &= bits - 1) {
        const std::uint32_t bit = w * 64 + std::uint32_t(std::countr_zero(bits));
        if (visit(doorbell, bit, priority)) {
          doorbell.cursor[priority] = (bit + 1) % kChannelsPerDoorbell;  // the others' turn
          next_doorbell_ = (at + 1) % count;
          return true;
        }
      }
    }
  }
  return false;
}

bool Worker::visit(WorkerDoorbell& doorbell, std::uint32_t bit, std::uint32_t priority) {
  WorkerChannel* channel = doorbell.channels[bit].get();
  if (channel == nullptr) {
    // Cleared before we ask: if there is no such channel, a client that gets this bit later must
    // find it clear and set it.
    doorbell.page().clear_ready(priority, bit);
    channel = map_channel(doorbell, bit);
    if (channel == nullptr) return false;
    doorbell.page().set_ready(priority, bit);
  }
  if (channel->broken) {
    doorbell.page().clear_ready(priority, bit);
    return false;
  }
  std::uint32_t count = 0;
  if (channel->view.header().retries.load(std::memory_order_acquire) != 0) {
    count = claim_requeued(*channel);
    if (count != 0) {
      // There may be more. While the flag was down another worker may have settled this bit, and
      // sleep now: S2 and S3 of doorbell.hpp for what is left.
      doorbell.page().set_ready(priority, bit);
      if (settings_.workers > 1) wake_one();
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
    return false;
  }
  channel->empty_visits[priority] = 0;
  run_batch(*channel, count);
  return true;
}

std::uint32_t Worker::claim(WorkerChannel& channel, std::uint32_t priority, std::uint64_t backlog) {
  const bool idle_others = settings_.workers > 1 && others_sleep();
  const std::uint32_t want = batch_.size(backlog, settings_.workers, idle_others);
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
  if (visit.broken) report_broken(channel, "its submission ring makes no sense");
  // More is left than we take: one more worker may be of use. It wakes the next one in its turn.
  if (visit.left != 0 && idle_others) wake_one();
  return count;
}

std::uint32_t Worker::claim_requeued(WorkerChannel& channel) {
  const ChannelView& view = channel.view;
  view.header().retries.store(0, std::memory_order_seq_cst);
  for (std::uint32_t w = 0; w < view.retry_words(); ++w) {
    std::uint64_t bits = view.retry_word(w).load(std::memory_order_seq_cst);
    for (; bits != 0; bits &= bits - 1) {
      const std::uint32_t index = w * 64 + std::uint32_t(std::countr_zero(bits));
      // The bit first: recovery sets it after the state, so a bit that we clear here cannot be one
      // that it sets for a later crash. If we die before the claim, our recovery sets the bits of
      // all REQUEUED slots again.
      view.retry_word(w).fetch_and(~(std::uint64_t{1} << (index % 64)), std::memory_order_seq_cst);
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
bool Worker::settle_ready(WorkerDoorbell& doorbell, std::uint32_t bit, std::uint32_t priority) {
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

bool Worker::others_sleep() const {
  for (std::uint32_t w = 0; w * 64 < settings_.workers; ++w) {
    if (page_->sleeping[w].load(std::memory_order_seq_cst) != 0) return true;
  }
  return false;
}

void Worker::wake_one() {
  const int index = wakes_.pick(*page_, settings_.workers, settings_.index);
  if (index < 0) return;
  ring(colleagues_[std::size_t(index)].get());
  entry().wakes.set(entry().wakes.get() + 1);
}

// A worker that has nothing to do takes over what another has claimed and cannot get to, because a
// job before it takes long. The list is a hint; the CAS from CLAIMED(victim) decides.
Worker::Steal Worker::steal() {
  Steal outcome = Steal::nothing;
  for (std::uint32_t v = 0; v < settings_.workers; ++v) {
    WorkerEntry& victim = page_->worker(v);
    if (!may_have_left(v)) continue;
    outcome = Steal::wait;
    const std::uint64_t since = victim.batch_ns.get();
    const std::uint64_t now = now_ns();
    if (now < since || now - since < kStealAge) continue;
    const std::uint32_t id = victim.batch_channel.get();
    if (id / kChannelsPerDoorbell >= doorbells_.size()) continue;
    WorkerDoorbell& doorbell = *doorbells_[id / kChannelsPerDoorbell];
    WorkerChannel* channel = doorbell.channels[id % kChannelsPerDoorbell].get();
    if (channel == nullptr) channel = map_channel(doorbell, id % kChannelsPerDoorbell);
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
      entry().stolen.set(entry().stolen.get() + 1);
      run_batch(*channel, 1);
      return Steal::ran;
    }
    // Its owner may be in one long job for hours without a chance to say that its list is empty.
    emptied_ns_[v] = since;
  }
  return outcome;
}

// True if worker `v` may have claimed jobs that it has not started.
bool Worker::may_have_left(std::uint32_t v) const {
  const WorkerEntry& victim = page_->worker(v);
  return v != settings_.index && victim.batch_count.load(std::memory_order_seq_cst) != 0 &&
         victim.batch_ns.get() != emptied_ns_[v];
}

// ---- running it

void Worker::run_batch(WorkerChannel& channel, std::uint32_t count) {
  WorkerEntry& mine = entry();
  if (holds_stdio_of_ != kNoChannel && holds_stdio_of_ != channel.id) drop_unused_stdio();
  // For jobs of a microsecond the time of our last look is near enough; asking would delay them.
  std::uint64_t started = batch_.short_jobs() ? time_ : now_ns();
  const std::uint64_t batch_started = started;
  mine.job_channel.set(channel.id);
  mine.busy.set(1);
  // Several submitters may have rung us, and nobody else, while we slept: what we leave behind is
  // not waited for by anybody yet. After the claim, which took this batch out of the backlog.
  if (std::exchange(woke_, false) && settings_.workers > 1 && others_sleep() && leaves_work()) {
    wake_one();
  }
  if (count > 1 && settings_.workers > 1) {
    for (std::uint32_t i = 0; i < count; ++i) mine.batch[i].set(claims_[i].index);
    mine.batch_channel.set(channel.id);
    mine.batch_ns.set(started);
    // Whoever lay down after we decided on this batch looks here after saying so; or we see that it
    // sleeps.
    mine.batch_count.store(count - 1, std::memory_order_seq_cst);
    if (others_sleep()) wake_one();
  }
  const bool by_batch = batch_.short_jobs();
  for (std::uint32_t i = 0; i < count; ++i) {
    if (i != 0 && settings_.workers > 1)
      mine.batch_count.store(count - 1 - i, std::memory_order_release);
    run_one(channel, claims_[i], started);
    if (!by_batch && count > 1) {
      started = now_ns();
      if (started - tidied_ns_ > kOrdersEvery) tidy(started);
    }
  }
  channel.completions.move_tail();
  running_handler.store(nullptr, std::memory_order_relaxed);
  mine.busy.set(0);
  time_ = now_ns();
  const std::uint64_t spent = time_ - batch_started;
  batch_.ran(count, spent);
  mine.busy_us.set(mine.busy_us.get() + spent / 1000);
  jobs_ += count;
}

void Worker::run_one(WorkerChannel& channel, const Claim& claim, std::uint64_t started) {
  Slot& slot = channel.view.slot(claim.index);
  const StateWord running = claim.word.to(SlotState::running, owner());
  WorkerEntry& mine = entry();
  mine.job_slot.set(claim.index);
  mine.job_generation.set(running.generation());
  mine.job_started_ns.set(started);
  // seq_cst: the store half of "run, then look who wants it stopped" (Slot::kill_request).
  if (!slot.move(claim.word, running, std::memory_order_seq_cst)) return;  // stolen
  slot.started_ns.set(started);
  JobRun job(channel, claim.index, payload_copy_);
  if (job.open(started)) {
    if (const Handler* handler = job.resolve(handlers_)) {
      const std::uint32_t timeout = slot.timeout_ms.get();
      running_handler.store(handler->name.c_str(), std::memory_order_relaxed);
      if (handler->fn == nullptr) {
        run_command_job(job);
      } else if (timeout == 0) {
        job.run(*handler);
      } else {
        timer_.start(timeout, settings_.kill_grace_ms);
        job.run(*handler);
        const bool late = JobRun::timed_out != 0;
        timer_.stop();
        if (late) job.end(Outcome::timed_out, "timed out after " + std::to_string(timeout) + " ms");
      }
    }
  }
  slot.run_us.set(
      std::uint32_t(batch_.short_jobs() ? batch_.mean_ns() / 1000 : (now_ns() - started) / 1000));
  complete(channel, job, running);
}

void Worker::complete(WorkerChannel& channel, JobRun& job, StateWord running) {
  job.settle();
  Slot& slot = job.slot();
  slot.worker.set(std::uint8_t(settings_.index));
  WorkerEntry& mine = entry();
  mine.jobs.set(mine.jobs.get() + 1);
  if (job.outcome() != Outcome::ok) mine.failed.set(mine.failed.get() + 1);
  // Only we can move it from RUNNING while we live, so a store does. Release: the client sees
  // outcome and result.
  const StateWord done = running.to(SlotState::done);
  slot.state.store(done.raw(), std::memory_order_release);
  if (!channel.completions.publish(job.index(), done.generation())) {
    report_broken(channel, "its completion queue makes no sense");
    return;
  }
  // Before the next job, which may take an hour.
  auto& waiting = channel.view.header().waiting;
  const std::uint32_t wanted = waiting.load(std::memory_order_seq_cst);
  if (WaitingWord::reached(wanted, channel.completions.position()) &&
      waiting.exchange(WaitingWord::none, std::memory_order_seq_cst) != WaitingWord::none) {
    if (!ring_bell(channel.client_event.get(), channel.trusted) && errno == EBADF)
      leave_without_descriptors();
    mine.wakes.set(mine.wakes.get() + 1);
  }
}

// ---- waiting

bool Worker::spin() {
  const std::uint64_t budget = spin_.budget();
  if (budget == 0) return false;
  const std::uint64_t start = time_;
  do {
    for (int i = 0; i < kLooksPerYield; ++i) {
      if (look()) {
        spin_.found();
        return true;
      }
    }
    if (time_ - start > kLookFirst) sched_yield();
    time_ = now_ns();
  } while (time_ - start < budget);
  spin_.in_vain();
  return false;
}

void Worker::sleep() {
  for (auto& doorbell : doorbells_) {
    for (std::uint32_t priority = 0; priority < kPriorities; ++priority) {
      for (std::uint32_t w = 0; w < kReadyWords; ++w) {
        std::uint64_t bits =
            doorbell->page().ready[priority].words[w].load(std::memory_order_seq_cst);
        for (; bits != 0; bits &= bits - 1) {
          const std::uint32_t bit = w * 64 + std::uint32_t(std::countr_zero(bits));
          // One that we do not map yet is not ours to clear: look() maps it.
          if (doorbell->channels[bit] == nullptr) return;
          if (settle_ready(*doorbell, bit, priority)) {
            // There, and not by way of look(): two workers in step could each find the bit taken
            // down by the other's settling, for ever.
            visit(*doorbell, bit, priority);
            return;
          }
        }
      }
    }
  }
  WorkerEntry& mine = entry();
  const std::uint64_t mask = std::uint64_t{1} << (settings_.index % 64);
  auto& word = page_->sleeping[settings_.index / 64];
  mine.sleep_epoch.store(mine.sleep_epoch.load(std::memory_order_relaxed) + 1,
                         std::memory_order_relaxed);
  word.fetch_or(mask, std::memory_order_seq_cst);  // W3
  mine.sleeps.set(mine.sleeps.get() + 1);
  while (!work_in_sight()) {  // W4
    epoll_event events[8];
    const int count = epoll_wait(epoll_.get(), events, 8, -1);  // W5
    if (count < 0 && errno != EINTR) leave_without_descriptors();
    bool rung = false, orders = false;
    for (int i = 0; i < count; ++i) (events[i].data.u64 == kControlEvent ? orders : rung) = true;
    // Orders are followed lying down: who submits meanwhile still sees us sleep, and rings us
    // rather than another.
    if (orders) handle_orders();
    if (rung || draining_) break;
  }
  word.fetch_and(~mask, std::memory_order_seq_cst);
  woke_ = true;
}

// Work that is ready and that we have not claimed, in whatever channel and priority; or that another
// has claimed and may not get to: it rang one sleeper for all its list, and that may have been us.
bool Worker::leaves_work() const {
  for (const auto& doorbell : doorbells_) {
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
  for (std::uint32_t v = 0; v < settings_.workers; ++v) {
    if (may_have_left(v)) return true;
  }
  return false;
}

bool Worker::work_in_sight() const {
  for (const auto& doorbell : doorbells_) {
    if (doorbell->page().any_ready()) return true;
  }
  for (std::uint32_t v = 0; v < settings_.workers; ++v) {
    if (may_have_left(v)) return true;
  }
  return false;
}

int Worker::run() {
  for (;;) {
    time_ = now_ns();
    if (time_ - orders_checked_ns_ > kOrdersEvery) {
      orders_checked_ns_ = time_;
      handle_orders();
      tidy(time_);
    }
    // A drain that is ordered during the look, while a channel is mapped, does not make it the
    // last: jobs of a doorbell that came with it have not been looked for.
    const bool last_look = draining_;
    if (look() || spin()) {
      if (time_to_retire()) return 0;
      continue;
    }
    const Steal stolen = settings_.workers > 1 ? steal() : Steal::nothing;
    if (stolen == Steal::ran) continue;
    if (stolen == Steal::wait) {
      sched_yield();
      continue;
    }
    if (last_look) return 0;
    if (draining_) continue;
    tidy(time_);
    sleep();
  }
}

// Between jobs, at the latest a millisecond after one, and before we sleep: what jobs left behind.
void Worker::tidy(std::uint64_t now) {
  tidied_ns_ = now;
  const std::uint64_t begun = entry().jobs.get();
  if (begun == tidied_jobs_) return;
  tidied_jobs_ = begun;
  baseline_.restore();
  if (!may_have_strays()) return;
  if (settings_.keep_strays) {
    reap_dead_strays();
  } else {
    reap_strays();
  }
}

bool Worker::time_to_retire() {
  if (worn_) return true;
  if (settings_.max_jobs != 0 && jobs_ >= settings_.max_jobs) return true;
  if (settings_.max_rss == 0 || time_ - rss_checked_ns_ < kRssEvery) return false;
  rss_checked_ns_ = time_;
  FILE* file = std::fopen("/proc/self/statm", "re");
  if (file == nullptr) return false;
  unsigned long size = 0, resident = 0, shared = 0;
  const bool read =
      std::fscanf(file, "%lu %lu %lu", &size, &resident, &shared) == 3 && shared <= resident;
  std::fclose(file);
  // Without what it shares: that is its clients' payloads, and goes with their channels.
  return read && std::uint64_t(resident - shared) * std::uint64_t(sysconf(_SC_PAGESIZE)) >
                     settings_.max_rss;
}

}  // namespace jobring
