// Barriers, as Python's: the last party lets all go; a party that leaves before (time-out,
// cancelled, dead) breaks it for all, until reset().
#include "daemon/registry/operations.hpp"

namespace jobring::registry {
namespace {

void send_away(Core& core, Object& barrier, const char* why) {
  while (!barrier.line.empty()) core.refuse(barrier.line.front(), RegistryStatus::broken, why);
}

}  // namespace

// number: the order of arrival, from 0. The last one is of number parties - 1.
void barrier_wait(Core& core, Call& call) {
  Object& barrier = *call.object;
  if (barrier.broken) return core.refuse(call, RegistryStatus::broken, "it is broken");
  const auto there = std::int64_t(barrier.line.size());
  if (there + 1 < barrier.def.size) {
    const bool over = call.request.deadline_ns <= core.now_ns;
    core.wait(call, barrier.line);
    if (over) break_barrier(core, barrier, "a party left");
    return;
  }
  std::int64_t arrival = 0;
  while (!barrier.line.empty())
    core.reply(barrier.line.front(), {RegistryStatus::ok, 0, 0, arrival++, {}});
  core.reply(call, {RegistryStatus::ok, 0, 0, arrival, {}});
}

void barrier_reset(Core& core, Call& call) {
  send_away(core, *call.object, "it was reset");
  call.object->broken = false;
  core.reply(call, {});
}

void barrier_abort(Core& core, Call& call) {
  break_barrier(core, *call.object, "it was aborted");
  core.reply(call, {});
}

// number: how many wait. status broken if it is broken.
void barrier_state(Core& core, Call& call) {
  if (call.object->broken) return core.refuse(call, RegistryStatus::broken, "it is broken");
  core.reply(call, {RegistryStatus::ok, 0, 0, std::int64_t(call.object->line.size()), {}});
}

void break_barrier(Core& core, Object& barrier, const char* why) {
  barrier.broken = true;
  send_away(core, barrier, why);
}

}  // namespace jobring::registry
