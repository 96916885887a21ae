// The inside of Registry and of all named objects: requests out, answers in.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>

#include <jobring/registry/base.hpp>

#include "common/registry_messages.hpp"

namespace jobring::detail {

class PoolCore;

// Thread-safe.
class RegistryCore {
 public:
  explicit RegistryCore(Client& client);

  // Sends it. Blocks while the channel is full. `again`: if the registry dies under it, its next
  // life does it (an operation that changes what survives is done once all the same); else it ends
  // as lost.
  Future submit(const RegistryRequest& request, bool again);
  Pool& pool() { return pool_; }
  // Whether a grant of that token, of a request of ours, is not lost.
  bool holds(std::uint64_t token) const;

 private:
  Pool pool_;
  std::once_flag known_;
  std::shared_ptr<PoolCore> core_;  // behind pool_; known from the first request on
};

struct ObjectCore {
  std::shared_ptr<RegistryCore> registry;
  std::string name;
  ObjectKind kind = ObjectKind::any;
  ObjectOptions options;
  std::int64_t size = 0;
  QueueOrder order = QueueOrder::fifo;
  std::string lock;                       // of a condition
  std::atomic<std::uint64_t> token{0};    // locks: of the last grant through this object
  std::atomic<std::uint64_t> newest{0};   // the greatest token that was seen there
  std::shared_ptr<ObjectCore> lock_core;  // of a condition

  // A request of this object: it is made if it is not there.
  RegistryRequest request(RegistryOp op) const;
};

enum class Repeat : bool { no, yes };

template <class T>
Pending<T> start(const std::shared_ptr<ObjectCore>& object, const RegistryRequest& request,
                 Repeat repeat, typename Pending<T>::Decode decode) {
  return Pending<T>(object->registry->submit(request, repeat == Repeat::yes), object, decode);
}

// Throws what the status means, with the registry's own line.
[[noreturn]] void throw_status(const Answer& answer);
inline RegistryStatus status(const Answer& answer) {
  return RegistryStatus(answer.status);
}
inline void require_ok(const Answer& answer) {
  if (status(answer) != RegistryStatus::ok) throw_status(answer);
}
// Waits for the answer, whatever its status; `future` keeps it. Sent again if the registry dies.
Answer ask_any(const std::shared_ptr<ObjectCore>& object, const RegistryRequest& request,
               Future& future);
// The same; throws unless the status is ok.
Answer ask(const std::shared_ptr<ObjectCore>& object, const RegistryRequest& request,
           Future& future);
// For operations that may run out of time. True: ok; false: timed_out; else throws.
inline bool in_time(const Answer& answer) {
  if (status(answer) == RegistryStatus::timed_out) return false;
  require_ok(answer);
  return true;
}
// The deadline of a request. Throws BadTimeout.
std::int64_t deadline(std::chrono::nanoseconds timeout);
// A time to live as requests have it. Throws BadTimeout.
std::int64_t time_to_live(std::chrono::nanoseconds ttl);

// How many of something: requests take 0 for one, which is not what a caller of 0 means. Throws
// ObjectError(bad_argument) for it; what is negative, the registry judges.
std::int64_t count_of(std::int64_t n);

// Entries of an answer. Throws Exception(protocol).
std::vector<RegistryEntry> entries_of(const Answer& answer);
ObjectInfo to_info(const RegistryEntry& entry);

}  // namespace jobring::detail
