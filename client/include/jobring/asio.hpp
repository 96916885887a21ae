// Jobs in Boost.Asio programs: awaited like any other asynchronous operation, without threads.
// Optional: needs Boost.Asio (1.74 or newer), which no other header does.
//
//     boost::asio::io_context io;
//     jobring::AsyncPool pool(io.get_executor(), client.pool());
//     // in a coroutine of this io_context:
//     std::string nine = co_await pool.async_call("square", "3", {}, boost::asio::use_awaitable);
//
// Any completion token works: callbacks, use_future, use_awaitable, and with newer Boosts deferred
// and the rest. io_context::run() does not return while an operation is pending, and returns when
// none is. A full channel does not block the loop: calls wait their turn, at most max_waiting.
//
// Cancellation (Boost 1.77 and newer: cancellation slots, operator|| of awaitables): withdraws a
// job that has not started; cancellation_type::terminal also kills one that runs. The operation
// completes when the job has ended: as cancelled or killed, or as it ended meanwhile.
//
// Ends: destroying an AsyncPool leaves its operations to complete. Destroying the io_context first
// destroys their handlers uncalled, as Asio does; the jobs run on. An AsyncPool itself must not
// outlive its io_context.
//
// Thread-safe, like Pool. Handlers run through their associated executors, never within the call
// that started the operation.
#pragma once

#include <unistd.h>

#include <utility>  // before Asio: Boost 1.74 forgets it

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/version.hpp>
#if BOOST_VERSION >= 107700
#include <boost/asio/associated_cancellation_slot.hpp>
#endif

#include <cstdint>
#include <deque>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <jobring/jobring.hpp>

namespace jobring {
namespace detail {

// One pending operation: a handler that wants a future, or what went wrong.
struct AsyncOperation {
  virtual ~AsyncOperation() = default;
  virtual void complete(std::exception_ptr error, Future future) = 0;
  Future future;  // once it is submitted
};

template <class Handler, class Deliver>
class AsyncOperationOf final : public AsyncOperation {
 public:
  using Executor = boost::asio::associated_executor_t<Handler, boost::asio::any_io_executor>;
  AsyncOperationOf(Handler handler, Deliver deliver, const boost::asio::any_io_executor& fallback)
      : handler_(std::move(handler)),
        deliver_(std::move(deliver)),
        work_(boost::asio::get_associated_executor(handler_, fallback)) {}

  void complete(std::exception_ptr error, Future future) override {
    const Executor executor = work_.get_executor();
    boost::asio::post(executor, [handler = std::move(handler_), deliver = std::move(deliver_),
                                 work = std::move(work_), error = std::move(error),
                                 future = std::move(future)]() mutable {
#if BOOST_VERSION >= 107700
      if (auto slot = boost::asio::get_associated_cancellation_slot(handler); slot.is_connected())
        slot.clear();
#endif
      deliver(std::move(handler), std::move(error), std::move(future));
    });
  }

 private:
  Handler handler_;
  Deliver deliver_;
  boost::asio::executor_work_guard<Executor> work_;
};

class AsyncPump;

// Ends the pumps of a context that is destroyed: their handlers may hold what holds the pump.
class AsyncPumpService : public boost::asio::execution_context::service {
 public:
  using key_type = AsyncPumpService;
  inline static boost::asio::execution_context::id id;
  explicit AsyncPumpService(boost::asio::execution_context& context) : service(context) {}
  void add(std::weak_ptr<AsyncPump> pump) {
    const std::lock_guard lock(mutex_);
    std::erase_if(pumps_, [](const auto& known) { return known.expired(); });
    pumps_.push_back(std::move(pump));
  }

 private:
  inline void shutdown() override;
  std::mutex mutex_;
  std::vector<std::weak_ptr<AsyncPump>> pumps_;
};

// Turns the pool's descriptor into completions. The descriptor and its wait belong to the strand;
// the operations to the mutex, which is never held while anything of the pool or of Asio is called.
class AsyncPump : public std::enable_shared_from_this<AsyncPump> {
 public:
  AsyncPump(const boost::asio::any_io_executor& executor, Pool pool, std::size_t max_waiting)
      : executor_(executor),
        strand_(boost::asio::make_strand(executor)),
        pool_(std::move(pool)),
        // Asio closes what it is given.
        descriptor_(strand_, ::dup(pool_.fd())),
        max_waiting_(max_waiting) {}

  const boost::asio::any_io_executor& executor() const { return executor_; }
  Pool& pool() { return pool_; }

  // A name for an operation that is about to begin, so that it can be cancelled from its first
  // moment.
  std::uint64_t new_id() {
    const std::lock_guard lock(mutex_);
    return ++last_id_;
  }

  void wait(std::uint64_t id, std::unique_ptr<AsyncOperation> operation, const Future& future) {
    add(id, std::move(operation));
    attach(id, future);
    go_on();
  }

