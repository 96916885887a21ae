// What stands behind the handles of named objects.
#pragma once

#include <atomic>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <jobring/jobring.h>
#include <jobring/registry.hpp>

#include "client/c/guard.hpp"
#include "client/c/handles.hpp"

struct jobring_objects {
  jobring::Registry registry;
};
struct jobring_object {
  std::variant<jobring::Lock, jobring::RLock, jobring::Semaphore, jobring::BoundedSemaphore,
               jobring::Event, jobring::Condition, jobring::Barrier, jobring::Queue, jobring::Dict,
               jobring::List, jobring::Counter>
      object;
};
struct jobring_entries {
  std::vector<jobring::DictChange> all;
};
struct jobring_object_list {
  std::vector<jobring::ObjectInfo> all;
};

namespace jobring::c {

// An answer before it is the caller's.
struct Brought {
  jobring_status status = JOBRING_OK;
  jobring_answer answer{};
  std::optional<std::string> bytes;
  std::unique_ptr<jobring_entries> entries;
};
void give(jobring_answer* to, Brought brought);
void check_answer(jobring_answer* to);

// bool of what waits: false is that the time was over.
Brought brought(const Grant& grant);
Brought brought(bool in_time);
Brought brought(std::int64_t number);
Brought brought(std::optional<std::string> value);
Brought brought(std::optional<QueueItem> item);
Brought brought(std::optional<DictChanges> changes);

}  // namespace jobring::c

namespace jobring::c {

// What a pending operation does for its handle.
class Operation {
 public:
  virtual ~Operation() = default;
  virtual void cancel() const = 0;
  virtual Brought get() const = 0;
  // The same, which keeps neither the object nor the session with the registry alive.
  virtual std::shared_ptr<const Operation> detached() const = 0;
};

template <class T>
class OperationOf final : public Operation {
 public:
  explicit OperationOf(Pending<T> pending) : pending_(std::move(pending)) {}
  void cancel() const override { pending_.cancel(); }
  Brought get() const override {
    if constexpr (std::is_void_v<T>) {
      pending_.get();
      return {};
    } else {
      return brought(pending_.get());
    }
  }
  std::shared_ptr<const Operation> detached() const override {
    return std::make_shared<OperationOf>(pending_.detached());
  }

 private:
  Pending<T> pending_;
};

}  // namespace jobring::c

// Callbacks have references of their own: the handle lives as long as any of them, but what it is
// an operation of only as long as the program has one. (Else a callback that waits for an answer
// would keep the connection alive that the answer is to come by.)
struct jobring_pending {
  jobring::Future future;
  std::atomic<std::uint32_t> users{1};       // the program's references
  std::atomic<std::uint32_t> references{1};  // of callbacks, and one of all users

  jobring_pending(jobring::Future f, std::shared_ptr<const jobring::c::Operation> o)
      : future(std::move(f)), operation_(std::move(o)) {}
  std::shared_ptr<const jobring::c::Operation> operation() {
    const std::lock_guard lock(mutex_);
    return operation_;
  }
  // When the last user goes.
  void detach() noexcept;

 private:
  std::mutex mutex_;
  std::shared_ptr<const jobring::c::Operation> operation_;
};

namespace jobring::c {

// The object of a handle as a T, or as what is derived from T; throws wrong_type.
template <class T>
T& need_kind(jobring_object* object) {
  return std::visit(
      [](auto& o) -> T& {
        if constexpr (std::is_base_of_v<T, std::remove_reference_t<decltype(o)>>) {
          return o;
        } else {
          throw ObjectError(65, "wrong_type", o.name() + ": the handle is of another kind");
        }
      },
      need(object, "object").object);
}

inline jobring_status or_none(bool there) {
  return there ? JOBRING_OK : JOBRING_NONE;
}

template <class T, class Op>
jobring_status on(jobring_object* object, const Op& op) noexcept {
  return guarded([&] { return op(need_kind<T>(object)); });
}
template <class T, class Op>
jobring_status answered(jobring_object* object, jobring_answer* answer, const Op& op) noexcept {
  return guarded([&]() -> jobring_status {
    check_answer(answer);
    Brought result = brought(op(need_kind<T>(object)));
    const jobring_status status = result.status;
    give(answer, std::move(result));
    return status;
  });
}
template <class T, class Op>
jobring_status started(jobring_object* object, jobring_pending** pending, const Op& op) noexcept {
  return guarded([&] {
    auto*& out = need_out(pending, "pending");
    auto operation = op(need_kind<T>(object));
    auto future = operation.future();
    using Of = OperationOf<std::decay_t<decltype(operation.get())>>;
    out = new jobring_pending(std::move(future), std::make_shared<Of>(std::move(operation)));
  });
}
template <class T, class N, class Op>
jobring_status number_of(jobring_object* object, N* number, const Op& op) noexcept {
  return on<T>(object, [&](T& o) {
    const auto value = op(o);
    if (number != nullptr) *number = N(value);
  });
}
template <class T, class N, class Op>
jobring_status need_number_of(jobring_object* object, N* number, const Op& op) noexcept {
  return on<T>(object, [&](T& o) {
    N& to = need(number, "result");
    to = N(op(o));
  });
}

}  // namespace jobring::c
