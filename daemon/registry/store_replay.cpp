// The store's other way: from the journal's records to the heap, and the heap as a snapshot.
//
// Every effect is checked before it is applied: a record that passed its checksum and makes no
// sense must be refused, not crash the registry.
#include <algorithm>

#include "daemon/registry/effects.hpp"
#include "daemon/registry/store.hpp"

namespace jobring::registry {

// One effect of a record. `false`: it makes no sense.
struct Store::Effects {
  Store& store;
  EffectReader& from;

  Object* object(ObjectType type) {
    Object* found = store.find_id(from.u64());
    return found != nullptr && found->def.type == type ? found : nullptr;
  }
  template <class Data>
  Object* holding() {
    Object* found = store.find_id(from.u64());
    return found != nullptr && std::holds_alternative<Data>(found->contents) ? found : nullptr;
  }

  bool create() {
    Definition def;
    def.id = from.u64();
    def.type = from.number<ObjectType>();
    def.order = from.number<QueueOrder>();
    def.ephemeral = from.number<std::uint8_t>() != 0;
    def.uid = from.u32();
    def.gid = from.u32();
    def.mode = from.number<std::uint16_t>();
    def.size = from.i64();
    def.name = from.text();
    def.lock = from.text();
    if (!from.ok() || def.id == 0 || def.id >= UINT32_MAX || store.find_id(def.id) != nullptr ||
        def.name.empty() || store.find(def.name) != nullptr || def.type == ObjectType::none ||
        std::size_t(def.type) >= kObjectTypes || def.order > QueueOrder::priority)
      return false;
    store.create(std::move(def)).restarted = true;
    return true;
  }
  bool sessions(Effect kind) {
    const std::uint64_t id = from.u64();
    if (kind == Effect::session) {
      const std::uint32_t uid = from.u32();
      if (!from.ok() || store.find_session(id) != nullptr) return false;
      store.known(store.session(id, uid));
      return true;
    }
    Session* session = store.find_session(id);
    if (session == nullptr) return false;
    if (kind == Effect::end_session) {
      // What it leased or took must have been given up before.
      for (const std::uint64_t queue_id : session->queues) {
        Object* object = store.find_id(queue_id);
        if (object == nullptr) continue;  // removed meanwhile
        auto& queue = object->as<QueueData>();
        if (queue.taken.count(id) != 0) return false;
        for (const auto& [token, lease] : queue.leases)
          if (lease.session == id) return false;
      }
      store.end_session(*session);
      return true;
    }
    const std::uint32_t slot = from.u32();
    const std::uint64_t generation = from.u64();
    RegistryReply reply;
    reply.status = from.number<RegistryStatus>();
    reply.flags = from.number<std::uint16_t>();
    reply.token = from.u64();
    reply.number = from.i64();
    reply.payload = from.text();
    if (!from.ok() || std::size_t(reply.status) >= kRegistryStatuses) return false;
    store.answer(*session, slot, generation, reply);
    return true;
  }
  bool use() {
    Object* object = store.find_id(from.u64());
    Session* session = store.find_session(from.u64());
    if (object == nullptr || session == nullptr) return false;
    store.use(*object, *session);
    return true;
  }
  bool access() {
    Object* object = store.find_id(from.u64());
    const std::uint32_t uid = from.u32(), gid = from.u32();
    const auto mode = from.number<std::uint16_t>();
    if (object == nullptr || !from.ok()) return false;
    store.set_access(*object, uid, gid, mode);
    return true;
  }
  bool list(Effect kind) {
    Object* object = holding<ListData>();
    if (object == nullptr) return false;
    const std::size_t size = object->as<ListData>().items.size();
    if (kind == Effect::list_clear) return store.list_clear(*object), true;
    const std::uint64_t index = from.u64();
    if (!from.ok() || index > size || (index == size && kind != Effect::list_insert)) return false;
    if (kind == Effect::list_erase) return store.list_erase(*object, index), true;
    const std::string_view value = from.text();
    if (!from.ok()) return false;
    kind == Effect::list_insert ? store.list_insert(*object, index, value)
                                : store.list_set(*object, index, value);
    return true;
  }
  bool dict(Effect kind) {
    Object* object = holding<DictData>();
    if (object == nullptr) return false;
    auto& dict = object->as<DictData>();
    if (kind == Effect::dict_clear) return store.dict_clear(*object), true;
    const std::uint64_t version = from.u64();
    if (!from.ok()) return false;
    if (kind == Effect::dict_version) {
      dict.version = dict.compacted = version;
      return true;
    }
    if (version <= dict.version) return false;
    if (kind == Effect::dict_erase) {
      const std::string_view key = from.text();
      if (!from.ok() || dict.entries.find(key) == dict.entries.end()) return false;
      store.forget_entry(dict, *object, key, version);
      return true;
    }
    const std::uint64_t inserted = from.u64();
    const std::int64_t expires_ns = from.i64();
    const std::string_view key = from.text(), value = from.text();
    if (!from.ok() || expires_ns < 0) return false;
    store.write_entry(dict, *object, key, value, version, inserted, expires_ns);
    return true;
  }
  bool queue(Effect kind) {
    Object* object = holding<QueueData>();
    if (object == nullptr) return false;
    auto& queue = object->as<QueueData>();
    switch (kind) {
      case Effect::queue_clear:
        store.queue_clear(*object);
        return true;
      case Effect::queue_put: {
        const ItemPlace place{from.i64(), from.u64()};
        const bool redelivered = from.number<std::uint8_t>() != 0;
        const std::string_view value = from.text();
        if (!from.ok() || !queue.items.emplace(place, Item{std::string(value), redelivered}).second)
          return false;
        queue.next = std::max(queue.next, place.second + 1);
        ++queue.unfinished;
        store.charge(*object, std::int64_t(kItemCost + value.size()));
        return true;
      }
      case Effect::queue_counters:
        queue.next = from.u64();
        queue.unfinished = from.i64();
        return from.ok() && queue.unfinished >= 0;
      default:
        break;
    }
    if (kind == Effect::queue_finish_lease || kind == Effect::queue_return_lease) {
      const std::uint64_t token = from.u64();
      if (!from.ok() || queue.leases.find(token) == queue.leases.end()) return false;
      kind == Effect::queue_finish_lease ? store.queue_finish_lease(*object, token)
                                         : store.queue_return_lease(*object, token);
      return true;
    }
    Session* session = store.find_session(from.u64());
    if (session == nullptr) return false;
    if (kind == Effect::queue_take) {
      const std::uint64_t token = from.u64();
      if (!from.ok() || queue.items.empty() || queue.leases.count(token) != 0) return false;
      store.queue_take(*object, *session, token);
      return true;
    }
    if (kind == Effect::queue_lease) {
      const std::uint64_t token = from.u64();
      const ItemPlace place{from.i64(), from.u64()};
      const std::string_view value = from.text();
      if (!from.ok() || token == 0 || queue.items.count(place) != 0 ||
          !queue.leases.emplace(token, Lease{session->id, place, std::string(value)}).second)
        return false;
      session->queues.insert(object->def.id);
      store.charge(*object, std::int64_t(kItemCost + value.size()));
      return true;
    }
    const std::int64_t count = from.i64();
    if (!from.ok() || count <= 0) return false;
    if (kind == Effect::queue_taken) {
      if (!queue.taken.emplace(session->id, count).second) return false;
      session->queues.insert(object->def.id);
      store.charge(*object, kUseCost);
      return true;
    }
    const auto taken = queue.taken.find(session->id);
    if (taken == queue.taken.end() || taken->second < count) return false;
    store.queue_finish(*object, *session, count);
    return true;
  }

