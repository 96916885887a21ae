#include <jobring/registry/queue.hpp>

#include "client/registry/core.hpp"

namespace jobring {
namespace {

using namespace detail;

bool reached(const Answer& answer, ObjectCore&) {
  return in_time(answer);
}

std::optional<QueueItem> to_item(const Answer& answer, ObjectCore&) {
  if (!in_time(answer)) return std::nullopt;
  return QueueItem{std::string(answer.payload), answer.token, (answer.flags & kRedelivered) != 0,
                   answer.number};
}

Pending<std::optional<QueueItem>> get_item(const std::shared_ptr<ObjectCore>& object,
                                           std::chrono::nanoseconds timeout, bool lease) {
  RegistryRequest r = object->request(RegistryOp::queue_get);
  r.deadline_ns = deadline(timeout);
  if (lease) r.flags |= kLease;
  return start<std::optional<QueueItem>>(object, r, Repeat::yes, to_item);
}

}  // namespace

Queue::Queue(const Registry& registry, std::string_view name, const QueueOptions& options)
    : NamedObject(registry, name, ObjectKind::queue, options.object, options.capacity,
                  std::uint8_t(options.order)) {}

Pending<bool> Queue::start_put(std::string_view value, std::chrono::nanoseconds timeout,
                               std::int64_t priority) {
  RegistryRequest r = core_->request(RegistryOp::queue_put);
  r.value = value;
  r.a = priority;
  r.deadline_ns = deadline(timeout);
  return start<bool>(core_, r, Repeat::yes, reached);
}
bool Queue::put(std::string_view value, std::chrono::nanoseconds timeout, std::int64_t priority) {
  return start_put(value, timeout, priority).get();
}

Pending<std::optional<QueueItem>> Queue::start_get(std::chrono::nanoseconds timeout) {
  return get_item(core_, timeout, false);
}
std::optional<QueueItem> Queue::get(std::chrono::nanoseconds timeout) {
  return start_get(timeout).get();
}
Pending<std::optional<QueueItem>> Queue::start_get_leased(std::chrono::nanoseconds timeout) {
  return get_item(core_, timeout, true);
}
std::optional<QueueItem> Queue::get_leased(std::chrono::nanoseconds timeout) {
  return start_get_leased(timeout).get();
}

void Queue::task_done(std::int64_t n) {
  RegistryRequest r = core_->request(RegistryOp::queue_task_done);
  r.a = count_of(n);
  Future future;
  ask(core_, r, future);
}
void Queue::task_done(const QueueItem& item) {
  RegistryRequest r = core_->request(RegistryOp::queue_task_done);
  r.token = item.lease;
  Future future;
  ask(core_, r, future);
}

Pending<bool> Queue::start_join(std::chrono::nanoseconds timeout) {
  RegistryRequest r = core_->request(RegistryOp::queue_join);
  r.deadline_ns = deadline(timeout);
  return start<bool>(core_, r, Repeat::yes, reached);
}
bool Queue::join(std::chrono::nanoseconds timeout) {
  return start_join(timeout).get();
}

std::int64_t Queue::size() {
  Future future;
  return ask(core_, core_->request(RegistryOp::queue_length), future).number;
}
std::int64_t Queue::unfinished() {
  Future future;
  return std::int64_t(ask(core_, core_->request(RegistryOp::queue_length), future).token);
}
std::int64_t Queue::clear() {
  Future future;
  return ask(core_, core_->request(RegistryOp::queue_clear), future).number;
}

}  // namespace jobring
