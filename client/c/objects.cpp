// The registry's session, objects as such, lists of what is there.
#include "client/c/objects.hpp"

using namespace jobring::c;

static_assert(int(jobring::ObjectKind::lock) == JOBRING_LOCK);
static_assert(int(jobring::ObjectKind::condition) == JOBRING_CONDITION);
static_assert(int(jobring::ObjectKind::counter) == JOBRING_COUNTER);

namespace {

jobring_object_info describe(const jobring::ObjectInfo& info, const char* name) {
  jobring_object_info value{};
  value.kind = std::int32_t(info.kind);
  value.capacity = info.size;
  value.length = info.length;
  value.token = info.token;
  value.bytes = info.bytes;
  value.holders = info.holders;
  value.waiters = info.waiters;
  value.uid = info.uid;
  value.gid = info.gid;
  value.mode = info.mode;
  value.ephemeral = info.ephemeral ? 1 : 0;
  value.broken = info.broken ? 1 : 0;
  value.name = name;
  return value;
}

jobring::NamedObject& named(jobring_object* object) {
  return need_kind<jobring::NamedObject>(object);
}

jobring_object* make(const jobring::Registry& registry, int32_t kind, std::string_view name,
                     const jobring_object_options& given) {
  jobring::ObjectOptions options;
  options.create = given.must_exist == 0;
  options.ephemeral = given.ephemeral != 0;
  options.mode = given.mode;
  const std::int64_t permits = given.number != 0 ? given.number : 1;
  switch (kind) {
    case JOBRING_LOCK:
      return new jobring_object{jobring::Lock(registry, name, options)};
    case JOBRING_RLOCK:
      return new jobring_object{jobring::RLock(registry, name, options)};
    case JOBRING_SEMAPHORE:
      return new jobring_object{jobring::Semaphore(registry, name, permits, options)};
    case JOBRING_BOUNDED_SEMAPHORE:
      return new jobring_object{jobring::BoundedSemaphore(registry, name, permits, options)};
    case JOBRING_EVENT:
      return new jobring_object{jobring::Event(registry, name, options)};
    case JOBRING_CONDITION:
      return new jobring_object{jobring::Condition(
          registry, name, need_kind<jobring::Lock>(&need(given.lock, "options.lock")), options)};
    case JOBRING_BARRIER:
      return new jobring_object{jobring::Barrier(registry, name, given.number, options)};
    case JOBRING_QUEUE:
      if (given.order < JOBRING_ORDER_FIFO || given.order > JOBRING_ORDER_PRIORITY)
        bad_input(std::to_string(given.order) + " is no JOBRING_ORDER_...", "options.order");
      return new jobring_object{jobring::Queue(
          registry, name,
          {given.number, jobring::QueueOptions::Order(std::uint8_t(given.order)), options})};
    case JOBRING_DICT:
      return new jobring_object{jobring::Dict(registry, name, options)};
    case JOBRING_LIST:
      return new jobring_object{jobring::List(registry, name, options)};
    case JOBRING_COUNTER:
      return new jobring_object{jobring::Counter(registry, name, options)};
    default:
      bad_input(std::to_string(kind) + " is no kind of object", "kind");
  }
}

}  // namespace

