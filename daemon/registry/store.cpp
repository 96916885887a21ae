#include "daemon/registry/store.hpp"

#include "daemon/registry/effects.hpp"

namespace jobring::registry {
namespace {

// Erasures that a dict remembers for its watchers, and their bytes, at most.
constexpr std::size_t kErasedMax = 256;
constexpr std::size_t kErasedBytesMax = 4096;

void remember_erasure(DictData& dict, std::string_view key) {
  dict.erased.emplace_back(dict.version, key);
  dict.erased_bytes += key.size();
  while (dict.erased.size() > kErasedMax || dict.erased_bytes > kErasedBytesMax) {
    dict.compacted = dict.erased.front().first;
    dict.erased_bytes -= dict.erased.front().second.size();
    dict.erased.pop_front();
  }
}

}  // namespace

std::uint64_t Object::length() const {
  if (const auto* event = std::get_if<EventData>(&contents)) return event->set;
  if (const auto* counter = std::get_if<CounterData>(&contents))
    return std::uint64_t(counter->value);
  if (const auto* semaphore = std::get_if<SemaphoreData>(&contents))
    return std::uint64_t(semaphore->permits - permits_out);
  if (const auto* list = std::get_if<ListData>(&contents)) return list->items.size();
  if (const auto* dict = std::get_if<DictData>(&contents)) return dict->entries.size();
  if (const auto* queue = std::get_if<QueueData>(&contents)) return queue->items.size();
  return 0;
}

Object* Store::find(std::string_view name) {
  const auto found = names_.find(name);
  return found == names_.end() ? nullptr : found->second;
}
Object* Store::find_id(std::uint64_t id) {
  const auto found = objects_.find(id);
  return found == objects_.end() ? nullptr : found->second.get();
}
Session* Store::find_session(std::uint64_t id) {
  const auto found = sessions_.find(id);
  return found == sessions_.end() ? nullptr : &found->second;
}
Session& Store::session(std::uint64_t id, std::uint32_t uid) {
  const auto [at, fresh] = sessions_.try_emplace(id);
  if (fresh) {
    at->second.id = id;
    at->second.uid = uid;
    at->second.usage = &usage_[uid];
  }
  return at->second;
}

void Store::charge(Object& object, std::int64_t bytes) {
  object.bytes += std::uint64_t(bytes);
  object.usage->bytes += std::uint64_t(bytes);
  bytes_ += std::uint64_t(bytes);
}
void Store::charge(Session& session, std::int64_t bytes) {
  session.usage->bytes += std::uint64_t(bytes);
  bytes_ += std::uint64_t(bytes);
}
void Store::known(Session& session) {
  if (session.durable) return;
  session.durable = true;
  charge(session, kSessionCost);
  write_effect(log_, Effect::session, session.id, session.uid);
}

Object& Store::create(Definition def) {
  if (def.id == 0) def.id = next_object_;
  next_object_ = std::max(next_object_, def.id + 1);
  auto owned = std::make_unique<Object>();
  Object& object = *owned;
  object.def = std::move(def);
  const Definition& d = object.def;
  object.hold.object = &object;
  switch (d.type) {
    case ObjectType::event:
      object.contents.emplace<EventData>();
      break;
    case ObjectType::semaphore:
    case ObjectType::bounded_semaphore:
      object.contents.emplace<SemaphoreData>().permits = d.size;
      break;
    case ObjectType::counter:
      object.contents.emplace<CounterData>();
      break;
    case ObjectType::list:
      object.contents.emplace<ListData>();
      break;
    case ObjectType::dict: {
      // Versions of a dict that comes after another of its name are greater.
      DictData& dict = object.contents.emplace<DictData>();
      dict.version = dict.compacted = d.id << 32;
      break;
    }
    case ObjectType::queue:
      object.contents.emplace<QueueData>();
      break;
    default:
      break;
  }
  write_effect(log_, Effect::create, d.id, d.type, d.order, std::uint8_t(d.ephemeral), d.uid, d.gid,
               d.mode, d.size, d.name, d.lock);
  names_.emplace(d.name, &object);
  objects_.emplace(d.id, std::move(owned));
  object.usage = &usage_[d.uid];
  ++object.usage->objects;
  charge(object, std::int64_t(kObjectCost + d.name.size() + d.lock.size()));
  return object;
}

void Store::remove(Object& object) {
  write_effect(log_, Effect::remove, object.def.id);
  if (auto* dict = std::get_if<DictData>(&object.contents)) {
    for (const auto& [key, entry] : dict->entries) {
      if (entry.expires_ns != 0) expiries_.erase({entry.expires_ns, &object, key});
    }
  }
  for (const std::uint64_t user : object.users) {
    if (Session* session = find_session(user)) {
      session->uses.erase(&object);
      charge(*session, -std::int64_t(kUseCost));
    }
  }
  charge(object, -std::int64_t(object.bytes));
  --object.usage->objects;
  names_.erase(object.def.name);
  objects_.erase(object.def.id);
}

void Store::set_access(Object& object, std::uint32_t uid, std::uint32_t gid, std::uint16_t mode) {
  write_effect(log_, Effect::access, object.def.id, uid, gid, mode);
  const auto bytes = std::int64_t(object.bytes);
  charge(object, -bytes);
  --object.usage->objects;
  object.def.uid = uid;
  object.def.gid = gid;
  object.def.mode = mode;
  object.usage = &usage_[uid];
  charge(object, bytes);
  ++object.usage->objects;
}

void Store::use(Object& object, Session& session) {
  if (!object.users.insert(session.id).second) return;
  known(session);
  session.uses.insert(&object);
  charge(session, kUseCost);
  write_effect(log_, Effect::use, object.def.id, session.id);
}

void Store::set_event(Object& object, bool set) {
  write_effect(log_, Effect::event, object.def.id, std::uint8_t(set));
  object.as<EventData>().set = set;
}
void Store::set_permits(Object& object, std::int64_t permits) {
  write_effect(log_, Effect::permits, object.def.id, permits);
  object.as<SemaphoreData>().permits = permits;
}
void Store::set_counter(Object& object, std::int64_t value) {
  write_effect(log_, Effect::counter, object.def.id, value);
  object.as<CounterData>().value = value;
}

void Store::list_insert(Object& object, std::uint64_t index, std::string_view value) {
  write_effect(log_, Effect::list_insert, object.def.id, index, value);
  auto& items = object.as<ListData>().items;
  if (index == items.size()) {
    items.emplace_back(value);
  } else {
    items.emplace(items.begin() + std::ptrdiff_t(index), value);
  }
  charge(object, std::int64_t(kElementCost + value.size()));
}
void Store::list_set(Object& object, std::uint64_t index, std::string_view value) {
  write_effect(log_, Effect::list_set, object.def.id, index, value);
  std::string& item = object.as<ListData>().items[index];
  charge(object, std::int64_t(value.size()) - std::int64_t(item.size()));
  item.assign(value);
}
void Store::list_erase(Object& object, std::uint64_t index) {
  write_effect(log_, Effect::list_erase, object.def.id, index);
  auto& items = object.as<ListData>().items;
  charge(object, -std::int64_t(kElementCost + items[index].size()));
  items.erase(items.begin() + std::ptrdiff_t(index));
}
void Store::list_clear(Object& object) {
  write_effect(log_, Effect::list_clear, object.def.id);
  auto& items = object.as<ListData>().items;
  for (const std::string& item : items) charge(object, -std::int64_t(kElementCost + item.size()));
  items.clear();
}

DictEntry& Store::dict_set(Object& object, std::string_view key, std::string_view value,
                           std::int64_t expires_ns) {
  auto& dict = object.as<DictData>();
  const auto at = dict.entries.find(key);
  const std::uint64_t version = dict.version + 1;
  const std::uint64_t inserted = at == dict.entries.end() ? version : at->second.inserted;
  write_effect(log_, Effect::dict_set, object.def.id, version, inserted, expires_ns, key, value);
  write_entry(dict, object, key, value, version, inserted, expires_ns);
  return dict.by_change.back();
}

void Store::write_entry(DictData& dict, Object& object, std::string_view key,
                        std::string_view value, std::uint64_t version, std::uint64_t inserted,
                        std::int64_t expires_ns) {
  auto at = dict.entries.find(key);
  if (at == dict.entries.end()) {
    at = dict.entries.try_emplace(std::string(key)).first;
    at->second.key = at->first;
    at->second.inserted = inserted;
    dict.order.push_back(at->second);
    charge(object, std::int64_t(kEntryCost + key.size()));
  } else {
    dict.by_change.erase(dict.by_change.iterator_to(at->second));
    if (at->second.expires_ns != 0)
      expiries_.erase({at->second.expires_ns, &object, at->second.key});
  }
  DictEntry& entry = at->second;
  charge(object, std::int64_t(value.size()) - std::int64_t(entry.value.size()));
  entry.value.assign(value);
  entry.version = version;
  entry.expires_ns = expires_ns;
  if (expires_ns != 0) expiries_.emplace(expires_ns, &object, entry.key);
  dict.by_change.push_back(entry);
  dict.version = version;
}

void Store::dict_erase(Object& object, std::string_view key) {
  auto& dict = object.as<DictData>();
  write_effect(log_, Effect::dict_erase, object.def.id, dict.version + 1, key);
  forget_entry(dict, object, key, dict.version + 1);
}

void Store::forget_entry(DictData& dict, Object& object, std::string_view key,
                         std::uint64_t version) {
  const auto at = dict.entries.find(key);
  dict.version = version;
  remember_erasure(dict, key);
  if (at->second.expires_ns != 0) expiries_.erase({at->second.expires_ns, &object, at->second.key});
  charge(object, -std::int64_t(kEntryCost + key.size() + at->second.value.size()));
  dict.entries.erase(at);  // `key` may be a view of what is gone now
}

void Store::dict_clear(Object& object) {
  auto& dict = object.as<DictData>();
  write_effect(log_, Effect::dict_clear, object.def.id);
  for (const auto& [key, entry] : dict.entries) {
    if (entry.expires_ns != 0) expiries_.erase({entry.expires_ns, &object, key});
    charge(object, -std::int64_t(kEntryCost + key.size() + entry.value.size()));
  }
  dict.entries.clear();
  dict.erased.clear();
  dict.erased_bytes = 0;
  dict.compacted = ++dict.version;  // watchers are told to read the whole dict, which is short
}

ItemPlace Store::next_place(Object& object) {
  auto& items = object.as<QueueData>().items;
  return object.def.order == QueueOrder::lifo ? items.rbegin()->first : items.begin()->first;
}

void Store::queue_put(Object& object, std::int64_t priority, std::string_view value) {
  auto& queue = object.as<QueueData>();
  const ItemPlace place{object.def.order == QueueOrder::priority ? priority : 0, queue.next};
  write_effect(log_, Effect::queue_put, object.def.id, place.first, place.second, std::uint8_t{0},
               value);
  queue.items.emplace_hint(queue.items.end(), place, Item{std::string(value), false});
  ++queue.next;
  ++queue.unfinished;
  charge(object, std::int64_t(kItemCost + value.size()));
}

Store::Taken Store::queue_take(Object& object, Session& session, std::uint64_t token) {
  auto& queue = object.as<QueueData>();
  known(session);
  const ItemPlace place = next_place(object);
  write_effect(log_, Effect::queue_take, object.def.id, session.id, token);
  const auto at = queue.items.find(place);
  Taken taken{std::move(at->second.value), at->second.redelivered};
  queue.items.erase(at);
  session.queues.insert(object.def.id);
  if (token != 0) {
    queue.leases.emplace(token, Lease{session.id, place, taken.value});
  } else {
    charge(object, -std::int64_t(kItemCost + taken.value.size()));
    if (queue.taken[session.id]++ == 0) charge(object, kUseCost);
  }
  return taken;
}

void Store::queue_finish_lease(Object& object, std::uint64_t token) {
  auto& queue = object.as<QueueData>();
  write_effect(log_, Effect::queue_finish_lease, object.def.id, token);
  const auto at = queue.leases.find(token);
  charge(object, -std::int64_t(kItemCost + at->second.value.size()));
  queue.leases.erase(at);
  --queue.unfinished;
}

void Store::queue_return_lease(Object& object, std::uint64_t token) {
  auto& queue = object.as<QueueData>();
  write_effect(log_, Effect::queue_return_lease, object.def.id, token);
  const auto at = queue.leases.find(token);
  queue.items.emplace(at->second.place, Item{std::move(at->second.value), true});
  queue.leases.erase(at);
}

void Store::queue_finish(Object& object, Session& session, std::int64_t count) {
  auto& queue = object.as<QueueData>();
  write_effect(log_, Effect::queue_finish, object.def.id, session.id, count);
  const auto at = queue.taken.find(session.id);
  at->second -= count;
  queue.unfinished -= count;
  if (at->second != 0) return;
  queue.taken.erase(at);
  charge(object, -std::int64_t(kUseCost));
}

void Store::queue_clear(Object& object) {
  auto& queue = object.as<QueueData>();
  write_effect(log_, Effect::queue_clear, object.def.id);
  for (const auto& [place, item] : queue.items)
    charge(object, -std::int64_t(kItemCost + item.value.size()));
  queue.unfinished -= std::int64_t(queue.items.size());
  queue.items.clear();
}

void Store::answer(Session& session, std::uint32_t slot, std::uint64_t generation,
                   const RegistryReply& reply) {
  known(session);
  write_effect(log_, Effect::answer, session.id, slot, generation, reply.status, reply.flags,
               reply.token, reply.number, reply.payload);
  const auto [at, fresh] = session.answers.try_emplace(slot);
  charge(session, std::int64_t(fresh ? kAnswerCost : 0) + std::int64_t(reply.payload.size()) -
                      std::int64_t(at->second.reply.payload.size()));
  at->second.generation = generation;
  at->second.reply = reply;
}

void Store::end_session(Session& session) {
  if (session.durable) {
    write_effect(log_, Effect::end_session, session.id);
    charge(session, -std::int64_t(kSessionCost));
  }
  for (const auto& [slot, answer] : session.answers)
    charge(session, -std::int64_t(kAnswerCost + answer.reply.payload.size()));
  for (Object* object : session.uses) {
    object->users.erase(session.id);
    charge(session, -std::int64_t(kUseCost));
  }
  sessions_.erase(session.id);
}

void Store::reserve_tokens(std::uint64_t up_to) {
  tokens_ = up_to;
  write_effect(log_, Effect::counters, next_object_, tokens_);
}

}  // namespace jobring::registry
