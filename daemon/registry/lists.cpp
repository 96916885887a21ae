// Lists. Indices below 0 count from the end, as in Python.
#include <algorithm>
#include <optional>

#include "daemon/registry/operations.hpp"

namespace jobring::registry {
namespace {

std::deque<std::string>& items(const Call& call) {
  return call.object->as<ListData>().items;
}
std::int64_t cost(std::string_view item) {
  return std::int64_t(kElementCost + item.size());
}
std::int64_t length(const Call& call) {
  return std::int64_t(items(call).size());
}

// The index of an element; nullopt: refused.
std::optional<std::uint64_t> element(Core& core, const Call& call, std::int64_t index) {
  const std::int64_t size = length(call);
  if (index < -size || index >= size) {
    core.refuse(call, RegistryStatus::out_of_range,
                "it has no element " + std::to_string(index) + ", only " + std::to_string(size));
    return std::nullopt;
  }
  return std::uint64_t(index < 0 ? index + size : index);
}
// The place of a slice or insertion: beyond the ends counts as the end.
std::int64_t place(const Call& call, std::int64_t index) {
  const std::int64_t size = length(call);
  if (index < 0) index = index < -size ? 0 : index + size;
  return std::min(index, size);
}

void insert(Core& core, Call& call, std::uint64_t index) {
  if (!core.make_room(call, cost(call.request.value))) return;
  core.store.list_insert(*call.object, index, call.request.value);
  core.reply(call, {RegistryStatus::ok, 0, 0, length(call), {}}, Changed::yes);
}

std::optional<std::uint64_t> find(const Call& call) {
  const auto& all = items(call);
  const auto found = std::find(all.begin(), all.end(), call.request.value);
  if (found == all.end()) return std::nullopt;
  return std::uint64_t(found - all.begin());
}

}  // namespace

// value. number, of all that change: the length.
void list_append(Core& core, Call& call) {
  insert(core, call, items(call).size());
}

// a: before which element.
void list_insert(Core& core, Call& call) {
  insert(core, call, std::uint64_t(place(call, call.request.a)));
}

// value: entries whose values are appended, all or none.
void list_extend(Core& core, Call& call) {
  const auto batch = decode_registry_entries(call.request.value);
  if (!batch) return core.refuse(call, RegistryStatus::bad_argument, "the batch is malformed");
  std::int64_t sum = 0;
  for (const RegistryEntry& entry : *batch) sum += cost(entry.value);
  if (!core.make_room(call, sum)) return;
  for (const RegistryEntry& entry : *batch)
    core.store.list_insert(*call.object, items(call).size(), entry.value);
  core.reply(call, {RegistryStatus::ok, 0, 0, length(call), {}}, Changed::yes);
}

// a: which one (-1: the last). payload: it.
void list_pop(Core& core, Call& call) {
  const auto index = element(core, call, call.request.a);
  if (!index) return;
  RegistryReply reply;
  reply.payload = items(call)[*index];
  if (!core.make_room(call, -cost(reply.payload), reply.payload.size())) return;
  core.store.list_erase(*call.object, *index);
  reply.number = length(call);
  core.reply(call, std::move(reply), Changed::yes);
}

void list_get(Core& core, Call& call) {
  const auto index = element(core, call, call.request.a);
  if (!index) return;
  core.reply(call, {RegistryStatus::ok, 0, 0, std::int64_t(*index), items(call)[*index]});
}

void list_set(Core& core, Call& call) {
  const auto index = element(core, call, call.request.a);
  if (!index) return;
  const std::string_view value = call.request.value;
  if (!core.make_room(call, std::int64_t(value.size()) - std::int64_t(items(call)[*index].size())))
    return;
  core.store.list_set(*call.object, *index, value);
  core.reply(call, {RegistryStatus::ok, 0, 0, length(call), {}}, Changed::yes);
}

void list_length(Core& core, Call& call) {
  core.reply(call, {RegistryStatus::ok, 0, 0, length(call), {}});
}

// a to b (b itself not; kNoDeadline, the greatest number: to the end). payload: entries; number:
// the index behind the last one told: if kMore, ask again from there.
void list_slice(Core& core, Call& call) {
  const std::int64_t from = place(call, call.request.a), to = place(call, call.request.b);
  RegistryReply reply;
  reply.number = from;
  for (; reply.number < to; ++reply.number) {
    const std::string& item = items(call)[std::size_t(reply.number)];
    if (!reply.payload.empty() &&
        reply.payload.size() + kRegistryEntryHead + item.size() > core.config.reply_max) {
      reply.flags |= kMore;
      break;
    }
    append(reply.payload, {{}, item, 0, 0});
  }
  core.reply(call, std::move(reply));
}

// value: what is sought. number: where it first is.
void list_index(Core& core, Call& call) {
  const auto index = find(call);
  if (!index) return core.refuse(call, RegistryStatus::no_key, "it has no such element");
  core.reply(call, {RegistryStatus::ok, 0, 0, std::int64_t(*index), {}});
}

// value: whose first occurrence goes.
void list_remove(Core& core, Call& call) {
  const auto index = find(call);
  if (!index) return core.refuse(call, RegistryStatus::no_key, "it has no such element");
  if (!core.make_room(call, -cost(call.request.value))) return;
  core.store.list_erase(*call.object, *index);
  core.reply(call, {RegistryStatus::ok, 0, 0, length(call), {}}, Changed::yes);
}

void list_clear(Core& core, Call& call) {
  if (!core.make_room(call, 0)) return;
  core.store.list_clear(*call.object);
  core.reply(call, {}, Changed::yes);
}

}  // namespace jobring::registry
