// The inside of DurableJobs and DurableFuture: requests to the keeper out, answers in, and who
// waits for which job.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include <jobring/durable.hpp>

#include "common/keeper/messages.hpp"

namespace jobring::detail {

// What the copies of a DurableFuture share. `info` and `failure` are constant once it is done.
struct DurableState {
  explicit DurableState(JobId job) : id(job) {}

  const JobId id;
  std::atomic<bool> done{false};  // sequentially consistent: DurableCore::wait_for()
  DurableInfo info;
  std::exception_ptr failure;  // instead of info

  // Guarded by DurableCore's lock until it is done.
  bool wanted = false;  // the daemon was asked, or is about to be
  std::vector<std::function<void(const DurableFuture&)>> callbacks;
  std::shared_ptr<DurableState> self;  // while there are callbacks: nobody else need hold it
};

// An answer of the keeper; its payload is the future's.
struct KeeperAnswer {
  Future future;
  keeper::ReplyView reply;
};

// Thread-safe.
//
// Waiting: a job that is wanted is asked for by a request of its own (Op::wait), up to a quarter of
// the channel's slots. When these are used up, the smaller half of the requests under way is
// replaced by one for all of their jobs and the new one (Op::wait_any). So every job that is wanted
// is always asked for, none waits behind another, and each is asked for twice or three times at
// most. Of what wait_any names the state is asked then, in slots of their own; and groups, which it
// names at once because they are no jobs, are waited for one by one, in further ones. What was
// replaced keeps its slot until the keeper has let go of it; while too many do, new ones gather.
//
// Ends of requests are heard of at once (Ends) and worked off by whoever comes first: a callback of
// the request, for who only polls, or a thread that waits for a job. It cannot be left to the
// callbacks: they do not run while another one waits.
//
// The lock is never held while anything of the pool is called: that may run callbacks.
class Ends;

class DurableCore : public std::enable_shared_from_this<DurableCore> {
 public:
  // The one of this client. Throws.
  // `requests`: slots of its channel if it is made now; 0: as configured.
  static std::shared_ptr<DurableCore> of(Client& client, std::uint32_t requests = 0);
  // Of any pool whose handler "keeper" answers as the keeper does.
  explicit DurableCore(Pool pool);
  ~DurableCore();

  static DurableJobs jobs(std::shared_ptr<DurableCore> core) {
    return DurableJobs(std::move(core));
  }
  // The same future, which does not keep the connection; of no use before it is over.
  static DurableFuture detached(const DurableFuture& future) {
    return DurableFuture(nullptr, future.state_);
  }
  Pool& pool() { return pool_; }

  // Sends it. Blocks while the channel is full. If the keeper dies under it, its next life does it.
  // Throws Exception, DurableError(too_large).
  Future start(const keeper::Request& request);
  Future start(std::string request);
  // Sends it and waits. Throws unless the answer is ok.
  KeeperAnswer ask(const keeper::Request& request);
  // The same, but gives back answers that are this, too.
  KeeperAnswer ask_or(keeper::Status also, const keeper::Request& request);

  DurableFuture future(JobId id);
  // Looks, or waits; whether it is over.
  bool wait_for(const std::shared_ptr<DurableState>& state, std::chrono::nanoseconds timeout);
  void on_ready(const std::shared_ptr<DurableState>& state,
                std::function<void(const DurableFuture&)> callback);

 private:
  using Lock = std::unique_lock<std::mutex>;
  using Awaited = std::pair<JobId, std::weak_ptr<DurableState>>;
  enum class Kind : std::uint8_t {
    one,    // Op::wait
    any,    // Op::wait_any
    ended,  // Op::wait, of what wait_any has named
    alone,  // Op::wait, of a group: those are not for wait_any
  };
  struct WaitRequest {
    Kind kind = Kind::one;
    std::vector<Awaited> jobs{};  // by id
    Future future{};              // once it was submitted
  };

  void want(const std::shared_ptr<DurableState>& state);
  void send_waits();
  // Under the lock: the next request to send, and what it replaces. False: there is none now.
  bool next_wait(WaitRequest& next, std::vector<Future>& replaced);
  void merge(WaitRequest& next, std::vector<Future>& replaced);
  void watch(std::uint64_t key, const Future& future);
  void work_off_ends();
  void wait_answered(WaitRequest wait);
  void one_answered(const WaitRequest& wait);
  std::size_t& count(Kind kind) { return count_[std::size_t(kind)]; }
  void any_answered(WaitRequest& wait);
  void again(WaitRequest wait);  // under the lock
  void fail(const WaitRequest& wait, const std::exception_ptr& why);
  void finish(const std::shared_ptr<DurableState>& state, DurableInfo info,
              std::exception_ptr failure);

  Pool pool_;
  const std::shared_ptr<PoolCore> channel_;  // behind pool_
  const std::size_t most_waits_, most_ended_;
  const std::shared_ptr<Ends> requests_;  // that have ended
  std::atomic<unsigned> sleepers_{0};     // in wait_for()

  std::mutex mutex_;
  // To be sent, each kind in its queue.
  std::deque<Awaited> wanted_, ended_, alone_;
  std::vector<WaitRequest> parted_;  // of Kind::any: the rest of those that were answered
  std::unordered_map<std::uint64_t, WaitRequest> under_way_;
  std::unordered_set<std::uint64_t> replaced_;  // keys of requests that are to end
  std::array<std::size_t, 4> count_{};          // of under_way_, by kind
  std::uint64_t last_key_ = 0;
  std::uint64_t ends_ = 0;  // of requests: a slot is free since this changed
};

// Calls each with the future: now, or after the callback that runs on this thread.
void call_back(std::vector<std::function<void(const DurableFuture&)>> callbacks,
               const DurableFuture& future);

// ---- answers

// Throws unless it is `ok` (or `also`). Views of `bytes`.
keeper::ReplyView reply_in(std::string_view bytes, keeper::Status also = keeper::Status::ok);
// Throws what has become of the request, unless it is `ok` (or `also`).
keeper::ReplyView reply_of(const Future& future, keeper::Status also = keeper::Status::ok);
[[noreturn]] void raise_durable(keeper::Status status, const std::string& line);
[[noreturn]] void bad_argument(const std::string& line);
[[noreturn]] void bad_answer();

// The deadline of a request: 0 and less do not wait.
std::int64_t deadline_in(std::chrono::nanoseconds timeout);

}  // namespace jobring::detail
