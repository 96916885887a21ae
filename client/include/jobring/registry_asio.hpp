// Named objects in Boost.Asio programs: whatever starts with start_ is awaited, without threads.
// Optional: needs Boost.Asio, which no other header of these does. See asio.hpp for the rules.
//
//     boost::asio::io_context io;
//     jobring::AsyncRegistry async(io.get_executor(), registry);
//     // in a coroutine of this io_context:
//     const auto acquires = lock.start_acquire(5s);
//     jobring::Grant grant = co_await async.wait(acquires, use_awaitable);
//
// Cancelling the operation (terminal cancellation) takes the request out of its line.
#pragma once

#include <jobring/asio.hpp>
#if BOOST_VERSION >= 107900
#include <boost/asio/bind_cancellation_slot.hpp>
#endif
#include <jobring/registry.hpp>

namespace jobring {

// Copies share it. Thread-safe. An AsyncRegistry must not outlive its io_context.
class AsyncRegistry {
 public:
  AsyncRegistry(const boost::asio::any_io_executor& executor, const Registry& registry)
      : executor_(executor), pool_(executor, registry.pool()) {}

  // Completes with what pending.get() returns or throws: void(std::exception_ptr, T), for
  // Pending<void> void(std::exception_ptr).
  template <class T, class CompletionToken>
  auto wait(Pending<T> pending, CompletionToken&& token) {
    return boost::asio::async_initiate<CompletionToken, typename Signature<T>::type>(
        [pool = pool_, executor = executor_, pending = std::move(pending)](auto handler) mutable {
          const Future future = pending.future();
          const auto runs_on = boost::asio::get_associated_executor(handler, executor);
#if BOOST_VERSION >= 107700
          const auto slot = boost::asio::get_associated_cancellation_slot(handler);
#endif
          auto done = [handler = std::move(handler), pending = std::move(pending)](Future) mutable {
            finish(std::move(handler), std::move(pending));
          };
          auto bound = boost::asio::bind_executor(runs_on, std::move(done));
#if BOOST_VERSION >= 107900
          pool.async_wait(future, boost::asio::bind_cancellation_slot(slot, std::move(bound)));
#else
          pool.async_wait(future, std::move(bound));
#endif
        },
        token);
  }

 private:
  template <class T>
  struct Signature {
    using type = void(std::exception_ptr, T);
  };

  template <class Handler, class T>
  static void finish(Handler handler, Pending<T> pending) {
    std::exception_ptr error;
    T result{};
    try {
      result = pending.get();
    } catch (...) {
      error = std::current_exception();
    }
    pending = {};
    std::move(handler)(std::move(error), std::move(result));
  }
  template <class Handler>
  static void finish(Handler handler, Pending<void> pending) {
    std::exception_ptr error;
    try {
      pending.get();
    } catch (...) {
      error = std::current_exception();
    }
    pending = {};
    std::move(handler)(std::move(error));
  }

  boost::asio::any_io_executor executor_;
  AsyncPool pool_;
};

template <>
struct AsyncRegistry::Signature<void> {
  using type = void(std::exception_ptr);
};

}  // namespace jobring
