// What operations bring, as C sees it.
#include "client/c/objects.hpp"

#include <cstring>

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
