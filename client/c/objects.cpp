// The registry's session, objects as such, answers, pending operations.
#include "client/c/objects.hpp"

#include <cstring>

using namespace jobring::c;

static_assert(int(jobring::ObjectKind::lock) == JOBRING_LOCK);
static_assert(int(jobring::ObjectKind::condition) == JOBRING_CONDITION);
static_assert(int(jobring::ObjectKind::counter) == JOBRING_COUNTER);

namespace jobring::c {

void check_answer(jobring_answer* to) {
  if (to != nullptr) need_struct(to, "jobring_answer");
}

void give(jobring_answer* to, Brought brought) {
  if (to == nullptr) return;
  if (brought.bytes) {
    void* copy = std::malloc(brought.bytes->size() + 1);
    if (copy == nullptr) throw std::bad_alloc();
    std::memcpy(copy, brought.bytes->c_str(), brought.bytes->size() + 1);
    brought.answer.bytes = copy;
    brought.answer.bytes_len = brought.bytes->size();
  }
  brought.answer.entries = brought.entries.release();
  write_struct(*to, brought.answer);
}

Brought brought(const Grant& grant) {
  Brought result;
  result.status = grant ? JOBRING_OK : JOBRING_TIMED_OUT;
  result.answer.token = grant.token;
  result.answer.number = grant.number;
  result.answer.owner_died = grant.owner_died ? 1 : 0;
  result.answer.after_restart = grant.after_restart ? 1 : 0;
  return result;
}
Brought brought(bool in_time) {
  Brought result;
  result.status = in_time ? JOBRING_OK : JOBRING_TIMED_OUT;
  return result;
}
Brought brought(std::int64_t number) {
  Brought result;
  result.answer.number = number;
  return result;
}
Brought brought(std::optional<std::string> value) {
  Brought result;
  result.status = value ? JOBRING_OK : JOBRING_NONE;
  result.bytes = std::move(value);
  return result;
}
Brought brought(std::optional<QueueItem> item) {
  Brought result;
  result.status = item ? JOBRING_OK : JOBRING_TIMED_OUT;
  if (!item) return result;
  result.bytes = std::move(item->value);
  result.answer.lease = item->lease;
  result.answer.redelivered = item->redelivered ? 1 : 0;
  result.answer.number = item->left;
  return result;
}
Brought brought(std::optional<DictChanges> changes) {
  Brought result;
  result.status = changes ? JOBRING_OK : JOBRING_TIMED_OUT;
  if (!changes) return result;
  result.answer.number = std::int64_t(changes->version);
  result.answer.flag = changes->compacted ? 1 : 0;
  result.entries = std::make_unique<jobring_entries>(jobring_entries{std::move(changes->changed)});
  return result;
}

}  // namespace jobring::c

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

jobring_pending* jobring_pending_ref(jobring_pending* pending) {
  if (pending != nullptr) pending->references.fetch_add(1, std::memory_order_relaxed);
  return pending;
}
void jobring_pending_free(jobring_pending* pending) {
  // As jobring_future_free().
  if (pending != nullptr && pending->references.fetch_sub(1, std::memory_order_acq_rel) == 1)
    delete pending;
}
jobring_status jobring_pending_ready(jobring_pending* pending, int32_t* ready) {
  return guarded([&] {
    int32_t& to = need(ready, "ready");
    const jobring::Future future = need(pending, "pending").future;
    to = future.ready() ? 1 : 0;
  });
}
jobring_status jobring_pending_wait(jobring_pending* pending, int64_t timeout_ns) {
  return guarded([&]() -> jobring_status {
    const jobring::Future future = need(pending, "pending").future;
    return future.wait_for(need_time(timeout_ns, "timeout_ns")) ? JOBRING_OK : JOBRING_TIMED_OUT;
  });
}
jobring_status jobring_pending_get(jobring_pending* pending, int64_t timeout_ns,
                                   jobring_answer* answer) {
  return guarded([&]() -> jobring_status {
    check_answer(answer);
    const auto timeout = need_time(timeout_ns, "timeout_ns");
    // Ours for the time of the call: a callback that runs in it may free the handle.
    const std::unique_ptr<jobring_pending, void (*)(jobring_pending*)> mine(
        jobring_pending_ref(&need(pending, "pending")), jobring_pending_free);
    if (!mine->future.wait_for(timeout)) return JOBRING_TIMED_OUT;
    Brought result = mine->get();
    const jobring_status status = result.status;
    give(answer, std::move(result));
    return status;
  });
}
jobring_status jobring_pending_cancel(jobring_pending* pending) {
  return guarded([&] {
    const auto cancel = need(pending, "pending").cancel;
    cancel();
  });
}
jobring_status jobring_pending_on_ready(jobring_pending* pending, jobring_pending_callback callback,
                                        void* user) {
  return guarded([&] {
    if (callback == nullptr) bad_input("NULL", "callback");
    const jobring::Future future = need(pending, "pending").future;
    const std::shared_ptr<jobring_pending> self(jobring_pending_ref(pending), jobring_pending_free);
    future.on_ready([self, callback, user](const jobring::Future&) { callback(self.get(), user); });
  });
}
