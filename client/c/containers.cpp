// Queues, dicts, lists, counters.
#include <jobring/c/operations.h>

#include "client/c/objects.hpp"

using namespace jobring::c;
using jobring::Counter;
using jobring::Dict;
using jobring::List;
using jobring::Queue;

namespace {

jobring_status or_none(bool there) {
  return there ? JOBRING_OK : JOBRING_NONE;
}

std::optional<std::string_view> optional_bytes(const jobring_bytes* bytes, const char* name) {
  if (bytes == nullptr) return std::nullopt;
  return need_bytes(bytes->data, bytes->len, name);
}

jobring_entries* entries_of(std::vector<std::pair<std::string, std::string>> items) {
  auto entries = std::make_unique<jobring_entries>();
  for (auto& [key, value] : items) entries->all.push_back({std::move(key), std::move(value), 0});
  return entries.release();
}
jobring_entries* entries_of(std::vector<std::string> values) {
  auto entries = std::make_unique<jobring_entries>();
  for (auto& value : values) entries->all.push_back({{}, std::move(value), 0});
  return entries.release();
}

}  // namespace

// ---- queues

jobring_status jobring_queue_put(jobring_object* queue, const void* bytes, size_t len,
                                 int64_t priority, int64_t timeout_ns) {
  return answered<Queue>(queue, nullptr, [&](Queue& o) {
    return o.put(need_bytes(bytes, len, "bytes"), need_time(timeout_ns, "timeout_ns"), priority);
  });
}
jobring_status jobring_queue_start_put(jobring_object* queue, const void* bytes, size_t len,
                                       int64_t priority, int64_t timeout_ns,
                                       jobring_pending** pending) {
  return started<Queue>(queue, pending, [&](Queue& o) {
    return o.start_put(need_bytes(bytes, len, "bytes"), need_time(timeout_ns, "timeout_ns"),
                       priority);
  });
}
jobring_status jobring_queue_get(jobring_object* queue, int32_t leased, int64_t timeout_ns,
                                 jobring_answer* answer) {
  return answered<Queue>(queue, answer, [&](Queue& o) {
    const auto timeout = need_time(timeout_ns, "timeout_ns");
    return leased != 0 ? o.get_leased(timeout) : o.get(timeout);
  });
}
jobring_status jobring_queue_start_get(jobring_object* queue, int32_t leased, int64_t timeout_ns,
                                       jobring_pending** pending) {
  return started<Queue>(queue, pending, [&](Queue& o) {
    const auto timeout = need_time(timeout_ns, "timeout_ns");
    return leased != 0 ? o.start_get_leased(timeout) : o.start_get(timeout);
  });
}
jobring_status jobring_queue_task_done(jobring_object* queue, int64_t count) {
  return on<Queue>(queue, [&](Queue& o) { o.task_done(count); });
}
jobring_status jobring_queue_lease_done(jobring_object* queue, uint64_t lease) {
  return on<Queue>(queue, [&](Queue& o) {
    if (lease == 0) bad_input("0 is no lease", "lease");
    jobring::QueueItem item;
    item.lease = lease;
    o.task_done(item);
  });
}
jobring_status jobring_queue_join(jobring_object* queue, int64_t timeout_ns) {
  return answered<Queue>(queue, nullptr,
                         [&](Queue& o) { return o.join(need_time(timeout_ns, "timeout_ns")); });
}
jobring_status jobring_queue_start_join(jobring_object* queue, int64_t timeout_ns,
                                        jobring_pending** pending) {
  return started<Queue>(
      queue, pending, [&](Queue& o) { return o.start_join(need_time(timeout_ns, "timeout_ns")); });
}
jobring_status jobring_queue_size(jobring_object* queue, int64_t* items) {
  return need_number_of<Queue>(queue, items, [](Queue& o) { return o.size(); });
}
jobring_status jobring_queue_clear(jobring_object* queue, int64_t* items) {
  return number_of<Queue>(queue, items, [](Queue& o) { return o.clear(); });
}

// ---- dicts