jobring_status jobring_objects_open(jobring_client* client, jobring_objects** objects) {
  return guarded([&] {
    auto*& out = need_out(objects, "objects");
    out = new jobring_objects{jobring::Registry(need(client, "client").client)};
  });
}
void jobring_objects_free(jobring_objects* objects) {
  delete objects;
}
jobring_status jobring_objects_fd(jobring_objects* objects, int32_t* fd) {
  return guarded([&] { need(fd, "fd") = need(objects, "objects").registry.pool().fd(); });
}
jobring_status jobring_objects_poll(jobring_objects* objects, uint64_t* count) {
  return guarded([&] {
    const std::size_t ready = need(objects, "objects").registry.pool().poll();
    if (count != nullptr) *count = ready;
  });
}
jobring_status jobring_objects_remove(jobring_objects* objects, const char* name) {
  return guarded([&]() -> jobring_status {
    return need(objects, "objects").registry.remove(need_text(name, "name")) ? JOBRING_OK
                                                                             : JOBRING_NONE;
  });
}
jobring_status jobring_objects_get_info(jobring_objects* objects, const char* name,
                                        jobring_object_info* info) {
  return guarded([&]() -> jobring_status {
    auto& to = need_struct(info, "jobring_object_info");
    const auto found = need(objects, "objects").registry.info(need_text(name, "name"));
    if (!found) return JOBRING_NONE;
    write_struct(to, describe(*found, nullptr));
    return JOBRING_OK;
  });
}
jobring_status jobring_objects_list(jobring_objects* objects, const char* prefix, int32_t kind,
                                    jobring_object_list** list) {
  return guarded([&] {
    auto*& out = need_out(list, "list");
    if (kind < JOBRING_KIND_ANY || kind > JOBRING_COUNTER)
      bad_input(std::to_string(kind) + " is no kind of object", "kind");
    out = new jobring_object_list{
        need(objects, "objects")
            .registry.objects(text_or_empty(prefix), jobring::ObjectKind(std::uint8_t(kind)))};
  });
}
jobring_status jobring_object_list_count(jobring_object_list* list, uint64_t* count) {
  return guarded([&] { need(count, "count") = need(list, "list").all.size(); });
}
jobring_status jobring_object_list_at(jobring_object_list* list, uint64_t index,
                                      jobring_object_info* info) {
  return guarded([&]() -> jobring_status {
    auto& to = need_struct(info, "jobring_object_info");
    const auto& all = need(list, "list").all;
    if (index >= all.size()) return JOBRING_NONE;
    write_struct(to, describe(all[index], all[index].name.c_str()));
    return JOBRING_OK;
  });
}
void jobring_object_list_free(jobring_object_list* list) {
  delete list;
}

jobring_status jobring_object_open(jobring_objects* objects, int32_t kind, const char* name,
                                   const jobring_object_options* options, jobring_object** object) {
  return guarded([&] {
    auto*& out = need_out(object, "object");
    const auto given = read_struct(options, "jobring_object_options");
    out = make(need(objects, "objects").registry, kind, need_text(name, "name"), given);
  });
}
void jobring_object_free(jobring_object* object) {
  delete object;
}
jobring_status jobring_object_create(jobring_object* object, int32_t* created) {
  return guarded([&] {
    const bool made = named(object).create();
    if (created != nullptr) *created = made ? 1 : 0;
  });
}
jobring_status jobring_object_remove(jobring_object* object) {
  return guarded(
      [&]() -> jobring_status { return named(object).remove() ? JOBRING_OK : JOBRING_NONE; });
}
jobring_status jobring_object_get_info(jobring_object* object, jobring_object_info* info) {
  return guarded([&]() -> jobring_status {
    auto& to = need_struct(info, "jobring_object_info");
    const auto found = named(object).info();
    if (!found) return JOBRING_NONE;
    write_struct(to, describe(*found, named(object).name().c_str()));
    return JOBRING_OK;
  });
}
jobring_status jobring_object_set_access(jobring_object* object, uint32_t mode, int64_t uid,
                                         int64_t gid) {
  return guarded([&] { named(object).set_access(mode, uid, gid); });
}

jobring_status jobring_entries_count(jobring_entries* entries, uint64_t* count) {
  return guarded([&] { need(count, "count") = need(entries, "entries").all.size(); });
}
jobring_status jobring_entries_at(jobring_entries* entries, uint64_t index, jobring_entry* entry) {
  return guarded([&]() -> jobring_status {
    auto& to = need_struct(entry, "jobring_entry");
    const auto& all = need(entries, "entries").all;
    if (index >= all.size()) return JOBRING_NONE;
    const jobring::DictChange& from = all[index];
    jobring_entry value{};
    value.has_value = from.value ? 1 : 0;
    value.key = from.key.data();
    value.key_len = from.key.size();
    value.value = from.value ? from.value->data() : "";
    value.value_len = from.value ? from.value->size() : 0;
    value.version = from.version;
    write_struct(to, value);
    return JOBRING_OK;
  });
}
void jobring_entries_free(jobring_entries* entries) {
  delete entries;
}
