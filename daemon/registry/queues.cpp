// Queues. An item is put, got, and done. Between got and done it is either leased (kLease: the
// session's end gives it back to its place, marked redelivered) or taken (the session's end counts
// it as done, so that join() never waits for the dead).
#include <iterator>

#include "daemon/registry/operations.hpp"

namespace jobring::registry {
namespace {

bool has_room(Object& q) {
  return q.def.size == 0 || std::int64_t(q.as<QueueData>().items.size()) < q.def.size;
}

std::int64_t put_cost(std::string_view item) {
  return std::int64_t(kItemCost + item.size());
}

std::size_t next_size(Object& q) {
  const auto& items = q.as<QueueData>().items;
  const auto next = q.def.order == QueueOrder::lifo ? std::prev(items.end()) : items.begin();
  return next->second.value.size();
}

// What a get adds and takes away: a leased item stays in memory until it is done.
std::int64_t get_cost(Object& q, bool lease) {
  return lease ? 0 : std::int64_t(kUseCost) - put_cost({}) - std::int64_t(next_size(q));
}

RegistryReply take(Core& core, Object& q, Session& session, bool lease) {
  const std::uint64_t token = lease ? core.next_token() : 0;
  Store::Taken taken = core.store.queue_take(q, session, token);
  RegistryReply reply;
  reply.token = token;
  if (taken.redelivered) reply.flags |= kRedelivered;
  reply.number = std::int64_t(q.as<QueueData>().items.size());
  reply.payload = std::move(taken.value);
  return reply;
}

}  // namespace

// value: the item; a: its priority (priority queues; the smallest goes first). number: items.
void queue_put(Core& core, Call& call) {
  Object& q = *call.object;
  if (!q.putters.empty() || !has_room(q)) {
    core.wait(call, q.putters);
    return;
  }
  if (!core.make_room(call, put_cost(call.request.value))) return;
  core.store.queue_put(q, call.request.a, call.request.value);
  core.reply(call, {RegistryStatus::ok, 0, 0, std::int64_t(q.as<QueueData>().items.size()), {}},
             Changed::yes);
  pump_queue(core, q);
}

// payload: the item; token: its lease, if kLease. number: items left.
void queue_get(Core& core, Call& call) {
  Object& q = *call.object;
  if (q.as<QueueData>().items.empty() || !q.line.empty()) {
    core.wait(call, q.line);
    return;
  }
  const bool lease = (call.request.flags & kLease) != 0;
  if (!core.make_room(call, get_cost(q, lease), next_size(q))) return;
  core.reply(call, take(core, q, call.session, lease), Changed::yes);
  pump_queue(core, q);
}

void pump_queue(Core& core, Object& q) {
  auto& queue = q.as<QueueData>();
  for (bool moved = true; moved;) {
    moved = false;
    while (!q.line.empty() && !queue.items.empty()) {
      Waiter& getter = q.line.front();
      const bool lease = (getter.flags & kLease) != 0;
      if (core.room(*q.usage, get_cost(q, lease), *getter.session, getter.caller, next_size(q)) !=
          RegistryStatus::ok) {
        core.refuse(getter, RegistryStatus::full, "no memory left");
        continue;
      }
      core.reply(getter, take(core, q, *getter.session, lease), Changed::yes);
      moved = true;
    }
    while (!q.putters.empty() && has_room(q)) {
      Waiter& putter = q.putters.front();
      if (core.room(*q.usage, put_cost(putter.text), *putter.session, putter.caller, 0) !=
          RegistryStatus::ok) {
        core.refuse(putter, RegistryStatus::full, "no memory left");
        continue;
      }
      core.store.queue_put(q, putter.a, putter.text);
      core.reply(putter, {RegistryStatus::ok, 0, 0, std::int64_t(queue.items.size()), {}},
                 Changed::yes);
      moved = true;
    }
  }
  while (queue.unfinished == 0 && !q.joiners.empty()) core.reply(q.joiners.front(), {});
}

// token: the lease that is done. 0: a items (0: one) that were got without lease.
// number: items of all that are not yet done.
void queue_task_done(Core& core, Call& call) {
  Object& q = *call.object;
  auto& queue = q.as<QueueData>();
  const std::uint64_t token = call.request.token;
  const auto done = [&] {
    core.reply(call, {RegistryStatus::ok, 0, 0, queue.unfinished, {}}, Changed::yes);
    pump_queue(core, q);
  };
  if (token != 0) {
    const auto lease = queue.leases.find(token);
    if (lease == queue.leases.end() || lease->second.session != call.session.id) {
      return core.refuse(call, RegistryStatus::not_holder,
                         "this client has no item leased under that token");
    }
    if (!core.make_room(call, -put_cost(lease->second.value))) return;
    core.store.queue_finish_lease(q, token);
    return done();
  }
  const std::int64_t count = call.request.a == 0 ? 1 : call.request.a;
  if (count < 0) return core.refuse(call, RegistryStatus::bad_argument, "the number is negative");
  const auto taken = queue.taken.find(call.session.id);
  const std::int64_t open = taken == queue.taken.end() ? 0 : taken->second;
  if (count > open) {
    return core.refuse(call, RegistryStatus::over_release,
                       "task_done for " + std::to_string(count) + ", this client has got " +
                           std::to_string(open) + " that are not done");
  }
  if (!core.make_room(call, 0)) return;
  core.store.queue_finish(q, call.session, count);
  done();
}

void queue_join(Core& core, Call& call) {
  if (call.object->as<QueueData>().unfinished == 0) return core.reply(call, {});
  core.wait(call, call.object->joiners);
}

// number: items; token: those that are not yet done, of all.
void queue_length(Core& core, Call& call) {
  auto& queue = call.object->as<QueueData>();
  core.reply(call, {RegistryStatus::ok,
                    0,
                    std::uint64_t(queue.unfinished),
                    std::int64_t(queue.items.size()),
                    {}});
}

// Throws away what nobody has got. number: how many.
void queue_clear(Core& core, Call& call) {
  Object& q = *call.object;
  const auto count = std::int64_t(q.as<QueueData>().items.size());
  if (!core.make_room(call, 0)) return;
  core.store.queue_clear(q);
  core.reply(call, {RegistryStatus::ok, 0, 0, count, {}}, Changed::yes);
  pump_queue(core, q);
}

void queue_getter_died(Core& core, Object& q, Session& session) {
  auto& queue = q.as<QueueData>();
  if (const auto taken = queue.taken.find(session.id); taken != queue.taken.end())
    core.store.queue_finish(q, session, taken->second);
  for (auto lease = queue.leases.begin(); lease != queue.leases.end();) {
    const std::uint64_t token = lease->first;
    const bool its = (lease++)->second.session == session.id;
    if (its) core.store.queue_return_lease(q, token);
  }
  pump_queue(core, q);
}

}  // namespace jobring::registry
