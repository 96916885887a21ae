// Lock: held by a session, released by anyone in it. RLock: held by one owner (a thread) of a
// session, as often as it likes. Both are live only: a restarted registry holds nothing.
#include <limits>
#include <string>

#include "daemon/registry/operations.hpp"

namespace jobring::registry {
namespace {

RegistryReply grant(Core& core, Object& lock, Session& session, std::uint64_t owner,
                    std::int64_t level) {
  Hold& hold = lock.hold;
  hold.session = &session;
  hold.owner = owner;
  hold.token = core.next_token();
  hold.level = level;
  session.holds.push_back(hold);
  RegistryReply reply;
  if (lock.owner_died) reply.flags |= kOwnerDied;
  if (lock.restarted) reply.flags |= kAfterRestart;
  lock.owner_died = lock.restarted = false;
  reply.token = hold.token;
  reply.number = level;
  return reply;
}

}  // namespace

RegistryStatus held_by(const Core& core, const Object& lock, const Call& call) {
  const Hold& hold = lock.hold;
  const std::uint64_t token = call.request.token;
  if (hold.session == &call.session && (token == 0 || token == hold.token) &&
      (lock.def.type == ObjectType::lock || hold.owner == call.request.owner))
    return RegistryStatus::ok;
  // A grant of a former life: by its token, or because nobody got it since.
  const bool former = token != 0 ? core.of_former_life(token) : lock.restarted;
  return former ? RegistryStatus::lost : RegistryStatus::not_holder;
}

const char* why_not_held(RegistryStatus status) {
  return status == RegistryStatus::lost
             ? "it was lost: the registry was restarted since it was granted"
             : "not held by this client";
}

// number: levels held. token: of the grant, the same for all its levels.
void lock_acquire(Core& core, Call& call) {
  Object& lock = *call.object;
  Hold& hold = lock.hold;
  if (hold.session == nullptr && lock.line.empty())
    return core.reply(call, grant(core, lock, call.session, call.request.owner, 1));
  if (lock.def.type == ObjectType::rlock && hold.session == &call.session &&
      hold.owner == call.request.owner) {
    if (hold.level == std::numeric_limits<std::int32_t>::max())
      return core.refuse(call, RegistryStatus::out_of_range, "it is held too many times");
    return core.reply(call, {RegistryStatus::ok, 0, hold.token, ++hold.level, {}});
  }
  core.wait(call, lock.line);
}

// number: levels that are left.
void lock_release(Core& core, Call& call) {
  Object& lock = *call.object;
  if (const auto status = held_by(core, lock, call); status != RegistryStatus::ok)
    return core.refuse(call, status, why_not_held(status));
  const std::int64_t left = lock.hold.level - 1;
  core.reply(call, {RegistryStatus::ok, 0, lock.hold.token, left, {}});
  if (left == 0) {
    free_lock(core, lock, false);
  } else {
    lock.hold.level = left;
  }
}

// Is it still held?
void lock_check(Core& core, Call& call) {
  Object& lock = *call.object;
  if (const auto status = held_by(core, lock, call); status != RegistryStatus::ok)
    return core.refuse(call, status, why_not_held(status));
  core.reply(call, {RegistryStatus::ok, 0, lock.hold.token, lock.hold.level, {}});
}

void free_lock(Core& core, Object& lock, bool died) {
  Hold& hold = lock.hold;
  static_cast<ListHook<InSession>&>(hold).unlink();
  hold.session = nullptr;
  hold.level = 0;
  lock.owner_died = lock.owner_died || died;
  pump_lock(core, lock);
}

void pump_lock(Core& core, Object& lock) {
  if (lock.hold.session != nullptr || lock.line.empty()) return;
  Waiter& next = lock.line.front();
  const bool condition = next.op == RegistryOp::condition_wait;
  RegistryReply reply = grant(core, lock, *next.session, next.owner, condition ? next.level : 1);
  if (condition && next.timed_out) {
    reply.status = RegistryStatus::timed_out;
    reply.payload = describe(lock, "held again, the condition was not notified in time");
  }
  core.reply(next, std::move(reply));
}

}  // namespace jobring::registry
