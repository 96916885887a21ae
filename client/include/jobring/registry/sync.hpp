// Semaphore, BoundedSemaphore, Event and Barrier, by name, between unrelated processes.
#pragma once

#include <jobring/registry/locks.hpp>

namespace jobring {

// Permits, held by the process: those that it holds when it dies come back.
class Semaphore : public NamedObject {
 public:
  // `permits`: when it is made; one that exists with another number is "wrong_params".
  Semaphore(const Registry& registry, std::string_view name, std::int64_t permits = 1,
            const ObjectOptions& options = {});

  // `n` permits, at least 1, all or none, in turn.
  Grant acquire(std::chrono::nanoseconds timeout = kForever, std::int64_t n = 1);
  Pending<Grant> start_acquire(std::chrono::nanoseconds timeout = kForever, std::int64_t n = 1);
  // Takes permits for good: they do not come back when this process dies. For a semaphore that is
  // a counter between those who only release and those who only acquire.
  Grant consume(std::chrono::nanoseconds timeout = kForever, std::int64_t n = 1);
  Pending<Grant> start_consume(std::chrono::nanoseconds timeout = kForever, std::int64_t n = 1);
  // Releasing more than this process holds adds permits, which survive. With the token of a grant
  // that was lost: throws ObjectLost. Permits that are left.
  std::int64_t release(std::int64_t n = 1, std::uint64_t token = 0);
  std::int64_t value();

 protected:
  Semaphore(const Registry& registry, std::string_view name, ObjectKind kind, std::int64_t permits,
            const ObjectOptions& options);
};

// The same, but releasing more than is held throws NotHolder ("over_release").
class BoundedSemaphore : public Semaphore {
 public:
  BoundedSemaphore(const Registry& registry, std::string_view name, std::int64_t permits = 1,
                   const ObjectOptions& options = {});
};

class Event : public NamedObject {
 public:
  Event(const Registry& registry, std::string_view name, const ObjectOptions& options = {});

  void set();
  void clear();
  bool is_set();
  // False: the time was over. Goes on waiting if the registry dies meanwhile: events survive.
  bool wait(std::chrono::nanoseconds timeout = kForever);
  Pending<bool> start_wait(std::chrono::nanoseconds timeout = kForever);
};

// As Python's: who times out, is cancelled or dies breaks it for all, until reset().
class Barrier : public NamedObject {
 public:
  Barrier(const Registry& registry, std::string_view name, std::int64_t parties,
          const ObjectOptions& options = {});

  // The order of arrival, from 0; the last one is parties - 1. Throws BrokenBarrier, also when the
  // time is over.
  std::int64_t wait(std::chrono::nanoseconds timeout = kForever);
  Pending<std::int64_t> start_wait(std::chrono::nanoseconds timeout = kForever);
  void reset();  // who waits hears BrokenBarrier
  void abort();
  bool broken();
  std::int64_t waiting();  // 0 if it is broken
};

}  // namespace jobring
