#include "daemon/registry/service/service.hpp"

#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <unordered_set>

#include "common/clock.hpp"
#include "common/registry_pool.hpp"
#include "worker/leave.hpp"
#include "worker/spin.hpp"
#include "worker/wait_set.hpp"

namespace jobring::registry {
namespace {

// Nanoseconds between looks at the control socket while busy.
constexpr std::uint64_t kOrdersEvery = 1'000'000;

UniqueFd epoll_of(OrderLink& link) {
  auto epoll = make_epoll(link.fd());
  if (!epoll) cannot_start(link, epoll.error());
  return std::move(*epoll);
}

RegistryConfig config_of(const RegistryStart& start) {
  RegistryConfig config;
  config.objects_max = start.objects;
  config.objects_per_uid_max = start.objects_per_user;
  config.bytes_per_uid_max = start.memory_per_user;
  config.value_max = start.value_max;
  config.reply_max = start.reply_max;
  config.waiters_max = start.waiters;
  config.waiters_per_uid_max = start.waiters_per_user;
  config.waiting_bytes_max = start.waiting_memory;
  return config;
}

std::uint64_t real_time_ns() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return std::uint64_t(now.tv_sec) * 1'000'000'000 + std::uint64_t(now.tv_nsec);
}

}  // namespace

Service::Service(WorkerProcess& process, OrderLink& link)
    : link_(link),
      epoll_(epoll_of(link)),
      channels_(link, process.segments, epoll_.get(), ChannelTable::Asking::later),
      claimer_(process, process.settings.index, channels_),
      requests_(claimer_, channels_),
      mine_(claimer_.entry()) {
  watch_event(epoll_.get(), process.colleagues[process.settings.index].get());
  spin_.limit(process.settings.spin_ns);
  Order order = link_.await<RegistryStart>();
  const auto& start = std::get<RegistryStart>(order.message);
  if (order.fds.size() != 1)
    cannot_start(link_, {Errc::protocol, "the registry came without its memory", {}, {}});
  auto mapping = Mapping::map(order.fds[0].get(), start.memory, Mapping::Access::read_write);
  if (!mapping) cannot_start(link_, mapping.error());
  memory_ = std::move(*mapping);
  now_ = now_ns();
  const std::uint64_t first_token = real_time_ns();
  auto engine = Engine::open({memory_.as<std::byte>(), start.memory}, config_of(start),
                             std::int64_t(now_), first_token);
  if (!engine) cannot_start(link_, engine.error());
  engine_ = std::move(*engine);
  await_sessions();
  engine_->commit();  // nobody has asked anything yet: there are no answers
  // Before anything is granted: who asks whether a grant still holds finds those of our own to do
  // so.
  process.page_mapping.as<RegistryPage>()->lost_tokens.store(
      std::max(first_token, engine_->core().store.tokens()), std::memory_order_seq_cst);
  link_.report(WorkerHello{kControlVersion, {"registry"}});
}

// What sessions left behind that ended while there was no registry.
void Service::await_sessions() {
  std::unordered_set<std::uint64_t> live;
  for (;;) {
    const Order order = link_.await<LiveSessions>();
    const auto& part = std::get<LiveSessions>(order.message);
    live.insert(part.sessions.begin(), part.sessions.end());
    if (part.last) break;
  }
  for (const std::uint64_t session : engine_->sessions()) {
    if (!live.contains(session)) engine_->session_ended(session, std::int64_t(now_));
  }
}

// ---- serving

void Service::serve(const Batch& batch) {
  const std::uint64_t begun = now_;
  claimer_.begin(batch, begun);
  for (std::uint32_t i = 0; i < batch.count; ++i) take(*batch.channel, claimer_.claim(i));
  deliver();
  now_ = now_ns();
  claimer_.policy().ran(batch.count, now_ - begun);
  mine_.jobs.set(mine_.jobs.get() + batch.count);
  mine_.busy_us.set(mine_.busy_us.get() + (now_ - begun) / 1000);
}

void Service::take(WorkerChannel& channel, const Claim& claim) {
  const auto taken = requests_.take(channel, claim, now_);
  if (!taken) return;
  if (payload_.size() < taken->size) payload_.resize(taken->size);
  std::memcpy(payload_.data(), taken->payload, taken->size);
  const auto request = decode_registry_request({payload_.data(), taken->size});
  if (!request) return requests_.refuse(taken->token, Outcome::bad_request, request.error().line());
  Caller caller;
  caller.request_id = taken->token;
  caller.session = taken->session;
  caller.slot = taken->slot;
  caller.generation = taken->generation;
  caller.uid = taken->uid;
  caller.gid = taken->gid;
  caller.groups = taken->groups;
  engine_->handle(caller, *request, std::int64_t(now_));
}

void Service::deliver() {
  for (const Reply& reply : engine_->commit())
    requests_.answer(reply.request_id, encode(reply.reply));
  requests_.publish();
}

// ---- orders

void Service::follow_orders() {
  orders_followed_ns_ = now_;
  while (auto order = link_.poll()) follow(*order);
}

void Service::follow(Order& order) {
  if (const auto* closed = std::get_if<ChannelClosed>(&order.message)) {
    requests_.closed(*closed);
    engine_->session_ended(closed->session, std::int64_t(now_));
    deliver();
  } else if (const auto* mapped = std::get_if<ChannelMapped>(&order.message)) {
    requests_.mapped(*mapped);
  } else if (const auto* stop = std::get_if<StopJob>(&order.message)) {
    if (const auto request = requests_.stopped(*stop)) {
      engine_->cancel(*request, std::int64_t(now_));
      deliver();
    }
  }
  channels_.follow(order);
}

// ---- waiting

void Service::tick() {
  if (std::int64_t(now_) < engine_->next_deadline()) return;
  engine_->tick(std::int64_t(now_));
  deliver();
}

bool Service::spin() {
  return jobring::spin(spin_, now_, [this] {
    const Batch batch = claimer_.look();
    if (batch) serve(batch);
    return bool(batch);
  });
}

void Service::sleep() {
  Batch batch;
  const Claimer::Rest rest = claimer_.prepare_to_sleep(batch);
  if (rest == Claimer::Rest::won) serve(batch);
  if (rest != Claimer::Rest::may_sleep) return;
  claimer_.lie_down();
  while (!claimer_.work_in_sight()) {
    now_ = now_ns();
    const std::int64_t deadline = engine_->next_deadline();
    const std::int64_t left = std::max<std::int64_t>(0, deadline - std::int64_t(now_));
    const timespec wait{time_t(left / 1'000'000'000), long(left % 1'000'000'000)};
    epoll_event events[8];
    const int count =
        epoll_pwait2(epoll_.get(), events, 8, deadline == kNoDeadline ? nullptr : &wait, nullptr);
    if (count < 0 && errno != EINTR) leave_without_descriptors();
    bool rung = false, orders = false;
    for (int i = 0; i < count; ++i) (events[i].data.u64 == kControlEvent ? orders : rung) = true;
    now_ = now_ns();
    tick();
    if (orders) follow_orders();
    if (rung) break;
  }
  claimer_.get_up();
}

void Service::run() {
  for (;;) {
    now_ = now_ns();
    if (now_ - orders_followed_ns_ > kOrdersEvery) follow_orders();
    tick();
    if (const Batch batch = claimer_.look()) {
      serve(batch);
      continue;
    }
    if (!spin()) sleep();
  }
}

}  // namespace jobring::registry
