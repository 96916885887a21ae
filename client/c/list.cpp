// Lists and counters.
#include <jobring/c/operations.h>

#include "client/c/objects.hpp"

using namespace jobring::c;
using jobring::Counter;
using jobring::List;

namespace {

jobring_entries* entries_of(std::vector<std::string> values) {
  auto entries = std::make_unique<jobring_entries>();
  for (auto& value : values) entries->all.push_back({{}, std::move(value), 0});
  return entries.release();
}

}  // namespace

jobring_status jobring_list_append(jobring_object* list, const void* bytes, size_t len,
                                   int64_t* length) {
  return number_of<List>(list, length,
                         [&](List& o) { return o.append(need_bytes(bytes, len, "bytes")); });
}
jobring_status jobring_list_start_append(jobring_object* list, const void* bytes, size_t len,
                                         jobring_pending** pending) {
  return started<List>(list, pending,
                       [&](List& o) { return o.start_append(need_bytes(bytes, len, "bytes")); });
}
jobring_status jobring_list_extend(jobring_object* list, const jobring_bytes* values, size_t count,
                                   int64_t* length) {
  return number_of<List>(list, length, [&](List& o) {
    if (count != 0) need(values, "values");
    std::vector<std::string> all;
    for (std::size_t i = 0; i < count; ++i)
      all.emplace_back(need_bytes(values[i].data, values[i].len, "values[]"));
    return o.extend(all);
  });
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
  return on<List>(list, [&](List& o) {
    auto*& out = need_out(entries, "entries");
    out = entries_of(o.slice(begin, end));
  });
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