  bool one() {
    const auto kind = from.number<Effect>();
    switch (kind) {
      case Effect::counters:
        store.next_object_ = std::max(store.next_object_, from.u64());
        store.tokens_ = from.u64();
        return from.ok();
      case Effect::create:
        return create();
      case Effect::remove: {
        Object* object = store.find_id(from.u64());
        if (object == nullptr) return false;
        store.remove(*object);
        return true;
      }
      case Effect::access:
        return access();
      case Effect::session:
      case Effect::answer:
      case Effect::end_session:
        return sessions(kind);
      case Effect::use:
        return use();
      case Effect::event: {
        Object* object = holding<EventData>();
        const auto set = from.number<std::uint8_t>();
        if (object == nullptr || !from.ok()) return false;
        store.set_event(*object, set != 0);
        return true;
      }
      case Effect::permits: {
        Object* object = holding<SemaphoreData>();
        const std::int64_t permits = from.i64();
        if (object == nullptr || !from.ok() || permits < 0) return false;
        store.set_permits(*object, permits);
        return true;
      }
      case Effect::counter: {
        Object* object = holding<CounterData>();
        const std::int64_t value = from.i64();
        if (object == nullptr || !from.ok()) return false;
        store.set_counter(*object, value);
        return true;
      }
      case Effect::list_insert:
      case Effect::list_set:
      case Effect::list_erase:
      case Effect::list_clear:
        return list(kind);
      case Effect::dict_set:
      case Effect::dict_erase:
      case Effect::dict_clear:
      case Effect::dict_version:
        return dict(kind);
      case Effect::queue_put:
      case Effect::queue_take:
      case Effect::queue_finish_lease:
      case Effect::queue_return_lease:
      case Effect::queue_finish:
      case Effect::queue_clear:
      case Effect::queue_lease:
      case Effect::queue_taken:
      case Effect::queue_counters:
        return queue(kind);
    }
    return false;
  }
};

bool Store::apply(std::string_view body) {
  EffectReader from(body);
  Effects effects{*this, from};
  bool ok = true;
  while (ok && !from.at_end()) {
    ok = effects.one() && from.ok();
    log_.clear();  // the functions that apply it write it down again
  }
  return ok;
}

void Store::applied() {
  // Entries came by their changes; listings want them as they were inserted.
  for (const auto& [id, object] : objects_) {
    if (auto* dict = std::get_if<DictData>(&object->contents)) {
      dict->order.sort(
          [](const DictEntry& a, const DictEntry& b) { return a.inserted < b.inserted; });
    }
  }
}

bool Store::snapshot(const std::function<bool(std::string_view)>& sink) {
  std::string body;
  bool ok = true;
  const auto effect = [&](Effect kind, const auto&... fields) {
    write_effect(body, kind, fields...);
    if (body.size() < 16 * 1024) return;
    ok = ok && sink(body);
    body.clear();
  };
  effect(Effect::counters, next_object_, tokens_);
  for (const auto& [id, session] : sessions_)
    if (session.durable) effect(Effect::session, id, session.uid);
  for (const auto& [id, owned] : objects_) {
    const Object& object = *owned;
    const Definition& d = object.def;
    effect(Effect::create, d.id, d.type, d.order, std::uint8_t(d.ephemeral), d.uid, d.gid, d.mode,
           d.size, d.name, d.lock);
    for (const std::uint64_t user : object.users) effect(Effect::use, id, user);
    if (const auto* event = std::get_if<EventData>(&object.contents)) {
      effect(Effect::event, id, std::uint8_t(event->set));
    } else if (const auto* semaphore = std::get_if<SemaphoreData>(&object.contents)) {
      effect(Effect::permits, id, semaphore->permits);
    } else if (const auto* counter = std::get_if<CounterData>(&object.contents)) {
      effect(Effect::counter, id, counter->value);
    } else if (const auto* list = std::get_if<ListData>(&object.contents)) {
      std::uint64_t index = 0;
      for (const std::string& item : list->items) effect(Effect::list_insert, id, index++, item);
    } else if (const auto* dict = std::get_if<DictData>(&object.contents)) {
      for (const DictEntry& entry : dict->by_change)
        effect(Effect::dict_set, id, entry.version, entry.inserted, entry.expires_ns, entry.key,
               entry.value);
      effect(Effect::dict_version, id, dict->version);
    } else if (const auto* queue = std::get_if<QueueData>(&object.contents)) {
      for (const auto& [place, item] : queue->items)
        effect(Effect::queue_put, id, place.first, place.second, std::uint8_t(item.redelivered),
               item.value);
      for (const auto& [token, lease] : queue->leases)
        effect(Effect::queue_lease, id, lease.session, token, lease.place.first, lease.place.second,
               lease.value);
      for (const auto& [session, count] : queue->taken)
        effect(Effect::queue_taken, id, session, count);
      effect(Effect::queue_counters, id, queue->next, queue->unfinished);
    }
  }
  for (const auto& [id, session] : sessions_) {
    for (const auto& [slot, answer] : session.answers) {
      const RegistryReply& r = answer.reply;
      effect(Effect::answer, id, slot, answer.generation, r.status, r.flags, r.token, r.number,
             r.payload);
    }
  }
  return ok && (body.empty() || sink(body));
}

}  // namespace jobring::registry