jobring_status jobring_dict_get(jobring_object* dict, const void* key, size_t key_len,
                                jobring_answer* answer) {
  return answered<Dict>(dict, answer,
                        [&](Dict& o) { return o.get(need_bytes(key, key_len, "key")); });
}
jobring_status jobring_dict_start_get(jobring_object* dict, const void* key, size_t key_len,
                                      jobring_pending** pending) {
  return started<Dict>(dict, pending,
                       [&](Dict& o) { return o.start_get(need_bytes(key, key_len, "key")); });
}
jobring_status jobring_dict_set(jobring_object* dict, const void* key, size_t key_len,
                                const void* value, size_t value_len, int64_t ttl_ns) {
  return on<Dict>(dict, [&](Dict& o) {
    o.set(need_bytes(key, key_len, "key"), need_bytes(value, value_len, "value"),
          need_time(ttl_ns, "ttl_ns"));
  });
}
jobring_status jobring_dict_start_set(jobring_object* dict, const void* key, size_t key_len,
                                      const void* value, size_t value_len, int64_t ttl_ns,
                                      jobring_pending** pending) {
  return started<Dict>(dict, pending, [&](Dict& o) {
    return o.start_set(need_bytes(key, key_len, "key"), need_bytes(value, value_len, "value"),
                       need_time(ttl_ns, "ttl_ns"));
  });
}
jobring_status jobring_dict_erase(jobring_object* dict, const void* key, size_t key_len) {
  return on<Dict>(dict, [&](Dict& o) { return or_none(o.erase(need_bytes(key, key_len, "key"))); });
}
jobring_status jobring_dict_pop(jobring_object* dict, const void* key, size_t key_len,
                                jobring_answer* answer) {
  return answered<Dict>(dict, answer,
                        [&](Dict& o) { return o.pop(need_bytes(key, key_len, "key")); });
}
jobring_status jobring_dict_increment(jobring_object* dict, const void* key, size_t key_len,
                                      int64_t by, int64_t ttl_ns, int64_t* sum) {
  return number_of<Dict>(dict, sum, [&](Dict& o) {
    return o.increment(need_bytes(key, key_len, "key"), by, need_time(ttl_ns, "ttl_ns"));
  });
}
jobring_status jobring_dict_compare_and_set(jobring_object* dict, const void* key, size_t key_len,
                                            const jobring_bytes* expected,
                                            const jobring_bytes* desired, int64_t ttl_ns,
                                            int32_t* done) {
  return need_number_of<Dict>(dict, done, [&](Dict& o) {
    return o.compare_and_set(need_bytes(key, key_len, "key"), optional_bytes(expected, "expected"),
                             optional_bytes(desired, "desired"), need_time(ttl_ns, "ttl_ns"))
               ? 1
               : 0;
  });
}
jobring_status jobring_dict_update(jobring_object* dict, const jobring_dict_step* steps,
                                   size_t count, int64_t ttl_ns, jobring_answer* answer) {
  return answered<Dict>(dict, answer, [&](Dict& o) {
    if (count != 0) need(steps, "steps");
    std::vector<jobring::DictUpdate> batch;
    for (std::size_t i = 0; i < count; ++i) {
      const jobring_dict_step& step = steps[i];
      jobring::DictUpdate& update = batch.emplace_back();
      update.key = need_bytes(step.key.data, step.key.len, "steps[].key");
      if (step.erase == 0)
        update.value = need_bytes(step.value.data, step.value.len, "steps[].value");
    }
    return std::int64_t(o.update(batch, need_time(ttl_ns, "ttl_ns")));
  });
}
jobring_status jobring_dict_clear(jobring_object* dict) {
  return on<Dict>(dict, [](Dict& o) { o.clear(); });
}
jobring_status jobring_dict_expire(jobring_object* dict, const void* key, size_t key_len,
                                   int64_t ttl_ns) {
  return on<Dict>(dict, [&](Dict& o) {
    return or_none(o.expire(need_bytes(key, key_len, "key"), need_time(ttl_ns, "ttl_ns")));
  });
}
jobring_status jobring_dict_items(jobring_object* dict, jobring_entries** entries) {
  return on<Dict>(dict, [&](Dict& o) { need_out(entries, "entries") = entries_of(o.items()); });
}
jobring_status jobring_dict_size(jobring_object* dict, int64_t* keys) {
  return need_number_of<Dict>(dict, keys, [](Dict& o) { return o.size(); });
}
jobring_status jobring_dict_version(jobring_object* dict, uint64_t* version) {
  return need_number_of<Dict>(dict, version, [](Dict& o) { return o.version(); });
}
jobring_status jobring_dict_watch(jobring_object* dict, const void* key, size_t key_len,
                                  uint64_t version, int64_t timeout_ns, jobring_answer* answer) {
  return answered<Dict>(dict, answer, [&](Dict& o) {
    const auto timeout = need_time(timeout_ns, "timeout_ns");
    const auto which = need_bytes(key, key_len, "key");
    return key == nullptr ? o.watch(version, timeout) : o.watch_key(which, version, timeout);
  });
}
jobring_status jobring_dict_start_watch(jobring_object* dict, const void* key, size_t key_len,
                                        uint64_t version, int64_t timeout_ns,
                                        jobring_pending** pending) {
  return started<Dict>(dict, pending, [&](Dict& o) {
    const auto timeout = need_time(timeout_ns, "timeout_ns");
    const auto which = need_bytes(key, key_len, "key");
    return key == nullptr ? o.start_watch(version, timeout)
                          : o.start_watch_key(which, version, timeout);
  });
}