  // The same of anything that is over some day, and then calls what `listen` was given.
  template <class Listen>
  void wait_for_call(std::uint64_t id, std::unique_ptr<AsyncOperation> operation,
                     const Listen& listen) {
    add(id, std::move(operation));
    listen([weak = weak_from_this(), id] {
      if (const auto pump = weak.lock()) pump->finish(id, nullptr, {});
    });
    go_on();
  }
  // Completes it now.
  void leave(std::uint64_t id) { finish(id, nullptr, {}); }

  struct Call {
    std::string handler;
    std::string payload;
    JobOptions options;
  };
  void submit(std::uint64_t id, std::unique_ptr<AsyncOperation> operation, Call call) {
    add(id, std::move(operation));
    bool behind = false, full = false;
    {
      const std::lock_guard lock(mutex_);
      behind = !waiting_.empty();
      full = waiting_.size() >= max_waiting_;
      if (behind && !full) waiting_.push_back({id, std::move(call)});
    }
    if (full) {
      fail(id, std::make_exception_ptr(
                   Exception(75, "full", "pool " + pool_.name() + ": too many calls wait")));
    } else if (!behind && !try_submit(id, call)) {
      const std::lock_guard lock(mutex_);
      waiting_.push_back({id, std::move(call)});
    }
    go_on();
  }

  void cancel(std::uint64_t id, bool kill) {
    Future future;
    bool waits = false;
    {
      const std::lock_guard lock(mutex_);
      waits = std::erase_if(waiting_, [&](const auto& entry) { return entry.first == id; }) != 0;
      if (const auto found = operations_.find(id); found != operations_.end())
        future = found->second->future;
    }
    if (waits) {
      JobResult result;
      result.outcome = Outcome::cancelled;
      result.bytes = "cancelled before it was submitted";
      fail(id, std::make_exception_ptr(JobFailed(result)));
    } else if (future.valid() && !future.cancel() && kill) {
      future.kill();
    }
  }

  // The context goes: handlers are destroyed uncalled.
  void abandon() {
    std::map<std::uint64_t, std::unique_ptr<AsyncOperation>> operations;
    {
      const std::lock_guard lock(mutex_);
      operations.swap(operations_);
      waiting_.clear();
    }
    // Here, outside the mutex: what a handler holds may come back to us.
  }

 private:
  void add(std::uint64_t id, std::unique_ptr<AsyncOperation> operation) {
    const std::lock_guard lock(mutex_);
    operations_.emplace(id, std::move(operation));
  }

  void attach(std::uint64_t id, const Future& future) {
    {
      const std::lock_guard lock(mutex_);
      const auto found = operations_.find(id);
      if (found == operations_.end()) return;
      found->second->future = future;
    }
    // Weak: a future that lives on must not keep the loop's things alive.
    future.on_ready([weak = weak_from_this(), id](const Future& done) {
      if (const auto pump = weak.lock()) pump->finish(id, nullptr, done);
    });
  }

  bool try_submit(std::uint64_t id, const Call& call) {
    try {
      const auto future = pool_.try_submit(call.handler, call.payload, call.options);
      if (!future) return false;
      attach(id, *future);
    } catch (...) {
      fail(id, std::current_exception());
    }
    return true;
  }

  void fail(std::uint64_t id, std::exception_ptr error) { finish(id, std::move(error), {}); }

  // From whatever thread ends the job.
  void finish(std::uint64_t id, std::exception_ptr error, const Future& future) {
    std::unique_ptr<AsyncOperation> operation;
    bool last = false;
    {
      const std::lock_guard lock(mutex_);
      const auto found = operations_.find(id);
      if (found == operations_.end()) return;
      operation = std::move(found->second);
      operations_.erase(found);
      last = operations_.empty();
    }
    operation->complete(std::move(error), future);
    if (last) go_on();
  }

  bool idle() {
    const std::lock_guard lock(mutex_);
    return operations_.empty();
  }

  void go_on() {
    boost::asio::post(strand_, [weak = weak_from_this()] {
      if (const auto pump = weak.lock()) pump->turn();
    });
  }

  // On the strand: takes completions in, submits what waits, and sees to it that we are woken.
  void turn() {
    if (idle()) {
      // Nothing is awaited: then the wait must not keep the loop from ending.
      if (listening_) descriptor_.cancel();
      return;
    }
    pool_.poll();
    submit_waiting();
    if (listening_ || idle()) return;
    listening_ = true;
    descriptor_.async_wait(
        boost::asio::posix::stream_descriptor::wait_read,
        boost::asio::bind_executor(strand_,
                                   [self = shared_from_this()](const boost::system::error_code&) {
                                     self->listening_ = false;
                                     self->turn();
                                   }));
  }

  void submit_waiting() {
    for (;;) {
      std::pair<std::uint64_t, Call> next;
      {
        const std::lock_guard lock(mutex_);
        if (waiting_.empty()) return;
        next = std::move(waiting_.front());
        waiting_.pop_front();
      }
      if (try_submit(next.first, next.second)) continue;
      const std::lock_guard lock(mutex_);
      waiting_.push_front(std::move(next));
      return;
    }
  }

