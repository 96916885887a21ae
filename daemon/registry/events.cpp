// Events. Whether it is set survives. set() lets go everybody who waits.
#include "daemon/registry/operations.hpp"

namespace jobring::registry {
namespace {

void change(Core& core, Call& call, bool set) {
  Object& event = *call.object;
  if (event.as<EventData>().set == set)
    return core.reply(call, {RegistryStatus::ok, 0, 0, set, {}});
  if (!core.make_room(call, 0)) return;
  core.store.set_event(event, set);
  core.reply(call, {RegistryStatus::ok, 0, 0, set, {}}, Changed::yes);
  pump_event(core, event);
}

}  // namespace

void event_set(Core& core, Call& call) {
  change(core, call, true);
}
void event_clear(Core& core, Call& call) {
  change(core, call, false);
}
void event_wait(Core& core, Call& call) {
  if (!call.object->as<EventData>().set) {
    core.wait(call, call.object->line);
    return;
  }
  core.reply(call, {RegistryStatus::ok, 0, 0, 1, {}});
}
// number: 1 if it is set.
void event_is_set(Core& core, Call& call) {
  core.reply(call, {RegistryStatus::ok, 0, 0, call.object->as<EventData>().set, {}});
}

void pump_event(Core& core, Object& event) {
  if (!event.as<EventData>().set) return;
  while (!event.line.empty()) core.reply(event.line.front(), {RegistryStatus::ok, 0, 0, 1, {}});
}

}  // namespace jobring::registry
