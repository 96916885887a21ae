// Dicts.
#include <jobring/c/operations.h>

#include "client/c/objects.hpp"

using namespace jobring::c;
using jobring::Dict;

namespace {

std::optional<std::string_view> optional_bytes(const jobring_bytes* bytes, const char* name) {
  if (bytes == nullptr) return std::nullopt;
  return need_bytes(bytes->data, bytes->len, name);
}

jobring_entries* entries_of(std::vector<std::pair<std::string, std::string>> items) {
  auto entries = std::make_unique<jobring_entries>();
  for (auto& [key, value] : items) entries->all.push_back({std::move(key), std::move(value), 0});
  return entries.release();
}

jobring_entries* keys_of(std::vector<std::string> keys) {
  auto entries = std::make_unique<jobring_entries>();
  for (auto& key : keys) entries->all.push_back({std::move(key), std::nullopt, 0});
  return entries.release();
}

std::vector<jobring::DictUpdate> batch_of(const jobring_dict_step* steps, std::size_t count) {
  if (count != 0) need(steps, "steps");
  std::vector<jobring::DictUpdate> batch;
  for (std::size_t i = 0; i < count; ++i) {
    const jobring_dict_step& step = steps[i];
    jobring::DictUpdate& update = batch.emplace_back();
    update.key = need_bytes(step.key.data, step.key.len, "steps[].key");
    if (step.erase == 0)
      update.value = need_bytes(step.value.data, step.value.len, "steps[].value");
  }
  return batch;
}

}  // namespace

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
jobring_status jobring_dict_set_if_absent(jobring_object* dict, const void* key, size_t key_len,
                                          const void* value, size_t value_len, int64_t ttl_ns,
                                          int32_t* done, jobring_answer* present) {
  return on<Dict>(dict, [&](Dict& o) {
    std::int32_t& set = need(done, "done");
    check_answer(present);
    std::string there;
    set = o.set_if_absent(need_bytes(key, key_len, "key"), need_bytes(value, value_len, "value"),
                          need_time(ttl_ns, "ttl_ns"), &there)
              ? 1
              : 0;
    Brought answer;
    if (set == 0) answer.bytes = std::move(there);
    give(present, std::move(answer));
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
jobring_status jobring_dict_start_increment(jobring_object* dict, const void* key, size_t key_len,
                                            int64_t by, int64_t ttl_ns, jobring_pending** pending) {
  return started<Dict>(dict, pending, [&](Dict& o) {
    return o.start_increment(need_bytes(key, key_len, "key"), by, need_time(ttl_ns, "ttl_ns"));
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
    return std::int64_t(o.update(batch_of(steps, count), need_time(ttl_ns, "ttl_ns")));
  });
}
jobring_status jobring_dict_update_if(jobring_object* dict, uint64_t version,
                                      const jobring_dict_step* steps, size_t count, int64_t ttl_ns,
                                      int32_t* done) {
  return need_number_of<Dict>(dict, done, [&](Dict& o) {
    return o.update_if(version, batch_of(steps, count), need_time(ttl_ns, "ttl_ns")) ? 1 : 0;
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
  return on<Dict>(dict, [&](Dict& o) {
    auto*& out = need_out(entries, "entries");
    out = entries_of(o.items());
  });
}
jobring_status jobring_dict_keys(jobring_object* dict, jobring_entries** entries) {
  return on<Dict>(dict, [&](Dict& o) {
    auto*& out = need_out(entries, "entries");
    out = keys_of(o.keys());
  });
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
