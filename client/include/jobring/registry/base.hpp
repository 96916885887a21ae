// What all named objects share: the connection to the registry, errors, and Pending results.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <jobring/jobring.hpp>

namespace jobring {

// Time-outs: 0 tries without waiting, kForever waits for ever, a negative one throws BadTimeout.
inline constexpr std::chrono::nanoseconds kForever = std::chrono::nanoseconds::max();

// What went wrong with a named object. kind() is one word: "wrong_type", "wrong_params",
// "not_found", "exists", "permission", "bad_name", "bad_argument", "too_large", "full", "too_many",
// "not_a_number", "stale_request", or that of one of the classes below.
class ObjectError : public Exception {
  using Exception::Exception;
};
// "not_holder", "over_release": released by one who does not hold it, or twice.
class NotHolder : public ObjectError {
  using ObjectError::ObjectError;
};
// "lost": the registry (or the daemon) died. What was held is not held any more, the wait is over.
class ObjectLost : public ObjectError {
  using ObjectError::ObjectError;
};
// "bad_timeout": negative.
class BadTimeout : public ObjectError {
  using ObjectError::ObjectError;
};
// "cancelled": by Pending::cancel().
class ObjectCancelled : public ObjectError {
  using ObjectError::ObjectError;
};
// "removed": the object was removed while the request waited.
class ObjectRemoved : public ObjectError {
  using ObjectError::ObjectError;
};
// "broken": the barrier.
class BrokenBarrier : public ObjectError {
  using ObjectError::ObjectError;
};
// "out_of_range": an index, or a number that does not fit into 64 bits.
class ObjectRange : public ObjectError {
  using ObjectError::ObjectError;
};
// "owner_died": thrown by Grant::require_clean() only.
class OwnerDied : public ObjectError {
  using ObjectError::ObjectError;
};

enum class ObjectKind : std::uint8_t {
  any,
  lock,
  rlock,
  semaphore,
  bounded_semaphore,
  event,
  condition,
  barrier,
  queue,
  dict,
  list,
  counter
};
const char* to_string(ObjectKind kind);

struct ObjectOptions {
  bool create = true;      // made by the first operation if it does not exist; else "not_found"
  bool ephemeral = false;  // when it is made: it vanishes with the last client that used it
  unsigned mode = 0;       // when it is made: as of files; 0: 0700
};

struct ObjectInfo {
  std::string name;
  ObjectKind kind = ObjectKind::any;
  std::int64_t size = 0;      // permits, parties, capacity (0: unbounded)
  std::int64_t length = 0;    // items, keys, permits left, parties that wait, the counter, 1: set
  std::uint64_t token = 0;    // fencing token of the present holder; version of a dict
  std::uint32_t holders = 0;  // lock: its levels; semaphore: permits out; queue: leases
  std::uint32_t waiters = 0;
  std::uint64_t bytes = 0;  // memory that is accounted for it
  uid_t uid = 0;
  gid_t gid = 0;
  unsigned mode = 0;
  bool ephemeral = false;
  bool broken = false;  // barrier
};

namespace detail {

class RegistryCore;
struct ObjectCore;

// An answer of the registry. RegistryStatus and RegistryReplyFlags are internal.
struct Answer {
  std::uint8_t status = 0;
  std::uint16_t flags = 0;
  std::uint64_t token = 0;
  std::int64_t number = 0;
  std::string_view payload;
};
// Throws what the job's outcome means; else the answer, valid as long as the future.
Answer answer_of(const Future& future);
// What answers are read with when nobody has the object any more.
std::shared_ptr<ObjectCore> nobodys_object();

}  // namespace detail

// The result to come of one operation. Copyable: copies share it. Dropping all copies does not
// withdraw the operation: a lock that is granted to nobody who looks is held all the same, so
// cancel() what you drop. Thread-safe, as Future is.
template <class T>
class Pending {
 public:
  Pending() = default;
  bool valid() const { return future_.valid(); }
  bool ready() const { return future_.ready(); }
  void wait() const { future_.wait(); }
  bool wait_for(std::chrono::nanoseconds timeout) const { return future_.wait_for(timeout); }
  // Waits; the result, or throws what the operation itself throws. As often as you like.
  T get() const {
    future_.wait();
    return decode_(detail::answer_of(future_), *object_);
  }
  // Takes the request out of its line: get() then throws ObjectCancelled, unless it was granted
  // before. Does not wait.
  void cancel() const {
    if (!future_.cancel()) future_.kill();
  }
  // Once it is ready; see future.hpp for the thread and the rules. The callback keeps nothing
  // alive: when all else of the Registry is gone, the operation ends as lost.
  void on_ready(std::function<void(const Pending&)> callback) const {
    future_.on_ready([object = std::weak_ptr(object_), decode = decode_,
                      callback = std::move(callback)](const Future& future) {
      auto present = object.lock();
      if (!present) present = detail::nobodys_object();
      callback(Pending(future, std::move(present), decode));
    });
  }
  // For wait(), AsCompleted and AsyncPool::async_wait().
  const Future& future() const { return future_; }

  // Internal. The same operation, which keeps neither its object nor the Registry alive.
  Pending detached() const { return Pending(future_, detail::nobodys_object(), decode_); }
  using Decode = T (*)(const detail::Answer&, detail::ObjectCore&);
  Pending(Future future, std::shared_ptr<detail::ObjectCore> object, Decode decode)
      : future_(std::move(future)), object_(std::move(object)), decode_(decode) {}

 private:
  Future future_;
  std::shared_ptr<detail::ObjectCore> object_;
  Decode decode_ = nullptr;
};

// A client's session with its daemon's registry. Copies share it, and all of one Client are one
// session: what one of its threads holds, the process holds, until it is released, the last object
// and the Client are destroyed, or the process ends. Thread-safe.
class Registry {
 public:
  // Throws Exception: the daemon has no registry, or it cannot be started.
  explicit Registry(Client& client);

  // The objects whose names begin with `prefix` that this user may read.
  std::vector<ObjectInfo> objects(std::string_view prefix = {}, ObjectKind kind = ObjectKind::any);
  // Removes an object of whatever kind; who waits for it hears ObjectRemoved. False: there is none.
  bool remove(std::string_view name);
  // Information of one; nullopt: there is none.
  std::optional<ObjectInfo> info(std::string_view name);

  // The pool behind it, for event loops: fd(), poll(), AsyncPool. Submit nothing to it.
  Pool pool() const;

  std::shared_ptr<detail::RegistryCore> core() const { return core_; }  // internal

 private:
  std::shared_ptr<detail::RegistryCore> core_;
};

// The base of all objects: a name, used from any thread. Copies name the same object.
// Nothing is asked of the registry before the first operation.
class NamedObject {
 public:
  const std::string& name() const;
  // Makes it now. False: it exists already, with the same parameters (else throws).
  bool create();
  // Removes it; who waits for it hears ObjectRemoved. False: there is none.
  bool remove();
  std::optional<ObjectInfo> info() const;
  // As chmod and chown: mode 0 and ids of -1 stay as they are.
  void set_access(unsigned mode, std::int64_t uid = -1, std::int64_t gid = -1);

  const std::shared_ptr<detail::ObjectCore>& object() const { return core_; }  // internal

 protected:
  NamedObject(const Registry& registry, std::string_view name, ObjectKind kind,
              const ObjectOptions& options, std::int64_t size = 0, std::uint8_t order = 0,
              std::string_view lock = {});
  std::shared_ptr<detail::ObjectCore> core_;
};

}  // namespace jobring