// ---- lists

jobring_status jobring_list_append(jobring_object* list, const void* bytes, size_t len,
                                   int64_t* length) {
  return number_of<List>(list, length,
                         [&](List& o) { return o.append(need_bytes(bytes, len, "bytes")); });
}
jobring_status jobring_list_insert(jobring_object* list, int64_t index, const void* bytes,
                                   size_t len) {
  return on<List>(list, [&](List& o) { o.insert(index, need_bytes(bytes, len, "bytes")); });
}
jobring_status jobring_list_pop(jobring_object* list, int64_t index, jobring_answer* answer) {
  return answered<List>(list, answer, [&](List& o) { return std::optional(o.pop(index)); });
}
jobring_status jobring_list_get(jobring_object* list, int64_t index, jobring_answer* answer) {
  return answered<List>(list, answer, [&](List& o) { return std::optional(o.get(index)); });
}
jobring_status jobring_list_set(jobring_object* list, int64_t index, const void* bytes,
                                size_t len) {
  return on<List>(list, [&](List& o) { o.set(index, need_bytes(bytes, len, "bytes")); });
}
jobring_status jobring_list_size(jobring_object* list, int64_t* length) {
  return need_number_of<List>(list, length, [](List& o) { return o.size(); });
}
jobring_status jobring_list_slice(jobring_object* list, int64_t begin, int64_t end,
                                  jobring_entries** entries) {
  return on<List>(list,
                  [&](List& o) { need_out(entries, "entries") = entries_of(o.slice(begin, end)); });
}
jobring_status jobring_list_index(jobring_object* list, const void* bytes, size_t len,
                                  int64_t* index) {
  return on<List>(list, [&](List& o) {
    std::int64_t& to = need(index, "index");
    const auto found = o.index(need_bytes(bytes, len, "bytes"));
    if (found) to = *found;
    return or_none(found.has_value());
  });
}
jobring_status jobring_list_erase(jobring_object* list, const void* bytes, size_t len) {
  return on<List>(list, [&](List& o) { return or_none(o.erase(need_bytes(bytes, len, "bytes"))); });
}
jobring_status jobring_list_clear(jobring_object* list) {
  return on<List>(list, [](List& o) { o.clear(); });
}

// ---- counters

jobring_status jobring_counter_add(jobring_object* counter, int64_t by, int64_t* sum) {
  return number_of<Counter>(counter, sum, [&](Counter& o) { return o.add(by); });
}
jobring_status jobring_counter_start_add(jobring_object* counter, int64_t by,
                                         jobring_pending** pending) {
  return started<Counter>(counter, pending, [&](Counter& o) { return o.start_add(by); });
}
jobring_status jobring_counter_set(jobring_object* counter, int64_t value) {
  return on<Counter>(counter, [&](Counter& o) { o.set(value); });
}
jobring_status jobring_counter_get(jobring_object* counter, int64_t* value) {
  return need_number_of<Counter>(counter, value, [](Counter& o) { return o.get(); });
}
jobring_status jobring_counter_compare_and_set(jobring_object* counter, int64_t expected,
                                               int64_t desired, int32_t* done, int64_t* present) {
  return need_number_of<Counter>(counter, done, [&](Counter& o) {
    return o.compare_and_set(expected, desired, present) ? 1 : 0;
  });
}
