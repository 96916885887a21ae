#include <jobring/registry/locks.hpp>

#include "client/registry/core.hpp"

namespace jobring {
namespace {

using namespace detail;

// A number of its own for each thread: the system's are used again.
std::uint64_t this_thread() {
  static std::atomic<std::uint64_t> last{0};
  thread_local const std::uint64_t id = last.fetch_add(1, std::memory_order_relaxed) + 1;
  return id;
}

Grant to_grant(const Answer& answer) {
  if (!in_time(answer)) return {};
  return {answer.token, (answer.flags & kOwnerDied) != 0, (answer.flags & kAfterRestart) != 0,
          answer.number};
}

// A grant that is looked at again later must not hide one that came after it.
void granted(ObjectCore& object, std::uint64_t token) {
  std::uint64_t newest = object.newest.load(std::memory_order_relaxed);
  while (newest < token) {
    if (!object.newest.compare_exchange_weak(newest, token)) continue;
    object.token.store(token, std::memory_order_release);
    return;
  }
}

RegistryRequest request(const ObjectCore& object, RegistryOp op) {
  RegistryRequest r = object.request(op);
  if (object.kind == ObjectKind::rlock) r.owner = this_thread();
  return r;
}

RegistryRequest release_request(const ObjectCore& object) {
  RegistryRequest r = request(object, RegistryOp::lock_release);
  r.token = object.token.load(std::memory_order_acquire);
  return r;
}

void released(const Answer& answer, ObjectCore& object) {
  const bool still = status(answer) == RegistryStatus::ok && answer.number > 0;
  if (!still) object.token.store(0, std::memory_order_release);
  require_ok(answer);
}

// The condition's wait gave the lock up and took it again.
bool reacquired(const Answer& answer, ObjectCore& object) {
  ObjectCore& lock = *object.lock_core;
  const bool holds = status(answer) == RegistryStatus::ok ||
                     (status(answer) == RegistryStatus::timed_out && answer.token != 0);
  if (holds) granted(lock, answer.token);
  return in_time(answer);
}

}  // namespace

const Grant& Grant::require_clean() const {
  if (owner_died || after_restart) {
    throw OwnerDied(exit_status(Errc::bad_input), "owner_died",
                    owner_died ? "who held it before died holding it"
                               : "the registry died since it was last held");
  }
  return *this;
}

Lock::Lock(const Registry& registry, std::string_view name, const ObjectOptions& options)
    : Lock(registry, name, ObjectKind::lock, options) {}
Lock::Lock(const Registry& registry, std::string_view name, ObjectKind kind,
           const ObjectOptions& options)
    : NamedObject(registry, name, kind, options) {}
RLock::RLock(const Registry& registry, std::string_view name, const ObjectOptions& options)
    : Lock(registry, name, ObjectKind::rlock, options) {}

Pending<Grant> Lock::start_acquire(std::chrono::nanoseconds timeout) {
  RegistryRequest r = request(*core_, RegistryOp::lock_acquire);
  r.deadline_ns = deadline(timeout);
  return start<Grant>(core_, r, Repeat::no, [](const Answer& answer, ObjectCore& object) {
    const Grant grant = to_grant(answer);
    if (grant) granted(object, grant.token);
    return grant;
  });
}

Grant Lock::acquire(std::chrono::nanoseconds timeout) {
  return start_acquire(timeout).get();
}

Pending<void> Lock::start_release() {
  return start<void>(core_, release_request(*core_), Repeat::yes, released);
}

void Lock::release() {
  start_release().get();
}

void Lock::unlock() {
  try {
    release();
  } catch (const ObjectLost&) {
    // Nobody holds it any more, which is what was asked for.
  }
}

std::uint64_t Lock::token() const {
  return core_->token.load(std::memory_order_acquire);
}

bool Lock::held() const {
  return core_->registry->holds(token());
}

bool Lock::check() {
  RegistryRequest r = request(*core_, RegistryOp::lock_check);
  r.token = token();
  const Future future = core_->registry->submit(r, true);
  const Answer answer = answer_of(future);
  if (status(answer) == RegistryStatus::not_holder) return false;
  require_ok(answer);
  return true;
}

Condition::Condition(const Registry& registry, std::string_view name, const Lock& lock,
                     const ObjectOptions& options)
    : NamedObject(registry, name, ObjectKind::condition, options, 0, 0, lock.name()), lock_(lock) {
  core_->lock_core = lock_.object();
}

Pending<bool> Condition::start_wait(std::chrono::nanoseconds timeout) {
  RegistryRequest r = core_->request(RegistryOp::condition_wait);
  if (core_->lock_core->kind == ObjectKind::rlock) r.owner = this_thread();
  r.token = core_->lock_core->token.load(std::memory_order_acquire);
  r.deadline_ns = deadline(timeout);
  return start<bool>(core_, r, Repeat::no, reacquired);
}

bool Condition::wait(std::chrono::nanoseconds timeout) {
  return start_wait(timeout).get();
}

std::int64_t Condition::notify(std::int64_t count) {
  RegistryRequest r = core_->request(RegistryOp::condition_notify);
  if (core_->lock_core->kind == ObjectKind::rlock) r.owner = this_thread();
  r.token = core_->lock_core->token.load(std::memory_order_acquire);
  r.a = count_of(count);
  const Future future = core_->registry->submit(r, false);
  const Answer answer = answer_of(future);
  require_ok(answer);
  return answer.number;
}

std::int64_t Condition::notify_all() {
  return notify(-1);
}

}  // namespace jobring
