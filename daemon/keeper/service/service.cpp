#include "daemon/keeper/service/service.hpp"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "common/clock.hpp"
#include "common/keeper_pool.hpp"
#include "daemon/keeper/sqlite/sqlite_store.hpp"
#include "worker/completion.hpp"
#include "worker/leave.hpp"
#include "worker/spin.hpp"
#include "worker/wait_set.hpp"

namespace jobring::keeper {
namespace {

// Nanoseconds between looks at the control socket while busy.
constexpr std::uint64_t kOrdersEvery = 1'000'000;
constexpr std::uint32_t kRequestsMost = 2'048;  // of a turn
constexpr std::size_t kBytesMost = 16u << 20;   // of their payloads
constexpr std::size_t kChunk = 256u << 10;      // bytes
constexpr std::uint64_t kSignalEvent = kControlEvent - 1;

UniqueFd epoll_of(OrderLink& link) {
  auto epoll = make_epoll(link.fd());
  if (!epoll) cannot_start(link, epoll.error());
  return std::move(*epoll);
}

// main() has blocked it.
UniqueFd watch_sigterm(OrderLink& link, int epoll) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  UniqueFd fd(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = kSignalEvent;
  if (!fd || epoll_ctl(epoll, EPOLL_CTL_ADD, fd.get(), &event) != 0)
    cannot_start(link, system_error("signalfd"));
  return fd;
}

KeeperOptions options_of(const KeeperStart& start) {
  KeeperOptions options;
  options.window = start.window;
  options.lost_limit = start.lost_limit;
  options.events = start.events;
  options.jobs_max = start.jobs_max;
  options.jobs_per_user = start.jobs_per_user;
  options.output_max = start.output_max;
  options.outputs_max = start.outputs_max;
  options.tail = start.tail;
  options.flush_ms = start.flush_ms;
  options.reply_max = start.reply_max;
  options.ageing = start.ageing;
  options.outputs_directory = start.state_dir + "/outputs";
  return options;
}

std::uint64_t token_of(std::uint32_t channel, std::uint32_t slot) {
  return std::uint64_t(channel) << 16 | slot;
}
static_assert(kSlotsMax <= 1u << 16);

}  // namespace

Service::Service(WorkerProcess& process, OrderLink& link)
    : link_(link),
      epoll_(epoll_of(link)),
      signals_(watch_sigterm(link, epoll_.get())),
      channels_(link, process.segments, epoll_.get(), ChannelTable::Asking::later),
      claimer_(process, process.settings.index, channels_),
      mine_(claimer_.entry()) {
  watch_event(epoll_.get(), process.colleagues[process.settings.index].get());
  spin_.limit(process.settings.spin_ns);
  Order order = link_.await<KeeperStart>();
  const auto& start = std::get<KeeperStart>(order.message);
  if (order.fds.size() != 2)
    cannot_start(link_, {Errc::protocol, "the keeper came without its connection", {}, {}});
  lives_ = std::move(order.fds[1]);
  SqliteOptions file;
  file.path = start.state_dir + "/" + kKeeperStoreFile;
  file.ageing = start.ageing;
  file.keep_ms = start.keep_ms;
  auto store = open_sqlite_store(file);
  if (!store) cannot_start(link_, store.error());
  auto core =
      std::make_shared<detail::ClientCore>(std::move(order.fds[0]), 0, "jobringd", "keeper");
  std::vector<PoolInfo> pools;
  for (const KeeperPool& pool : start.pools)
    pools.push_back({pool.name, pool.lanes, pool.slots, pool.max_payload, pool.rate});
  pools_ = std::make_unique<Channels>(std::move(core), std::move(pools), epoll_.get());
  keeper_ = std::make_unique<Keeper>(
      std::move(*store), *pools_, *this, options_of(start), now(),
      [](const std::string& line) { std::fprintf(stderr, "%s\n", line.c_str()); });

  std::vector<Feed::Kept> kept;
  for (;;) {
    const Order next = link_.await<KeptChannels>();
    const auto& part = std::get<KeptChannels>(next.message);
    for (const KeptName& name : part.channels) kept.push_back({name.pool, name.uid, name.gid});
    if (part.last) break;
  }
  if (const auto adopted = keeper_->adopt(kept); !adopted) cannot_start(link_, adopted.error());
  // Nothing is kept for a client that is gone, so which ones live makes no difference.
  while (!std::get<LiveSessions>(link_.await<LiveSessions>().message).last) {
  }
  link_.report(WorkerHello{kControlVersion, {kKeeperHandler}});
}

Now Service::now() {
  now_ = now_ns();
  return {std::int64_t(now_), KeeperClock::system()};
}

// ---- requests

Service::Served& Service::served(WorkerChannel& channel) {
  Served& served = served_[channel.id];
  if (served.channel == nullptr) {
    served.channel = &channel;
    served.running.assign(channel.view.shape().slots, StateWord());
  }
  return served;
}

char* Service::room(std::size_t size) {
  if (size > kChunk / 4) {
    large_.push_back(std::make_unique_for_overwrite<char[]>(size));
    return large_.back().get();
  }
  if (chunks_.empty() || chunk_used_ + size > kChunk) {
    if (!chunks_.empty()) ++chunk_;
    if (chunk_ == chunks_.size()) chunks_.push_back(std::make_unique_for_overwrite<char[]>(kChunk));
    chunk_used_ = 0;
  }
  char* const bytes = chunks_[chunk_].get() + chunk_used_;
  chunk_used_ += size;
  return bytes;
}

// The requests of the next turn; whether there is any.
bool Service::gather() {
  while (requests_ < kRequestsMost && request_bytes_ < kBytesMost) {
    const Batch batch = claimer_.look();
    if (!batch) break;
    Served& from = served(*batch.channel);
    claimer_.begin(batch, now_);
    if (requests_ == 0) moment_ = now();
    for (std::uint32_t i = 0; i < batch.count; ++i) take(from, claimer_.claim(i));
    claimer_.policy().ran(batch.count, 0);
    mine_.jobs.set(mine_.jobs.get() + batch.count);
    requests_ += batch.count;
  }
  return requests_ != 0;
}

void Service::take(Served& from, const Claim& claim) {
  WorkerChannel& channel = *from.channel;
  Slot& slot = channel.view.slot(claim.index);
  const StateWord running = claim.word.to(SlotState::running, claimer_.owner());
  // seq_cst: the store half of "run, then look who wants it stopped" (Slot::kill_request).
  if (!slot.move(claim.word, running, std::memory_order_seq_cst)) return;  // we were stopped
  from.running[claim.index] = running;
  slot.started_ns.set(now_);
  if (slot.kill_request.load(std::memory_order_seq_cst) != 0)
    return done(from, claim.index, Outcome::killed, "cancelled before it was looked at");
  // All that is read from the slot may change while we look, so it is copied, then checked.
  const std::size_t size = slot.payload_len.get();
  if (size > channel.view.shape().max_payload)
    return done(from, claim.index, Outcome::bad_request, "its length makes no sense");
  char* const bytes = room(size);
  std::memcpy(bytes, channel.view.payload(claim.index, size), size);
  request_bytes_ += size;
  Caller caller;
  caller.token = token_of(channel.id, claim.index);
  caller.session = from.session;
  caller.slot = claim.index;
  caller.generation = slot.queued_generation(claim.word);
  // A dead keeper had it before.
  caller.again = claim.word.generation() != caller.generation + 1;
  caller.uid = channel.uid;
  caller.gid = channel.gid;
  caller.privileged = channel.uid == 0 || channel.uid == geteuid();
  keeper_->ask(caller, {bytes, size}, moment_);
}

void Service::answer(std::uint64_t token, std::string_view bytes) {
  const std::uint64_t id = token >> 16;
  const auto slot = std::uint32_t(token & 0xffff);
  if (id >= served_.size() || served_[id].channel == nullptr) return;
  Served& to = served_[id];
  if (bytes.size() > to.channel->view.shape().max_result)
    return done(to, slot, Outcome::result_too_big, "the answer is longer than reply_max");
  done(to, slot, Outcome::ok, bytes);
}

void Service::done(Served& to, std::uint32_t index, Outcome outcome, std::string_view result) {
  const StateWord running = std::exchange(to.running[index], StateWord());
  if (!running.is(SlotState::running)) return;
  WorkerChannel& channel = *to.channel;
  Slot& slot = channel.view.slot(index);
  const std::size_t size = std::min<std::size_t>(result.size(), channel.view.shape().max_result);
  std::memcpy(channel.view.result(index, size), result.data(), size);
  slot.outcome.set(std::uint8_t(outcome));
  slot.detail.set(0);
  slot.worker.set(0);
  slot.run_us.set(0);
  slot.error_type_len.set(0);
  slot.result_len.set(std::uint32_t(size));
  if (outcome != Outcome::ok) mine_.failed.set(mine_.failed.get() + 1);
  if (unpublished_ != nullptr && unpublished_ != &channel) unpublished_->completions.move_tail();
  unpublished_ = &channel;
  if (channel.broken) return;
  if (!publish_done(channel, index, running, mine_))
    channels_.report_broken(channel, "its completion queue makes no sense");
}

void Service::publish() {
  if (unpublished_ != nullptr) std::exchange(unpublished_, nullptr)->completions.move_tail();
}

// ---- orders

void Service::follow_orders() {
  orders_followed_ns_ = now_;
  signalfd_siginfo signal;
  if (read(signals_.get(), &signal, sizeof signal) == ssize_t(sizeof signal))
    asked_to_leave_ = true;
  while (auto order = link_.poll()) follow(*order);
  publish();
}

void Service::follow(Order& order) {
  if (const auto* closed = std::get_if<ChannelClosed>(&order.message)) {
    if (closed->channel < served_.size()) {
      if (served_[closed->channel].channel != nullptr &&
          unpublished_ == served_[closed->channel].channel)
        unpublished_ = nullptr;
      served_[closed->channel] = {};
    }
    keeper_->session_ended(closed->session);
  } else if (const auto* mapped = std::get_if<ChannelMapped>(&order.message)) {
    if (served_.size() <= mapped->channel) served_.resize(mapped->channel + 1);
    served_[mapped->channel].session = mapped->session;
  } else if (const auto* stop = std::get_if<StopJob>(&order.message)) {
    if (stop->channel >= served_.size()) return;
    const Served& from = served_[stop->channel];
    if (from.channel == nullptr || stop->slot >= from.running.size()) return;
    const StateWord running = from.running[stop->slot];
    if (running.is(SlotState::running) && running.generation() == stop->generation)
      keeper_->cancel(token_of(stop->channel, stop->slot));
    return;
  } else if (std::holds_alternative<Drain>(order.message)) {
    return keeper_->drain();
  }
  channels_.follow(order);
}

// The daemon is down but for us: what has ended is recorded, and that was it.
void Service::leave() {
  for (int i = 0; i < 100 && keeper_->turn(now()); ++i) {
  }
  publish();
  keeper_->flush();
  _exit(0);
}

// ---- the loop

// One round of all there is; whether there was anything.
bool Service::work() {
  const bool asked = gather();
  const bool ended = pools_->anything_done();
  const Now moment = now();
  const bool due = keeper_->next_ns(moment) <= moment.mono_ns;
  if (!asked && !ended && !due && !again_) return false;
  again_ = keeper_->turn(moment);
  publish();
  requests_ = 0;
  request_bytes_ = 0;
  chunk_ = chunk_used_ = 0;
  large_.clear();
  return true;
}

void Service::sleep() {
  Batch batch;
  const Claimer::Rest rest = claimer_.prepare_to_sleep(batch);
  if (rest == Claimer::Rest::won) {
    Served& from = served(*batch.channel);
    claimer_.begin(batch, now_);
    moment_ = now();
    for (std::uint32_t i = 0; i < batch.count; ++i) take(from, claimer_.claim(i));
    requests_ += batch.count;
    mine_.jobs.set(mine_.jobs.get() + batch.count);
  }
  if (rest != Claimer::Rest::may_sleep) return;
  claimer_.lie_down();
  if (pools_->announce() && !claimer_.work_in_sight()) {
    const Now moment = now();
    const std::int64_t next = keeper_->next_ns(moment);
    const std::int64_t left = std::max<std::int64_t>(0, next - moment.mono_ns);
    const timespec wait{time_t(left / 1'000'000'000), long(left % 1'000'000'000)};
    epoll_event events[16];
    const int count =
        epoll_pwait2(epoll_.get(), events, 16, next == kForever ? nullptr : &wait, nullptr);
    if (count < 0 && errno != EINTR) leave_without_descriptors();
    now_ = now_ns();
    for (int i = 0; i < count; ++i) {
      const std::uint64_t which = events[i].data.u64;
      if (which == kControlEvent || which == kSignalEvent) orders_followed_ns_ = 0;
    }
  }
  pools_->awake();
  claimer_.get_up();
}

void Service::run() {
  now_ = now_ns();
  for (;;) {
    if (now_ - orders_followed_ns_ > kOrdersEvery) follow_orders();
    if (asked_to_leave_) leave();
    if (work()) continue;
    if (!spin(spin_, now_, [this] { return work(); })) sleep();
  }
}

}  // namespace jobring::keeper
