// Counters: one signed number of 64 bits. number, in every reply: its value.
#include "daemon/registry/operations.hpp"

namespace jobring::registry {
namespace {

void set(Core& core, Call& call, std::int64_t value) {
  if (!core.make_room(call, 0)) return;
  core.store.set_counter(*call.object, value);
  core.reply(call, {RegistryStatus::ok, 0, 0, value, {}}, Changed::yes);
}

}  // namespace

void counter_add(Core& core, Call& call) {
  std::int64_t sum = 0;
  if (__builtin_add_overflow(call.object->as<CounterData>().value, call.request.a, &sum))
    return core.refuse(call, RegistryStatus::out_of_range, "the sum does not fit into 64 bits");
  set(core, call, sum);
}

void counter_set(Core& core, Call& call) {
  set(core, call, call.request.a);
}

void counter_get(Core& core, Call& call) {
  core.reply(call, {RegistryStatus::ok, 0, 0, call.object->as<CounterData>().value, {}});
}

// a: what is expected; b: what shall be. mismatch: number is the present value.
void counter_compare_and_set(Core& core, Call& call) {
  const std::int64_t value = call.object->as<CounterData>().value;
  if (value == call.request.a) return set(core, call, call.request.b);
  core.reply(call, {RegistryStatus::mismatch, 0, 0, value, {}});
}

}  // namespace jobring::registry
