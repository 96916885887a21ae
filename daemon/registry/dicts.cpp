// Dicts: what changes them. Values are bytes; increment reads and writes them as decimal text.
// Every change has the next version of its dict.
#include <charconv>
#include <limits>
#include <optional>
#include <unordered_map>

#include "daemon/registry/operations.hpp"

namespace jobring::registry {
namespace {

DictData& data(const Call& call) {
  return call.object->as<DictData>();
}
DictEntry* find(DictData& dict, std::string_view key) {
  const auto found = dict.entries.find(key);
  return found == dict.entries.end() ? nullptr : &found->second;
}

// From a time to live in ns (0: for ever). nullopt: refused.
std::optional<std::int64_t> expiry(Core& core, const Call& call, std::int64_t ttl_ns) {
  if (ttl_ns < 0) {
    core.refuse(call, RegistryStatus::bad_timeout, "the time to live is negative");
    return std::nullopt;
  }
  if (ttl_ns == 0) return 0;
  return ttl_ns > kNoDeadline - core.now_ns ? 0 : core.now_ns + ttl_ns;
}

std::int64_t set_cost(const DictEntry* old, std::string_view key, std::size_t value) {
  return old != nullptr ? std::int64_t(value) - std::int64_t(old->value.size())
                        : std::int64_t(kEntryCost + key.size() + value);
}
std::int64_t entry_cost(const DictEntry& entry) {
  return std::int64_t(kEntryCost + entry.key.size() + entry.value.size());
}

void changed(Core& core, const Call& call, RegistryReply reply) {
  reply.token = data(call).version;
  core.reply(call, std::move(reply), Changed::yes);
  pump_dict(core, *call.object);
}

void no_key(Core& core, const Call& call) {
  core.refuse(call, RegistryStatus::no_key, "it has no such key");
}

}  // namespace

// key, value; b: time to live in ns, 0: for ever. kIfAbsent: if it is there, kExisted and its
// value. token: the version.
void dict_set(Core& core, Call& call) {
  const RegistryRequest& r = call.request;
  const auto expires_ns = expiry(core, call, r.b);
  if (!expires_ns) return;
  const DictEntry* old = find(data(call), r.key);
  if (old != nullptr && (r.flags & kIfAbsent) != 0)
    return core.reply(call, {RegistryStatus::ok, kExisted, old->version, 0, old->value});
  if (!core.make_room(call, set_cost(old, r.key, r.value.size()))) return;
  core.store.dict_set(*call.object, r.key, r.value, *expires_ns);
  changed(core, call, {});
}

void dict_remove(Core& core, Call& call) {
  const DictEntry* old = find(data(call), call.request.key);
  if (old == nullptr) return no_key(core, call);
  if (!core.make_room(call, -entry_cost(*old))) return;
  core.store.dict_erase(*call.object, call.request.key);
  changed(core, call, {});
}

// payload: the value that went.
void dict_pop(Core& core, Call& call) {
  const DictEntry* old = find(data(call), call.request.key);
  if (old == nullptr) return no_key(core, call);
  if (!core.make_room(call, -entry_cost(*old), old->value.size())) return;
  RegistryReply reply;
  reply.payload = old->value;
  core.store.dict_erase(*call.object, call.request.key);
  changed(core, call, std::move(reply));
}

// a: by how much (0 too). A missing key counts as 0. The time to live stays, or is set: b.
// number: the sum.
void dict_increment(Core& core, Call& call) {
  const RegistryRequest& r = call.request;
  const DictEntry* old = find(data(call), r.key);
  auto expires_ns = expiry(core, call, r.b);
  if (!expires_ns) return;
  if (r.b == 0 && old != nullptr) expires_ns = old->expires_ns;
  std::int64_t number = 0;
  if (old != nullptr) {
    const char* end = old->value.data() + old->value.size();
    const auto [stop, error] = std::from_chars(old->value.data(), end, number);
    if (error != std::errc{} || stop != end)
      return core.refuse(call, RegistryStatus::not_a_number, "the value is no decimal number");
  }
  if (__builtin_add_overflow(number, r.a, &number))
    return core.refuse(call, RegistryStatus::out_of_range, "the sum does not fit into 64 bits");
  char text[24];
  const std::string_view value(text,
                               std::size_t(std::to_chars(text, text + 24, number).ptr - text));
  if (!core.make_room(call, set_cost(old, r.key, value.size()))) return;
  core.store.dict_set(*call.object, r.key, value, *expires_ns);
  changed(core, call, {RegistryStatus::ok, 0, 0, number, {}});
}

// value: two entries, what is expected (kErased: no such key) and what shall be (kErased: no such
// key). b: time to live. mismatch: payload is the present value, or kAbsent.
void dict_compare_and_set(Core& core, Call& call) {
  const RegistryRequest& r = call.request;
  const auto pair = decode_registry_entries(r.value);
  if (!pair || pair->size() != 2)
    return core.refuse(call, RegistryStatus::bad_argument, "it needs two values");
  const auto expires_ns = expiry(core, call, r.b);
  if (!expires_ns) return;
  const RegistryEntry &expected = (*pair)[0], &desired = (*pair)[1];
  const DictEntry* old = find(data(call), r.key);
  const bool absent = (expected.flags & kErased) != 0;
  if (absent != (old == nullptr) || (old != nullptr && old->value != expected.value)) {
    RegistryReply reply;
    reply.status = RegistryStatus::mismatch;
    reply.token = data(call).version;
    if (old == nullptr) reply.flags |= kAbsent;
    if (old != nullptr) reply.payload = old->value;
    return core.reply(call, std::move(reply));
  }
  if ((desired.flags & kErased) != 0) {
    if (old != nullptr) {
      if (!core.make_room(call, -entry_cost(*old))) return;
      core.store.dict_erase(*call.object, r.key);
    }
  } else {
    if (!core.make_room(call, set_cost(old, r.key, desired.value.size()))) return;
    core.store.dict_set(*call.object, r.key, desired.value, *expires_ns);
  }
  changed(core, call, {});
}

// value: entries to set, or to erase (kErased; no error if it is not there): all or none. b: time
// to live of those that are set. kIfVersion: mismatch unless the dict's version is a.
void dict_update(Core& core, Call& call) {
  const RegistryRequest& r = call.request;
  const auto batch = decode_registry_entries(r.value);
  if (!batch) return core.refuse(call, RegistryStatus::bad_argument, "the batch is malformed");
  const auto expires_ns = expiry(core, call, r.b);
  if (!expires_ns) return;
  DictData& dict = data(call);
  if ((r.flags & kIfVersion) != 0 && dict.version != std::uint64_t(r.a)) {
    RegistryReply reply;
    reply.status = RegistryStatus::mismatch;
    reply.token = dict.version;
    return core.reply(call, std::move(reply));
  }
  // What it costs, as if it were done: a key may come more than once.
  std::int64_t cost = 0;
  std::unordered_map<std::string_view, std::int64_t> sizes;  // of entries; 0: none
  for (const RegistryEntry& entry : *batch) {
    if (entry.key.size() > kRegistryKeyMax)
      return core.refuse(call, RegistryStatus::too_large, "a key of the batch is too long");
    const auto [size, fresh] = sizes.try_emplace(entry.key, 0);
    if (fresh) {
      if (const DictEntry* old = find(dict, entry.key)) size->second = entry_cost(*old);
    }
    const bool erase = (entry.flags & kErased) != 0;
    const std::int64_t after =
        erase ? 0 : std::int64_t(kEntryCost + entry.key.size() + entry.value.size());
    cost += after - size->second;
    size->second = after;
  }
  if (!core.make_room(call, cost)) return;
  for (const RegistryEntry& entry : *batch) {
    if ((entry.flags & kErased) == 0) {
      core.store.dict_set(*call.object, entry.key, entry.value, *expires_ns);
    } else if (find(dict, entry.key) != nullptr) {
      core.store.dict_erase(*call.object, entry.key);
    }
  }
  changed(core, call, {});
}

void dict_clear(Core& core, Call& call) {
  if (!core.make_room(call, 0)) return;
  core.store.dict_clear(*call.object);
  changed(core, call, {});
}

// b: the key's time to live from now, 0: for ever.
void dict_expire(Core& core, Call& call) {
  const auto expires_ns = expiry(core, call, call.request.b);
  if (!expires_ns) return;
  const DictEntry* old = find(data(call), call.request.key);
  if (old == nullptr) return no_key(core, call);
  if (!core.make_room(call, 0)) return;
  const std::string value = old->value;
  core.store.dict_set(*call.object, call.request.key, value, *expires_ns);
  changed(core, call, {});
}

}  // namespace jobring::registry
