// Queues.
#include <jobring/c/operations.h>

#include "client/c/objects.hpp"

using namespace jobring::c;
using jobring::Queue;

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
jobring_status jobring_queue_unfinished(jobring_object* queue, int64_t* items) {
  return need_number_of<Queue>(queue, items, [](Queue& o) { return o.unfinished(); });
}
jobring_status jobring_queue_clear(jobring_object* queue, int64_t* items) {
  return number_of<Queue>(queue, items, [](Queue& o) { return o.clear(); });
}
