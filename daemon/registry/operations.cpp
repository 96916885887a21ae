#include "daemon/registry/operations.hpp"

#include <algorithm>
#include <array>

namespace jobring::registry {
namespace {

using Op = RegistryOp;
using Type = ObjectType;

struct Row {
  Op op;
  Operation operation;
};

constexpr Permit kRead = Permit::read, kWrite = Permit::write, kAdmin = Permit::admin;
constexpr bool kChanges = true, kNoChange = false;

// clang-format off
constexpr Row kRows[] = {
    {Op::create, {"create", Type::none, Type::none, Permit::none, false, kChanges, create}},
    {Op::remove, {"remove", Type::none, Type::none, kAdmin, true, kChanges, remove}},
    {Op::info, {"info", Type::none, Type::none, kRead, true, kNoChange, info}},
    {Op::enumerate, {"enumerate", Type::none, Type::none, Permit::none, false, kNoChange, enumerate}},
    {Op::set_access, {"set_access", Type::none, Type::none, Permit::none, true, kChanges, set_access}},

    {Op::lock_acquire, {"lock_acquire", Type::lock, Type::rlock, kWrite, true, kNoChange, lock_acquire}},
    {Op::lock_release, {"lock_release", Type::lock, Type::rlock, kWrite, true, kNoChange, lock_release}},
    {Op::lock_check, {"lock_check", Type::lock, Type::rlock, kRead, true, kNoChange, lock_check}},

    {Op::semaphore_acquire, {"semaphore_acquire", Type::semaphore, Type::bounded_semaphore, kWrite, true, kChanges, semaphore_acquire}},
    {Op::semaphore_release, {"semaphore_release", Type::semaphore, Type::bounded_semaphore, kWrite, true, kChanges, semaphore_release}},
    {Op::semaphore_value, {"semaphore_value", Type::semaphore, Type::bounded_semaphore, kRead, true, kNoChange, semaphore_value}},

    {Op::event_set, {"event_set", Type::event, Type::none, kWrite, true, kChanges, event_set}},
    {Op::event_clear, {"event_clear", Type::event, Type::none, kWrite, true, kChanges, event_clear}},
    {Op::event_wait, {"event_wait", Type::event, Type::none, kRead, true, kNoChange, event_wait}},
    {Op::event_is_set, {"event_is_set", Type::event, Type::none, kRead, true, kNoChange, event_is_set}},

    {Op::condition_wait, {"condition_wait", Type::condition, Type::none, kWrite, true, kNoChange, condition_wait}},
    {Op::condition_notify, {"condition_notify", Type::condition, Type::none, kWrite, true, kNoChange, condition_notify}},

    {Op::barrier_wait, {"barrier_wait", Type::barrier, Type::none, kWrite, true, kNoChange, barrier_wait}},
    {Op::barrier_reset, {"barrier_reset", Type::barrier, Type::none, kWrite, true, kNoChange, barrier_reset}},
    {Op::barrier_abort, {"barrier_abort", Type::barrier, Type::none, kWrite, true, kNoChange, barrier_abort}},
    {Op::barrier_state, {"barrier_state", Type::barrier, Type::none, kRead, true, kNoChange, barrier_state}},

    {Op::queue_put, {"queue_put", Type::queue, Type::none, kWrite, true, kChanges, queue_put}},
    {Op::queue_get, {"queue_get", Type::queue, Type::none, kWrite, true, kChanges, queue_get}},
    {Op::queue_task_done, {"queue_task_done", Type::queue, Type::none, kWrite, true, kChanges, queue_task_done}},
    {Op::queue_join, {"queue_join", Type::queue, Type::none, kRead, true, kNoChange, queue_join}},
    {Op::queue_length, {"queue_length", Type::queue, Type::none, kRead, true, kNoChange, queue_length}},
    {Op::queue_clear, {"queue_clear", Type::queue, Type::none, kWrite, true, kChanges, queue_clear}},

    {Op::dict_get, {"dict_get", Type::dict, Type::none, kRead, true, kNoChange, dict_get}},
    {Op::dict_set, {"dict_set", Type::dict, Type::none, kWrite, true, kChanges, dict_set}},
    {Op::dict_remove, {"dict_remove", Type::dict, Type::none, kWrite, true, kChanges, dict_remove}},
    {Op::dict_pop, {"dict_pop", Type::dict, Type::none, kWrite, true, kChanges, dict_pop}},
    {Op::dict_keys, {"dict_keys", Type::dict, Type::none, kRead, true, kNoChange, dict_keys}},
    {Op::dict_items, {"dict_items", Type::dict, Type::none, kRead, true, kNoChange, dict_items}},
    {Op::dict_length, {"dict_length", Type::dict, Type::none, kRead, true, kNoChange, dict_length}},
    {Op::dict_increment, {"dict_increment", Type::dict, Type::none, kWrite, true, kChanges, dict_increment}},
    {Op::dict_compare_and_set, {"dict_compare_and_set", Type::dict, Type::none, kWrite, true, kChanges, dict_compare_and_set}},
    {Op::dict_update, {"dict_update", Type::dict, Type::none, kWrite, true, kChanges, dict_update}},
    {Op::dict_clear, {"dict_clear", Type::dict, Type::none, kWrite, true, kChanges, dict_clear}},
    {Op::dict_watch, {"dict_watch", Type::dict, Type::none, kRead, true, kNoChange, dict_watch}},
    {Op::dict_expire, {"dict_expire", Type::dict, Type::none, kWrite, true, kChanges, dict_expire}},

    {Op::list_append, {"list_append", Type::list, Type::none, kWrite, true, kChanges, list_append}},
    {Op::list_extend, {"list_extend", Type::list, Type::none, kWrite, true, kChanges, list_extend}},
    {Op::list_insert, {"list_insert", Type::list, Type::none, kWrite, true, kChanges, list_insert}},
    {Op::list_pop, {"list_pop", Type::list, Type::none, kWrite, true, kChanges, list_pop}},
    {Op::list_get, {"list_get", Type::list, Type::none, kRead, true, kNoChange, list_get}},
    {Op::list_set, {"list_set", Type::list, Type::none, kWrite, true, kChanges, list_set}},
    {Op::list_length, {"list_length", Type::list, Type::none, kRead, true, kNoChange, list_length}},
    {Op::list_slice, {"list_slice", Type::list, Type::none, kRead, true, kNoChange, list_slice}},
    {Op::list_index, {"list_index", Type::list, Type::none, kRead, true, kNoChange, list_index}},
    {Op::list_remove, {"list_remove", Type::list, Type::none, kWrite, true, kChanges, list_remove}},
    {Op::list_clear, {"list_clear", Type::list, Type::none, kWrite, true, kChanges, list_clear}},

    {Op::counter_add, {"counter_add", Type::counter, Type::none, kWrite, true, kChanges, counter_add}},
    {Op::counter_set, {"counter_set", Type::counter, Type::none, kWrite, true, kChanges, counter_set}},
    {Op::counter_get, {"counter_get", Type::counter, Type::none, kRead, true, kNoChange, counter_get}},
    {Op::counter_compare_and_set, {"counter_compare_and_set", Type::counter, Type::none, kWrite, true, kChanges, counter_compare_and_set}},
};
// clang-format on

// By number, for one look-up.
constexpr auto kByOp = [] {
  std::array<Operation, 256> all{};
  for (const Row& row : kRows) all[std::size_t(row.op)] = row.operation;
  return all;
}();

}  // namespace

const Operation& operation(RegistryOp op) {
  return kByOp[std::size_t(op)];
}

bool may(const Caller& caller, const Object& object, Permit permit) {
  if (permit == Permit::none || caller.uid == 0) return true;
  const Definition& d = object.def;
  // As for files: the first of user, group and others that fits decides alone.
  unsigned shift = 0;
  if (caller.uid == d.uid) {
    shift = 6;
  } else if (caller.gid == d.gid ||
             (caller.groups != nullptr && std::find(caller.groups->begin(), caller.groups->end(),
                                                    d.gid) != caller.groups->end())) {
    shift = 3;
  }
  return (unsigned(d.mode) >> shift & unsigned(permit)) != 0;
}

void pump(Core& core, Object& object) {
  switch (object.def.type) {
    case Type::lock:
    case Type::rlock:
      return pump_lock(core, object);
    case Type::semaphore:
    case Type::bounded_semaphore:
      return pump_semaphore(core, object);
    case Type::event:
      return pump_event(core, object);
    case Type::queue:
      return pump_queue(core, object);
    case Type::dict:
      return pump_dict(core, object);
    default:
      return;  // nothing is ever granted by another's leaving
  }
}

}  // namespace jobring::registry
