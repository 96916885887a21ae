// DurableCore: who waits for which job.
#include <algorithm>
#include <iterator>

#include "client/durable/core.hpp"
#include "client/durable/ends.hpp"
#include "client/durable/info.hpp"
#include "client/pool_core.hpp"
#include "client/time_left.hpp"

namespace jobring::detail {
namespace {

using keeper::Op;
using keeper::Status;

constexpr std::size_t kMostIds = 65'536;  // in one request: the keeper takes 100,000 ranges
// Bytes of an id in a request: two numbers of it for one that has no neighbours.
constexpr std::size_t kIdBytes = 16;

struct Sleeper {
  explicit Sleeper(std::atomic<unsigned>& count) : count_(count) { ++count_; }
  ~Sleeper() { --count_; }
  Sleeper(const Sleeper&) = delete;
  Sleeper& operator=(const Sleeper&) = delete;

 private:
  std::atomic<unsigned>& count_;
};

// As selectors have them: ids that follow each other are one range. Of jobs that are sorted.
template <class Jobs>
std::vector<std::pair<JobId, JobId>> ranges(const Jobs& jobs) {
  std::vector<std::pair<JobId, JobId>> all;
  for (const auto& [id, state] : jobs) {
    if (!all.empty() && id <= all.back().second + 1) {
      all.back().second = id;
    } else {
      all.emplace_back(id, id);
    }
  }
  return all;
}

bool is_less(const std::pair<JobId, std::weak_ptr<DurableState>>& a,
             const std::pair<JobId, std::weak_ptr<DurableState>>& b) {
  return a.first < b.first;
}

}  // namespace

DurableCore::~DurableCore() {
  // Nobody else is here any more, and no callback of a request finds us. Who left a callback with
  // us is told.
  const auto why = std::make_exception_ptr(
      Exception(exit_status(Errc::no_daemon), "no_daemon", "closed before the job ended"));
  std::vector<WaitRequest> all;
  for (auto& [key, wait] : under_way_) all.push_back(std::move(wait));
  all.insert(all.end(), parted_.begin(), parted_.end());
  all.push_back({Kind::one, {wanted_.begin(), wanted_.end()}, {}});
  all.push_back({Kind::one, {ended_.begin(), ended_.end()}, {}});
  all.push_back({Kind::one, {alone_.begin(), alone_.end()}, {}});
  // If others use the channel, it lives on without these requests.
  constexpr long ours = 2;
  if (channel_.use_count() > ours) {
    for (const WaitRequest& wait : all) {
      if (wait.future.valid() && !wait.future.cancel()) wait.future.kill();
    }
  }
  for (const WaitRequest& wait : all) fail(wait, why);
}

DurableFuture DurableCore::future(JobId id) {
  return DurableFuture(shared_from_this(), std::make_shared<DurableState>(id));
}

bool DurableCore::wait_for(const std::shared_ptr<DurableState>& state,
                           std::chrono::nanoseconds timeout) {
  if (state->done) return true;
  want(state);
  // Another thread may make it done: finish() does that, then looks for sleepers; we say that we
  // are one, then look whether it is done: one of the two sees the other.
  const std::uint64_t start = now_ns();
  for (;;) {
    work_off_ends();
    if (state->done) return true;
    const Sleeper sleeper(sleepers_);
    const bool look = channel_->wait_until(
        [&] { return state->done.load() || !requests_->empty(); }, time_left(timeout, start));
    if (!look) return state->done;
  }
}

void DurableCore::on_ready(const std::shared_ptr<DurableState>& state,
                           std::function<void(const DurableFuture&)> callback) {
  {
    const Lock lock(mutex_);
    if (!state->done) {
      state->callbacks.push_back(std::move(callback));
      state->self = state;
      callback = nullptr;
    }
  }
  if (!callback) {
    want(state);
    return;
  }
  call_back({std::move(callback)}, DurableFuture(shared_from_this(), state));
}

// ---- requests

void DurableCore::want(const std::shared_ptr<DurableState>& state) {
  {
    const Lock lock(mutex_);
    if (state->wanted || state->done) return;
    state->wanted = true;
    wanted_.emplace_back(state->id, state);
  }
  send_waits();
}

void DurableCore::send_waits() {
  for (;;) {
    WaitRequest wait;
    std::vector<Future> replaced;
    std::uint64_t key = 0, ends = 0;
    {
      const Lock lock(mutex_);
      if (!next_wait(wait, replaced)) return;
      key = ++last_key_;
      ends = ends_;
      ++count(wait.kind);
      under_way_.emplace(key, wait);
    }
    std::optional<Future> future;
    std::exception_ptr why;
    try {
      keeper::Request request;
      request.deadline_ns = keeper::kForever;
      if (wait.kind == Kind::any) {
        request.op = Op::wait_any;
        request.which.ids = ranges(wait.jobs);
      } else {
        request.op = Op::wait;
        if (wait.kind == Kind::ended) request.deadline_ns = 0;
        request.flags = keeper::kResult;
        request.id = wait.jobs.front().first;
      }
      JobOptions options;
      options.crash_retries = 255;
      future = pool_.try_submit(keeper::kKeeperHandler, encode(request), options);
    } catch (...) {
      why = std::current_exception();
    }
    // Only now: their jobs are asked for by the new one.
    for (const Future& old : replaced) {
      if (!old.cancel()) old.kill();
    }
    bool known = true;
    {
      const Lock lock(mutex_);
      const auto found = under_way_.find(key);
      known = found != under_way_.end();  // else it was replaced by another thread meanwhile
      if (!known && !future) replaced_.erase(key);
      if (known && future) {
        found->second.future = *future;
      } else if (known) {
        --count(wait.kind);
        under_way_.erase(found);
        if (!why) again(std::move(wait));
      }
      // Full. If no request has ended since we looked, the one that does sends these.
      if (known && !future && !why && ends == ends_) return;
    }
    if (why && known) fail(wait, why);
    if (!future) continue;
    if (!known) {
      if (!future->cancel()) future->kill();
    }
    watch(key, *future);
  }
}

bool DurableCore::next_wait(WaitRequest& next, std::vector<Future>& replaced) {
  const auto drop_unwanted = [](std::deque<Awaited>& queue) {
    while (!queue.empty() && queue.front().second.expired()) queue.pop_front();
  };
  const auto one_of = [&](std::deque<Awaited>& queue, Kind kind) {
    next.kind = kind;
    next.jobs.push_back(std::move(queue.front()));
    queue.pop_front();
    return true;
  };
  drop_unwanted(ended_);
  if (!ended_.empty() && count(Kind::ended) < most_ended_) return one_of(ended_, Kind::ended);
  drop_unwanted(alone_);
  if (!alone_.empty() && count(Kind::alone) < most_ended_) return one_of(alone_, Kind::alone);
  drop_unwanted(wanted_);
  const bool room = count(Kind::one) + count(Kind::any) < most_waits_;
  if (!parted_.empty() && room) {
    next = std::move(parted_.back());
    parted_.pop_back();
    return true;
  }
  if (wanted_.empty() && parted_.empty()) return false;
  if (room) return one_of(wanted_, Kind::one);
  if (replaced_.size() >= most_ended_) return false;
  merge(next, replaced);
  return !next.jobs.empty();
}

void DurableCore::merge(WaitRequest& next, std::vector<Future>& replaced) {
  next.kind = Kind::any;
  std::vector<std::uint64_t> keys;
  for (const auto& [key, wait] : under_way_) {
    if (wait.kind == Kind::one || wait.kind == Kind::any) keys.push_back(key);
  }
  std::sort(keys.begin(), keys.end(), [&](std::uint64_t a, std::uint64_t b) {
    return under_way_.at(a).jobs.size() < under_way_.at(b).jobs.size();
  });
  keys.resize((keys.size() + 1) / 2);
  const std::size_t most = std::min(pool_.max_payload() / kIdBytes / 2, kMostIds);
  const auto take = [&](std::vector<Awaited>& jobs) {
    if (next.jobs.size() + jobs.size() > most && !next.jobs.empty()) return false;
    std::copy_if(std::make_move_iterator(jobs.begin()), std::make_move_iterator(jobs.end()),
                 std::back_inserter(next.jobs),
                 [](const Awaited& job) { return !job.second.expired(); });
    return true;
  };
  std::size_t taken = 0;
  for (const std::uint64_t key : keys) {
    WaitRequest& old = under_way_.at(key);
    if (!take(old.jobs)) break;
    if (old.future.valid()) replaced.push_back(std::move(old.future));
    --count(old.kind);
    under_way_.erase(key);
    replaced_.insert(key);
    ++taken;
  }
  while (!parted_.empty() && take(parted_.back().jobs)) parted_.pop_back();
  while (!wanted_.empty() && next.jobs.size() < most) {
    if (!wanted_.front().second.expired()) next.jobs.push_back(std::move(wanted_.front()));
    wanted_.pop_front();
  }
  std::sort(next.jobs.begin(), next.jobs.end(), is_less);
}

// ---- answers

void DurableCore::watch(std::uint64_t key, const Future& future) {
  PoolCore::listen(future, std::make_shared<EndOf>(requests_, key));
  future.on_ready([weak = weak_from_this()](const Future&) {
    if (const auto core = weak.lock()) core->work_off_ends();
  });
}

void DurableCore::work_off_ends() {
  bool any = false;
  while (const auto key = requests_->take()) {
    any = true;
    WaitRequest wait;
    {
      const Lock lock(mutex_);
      ++ends_;
      const auto found = under_way_.find(*key);
      if (found == under_way_.end()) {
        replaced_.erase(*key);
        continue;
      }
      wait = std::move(found->second);
      under_way_.erase(found);
      --count(wait.kind);
    }
    wait_answered(std::move(wait));
  }
  if (any) send_waits();
}

void DurableCore::wait_answered(WaitRequest wait) {
  try {
    if (wait.future.result().outcome == Outcome::crashed) {
      // The keeper died more often than a request is repeated by itself.
      const Lock lock(mutex_);
      again(std::move(wait));
    } else if (wait.kind == Kind::any) {
      any_answered(wait);
    } else {
      one_answered(wait);
    }
  } catch (...) {
    fail(wait, std::current_exception());
  }
}

void DurableCore::again(WaitRequest wait) {
  switch (wait.kind) {
    case Kind::one:
      wanted_.push_front(std::move(wait.jobs.front()));
      break;
    case Kind::any:
      wait.future = Future();
      parted_.push_back(std::move(wait));
      break;
    case Kind::ended:
      ended_.push_front(std::move(wait.jobs.front()));
      break;
    case Kind::alone:
      alone_.push_front(std::move(wait.jobs.front()));
      break;
  }
}

void DurableCore::one_answered(const WaitRequest& wait) {
  const bool looked = wait.kind == Kind::ended;
  const keeper::ReplyView reply = reply_of(wait.future, looked ? Status::timed_out : Status::ok);
  if (reply.status == Status::timed_out) {
    const Lock lock(mutex_);
    alone_.push_back(wait.jobs.front());
    return;
  }
  const auto state = wait.jobs.front().second.lock();
  if (!state) return;
  DurableInfo info;
  if ((reply.flags & keeper::kIsGroup) != 0) {
    keeper::GroupView group;
    if (!decode_group(reply.payload, group)) bad_answer();
    info.id = state->id;
    info.members = to_public(group);
    info.state = group.bad == 0 ? JobState::succeeded : JobState::dead;
  } else {
    keeper::JobView job;
    if (!decode_view(reply.payload, job)) bad_answer();
    info = to_public(job);
  }
  finish(state, std::move(info), nullptr);
}

void DurableCore::any_answered(WaitRequest& wait) {
  const keeper::ReplyView reply = reply_of(wait.future);
  std::vector<JobId> ids;
  if (!keeper::decode_ids(reply.payload, ids)) bad_answer();
  std::sort(ids.begin(), ids.end());
  const auto has_ended = [&](const Awaited& job) {
    return std::binary_search(ids.begin(), ids.end(), job.first);
  };
  // Asked again, it would be answered like this again.
  if (std::none_of(wait.jobs.begin(), wait.jobs.end(), has_ended)) bad_answer();
  WaitRequest rest;
  rest.kind = Kind::any;
  const Lock lock(mutex_);
  for (Awaited& job : wait.jobs) {
    if (has_ended(job)) {
      ended_.push_back(std::move(job));
    } else if (!job.second.expired()) {
      rest.jobs.push_back(std::move(job));
    }
  }
  if (!rest.jobs.empty()) parted_.push_back(std::move(rest));
}

void DurableCore::fail(const WaitRequest& wait, const std::exception_ptr& why) {
  for (const Awaited& job : wait.jobs) {
    if (const auto state = job.second.lock()) finish(state, {}, why);
  }
}

void DurableCore::finish(const std::shared_ptr<DurableState>& state, DurableInfo info,
                         std::exception_ptr failure) {
  std::vector<std::function<void(const DurableFuture&)>> callbacks;
  std::shared_ptr<DurableState> self;  // let go of without the lock
  {
    const Lock lock(mutex_);
    if (state->done) return;
    state->info = std::move(info);
    state->failure = std::move(failure);
    state->done = true;
    callbacks.swap(state->callbacks);
    self.swap(state->self);
  }
  if (sleepers_ != 0) channel_->wake_waiters();
  call_back(std::move(callbacks), DurableFuture(weak_from_this().lock(), state));
}

void call_back(std::vector<std::function<void(const DurableFuture&)>> callbacks,
               const DurableFuture& future) {
  std::vector<DueCallback> due;
  for (auto& call : callbacks)
    due.push_back({[call = std::move(call), future](const Future&) { call(future); }, Future()});
  run_callbacks(std::move(due));
}

}  // namespace jobring::detail
