// Conditions. A waiter gives up its lock (all levels of an RLock) and stands in the condition's
// line. notify() and the deadline move it to the end of the lock's line, where it has no deadline:
// a wait always ends holding the lock, except when it is cancelled or the lock is removed.
#include "daemon/registry/operations.hpp"

namespace jobring::registry {
namespace {

// The lock, held by the caller; null: answered.
Object* held_lock(Core& core, const Call& call) {
  Object* lock = core.store.find(call.object->def.lock);
  if (lock == nullptr) {
    core.refuse(call, RegistryStatus::not_found,
                "its lock \"" + call.object->def.lock + "\" does not exist");
    return nullptr;
  }
  if (lock->def.type != ObjectType::lock && lock->def.type != ObjectType::rlock) {
    core.refuse(call, RegistryStatus::wrong_type, "\"" + lock->def.name + "\" is no lock");
    return nullptr;
  }
  if (const auto status = held_by(core, *lock, call); status != RegistryStatus::ok) {
    core.refuse(call, status, "its lock \"" + lock->def.name + "\": " + why_not_held(status));
    return nullptr;
  }
  return lock;
}

// To the lock's line. False: the lock is gone, and so is the waiter.
bool to_lock(Core& core, Waiter& waiter) {
  Object& condition = *waiter.object;
  Object* lock = core.store.find(condition.def.lock);
  if (lock == nullptr ||
      (lock->def.type != ObjectType::lock && lock->def.type != ObjectType::rlock)) {
    core.refuse(waiter, RegistryStatus::removed, "its lock was removed");
    return false;
  }
  static_cast<ListHook<InLine>&>(waiter).unlink();
  if (static_cast<DeadlineHook&>(waiter).is_linked()) static_cast<DeadlineHook&>(waiter).unlink();
  waiter.condition_id = condition.def.id;
  waiter.object = lock;
  lock->line.push_back(waiter);
  pump_lock(core, *lock);
  return true;
}

std::int64_t notify(Core& core, Object& condition, std::int64_t count) {
  std::int64_t notified = 0;
  while (notified < count && !condition.line.empty())
    notified += to_lock(core, condition.line.front());
  return notified;
}

}  // namespace

// token: of the lock's grant. Ends with the lock held again under a new token: ok if notified,
// timed_out if not.
void condition_wait(Core& core, Call& call) {
  Object& condition = *call.object;
  Object* lock = held_lock(core, call);
  if (lock == nullptr) return;
  const std::int64_t level = lock->hold.level;
  const std::uint64_t owner = lock->hold.owner;
  RegistryRequest patient = call.request;
  if (patient.deadline_ns <= core.now_ns) patient.deadline_ns = core.now_ns + 1;
  Waiter* waiter = core.wait({call.caller, patient, call.session, call.object}, condition.line);
  if (waiter == nullptr) return;  // refused; the lock is still held
  waiter->level = level;
  waiter->owner = owner;
  const bool over = call.request.deadline_ns <= core.now_ns;
  free_lock(core, *lock, false);
  if (over) {
    waiter->timed_out = true;
    to_lock(core, *waiter);
  }
}

// a: how many, 0: one, below 0: all. number: how many there were.
void condition_notify(Core& core, Call& call) {
  if (held_lock(core, call) == nullptr) return;
  const std::int64_t a = call.request.a;
  const std::int64_t count = a == 0 ? 1 : a < 0 ? kNoDeadline : a;
  core.reply(call, {RegistryStatus::ok, 0, 0, notify(core, *call.object, count), {}});
}

bool condition_left(Core& core, Waiter& waiter, Leaving why) {
  if (why == Leaving::timed_out && waiter.condition_id == 0) {
    waiter.timed_out = true;
    to_lock(core, waiter);
    return true;
  }
  // Who was notified and leaves before it has the lock passes the notification on: it is not lost
  // with it.
  if (waiter.condition_id != 0 && !waiter.timed_out) {
    if (Object* condition = core.store.find_id(waiter.condition_id)) notify(core, *condition, 1);
  }
  return false;
}

}  // namespace jobring::registry
