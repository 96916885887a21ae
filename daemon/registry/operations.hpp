// The operations by kind of object, and the table of them all.
//
// An operation is called when its request has been checked against the table: the object is there,
// of the right type, and the caller may do this. It answers exactly once, now or through a Waiter.
#pragma once

#include <cstdint>

#include "daemon/registry/core.hpp"

namespace jobring::registry {

// What the mode's bits must allow, as for files; admin is x.
enum class Permit : std::uint8_t { none = 0, admin = 1, write = 2, read = 4 };

struct Operation {
  const char* name = nullptr;           // null: no such operation
  ObjectType type = ObjectType::none;   // none: any
  ObjectType other = ObjectType::none;  // also this one
  Permit permit = Permit::none;
  bool needs_object = true;
  bool changes = false;  // may change what survives, so its answer may be remembered
  void (*run)(Core&, Call&) = nullptr;
};
const Operation& operation(RegistryOp op);

bool may(const Caller& caller, const Object& object, Permit permit);

// Grants whatever can be granted now, first come first served.
void pump(Core& core, Object& object);

// objects.cpp. create_object answers (and returns null) if it may not be made.
Object* create_object(Core& core, const Call& call, ObjectType type);
bool same_params(const Object& object, const RegistryRequest& request);
void create(Core&, Call&);
void remove(Core&, Call&);
void info(Core&, Call&);
void enumerate(Core&, Call&);
void set_access(Core&, Call&);

// locks.cpp
void lock_acquire(Core&, Call&);
void lock_release(Core&, Call&);
void lock_check(Core&, Call&);
void pump_lock(Core&, Object&);
void free_lock(Core&, Object&, bool died);
// ok, not_holder or lost.
RegistryStatus held_by(const Core&, const Object& lock, const Call&);
const char* why_not_held(RegistryStatus);

// semaphores.cpp
void semaphore_acquire(Core&, Call&);
void semaphore_release(Core&, Call&);
void semaphore_value(Core&, Call&);
void pump_semaphore(Core&, Object&);
void semaphore_holder_died(Core&, Object&, std::uint64_t session);

// events.cpp
void event_set(Core&, Call&);
void event_clear(Core&, Call&);
void event_wait(Core&, Call&);
void event_is_set(Core&, Call&);
void pump_event(Core&, Object&);

// conditions.cpp
void condition_wait(Core&, Call&);
void condition_notify(Core&, Call&);
// The waiter leaves; true: it has been seen to, it stays in the line of its lock.
bool condition_left(Core&, Waiter&, Leaving);

// barriers.cpp
void barrier_wait(Core&, Call&);
void barrier_reset(Core&, Call&);
void barrier_abort(Core&, Call&);
void barrier_state(Core&, Call&);
void break_barrier(Core&, Object&, const char* why);

// queues.cpp
void queue_put(Core&, Call&);
void queue_get(Core&, Call&);
void queue_task_done(Core&, Call&);
void queue_join(Core&, Call&);
void queue_length(Core&, Call&);
void queue_clear(Core&, Call&);
void pump_queue(Core&, Object&);
void queue_getter_died(Core&, Object&, Session&);

// dicts.cpp, dict_reads.cpp
void dict_get(Core&, Call&);
void dict_set(Core&, Call&);
void dict_remove(Core&, Call&);
void dict_pop(Core&, Call&);
void dict_keys(Core&, Call&);
void dict_items(Core&, Call&);
void dict_length(Core&, Call&);
void dict_increment(Core&, Call&);
void dict_compare_and_set(Core&, Call&);
void dict_update(Core&, Call&);
void dict_clear(Core&, Call&);
void dict_watch(Core&, Call&);
void dict_expire(Core&, Call&);
void pump_dict(Core&, Object&);

// lists.cpp
void list_append(Core&, Call&);
void list_extend(Core&, Call&);
void list_insert(Core&, Call&);
void list_pop(Core&, Call&);
void list_get(Core&, Call&);
void list_set(Core&, Call&);
void list_length(Core&, Call&);
void list_slice(Core&, Call&);
void list_index(Core&, Call&);
void list_remove(Core&, Call&);
void list_clear(Core&, Call&);

// counters.cpp
void counter_add(Core&, Call&);
void counter_set(Core&, Call&);
void counter_get(Core&, Call&);
void counter_compare_and_set(Core&, Call&);

}  // namespace jobring::registry
