// Locks, semaphores, events, conditions, barriers.
#include <jobring/c/operations.h>

#include "client/c/objects.hpp"

using namespace jobring::c;
using jobring::Barrier;
using jobring::Condition;
using jobring::Event;
using jobring::Lock;
using jobring::Semaphore;

jobring_status jobring_lock_acquire(jobring_object* lock, int64_t timeout_ns,
                                    jobring_answer* answer) {
  return answered<Lock>(lock, answer,
                        [&](Lock& o) { return o.acquire(need_time(timeout_ns, "timeout_ns")); });
}
jobring_status jobring_lock_start_acquire(jobring_object* lock, int64_t timeout_ns,
                                          jobring_pending** pending) {
  return started<Lock>(
      lock, pending, [&](Lock& o) { return o.start_acquire(need_time(timeout_ns, "timeout_ns")); });
}
jobring_status jobring_lock_release(jobring_object* lock) {
  return on<Lock>(lock, [](Lock& o) { o.release(); });
}
jobring_status jobring_lock_start_release(jobring_object* lock, jobring_pending** pending) {
  return started<Lock>(lock, pending, [](Lock& o) { return o.start_release(); });
}
jobring_status jobring_lock_token(jobring_object* lock, uint64_t* token) {
  return need_number_of<Lock>(lock, token, [](Lock& o) { return o.token(); });
}
jobring_status jobring_lock_held(jobring_object* lock, int32_t* held) {
  return need_number_of<Lock>(lock, held, [](Lock& o) { return o.held() ? 1 : 0; });
}
jobring_status jobring_lock_check(jobring_object* lock, int32_t* held) {
  return need_number_of<Lock>(lock, held, [](Lock& o) { return o.check() ? 1 : 0; });
}

jobring_status jobring_semaphore_acquire(jobring_object* semaphore, int64_t permits,
                                         int64_t timeout_ns, jobring_answer* answer) {
  return answered<Semaphore>(semaphore, answer, [&](Semaphore& o) {
    return o.acquire(need_time(timeout_ns, "timeout_ns"), permits);
  });
}
jobring_status jobring_semaphore_start_acquire(jobring_object* semaphore, int64_t permits,
                                               int64_t timeout_ns, jobring_pending** pending) {
  return started<Semaphore>(semaphore, pending, [&](Semaphore& o) {
    return o.start_acquire(need_time(timeout_ns, "timeout_ns"), permits);
  });
}
jobring_status jobring_semaphore_consume(jobring_object* semaphore, int64_t permits,
                                         int64_t timeout_ns, jobring_answer* answer) {
  return answered<Semaphore>(semaphore, answer, [&](Semaphore& o) {
    return o.consume(need_time(timeout_ns, "timeout_ns"), permits);
  });
}
jobring_status jobring_semaphore_start_consume(jobring_object* semaphore, int64_t permits,
                                               int64_t timeout_ns, jobring_pending** pending) {
  return started<Semaphore>(semaphore, pending, [&](Semaphore& o) {
    return o.start_consume(need_time(timeout_ns, "timeout_ns"), permits);
  });
}
jobring_status jobring_semaphore_release(jobring_object* semaphore, int64_t permits, uint64_t token,
                                         int64_t* left) {
  return number_of<Semaphore>(semaphore, left,
                              [&](Semaphore& o) { return o.release(permits, token); });
}
jobring_status jobring_semaphore_value(jobring_object* semaphore, int64_t* permits) {
  return need_number_of<Semaphore>(semaphore, permits, [](Semaphore& o) { return o.value(); });
}

jobring_status jobring_event_set(jobring_object* event) {
  return on<Event>(event, [](Event& o) { o.set(); });
}
jobring_status jobring_event_clear(jobring_object* event) {
  return on<Event>(event, [](Event& o) { o.clear(); });
}
jobring_status jobring_event_is_set(jobring_object* event, int32_t* is_set) {
  return need_number_of<Event>(event, is_set, [](Event& o) { return o.is_set() ? 1 : 0; });
}
jobring_status jobring_event_wait(jobring_object* event, int64_t timeout_ns) {
  return answered<Event>(event, nullptr,
                         [&](Event& o) { return o.wait(need_time(timeout_ns, "timeout_ns")); });
}
jobring_status jobring_event_start_wait(jobring_object* event, int64_t timeout_ns,
                                        jobring_pending** pending) {
  return started<Event>(
      event, pending, [&](Event& o) { return o.start_wait(need_time(timeout_ns, "timeout_ns")); });
}

jobring_status jobring_condition_wait(jobring_object* condition, int64_t timeout_ns) {
  return answered<Condition>(condition, nullptr, [&](Condition& o) {
    return o.wait(need_time(timeout_ns, "timeout_ns"));
  });
}
jobring_status jobring_condition_start_wait(jobring_object* condition, int64_t timeout_ns,
                                            jobring_pending** pending) {
  return started<Condition>(condition, pending, [&](Condition& o) {
    return o.start_wait(need_time(timeout_ns, "timeout_ns"));
  });
}
jobring_status jobring_condition_notify(jobring_object* condition, int64_t count, int64_t* woken) {
  return number_of<Condition>(condition, woken, [&](Condition& o) {
    return count == -1 ? o.notify_all() : o.notify(count);
  });
}

jobring_status jobring_barrier_wait(jobring_object* barrier, int64_t timeout_ns, int64_t* index) {
  return number_of<Barrier>(
      barrier, index, [&](Barrier& o) { return o.wait(need_time(timeout_ns, "timeout_ns")); });
}
jobring_status jobring_barrier_start_wait(jobring_object* barrier, int64_t timeout_ns,
                                          jobring_pending** pending) {
  return started<Barrier>(barrier, pending, [&](Barrier& o) {
    return o.start_wait(need_time(timeout_ns, "timeout_ns"));
  });
}
jobring_status jobring_barrier_reset(jobring_object* barrier) {
  return on<Barrier>(barrier, [](Barrier& o) { o.reset(); });
}
jobring_status jobring_barrier_abort(jobring_object* barrier) {
  return on<Barrier>(barrier, [](Barrier& o) { o.abort(); });
}
jobring_status jobring_barrier_broken(jobring_object* barrier, int32_t* broken) {
  return need_number_of<Barrier>(barrier, broken, [](Barrier& o) { return o.broken() ? 1 : 0; });
}
jobring_status jobring_barrier_waiting(jobring_object* barrier, int64_t* waiting) {
  return need_number_of<Barrier>(barrier, waiting, [](Barrier& o) { return o.waiting(); });
}
