// The inside of Channel: a client's end of a channel's shared memory.
#pragma once

#include <array>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <jobring/channel.hpp>

#include "client/client_core.hpp"
#include "common/channel_layout.hpp"
#include "common/doorbell.hpp"
#include "common/segment.hpp"
#include "common/spin_policy.hpp"
#include "common/unique_fd.hpp"

namespace jobring {

struct AdoptedJob;

// Throws Exception(bad_input) for a negative time-out or a tag that is too long.
void check_options(const JobOptions& options);

// Not thread-safe, except sleep(), interrupt() and lost_tokens().
class Channel::Impl {
 public:
  // Opens a channel; see ClientCore::request for the errors.
  static Result<std::unique_ptr<Impl>> open(std::shared_ptr<detail::ClientCore> core,
                                            const std::string& pool, const ChannelOptions& options);
  static Result<std::unique_ptr<Impl>> open(std::shared_ptr<detail::ClientCore> core,
                                            const OpenRequest& request);
  ~Impl();

  Result<HandlerId> handler(std::string_view name);
  // For a job in slot `index` == free_slot() that is put with kJobNamed: its handler's name, which
  // the caller has checked.
  void note_handler(std::uint32_t index, std::string_view name) {
    view_.note(index).set_handler(name);
  }
  // The slot that the next prepare will use, or -1 if none is free.
  int free_slot();
  // Submits the job in slot `index` == free_slot(), whose payload of `size` bytes is in place
  // already.
  JobRef put(std::uint32_t index, HandlerId handler, std::size_t size, std::uint64_t tag,
             const JobOptions& options, std::uint8_t flags);
  unsigned char* payload(std::uint32_t index, std::size_t size) {
    return view_.payload(index, size);
  }
  // Takes the slot free_slot() == index out of what free_slot() gives, for a reservation; restore()
  // makes it what free_slot() gives next.
  void set_aside(std::uint32_t) { free_.pop_back(); }
  void restore(std::uint32_t index) { free_.push_back(std::uint16_t(index)); }
  // Before put() of a payload that was made in room for `reserved` bytes and came out as `size`:
  // where a payload stands follows from its size alone.
  void settle_payload(std::uint32_t index, std::size_t reserved, std::size_t size);
  void publish();
  bool unpublished() const { return unpublished_ != 0; }

  std::span<const Completion> reap(std::size_t max);
  // Of a slot that the last reap() gave: its result stays where it is until release().
  void keep(std::uint32_t index);
  void release(std::uint32_t index);
  // What a running job last reported.
  std::optional<ProgressCell::Report> progress(JobRef job) const;
  // Of the process that has run the tagged job of a kept channel; 0: none has. What workers say.
  std::uint32_t worker_pid(std::uint32_t slot) const { return view_.note(slot).worker_pid.get(); }
  bool wait(std::chrono::nanoseconds timeout, std::size_t at_least);
  bool cancel(JobRef job);
  std::size_t cancel_all();
  void kill(JobRef job, int signal);

  // Waiting in three steps, so that a lock can be let go in the middle: announce() says that we are
  // about to sleep, and whether there is reason to; sleep() touches nothing but descriptors;
  // awake() takes it back.
  bool announce(std::size_t at_least = 1);
  void sleep(std::chrono::nanoseconds timeout) const;
  void awake();
  // Ends somebody's sleep() on this channel; any thread.
  void interrupt() const;

  int fd();
  void arm();
  bool has_completions(std::size_t at_least = 1) const;
  bool draining() const { return view_.header().closing.load(std::memory_order_acquire) != 0; }
  std::size_t outstanding() const { return outstanding_; }
  // Of the registry's pool, and of no other: see RegistryPage. Any thread.
  std::uint64_t lost_tokens() const;
  const ChannelShape& shape() const { return view_.shape(); }
  detail::ClientCore& core() const { return *core_; }
  const std::string& pool() const { return pool_; }
  SpinPolicy& spin_policy() { return spin_; }

  // Of a kept channel (kept_channel.hpp), which our end leaves open unless close_at_end() says
  // otherwise. adopt(): once, before anything else, if adopted(). False: it makes no sense.
  bool adopted() const { return info_.adopted; }
  bool adopt(std::vector<AdoptedJob>& jobs);
  bool shut() const { return view_.header().closing.load(std::memory_order_acquire) == 2; }
  void close_at_end() { stays_open_ = false; }
  // All that the last reap() gave stays where it is, until release() of each.
  void keep_all() { held_.clear(); }
  SlotState slot_state(std::uint32_t slot) const { return view_.slot(slot).word().state(); }

 private:
  Impl() = default;
  void release_held();
  void complete(std::uint32_t index);
  void complete_unrun(std::uint32_t index, Outcome outcome, std::string_view why);
  void add_unrun(std::uint32_t index);
  void rescan(std::size_t max);
  void lose_all();
  void empty_bell() const;
  void note_touched(std::size_t& high_water, std::size_t size);
  void give_back_extents(std::uint32_t index);
  bool adopt_names();
  bool adopt_rings(std::vector<std::uint64_t>& published);
  void give_back_free_extents();

  struct Local {
    std::uint64_t tag = 0;
    std::uint64_t generation = 0;     // of the QUEUED word
    std::uint64_t submitted_ns = 0;   // CLOCK_MONOTONIC
    std::size_t payload_touched = 0;  // bytes of the payload extent that may be in memory
    std::size_t result_touched = 0;
    bool outstanding = false;
    bool unrun = false;  // it stands in unrun_
    bool lost = false;   // and was given up: what its slot says is not ours to read
  };

  std::shared_ptr<detail::ClientCore> core_;
  std::string pool_;
  OpenReply info_;
  UniqueFd segment_;
  Mapping mapping_, doorbell_mapping_, page_mapping_;
  ChannelView view_;
  DoorbellPage* doorbell_ = nullptr;
  const PoolPage* page_ = nullptr;
  UniqueFd event_;      // rung by workers and supervisor: what it is, daemon/channel.hpp knows
  UniqueFd interrupt_;  // an eventfd of our own
  std::vector<UniqueFd> worker_events_;
  UniqueFd epoll_;       // for sleep(): edge-triggered
  UniqueFd loop_fd_;     // for fd(): level-triggered; made when first asked for
  UniqueFd first_look_;  // readable, in loop_fd_: what came before it was made; gone with arm()
  std::array<SubmissionProducer<>, kPriorities> producers_;
  CompletionConsumer<> consumer_;
  WakeMemory wakes_;
  SpinPolicy spin_;
  std::map<std::string, HandlerId, std::less<>> handlers_;

  std::vector<std::uint16_t> free_;  // a stack: the slot used last is the one in our cache
  std::uint32_t used_ = 0;           // slots [0, used_) were ever used
  std::vector<Local> local_;
  std::vector<std::uint16_t> held_;   // reaped, readable until the next reap
  std::vector<std::uint16_t> unrun_;  // completed here, without a worker: cancelled or lost
  std::vector<Completion> completions_;
  std::string why_lost_;           // the result of lost jobs
  std::uint32_t unpublished_ = 0;  // a bit per priority
  std::uint64_t batch_time_ =
      0;              // CLOCK_MONOTONIC of the jobs since the last publish; 0: not yet looked
  int untimed_ = -1;  // the slot among them that came before the look
  std::size_t outstanding_ = 0;
  std::size_t touched_ = 0;  // bytes of all extents that may be touched
  std::uint32_t empty_reaps_ = 0;
  bool stays_open_ = false;
};

}  // namespace jobring
