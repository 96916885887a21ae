// Dicts: what reads them, and watching.
//
// A watcher asks for what changed after the version that it knows. What is there now is found by
// the versions of the entries; keys that went are remembered for a while. If the registry has
// forgotten some that the watcher has not heard of, it says kCompacted and the watcher reads the
// whole dict: so no change is ever missed, though several changes of one key may be told as one.
#include <algorithm>
#include <iterator>
#include <vector>

#include "daemon/registry/operations.hpp"

namespace jobring::registry {
namespace {

// Entries of a reply until its limit. False: this one does not fit (the first one always does).
bool add(Core& core, RegistryReply& reply, const RegistryEntry& entry) {
  if (!reply.payload.empty() &&
      reply.payload.size() + kRegistryEntryHead + entry.key.size() + entry.value.size() >
          core.config.reply_max) {
    reply.flags |= kMore;
    return false;
  }
  append(reply.payload, entry);
  return true;
}

void list(Core& core, Call& call, bool values) {
  auto& dict = call.object->as<DictData>();
  RegistryReply reply;
  reply.token = dict.version;
  reply.number = call.request.a;
  for (const DictEntry& entry : dict.order) {
    if (entry.inserted <= std::uint64_t(std::max<std::int64_t>(call.request.a, 0))) continue;
    const std::string_view value = values ? std::string_view(entry.value) : std::string_view();
    if (!add(core, reply, {entry.key, value, entry.version, 0})) break;
    reply.number = std::int64_t(entry.inserted);
  }
  core.reply(call, std::move(reply));
}

// What changed after `since`: false: nothing.
bool changes(Core& core, DictData& dict, std::uint64_t since, bool whole, std::string_view key,
             RegistryReply& reply) {
  reply.number = std::int64_t(dict.version);
  reply.token = dict.version;
  // A version that this dict has not had yet is of another dict of that name.
  if (since < dict.compacted || since > dict.version) {
    reply.flags |= kCompacted;
    return true;
  }
  if (!whole) {
    if (const auto found = dict.entries.find(key); found != dict.entries.end()) {
      const DictEntry& entry = found->second;
      return entry.version > since && add(core, reply, {entry.key, entry.value, entry.version, 0});
    }
    const auto gone = std::find_if(dict.erased.rbegin(), dict.erased.rend(), [&](const auto& e) {
      return e.first <= since || e.second == key;
    });
    return gone != dict.erased.rend() && gone->first > since &&
           add(core, reply, {key, {}, gone->first, kErased});
  }
  std::vector<RegistryEntry> found;
  for (auto at = dict.by_change.rbegin(); at != dict.by_change.rend() && at->version > since; ++at)
    found.push_back({at->key, at->value, at->version, 0});
  for (auto at = dict.erased.rbegin(); at != dict.erased.rend() && at->first > since; ++at) {
    // If it came again meanwhile, its entry says all.
    if (dict.entries.find(at->second) == dict.entries.end())
      found.push_back({at->second, {}, at->first, kErased});
  }
  std::sort(found.begin(), found.end(),
            [](const auto& a, const auto& b) { return a.version < b.version; });
  for (const RegistryEntry& entry : found) {
    if (!add(core, reply, entry)) break;
    if ((reply.flags & kMore) == 0) reply.number = std::int64_t(entry.version);
  }
  if ((reply.flags & kMore) == 0) reply.number = std::int64_t(dict.version);
  return !found.empty();
}

}  // namespace

// payload: the value; number: the entry's version; token: the dict's.
void dict_get(Core& core, Call& call) {
  auto& dict = call.object->as<DictData>();
  const auto found = dict.entries.find(call.request.key);
  if (found == dict.entries.end())
    return core.refuse(call, RegistryStatus::no_key, "it has no such key");
  const DictEntry& entry = found->second;
  core.reply(call, {RegistryStatus::ok, 0, dict.version, std::int64_t(entry.version), entry.value});
}

// Entries in the order they came, from behind a (0: all). number: for the next page, if kMore.
void dict_keys(Core& core, Call& call) {
  list(core, call, false);
}
void dict_items(Core& core, Call& call) {
  list(core, call, true);
}

// number: keys; token: the version.
void dict_length(Core& core, Call& call) {
  auto& dict = call.object->as<DictData>();
  core.reply(call, {RegistryStatus::ok, 0, dict.version, std::int64_t(dict.entries.size()), {}});
}

// key, or any with kWholeDict; a: the version that is known. payload: what changed (kErased: it
// went), in the order of the last changes; number: the version to watch from next.
void dict_watch(Core& core, Call& call) {
  const RegistryRequest& r = call.request;
  if (r.a < 0) return core.refuse(call, RegistryStatus::bad_argument, "the version is negative");
  auto& dict = call.object->as<DictData>();
  RegistryReply reply;
  if (changes(core, dict, std::uint64_t(r.a), (r.flags & kWholeDict) != 0, r.key, reply))
    return core.reply(call, std::move(reply));
  core.wait(call, call.object->line);
}

void pump_dict(Core& core, Object& object) {
  auto& dict = object.as<DictData>();
  for (auto at = object.line.begin(); at != object.line.end();) {
    Waiter& watcher = *at++;
    RegistryReply reply;
    if (changes(core, dict, std::uint64_t(watcher.a), (watcher.flags & kWholeDict) != 0,
                watcher.text, reply))
      core.reply(watcher, std::move(reply));
  }
}

}  // namespace jobring::registry
