#include <utility>  // before Asio

#include "worker/async/async_worker.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/system/system_error.hpp>
#include <cerrno>
#include <cstdio>
#include <string>

#include "common/clock.hpp"
#include "common/foreign_fd.hpp"
#include "worker/async/job_executor.hpp"
#include "worker/completion.hpp"
#include "worker/exec/run_command.hpp"
#include "worker/job_timer.hpp"
#include "worker/leave.hpp"
#include "worker/private_memory.hpp"
#include "worker/spin.hpp"
#include "worker/wait_set.hpp"

namespace jobring {

namespace asio = boost::asio;

namespace {

constexpr std::uint64_t kMillisecond = 1'000'000;  // nanoseconds
constexpr std::uint64_t kOrdersEvery = kMillisecond;
constexpr std::uint64_t kRssEvery = 100 * kMillisecond;
// What a command may take to be killed and reaped after its grace.
constexpr std::uint64_t kCommandMargin = 1'000 * kMillisecond;
// Handlers of the loop between two looks at orders and rings.
constexpr int kHandlersPerTurn = 128;

std::uint64_t key(std::uint32_t channel, std::uint32_t slot) {
  return std::uint64_t(channel) << 32 | slot;
}

}  // namespace

AsyncWorker::AsyncWorker(const WorkerProcess& process, OrderLink& link, Deadlines& deadlines)
    : process_(process),
      settings_(process.settings),
      link_(link),
      deadlines_(deadlines),
      epoll_(or_leave(make_epoll(link.fd()))),
      bells_(loop_, epoll_.get()),
      channels_(link, process.segments, epoll_.get(), ChannelTable::Asking::later),
      claimer_(process, settings_.index, channels_),
      mine_(claimer_.entry()),
      builtins_(loop_.get_executor(), process, link) {
  spin_.limit(settings_.spin_ns);
  watch_event(epoll_.get(), process.colleagues[settings_.index].get());
  // SIGTERM while commands run: the loop must wake up to end them.
  leave_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  watch_event(epoll_.get(), int(leave_event));
  watch_bells();
}

AsyncWorker::~AsyncWorker() {
  bells_.release();  // epoll_ closes it
}

// ---- running

// One look. True if it found anything.
bool AsyncWorker::claim_and_start() {
  if (!has_room()) return false;
  const std::size_t room = settings_.max_in_flight - jobs_.size();
  claimer_.policy().limit(std::uint32_t(std::min<std::size_t>({room, settings_.batch, kBatchMax})));
  Batch batch = claimer_.look();
  if (!batch && !claimer_.alone()) claimer_.steal(batch);
  if (batch) start(batch);
  return bool(batch);
}

void AsyncWorker::start(const Batch& batch) {
  channels_.drop_stdio_except(batch.channel->id);
  const std::uint64_t now = now_ns();
  claimer_.begin(batch, now);
  for (std::uint32_t i = 0; i < batch.count; ++i) {
    if (i != 0) claimer_.next(batch, i);
    start_one(*batch.channel, claimer_.claim(i), now);
  }
  time_ = now_ns();
  claimer_.policy().ran(batch.count, time_ - now);
}

void AsyncWorker::start_one(WorkerChannel& channel, const Claim& claim, std::uint64_t now) {
  Slot& slot = channel.view.slot(claim.index);
  const StateWord running = claim.word.to(SlotState::running, claimer_.owner());
  // seq_cst: the store half of "run, then look who wants it stopped" (Slot::kill_request).
  if (!slot.move(claim.word, running, std::memory_order_seq_cst)) return;  // stolen
  ++begun_;
  slot.started_ns.set(now);
  // A client that forged the word of a running job has it in two places: the first one counts.
  auto& place = jobs_[key(channel.id, claim.index)];
  if (place != nullptr) {
    channels_.report_broken(channel, "a job that runs was submitted again");
    return;
  }
  place = std::make_unique<AsyncJob>(channel, claim.index);
  AsyncJob& job = *place;
  job.running = running;
  job.started_ns = now;
  ++in_channel_[channel.id];
  mine_.busy.set(std::uint32_t(jobs_.size()));
  if (!job.run.open(now)) return complete_job(job);
  const Handler* handler = job.run.resolve(process_.handlers);
  if (handler == nullptr) return complete_job(job);
  begin(job, *handler);
}

void AsyncWorker::begin(AsyncJob& job, const Handler& handler) {
  *job.owner = {&mine_, handler.name.c_str(), job.channel.id, job.run.index(),
                job.running.generation()};
  job.face = job.run.face();
  const std::uint32_t timeout_ms = job.run.slot().timeout_ms.get();
  if (timeout_ms != 0) {
    const std::uint64_t over = job.started_ns + timeout_ms * kMillisecond;
    const bool command = handler.coroutine == nullptr && handler.name == "exec";
    job.deadline = deadlines_.add(
        over + settings_.kill_grace_ms * kMillisecond + (command ? kCommandMargin : 0), *job.owner,
        kExitTimedOut);
    job.timeout.emplace(loop_, asio::steady_timer::time_point(std::chrono::nanoseconds(over)));
    job.timeout->async_wait([this, id = key(job.channel.id, job.run.index()),
                             running = job.running](boost::system::error_code ec) {
      if (ec) return;
      const auto found = jobs_.find(id);
      if (found != jobs_.end() && found->second->running == running) over_its_time(*found->second);
    });
  }
  asio::any_io_executor executor{
      JobExecutor<asio::io_context::executor_type>(job.owner, loop_.get_executor())};
  const AsyncStart coroutine = async_start_of(handler);
  // The first step runs here and now, in the job's name.
  const Slice slice(*job.owner);
  asio::co_spawn(
      executor,
      [this, &job, &handler, coroutine]() -> asio::awaitable<void> {
        if (coroutine != nullptr) return coroutine(&job.face, handler.user);
        return builtins_.start(job, handler);
      },
      asio::bind_cancellation_slot(
          job.cancel.slot(), [this, &job](std::exception_ptr thrown) { ended(job, thrown); }));
}

void AsyncWorker::ended(AsyncJob& job, std::exception_ptr thrown) {
  bool aborted = false;
  if (thrown) {
    try {
      std::rethrow_exception(thrown);
    } catch (const boost::system::system_error& e) {
      aborted = e.code() == asio::error::operation_aborted && (job.stopped || job.timed_out);
      if (!aborted) detail::report(&job.face);
    } catch (...) {
      detail::report(&job.face);
    }
  }
  if (job.timed_out) {
    const std::uint32_t timeout_ms = job.run.slot().timeout_ms.get();
    job.run.end(Outcome::timed_out, "timed out after " + std::to_string(timeout_ms) + " ms");
  } else if (aborted) {
    job.run.end(Outcome::killed, "killed on request");
  }
  complete_job(job);
}

// Ends its life here, with whatever outcome it has.
void AsyncWorker::complete_job(AsyncJob& job) {
  WorkerChannel& channel = job.channel;
  const std::uint32_t channel_id = channel.id;
  job.run.slot().run_us.set(std::uint32_t((now_ns() - job.started_ns) / 1000));
  if (job.deadline) deadlines_.remove(*job.deadline);
  if (!complete(channel, job.run, job.running, claimer_.index(), mine_))
    channels_.report_broken(channel, "its completion queue makes no sense");
  channel.completions.move_tail();
  jobs_.erase(key(channel_id, job.run.index()));
  mine_.busy.set(std::uint32_t(jobs_.size()));
  const auto count = in_channel_.find(channel_id);
  if (--count->second != 0) return;
  in_channel_.erase(count);
  if (const auto closing = closing_.find(channel_id); closing != closing_.end()) {
    channels_.follow(closing->second);
    closing_.erase(closing);
  }
}

// ---- stopping

void AsyncWorker::stop(AsyncJob& job, int signal) {
  const bool first = !std::exchange(job.stopped, true);
  job.asked_to_stop = 1;
  if (first && !job.timed_out) {
    if (job.deadline) deadlines_.remove(*job.deadline);
    job.deadline = deadlines_.add(
        now_ns() + settings_.kill_grace_ms * kMillisecond + (job.on_stop ? kCommandMargin : 0),
        *job.owner, kExitStopped);
  }
  if (job.on_stop) {
    job.on_stop(signal);
  } else if (first) {
    cancel(job);
  }
}

// Orders are followed outside the loop, too. There Asio would put the cancellation itself off, with
// a pointer into the job, which may end before it comes to that.
void AsyncWorker::cancel(AsyncJob& job) {
  asio::dispatch(loop_, [this, id = key(job.channel.id, job.run.index()), running = job.running] {
    const auto found = jobs_.find(id);
    if (found == jobs_.end() || found->second->running != running) return;
    const Slice slice(*found->second->owner);
    found->second->cancel.emit(asio::cancellation_type::terminal);
  });
}

void AsyncWorker::over_its_time(AsyncJob& job) {
  if (job.on_stop) return job.on_stop(0);
  if (job.stopped) return;  // it is being ended already
  job.timed_out = true;
  job.asked_to_stop = 1;
  cancel(job);
}

void AsyncWorker::stop_channel(const StopChannel& order) {
  std::vector<std::uint64_t> found;
  for (const auto& [id, job] : jobs_) {
    if (job->channel.id != order.channel) continue;
    if (order.all || job->run.slot().kill_request.load(std::memory_order_seq_cst) != 0)
      found.push_back(id);
  }
  // One's end may be another's: looked up again.
  for (const std::uint64_t id : found) {
    if (const auto job = jobs_.find(id); job != jobs_.end()) stop(*job->second, order.signal);
  }
}

// ---- orders

void AsyncWorker::handle_orders() {
  while (auto order = link_.poll()) {
    if (const auto* one = std::get_if<StopJob>(&order->message)) {
      const auto job = jobs_.find(key(one->channel, one->slot));
      if (job != jobs_.end() && job->second->running.generation() == one->generation)
        stop(*job->second, one->signal);
    } else if (const auto* many = std::get_if<StopChannel>(&order->message)) {
      stop_channel(*many);
    } else if (const auto* closed = std::get_if<ChannelClosed>(&order->message)) {
      follow_close(closed->channel, *order);
    } else {
      channels_.follow(*order);
    }
  }
}

// Its jobs still write to it: it stays mapped until the last one has ended.
void AsyncWorker::follow_close(std::uint32_t channel, Order& order) {
  if (in_channel_.contains(channel)) {
    closing_.emplace(channel, std::move(order));
  } else {
    channels_.follow(order);
  }
}

// ---- waiting

// Looks for work for a while before it sleeps; only with no job in flight, whose events would wait.
bool AsyncWorker::spin() {
  if (!jobs_.empty()) return false;
  time_ = now_ns();
  return jobring::spin(spin_, time_, [this] { return claim_and_start(); });
}

void AsyncWorker::watch_bells() {
  bells_.async_wait(asio::posix::descriptor_base::wait_read, [this](boost::system::error_code ec) {
    if (ec) leave_without_descriptors();
    take_bells();
    watch_bells();
  });
}

void AsyncWorker::take_bells() {
  epoll_event events[8];
  const int count = epoll_wait(epoll_.get(), events, 8, 0);
  if (count < 0 && errno != EINTR) leave_without_descriptors();
  bool orders = false;
  for (int i = 0; i < count; ++i) (events[i].data.u64 == kControlEvent ? orders : rung_) = true;
  if (leave_requested != 0) leave_now();
  // Orders are followed lying down: who submits meanwhile still sees us sleep, and rings us.
  if (orders) handle_orders();
}

// Until anything happens: a bell, an order, or an event of a job.
void AsyncWorker::sleep() {
  if (!has_room()) {
    // We look for no work, and nobody shall ring us for it.
    loop_.run_one();
    return;
  }
  Batch batch;
  const Claimer::Rest rest = claimer_.prepare_to_sleep(batch);
  if (rest == Claimer::Rest::won) start(batch);
  if (rest != Claimer::Rest::may_sleep) return;
  rung_ = false;
  claimer_.lie_down();                                                      // W3
  if (!claimer_.work_in_sight() && !channels_.draining()) loop_.run_one();  // W4, W5
  claimer_.get_up();
}

int AsyncWorker::run() {
  for (;;) {
    time_ = now_ns();
    if (time_ - orders_checked_ns_ > kOrdersEvery) {
      orders_checked_ns_ = time_;
      if (leave_requested != 0) leave_now();
      handle_orders();
    }
    for (int i = 0; i < kHandlersPerTurn && loop_.poll_one() != 0; ++i) {
    }
    // As in Worker::run(): a drain that is ordered during the look does not make it the last.
    const bool last_look = channels_.draining();
    const bool retires = time_to_retire();
    if (!retires && (claim_and_start() || spin())) continue;
    if (jobs_.empty()) {
      tidy();
      if (retires || last_look) {
        claimer_.wake_all();
        return 0;
      }
      if (channels_.draining()) continue;
    }
    if (retires) {
      loop_.run_one();
    } else {
      sleep();
    }
  }
}

// When no job is in flight: what jobs left behind.
void AsyncWorker::tidy() {
  if (begun_ == tidied_) return;
  tidied_ = begun_;
  process_.baseline.restore();
  if (!may_have_strays()) return;
  if (settings_.keep_strays) {
    reap_dead_strays();
  } else {
    reap_strays();
  }
}

bool AsyncWorker::time_to_retire() {
  if (settings_.max_jobs != 0 && begun_ >= settings_.max_jobs) return true;
  if (foreign_closes() >= kForeignClosesMax) return true;
  if (settings_.max_rss == 0 || time_ - rss_checked_ns_ < kRssEvery) return false;
  rss_checked_ns_ = time_;
  return private_memory() > settings_.max_rss;
}

}  // namespace jobring
