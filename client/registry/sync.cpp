#include <jobring/registry/sync.hpp>

#include "client/registry/core.hpp"

namespace jobring {
namespace {

using namespace detail;

Grant to_grant(const Answer& answer, ObjectCore&) {
  if (!in_time(answer)) return {};
  return {answer.token, (answer.flags & kOwnerDied) != 0, (answer.flags & kAfterRestart) != 0,
          answer.number};
}

bool reached(const Answer& answer, ObjectCore&) {
  return in_time(answer);
}

// Asks and waits; the answer's number.
std::int64_t ask_number(const std::shared_ptr<ObjectCore>& object, const RegistryRequest& request,
                        Repeat repeat = Repeat::yes) {
  const Future future = object->registry->submit(request, repeat == Repeat::yes);
  const Answer answer = answer_of(future);
  require_ok(answer);
  return answer.number;
}

Pending<Grant> acquire_permits(const std::shared_ptr<ObjectCore>& object, std::int64_t n,
                               std::chrono::nanoseconds timeout, bool consume) {
  RegistryRequest r = object->request(RegistryOp::semaphore_acquire);
  r.a = count_of(n);
  r.deadline_ns = deadline(timeout);
  if (consume) r.flags |= kConsume;
  return start<Grant>(object, r, consume ? Repeat::yes : Repeat::no, to_grant);
}

}  // namespace

// ---- semaphores

Semaphore::Semaphore(const Registry& registry, std::string_view name, std::int64_t permits,
                     const ObjectOptions& options)
    : Semaphore(registry, name, ObjectKind::semaphore, permits, options) {}
Semaphore::Semaphore(const Registry& registry, std::string_view name, ObjectKind kind,
                     std::int64_t permits, const ObjectOptions& options)
    : NamedObject(registry, name, kind, options, permits) {}
BoundedSemaphore::BoundedSemaphore(const Registry& registry, std::string_view name,
                                   std::int64_t permits, const ObjectOptions& options)
    : Semaphore(registry, name, ObjectKind::bounded_semaphore, permits, options) {}

Pending<Grant> Semaphore::start_acquire(std::chrono::nanoseconds timeout, std::int64_t n) {
  return acquire_permits(core_, n, timeout, false);
}
Grant Semaphore::acquire(std::chrono::nanoseconds timeout, std::int64_t n) {
  return start_acquire(timeout, n).get();
}
Pending<Grant> Semaphore::start_consume(std::chrono::nanoseconds timeout, std::int64_t n) {
  return acquire_permits(core_, n, timeout, true);
}
Grant Semaphore::consume(std::chrono::nanoseconds timeout, std::int64_t n) {
  return start_consume(timeout, n).get();
}

std::int64_t Semaphore::release(std::int64_t n, std::uint64_t token) {
  RegistryRequest r = core_->request(RegistryOp::semaphore_release);
  r.a = count_of(n);
  r.token = token;
  return ask_number(core_, r);
}

std::int64_t Semaphore::value() {
  return ask_number(core_, core_->request(RegistryOp::semaphore_value));
}

// ---- events

Event::Event(const Registry& registry, std::string_view name, const ObjectOptions& options)
    : NamedObject(registry, name, ObjectKind::event, options) {}

void Event::set() {
  ask_number(core_, core_->request(RegistryOp::event_set));
}
void Event::clear() {
  ask_number(core_, core_->request(RegistryOp::event_clear));
}
bool Event::is_set() {
  return ask_number(core_, core_->request(RegistryOp::event_is_set)) != 0;
}
Pending<bool> Event::start_wait(std::chrono::nanoseconds timeout) {
  RegistryRequest r = core_->request(RegistryOp::event_wait);
  r.deadline_ns = deadline(timeout);
  return start<bool>(core_, r, Repeat::yes, reached);
}
bool Event::wait(std::chrono::nanoseconds timeout) {
  return start_wait(timeout).get();
}

// ---- barriers

Barrier::Barrier(const Registry& registry, std::string_view name, std::int64_t parties,
                 const ObjectOptions& options)
    : NamedObject(registry, name, ObjectKind::barrier, options, parties) {}

Pending<std::int64_t> Barrier::start_wait(std::chrono::nanoseconds timeout) {
  RegistryRequest r = core_->request(RegistryOp::barrier_wait);
  r.deadline_ns = deadline(timeout);
  return start<std::int64_t>(core_, r, Repeat::no, [](const Answer& answer, ObjectCore& object) {
    if (status(answer) == RegistryStatus::timed_out) {
      throw BrokenBarrier(exit_status(Errc::bad_input), "broken",
                          "barrier \"" + object.name + "\": the time was over, which broke it");
    }
    require_ok(answer);
    return answer.number;
  });
}
std::int64_t Barrier::wait(std::chrono::nanoseconds timeout) {
  return start_wait(timeout).get();
}
void Barrier::reset() {
  ask_number(core_, core_->request(RegistryOp::barrier_reset));
}
void Barrier::abort() {
  ask_number(core_, core_->request(RegistryOp::barrier_abort));
}
bool Barrier::broken() {
  const Future future = core_->registry->submit(core_->request(RegistryOp::barrier_state), true);
  const Answer answer = answer_of(future);
  if (status(answer) == RegistryStatus::broken) return true;
  require_ok(answer);
  return false;
}
std::int64_t Barrier::waiting() {
  const Future future = core_->registry->submit(core_->request(RegistryOp::barrier_state), true);
  const Answer answer = answer_of(future);
  if (status(answer) == RegistryStatus::broken) return 0;
  require_ok(answer);
  return answer.number;
}

}  // namespace jobring
