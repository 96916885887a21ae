// Finding work: from the doorbells' ready bits to jobs that are CLAIMED by us.
//
//     Batch batch = claimer.look();              // or steal(), or a batch of prepare_to_sleep()
//     claimer.begin(batch, started);             // wakes whom it takes; shows what may be stolen
//     for (i < batch.count) run claimer.claim(i) // each is CLAIMED(us), or stolen by now
//     claimer.policy().ran(batch.count, spent);
//
// It neither runs anything nor waits (but for the supervisor's answer when it meets a channel that
// it does not map, if the table is one that waits), so that loops of any kind can stand on it.
#pragma once

#include <array>
#include <cstdint>

#include "common/doorbell.hpp"
#include "common/pool_page.hpp"
#include "common/state_word.hpp"
#include "worker/batch_policy.hpp"
#include "worker/channel_table.hpp"
#include "worker/worker_process.hpp"

namespace jobring {

struct Claim {
  std::uint16_t index;
  StateWord word;  // CLAIMED, by us
};

// Jobs of one channel that we have just claimed; none if `count` is 0.
struct Batch {
  WorkerChannel* channel = nullptr;
  std::uint32_t count = 0;
  explicit operator bool() const { return count != 0; }
};

// Not thread-safe: every loop has its own, with an index (owner id) of its own.
class Claimer {
 public:
  Claimer(const WorkerProcess& process, std::uint32_t index, ChannelTable& channels);

  std::uint32_t index() const { return index_; }
  std::uint32_t owner() const { return index_ + 1; }
  WorkerEntry& entry() const { return mine_; }
  bool alone() const { return workers_ == 1; }
  BatchPolicy& policy() { return policy_; }

  // One look at all channels that are ready, by priority and in turn.
  Batch look();
  // A job that another worker has claimed and cannot get to, because a job before it takes long.
  enum class Steal { nothing, wait, won };
  Steal steal(Batch& batch);

  // The jobs of the batch that was found last.
  const Claim& claim(std::uint32_t i) const { return claims_[i]; }
  // Before the first of them. Shows others what they may steal, and wakes one if there is work for
  // it. `now`: CLOCK_MONOTONIC.
  void begin(const Batch& batch, std::uint64_t now);
  // Before claim(i), i > 0: it cannot be stolen any more. Release: who sees this count, and not the
  // first one, sees the list that it counts.
  void next(const Batch& batch, std::uint32_t i) {
    if (workers_ > 1) mine_.batch_count.store(batch.count - 1 - i, std::memory_order_release);
  }

  // Before a sleep: lets go of the ready bits of channels without work (W1 and W2 of doorbell.hpp).
  enum class Rest { may_sleep, look_again, won };
  Rest prepare_to_sleep(Batch& batch);
  // W3: we sleep, or are about to; whoever submits rings us.
  void lie_down();
  // W4: after lie_down(), and again after every wake-up.
  bool work_in_sight() const;
  void get_up();
  // Rings all workers: who stops looking for work leaves none behind unseen.
  void wake_all();

 private:
  Batch look_at_level(std::uint32_t priority);
  std::uint32_t visit(WorkerDoorbell& doorbell, std::uint32_t bit, std::uint32_t priority);
  std::uint32_t claim(WorkerChannel& channel, std::uint32_t priority, std::uint64_t backlog);
  std::uint32_t claim_requeued(WorkerChannel& channel);
  bool settle_ready(WorkerDoorbell& doorbell, std::uint32_t bit, std::uint32_t priority);
  bool may_have_left(std::uint32_t v) const;
  bool leaves_work() const;
  bool others_sleep() const;
  void wake_one();

  const std::uint32_t index_, workers_;
  PoolPage& page_;
  WorkerEntry& mine_;
  ChannelTable& channels_;
  const std::vector<UniqueFd>& colleagues_;
  std::size_t next_doorbell_ = 0;
  std::uint32_t looks_ = 0;
  bool woke_ = false;  // since the last batch
  std::array<Claim, kBatchMax> claims_;
  BatchPolicy policy_;
  WakeMemory wakes_;
  std::array<std::uint64_t, kWorkersMax> emptied_ns_{};  // batch_ns of lists that we found stolen
};

}  // namespace jobring
