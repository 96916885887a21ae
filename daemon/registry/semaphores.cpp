// Semaphores. `permits` are those of the semaphore, `permits_out` those that sessions hold: what is
// left is the difference. Permits come back when their session ends, unless they were consumed. A
// release of more than the session holds adds permits, which a bounded semaphore refuses.
#include <limits>

#include "daemon/registry/operations.hpp"

namespace jobring::registry {
namespace {

std::int64_t left(Object& s) {
  return s.as<SemaphoreData>().permits - s.permits_out;
}

RegistryReply grant(Core& core, Object& s, Session& session, std::int64_t n, bool consume) {
  if (consume) {
    core.store.set_permits(s, s.as<SemaphoreData>().permits - n);
  } else {
    s.permits_held[session.id] += n;
    s.permits_out += n;
    session.semaphores.insert(s.def.id);
  }
  RegistryReply reply;
  if (s.owner_died) reply.flags |= kOwnerDied;
  if (s.restarted) reply.flags |= kAfterRestart;
  s.owner_died = s.restarted = false;
  reply.token = core.next_token();
  reply.number = left(s);
  return reply;
}

void give_back(Object& s, std::uint64_t session, std::int64_t n) {
  const auto held = s.permits_held.find(session);
  held->second -= n;
  s.permits_out -= n;
  if (held->second == 0) s.permits_held.erase(held);
}

// How many; nullopt: refused.
std::optional<std::int64_t> count(Core& core, const Call& call) {
  const std::int64_t n = call.request.a == 0 ? 1 : call.request.a;
  if (n > 0) return n;
  core.refuse(call, RegistryStatus::bad_argument, "the number of permits is negative");
  return std::nullopt;
}

}  // namespace

// a: how many, 0: one. number: permits left.
void semaphore_acquire(Core& core, Call& call) {
  const auto n = count(core, call);
  if (!n) return;
  Object& s = *call.object;
  const bool bounded = s.def.type == ObjectType::bounded_semaphore;
  const bool consume = (call.request.flags & kConsume) != 0;
  if (bounded && *n > s.def.size)
    return core.refuse(call, RegistryStatus::bad_argument, "it never has so many permits");
  if (bounded && consume) {
    return core.refuse(call, RegistryStatus::bad_argument,
                       "the permits of a bounded semaphore cannot be used up");
  }
  if (!s.line.empty() || left(s) < *n) {
    if (Waiter* waiter = core.wait(call, s.line)) waiter->a = *n;
    return;
  }
  if (consume && !core.make_room(call, 0)) return;
  core.reply(call, grant(core, s, call.session, *n, consume), consume ? Changed::yes : Changed::no);
}

// a: how many, 0: one; token: of the grant that they are of, 0: of any, or of none. number: permits
// left.
void semaphore_release(Core& core, Call& call) {
  const auto n = count(core, call);
  if (!n) return;
  Object& s = *call.object;
  const auto held = s.permits_held.find(call.session.id);
  const std::int64_t own = held == s.permits_held.end() ? 0 : std::min(held->second, *n);
  const std::int64_t more = *n - own;
  const std::int64_t permits = s.as<SemaphoreData>().permits;
  const std::uint64_t token = call.request.token;
  if (more > 0 && (token != 0 || s.def.type == ObjectType::bounded_semaphore)) {
    if (token != 0 ? core.of_former_life(token) : s.restarted) {
      return core.refuse(call, RegistryStatus::lost,
                         "it was lost: the registry was restarted since it was granted");
    }
    return core.refuse(
        call, RegistryStatus::over_release,
        "released " + std::to_string(*n) + ", this client holds " + std::to_string(own));
  }
  if (more > std::numeric_limits<std::int64_t>::max() - permits)
    return core.refuse(call, RegistryStatus::out_of_range, "too many permits");
  if (more > 0 && !core.make_room(call, 0)) return;
  if (own > 0) give_back(s, call.session.id, own);
  if (more > 0) core.store.set_permits(s, permits + more);
  core.reply(call, {RegistryStatus::ok, 0, 0, left(s), {}}, more > 0 ? Changed::yes : Changed::no);
  pump_semaphore(core, s);
}

void semaphore_value(Core& core, Call& call) {
  core.reply(call, {RegistryStatus::ok, 0, 0, left(*call.object), {}});
}

// The first in line blocks those behind it even if they want less: else who wants many starves.
void pump_semaphore(Core& core, Object& s) {
  while (!s.line.empty() && s.line.front().a <= left(s)) {
    Waiter& next = s.line.front();
    const bool consume = (next.flags & kConsume) != 0;
    if (consume && core.room(*s.usage, 0, *next.session, next.caller, 0) != RegistryStatus::ok) {
      core.refuse(next, RegistryStatus::full, "no memory left");
      continue;
    }
    RegistryReply reply = grant(core, s, *next.session, next.a, consume);
    core.reply(next, std::move(reply), consume ? Changed::yes : Changed::no);
  }
}

void semaphore_holder_died(Core& core, Object& s, std::uint64_t session) {
  const auto held = s.permits_held.find(session);
  if (held == s.permits_held.end()) return;
  give_back(s, session, held->second);
  s.owner_died = true;
  pump_semaphore(core, s);
}

}  // namespace jobring::registry
