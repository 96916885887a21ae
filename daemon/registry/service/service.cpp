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
#include "worker/completion.hpp"
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

// What the engine knows a request by: its place, for a slot has one at a time.
static_assert(kSlotsMax <= 1u << 16);
std::uint64_t request_id(std::uint32_t channel, std::uint32_t slot) {
  return std::uint64_t(channel) << 16 | slot;
}

}  // namespace

Service::Service(WorkerProcess& process, OrderLink& link)
    : link_(link),
      epoll_(epoll_of(link)),
      channels_(link, process.segments, epoll_.get(), ChannelTable::Asking::later),
      claimer_(process, process.settings.index, channels_),
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

Service::Served& Service::served(WorkerChannel& channel) {
  Served& served = served_[channel.id];
  if (served.channel == nullptr) {
    served.channel = &channel;
    served.running.assign(channel.view.shape().slots, StateWord());
  }
  return served;
}

void Service::serve(const Batch& batch) {
  Served& from = served(*batch.channel);
  const std::uint64_t begun = now_;
  claimer_.begin(batch, begun);
  for (std::uint32_t i = 0; i < batch.count; ++i) take(from, claimer_.claim(i));
  deliver();
  now_ = now_ns();
  claimer_.policy().ran(batch.count, now_ - begun);
  mine_.jobs.set(mine_.jobs.get() + batch.count);
  mine_.busy_us.set(mine_.busy_us.get() + (now_ - begun) / 1000);
}

void Service::take(Served& from, const Claim& claim) {
  WorkerChannel& channel = *from.channel;
  Slot& slot = channel.view.slot(claim.index);
  const StateWord running = claim.word.to(SlotState::running, claimer_.owner());
  // seq_cst: the store half of "run, then look who wants it stopped" (Slot::kill_request).
  if (!slot.move(claim.word, running, std::memory_order_seq_cst)) return;  // we were stopped
  from.running[claim.index] = running;
  slot.started_ns.set(now_);
  const bool stop = slot.kill_request.load(std::memory_order_seq_cst) != 0;
  if (stop) return refuse(from, claim.index, Outcome::killed, "cancelled before it was looked at");
  // All that is read from the slot may change while we look, so it is copied, then checked.
  const std::size_t size = slot.payload_len.get();
  if (size > channel.view.shape().max_payload)
    return refuse(from, claim.index, Outcome::bad_request, "its length makes no sense");
  if (payload_.size() < size) payload_.resize(size);
  std::memcpy(payload_.data(), channel.view.payload(claim.index, size), size);
  const auto request = decode_registry_request({payload_.data(), size});
  if (!request) return refuse(from, claim.index, Outcome::bad_request, request.error().line());
  Caller caller;
  caller.request_id = request_id(channel.id, claim.index);
  caller.session = from.session;
  caller.slot = claim.index;
  caller.generation = slot.queued_generation(claim.word);
  caller.uid = channel.uid;
  caller.gid = channel.gid;
  caller.groups = &from.groups;
  engine_->handle(caller, *request, std::int64_t(now_));
}

void Service::deliver() {
  for (const Reply& reply : engine_->commit()) {
    const std::uint64_t id = reply.request_id >> 16;
    const auto slot = std::uint32_t(reply.request_id & 0xffff);
    if (id >= served_.size() || served_[id].channel == nullptr) continue;
    answer(served_[id], slot, reply.reply);
  }
  if (unpublished_ != nullptr) std::exchange(unpublished_, nullptr)->completions.move_tail();
}

void Service::answer(Served& to, std::uint32_t slot, const RegistryReply& reply) {
  const std::size_t size = kRegistryReplyHead + reply.payload.size();
  if (size > to.channel->view.shape().max_result)
    return refuse(to, slot, Outcome::result_too_big, "the answer is longer than reply_max");
  const std::string bytes = encode(reply);
  std::memcpy(to.channel->view.result(slot, size), bytes.data(), size);
  done(to, slot, Outcome::ok, size);
}

// For what is no request at all.
void Service::refuse(Served& to, std::uint32_t slot, Outcome outcome, std::string_view why) {
  const std::size_t size = std::min<std::size_t>(why.size(), to.channel->view.shape().max_result);
  std::memcpy(to.channel->view.result(slot, size), why.data(), size);
  done(to, slot, outcome, size);
}

void Service::done(Served& to, std::uint32_t index, Outcome outcome, std::size_t size) {
  const StateWord running = std::exchange(to.running[index], StateWord());
  if (!running.is(SlotState::running)) return;
  WorkerChannel& channel = *to.channel;
  Slot& slot = channel.view.slot(index);
  slot.outcome.set(std::uint8_t(outcome));
  slot.detail.set(0);
  slot.worker.set(0);
  slot.run_us.set(0);
  slot.result_len.set(std::uint32_t(size));
  if (outcome != Outcome::ok) mine_.failed.set(mine_.failed.get() + 1);
  if (unpublished_ != nullptr && unpublished_ != &channel) unpublished_->completions.move_tail();
  unpublished_ = &channel;
  if (channel.broken) return;
  if (!publish_done(channel, index, running, mine_))
    channels_.report_broken(channel, "its completion queue makes no sense");
}

// ---- orders

void Service::follow_orders() {
  orders_followed_ns_ = now_;
  while (auto order = link_.poll()) follow(*order);
}

void Service::follow(Order& order) {
  if (const auto* closed = std::get_if<ChannelClosed>(&order.message)) {
    if (closed->channel < served_.size()) served_[closed->channel] = {};
    engine_->session_ended(closed->session, std::int64_t(now_));
    deliver();
  } else if (const auto* mapped = std::get_if<ChannelMapped>(&order.message)) {
    if (served_.size() <= mapped->channel) served_.resize(mapped->channel + 1);
    served_[mapped->channel].session = mapped->session;
    served_[mapped->channel].groups = mapped->groups;
  } else if (const auto* stop = std::get_if<StopJob>(&order.message)) {
    cancel(*stop);
  }
  channels_.follow(order);
}

void Service::cancel(const StopJob& order) {
  if (order.channel >= served_.size()) return;
  const Served& from = served_[order.channel];
  if (from.channel == nullptr || order.slot >= from.running.size()) return;
  const StateWord running = from.running[order.slot];
  if (!running.is(SlotState::running) || running.generation() != order.generation) return;
  engine_->cancel(request_id(order.channel, order.slot), std::int64_t(now_));
  deliver();
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
