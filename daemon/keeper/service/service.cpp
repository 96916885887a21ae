#include "daemon/keeper/service/service.hpp"

#include <fcntl.h>
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
constexpr std::uint64_t kSignalEvent = kControlEvent - 1, kAskEvent = kControlEvent - 2;
// Marks the tokens of requests that came without a channel.
constexpr std::uint64_t kAskedToken = std::uint64_t{1} << 63;

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
  if (!fd || !watch(epoll, fd.get(), kSignalEvent)) cannot_start(link, system_error("signalfd"));
  return fd;
}

// Of the kernel's own name of this start. Where that cannot be read it is 0, as it was before:
// there nothing is done at starts.
std::int64_t boot_number() {
  char id[37] = {};
  const UniqueFd fd(open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC));
  if (!fd || read(fd.get(), id, 36) != 36) return 0;
  std::int64_t number = 0;
  int digits = 0;
  for (const char* c = id; *c != '\0' && digits < 15; ++c) {
    if (*c == '-') continue;
    const int digit = *c <= '9' ? *c - '0' : (*c | 0x20) - 'a' + 10;
    number = number << 4 | (digit & 15);
    ++digits;
  }
  return number;
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
  options.boot = boot_number();
  return options;
}

}  // namespace

Service::Service(WorkerProcess& process, OrderLink& link, const Seams& seams)
    : link_(link),
      epoll_(epoll_of(link)),
      signals_(watch_sigterm(link, epoll_.get())),
      channels_(link, process.segments, epoll_.get(), ChannelTable::Asking::later),
      claimer_(process, process.settings.index, channels_),
      requests_(claimer_, channels_),
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
  if (seams.store) *store = seams.store(std::move(*store));
  if (seams.pools) seen_pools_ = seams.pools(*pools_);
  if (seams.answers) seen_answers_ = seams.answers(*this);
  Pools& pools_seen = seen_pools_ ? *seen_pools_ : *pools_;
  Answers& answers_seen = seen_answers_ ? *seen_answers_ : *this;
  keeper_ = std::make_unique<Keeper>(
      std::move(*store), pools_seen, answers_seen, options_of(start), now(),
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
  asks_ = std::make_unique<AskSocket>(start);
  if (asks_->fd() >= 0 && !watch(epoll_.get(), asks_->fd(), kAskEvent))
    cannot_start(link_, system_error("epoll_ctl"));
  link_.report(WorkerHello{kControlVersion, {kKeeperHandler}});
}

Now Service::now() {
  now_ = now_ns();
  return {std::int64_t(now_), KeeperClock::system()};
}

// ---- requests

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
  while (gathered_ < kRequestsMost && gathered_bytes_ < kBytesMost) {
    const Batch batch = claimer_.look();
    if (!batch) break;
    claimer_.begin(batch, now_);
    if (gathered_ == 0) moment_ = now();
    for (std::uint32_t i = 0; i < batch.count; ++i) take(*batch.channel, claimer_.claim(i));
    claimer_.policy().ran(batch.count, 0);
    mine_.jobs.set(mine_.jobs.get() + batch.count);
    gathered_ += batch.count;
  }
  return gathered_ != 0;
}

void Service::take(WorkerChannel& channel, const Claim& claim) {
  const auto taken = requests_.take(channel, claim, now_);
  if (!taken) return;
  char* const bytes = room(taken->size);
  std::memcpy(bytes, taken->payload, taken->size);
  gathered_bytes_ += taken->size;
  Caller caller;
  caller.token = taken->token;
  caller.session = taken->session;
  caller.slot = taken->slot;
  caller.generation = taken->generation;
  caller.again = taken->again;
  caller.uid = taken->uid;
  caller.gid = taken->gid;
  caller.privileged = taken->uid == 0 || taken->uid == geteuid();
  keeper_->ask(caller, {bytes, taken->size}, moment_);
}

// One that came without a channel: its number stands in a token of no slot.
void Service::take(const AskSocket::Asked& asked) {
  char* const bytes = room(asked.request.size());
  std::memcpy(bytes, asked.request.data(), asked.request.size());
  gathered_bytes_ += asked.request.size();
  if (gathered_++ == 0) moment_ = now();
  Caller caller;
  caller.token = kAskedToken | asked.id;
  caller.uid = asked.uid;
  caller.gid = asked.gid;
  caller.privileged = asked.uid == 0 || asked.uid == geteuid();
  const std::string_view request(bytes, asked.request.size());
  if (op_of(request) == Op::submit) return keeper_->ask(caller, request, moment_);
  // Nobody would tell us that its client has gone.
  answer(caller.token, encode(Reply{.status = Status::bad_argument,
                                    .payload = "only submissions are asked without a channel"}));
}

void Service::look_at_asks() {
  for (const AskSocket::Asked& asked : asks_->look()) take(asked);
}

void Service::answer(std::uint64_t token, std::string_view bytes) {
  if (token == kNobody) return;
  if ((token & kAskedToken) == 0) return requests_.answer(token, bytes);
  asks_->answer(token & ~kAskedToken, bytes);
}

// ---- orders

void Service::follow_orders() {
  orders_followed_ns_ = now_;
  signalfd_siginfo signal;
  if (read(signals_.get(), &signal, sizeof signal) == ssize_t(sizeof signal))
    asked_to_leave_ = true;
  while (auto order = link_.poll()) follow(*order);
  look_at_asks();
  requests_.publish();
}

void Service::follow(Order& order) {
  if (const auto* closed = std::get_if<ChannelClosed>(&order.message)) {
    requests_.closed(*closed);
    keeper_->session_ended(closed->session);
  } else if (const auto* mapped = std::get_if<ChannelMapped>(&order.message)) {
    requests_.mapped(*mapped);
  } else if (const auto* stop = std::get_if<StopJob>(&order.message)) {
    if (const auto request = requests_.stopped(*stop)) keeper_->cancel(*request);
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
  requests_.publish();
  keeper_->flush();
  asks_.reset();
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
  requests_.publish();
  gathered_ = 0;
  gathered_bytes_ = 0;
  chunk_ = chunk_used_ = 0;
  large_.clear();
  return true;
}

void Service::sleep() {
  Batch batch;
  const Claimer::Rest rest = claimer_.prepare_to_sleep(batch);
  if (rest == Claimer::Rest::won) {
    claimer_.begin(batch, now_);
    moment_ = now();
    for (std::uint32_t i = 0; i < batch.count; ++i) take(*batch.channel, claimer_.claim(i));
    gathered_ += batch.count;
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
      if (which == kControlEvent || which == kSignalEvent || which == kAskEvent)
        orders_followed_ns_ = 0;
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
