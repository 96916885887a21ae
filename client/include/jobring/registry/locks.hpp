// Lock, RLock and Condition, by name, between unrelated processes.
//
//     jobring::Registry registry(client);
//     jobring::Lock lock(registry, "backup");
//     if (jobring::Grant grant = lock.acquire(5s)) {
//       store.write(data, grant.token);      // a fencing token: the store refuses smaller ones
//       lock.release();
//     }
//     std::unique_lock guard(lock);          // or as any mutex
#pragma once

#include <jobring/registry/base.hpp>

namespace jobring {

// What an acquisition brought. False: the time was over.
struct Grant {
  // Fencing token: greater than those of all grants before it, of any object, over restarts of the
  // registry and reboots. 0: not granted.
  std::uint64_t token = 0;
  // Who held it before died holding it (as EOWNERDEAD): what it guards may be half changed. Told
  // once, to the next holder.
  bool owner_died = false;
  // The first grant since the registry died: who held it before may not know yet that it does not.
  bool after_restart = false;
  std::int64_t number = 0;  // RLock: levels held; semaphores: permits left

  explicit operator bool() const { return token != 0; }
  // Throws OwnerDied if owner_died or after_restart; it is held nevertheless.
  const Grant& require_clean() const;
};

// Held by the process (its session with the registry): any thread of it may release it, and a
// second acquisition waits, whoever asks. First come, first served. A holder that dies releases it.
class Lock : public NamedObject {
 public:
  Lock(const Registry& registry, std::string_view name, const ObjectOptions& options = {});

  // Throws ObjectLost if the registry dies meanwhile; it is not held then.
  Grant acquire(std::chrono::nanoseconds timeout = kForever);
  Pending<Grant> start_acquire(std::chrono::nanoseconds timeout = kForever);
  // Throws NotHolder if this process does not hold it (any more), ObjectLost if it lost it because
  // the registry died.
  void release();
  Pending<void> start_release();

  // As std::timed_mutex has it. unlock() does not throw for a lock that was lost.
  void lock() { acquire(); }
  bool try_lock() { return bool(acquire(std::chrono::nanoseconds(0))); }
  template <class Rep, class Period>
  bool try_lock_for(std::chrono::duration<Rep, Period> timeout) {
    return bool(acquire(std::chrono::ceil<std::chrono::nanoseconds>(timeout)));
  }
  void unlock();

  // Fencing token of the last grant through this object or its copies; 0: none, or released.
  std::uint64_t token() const;
  // Whether that grant still holds, without asking the registry: false as soon as it has died.
  bool held() const;
  // Asks it. Throws ObjectLost if it was lost.
  bool check();

 protected:
  Lock(const Registry& registry, std::string_view name, ObjectKind kind,
       const ObjectOptions& options);
};

// The same, held by one thread, as often as it likes: it is free after as many releases.
class RLock : public Lock {
 public:
  RLock(const Registry& registry, std::string_view name, const ObjectOptions& options = {});
};

// Tied to a lock, which the caller holds.
class Condition : public NamedObject {
 public:
  // `lock`: a Lock or RLock; through it the caller acquires and releases.
  Condition(const Registry& registry, std::string_view name, const Lock& lock,
            const ObjectOptions& options = {});

  // Gives the lock up (all levels of an RLock), waits, and holds it again when it returns: true if
  // notified, false if the time was over. Throws NotHolder if it was not held. After
  // ObjectCancelled, ObjectRemoved and ObjectLost the lock is not held.
  bool wait(std::chrono::nanoseconds timeout = kForever);
  Pending<bool> start_wait(std::chrono::nanoseconds timeout = kForever);
  // Until the predicate, called with the lock held, says true. False: the time was over.
  template <class Predicate>
  bool wait(std::chrono::nanoseconds timeout, Predicate predicate) {
    const auto until = timeout == kForever ? std::chrono::steady_clock::time_point::max()
                                           : std::chrono::steady_clock::now() + timeout;
    while (!predicate()) {
      const auto left =
          timeout == kForever
              ? kForever
              : std::max(std::chrono::nanoseconds(0),
                         std::chrono::nanoseconds(until - std::chrono::steady_clock::now()));
      if (!wait(left)) return predicate();
    }
    return true;
  }
  // How many were woken; each goes on when it has the lock. Throws NotHolder.
  std::int64_t notify(std::int64_t count = 1);
  std::int64_t notify_all();

 private:
  Lock lock_;
};

}  // namespace jobring