  boost::asio::any_io_executor executor_;
  boost::asio::strand<boost::asio::any_io_executor> strand_;
  Pool pool_;
  boost::asio::posix::stream_descriptor descriptor_;
  const std::size_t max_waiting_;
  bool listening_ = false;

  std::mutex mutex_;
  std::map<std::uint64_t, std::unique_ptr<AsyncOperation>> operations_;
  std::deque<std::pair<std::uint64_t, Call>> waiting_;  // for a slot
  std::uint64_t last_id_ = 0;
};

inline void AsyncPumpService::shutdown() {
  std::vector<std::weak_ptr<AsyncPump>> pumps;
  {
    const std::lock_guard lock(mutex_);
    pumps.swap(pumps_);
  }
  for (const auto& weak : pumps) {
    if (const auto pump = weak.lock()) pump->abandon();
  }
}

}  // namespace detail

class AsyncDurable;

// A Pool whose jobs are awaited on an executor. Copies share it.
class AsyncPool {
 public:
  // `max_waiting`: calls that wait for a free slot, at most; more fail with Exception(full).
  AsyncPool(const boost::asio::any_io_executor& executor, Pool pool,
            std::size_t max_waiting = 65'536)
      : pump_(std::make_shared<detail::AsyncPump>(executor, std::move(pool), max_waiting)) {
    boost::asio::use_service<detail::AsyncPumpService>(
        boost::asio::query(executor, boost::asio::execution::context))
        .add(pump_);
  }

  // Submits a job and completes with its result: void(std::exception_ptr, std::string). The
  // exception is JobFailed, or what Pool::submit throws.
  template <class CompletionToken>
  auto async_call(std::string_view handler, std::string_view payload, const JobOptions& options,
                  CompletionToken&& token) {
    return initiate<void(std::exception_ptr, std::string)>(
        [](auto&& to, std::exception_ptr error, Future future) {
          std::string result;
          if (!error) {
            try {
              result = future.get();
            } catch (...) {
              error = std::current_exception();
            }
          }
          std::move(to)(std::move(error), std::move(result));
        },
        detail::AsyncPump::Call{std::string(handler), std::string(payload), options},
        std::forward<CompletionToken>(token));
  }

  // The same, completing with the Future, whatever its outcome: void(std::exception_ptr, Future).
  template <class CompletionToken>
  auto async_submit(std::string_view handler, std::string_view payload, const JobOptions& options,
                    CompletionToken&& token) {
    return initiate<void(std::exception_ptr, Future)>(
        [](auto&& to, std::exception_ptr error, Future future) {
          std::move(to)(std::move(error), std::move(future));
        },
        detail::AsyncPump::Call{std::string(handler), std::string(payload), options},
        std::forward<CompletionToken>(token));
  }

  // Completes when this future of the same pool has ended: void(Future).
  template <class CompletionToken>
  auto async_wait(Future future, CompletionToken&& token) {
    return boost::asio::async_initiate<CompletionToken, void(Future)>(
        [pump = pump_, future](auto handler) {
          const auto deliver = [](auto&& to, std::exception_ptr, Future done) {
            std::move(to)(std::move(done));
          };
          const std::uint64_t id = pump->new_id();
          connect(handler, pump, id);
          pump->wait(id, operation(*pump, std::move(handler), deliver), future);
        },
        token);
  }

  Pool& pool() { return pump_->pool(); }

 private:
  friend class AsyncDurable;
  template <class Handler, class Deliver>
  static std::unique_ptr<detail::AsyncOperation> operation(detail::AsyncPump& pump, Handler handler,
                                                           Deliver deliver) {
    return std::make_unique<detail::AsyncOperationOf<Handler, Deliver>>(
        std::move(handler), std::move(deliver), pump.executor());
  }

  template <class Signature, class Deliver, class CompletionToken>
  auto initiate(Deliver deliver, detail::AsyncPump::Call call, CompletionToken&& token) {
    return boost::asio::async_initiate<CompletionToken, Signature>(
        [pump = pump_, deliver, call = std::move(call)](auto handler) mutable {
          const std::uint64_t id = pump->new_id();
          connect(handler, pump, id);
          pump->submit(id, operation(*pump, std::move(handler), deliver), std::move(call));
        },
        token);
  }

#if BOOST_VERSION >= 107700
  template <class Handler>
  static void connect(const Handler& handler, const std::shared_ptr<detail::AsyncPump>& pump,
                      std::uint64_t id) {
    auto slot = boost::asio::get_associated_cancellation_slot(handler);
    if (!slot.is_connected()) return;
    using Type = boost::asio::cancellation_type;
    slot.assign([weak = std::weak_ptr(pump), id](Type type) {
      const auto alive = weak.lock();
      if (alive && type != Type::none) alive->cancel(id, (type & Type::terminal) != Type::none);
    });
  }
#else
  template <class Handler>
  static void connect(const Handler&, const std::shared_ptr<detail::AsyncPump>&, std::uint64_t) {}
#endif

  std::shared_ptr<detail::AsyncPump> pump_;
};

}  // namespace jobring
