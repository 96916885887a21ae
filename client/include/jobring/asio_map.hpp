// Maps in Boost.Asio programs: each result is awaited, and inputs are taken meanwhile.
// Optional: needs Boost.Asio, as asio.hpp does.
//
//     jobring::AsyncResults squares(io.get_executor(), pool.map_lazy("square", numbers));
//     // in a coroutine of this io_context:
//     while (auto item = co_await squares.async_next(boost::asio::use_awaitable)) use(item->result);
//
// (With GCC 12 keep the co_await out of the condition: it compiles such loops wrongly.)
//
// One operation at a time, on one thread or strand. The source is called on the executor's thread,
// and holds the loop up as long as it takes. An AsyncResults must not outlive its io_context.
#pragma once

#include <unistd.h>

#include <utility>  // before Asio: Boost 1.74 forgets it

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/system_error.hpp>

#include <chrono>
#include <exception>
#include <memory>
#include <optional>

#include <jobring/map.hpp>

namespace jobring {

class AsyncResults {
 public:
  AsyncResults(const boost::asio::any_io_executor& executor, Results results)
      : state_(std::make_shared<State>(executor, std::move(results))) {}
  // What is awaited goes on by itself; its operation ends as aborted if nothing came until then.
  ~AsyncResults() {
    if (state_) state_->descriptor.cancel();
  }
  AsyncResults(AsyncResults&&) noexcept = default;
  AsyncResults& operator=(AsyncResults&&) noexcept = default;

  // Completes with the next result, whatever its outcome, nullopt at the end, or what the source
  // threw: void(std::exception_ptr, std::optional<MapItem>).
  template <class CompletionToken>
  auto async_next(CompletionToken&& token) {
    return boost::asio::async_initiate<CompletionToken,
                                       void(std::exception_ptr, std::optional<MapItem>)>(
        [state = state_](auto handler) {
          using Handler = decltype(handler);
          const auto executor = state->descriptor.get_executor();
          boost::asio::post(
              executor,
              Step<Handler>{state, boost::asio::get_associated_executor(handler, executor),
                            std::move(handler)});
        },
        token);
  }

  // For cancel() and exhausted(); not while an operation is pending.
  Results& results() { return state_->results; }

 private:
  struct State {
    State(const boost::asio::any_io_executor& executor, Results r)
        // Asio closes what it is given.
        : results(std::move(r)), descriptor(executor, ::dup(results.fd())) {}
    Results results;
    boost::asio::posix::stream_descriptor descriptor;
  };

  template <class Handler>
  struct Step {
    using Executor = boost::asio::associated_executor_t<Handler, boost::asio::any_io_executor>;
    std::shared_ptr<State> state;
    boost::asio::executor_work_guard<Executor> work;
    Handler handler;

    Step(std::shared_ptr<State> s, const Executor& executor, Handler h)
        : state(std::move(s)), work(executor), handler(std::move(h)) {}

    void operator()(const boost::system::error_code& aborted = {}) {
      std::optional<MapItem> item;
      std::exception_ptr error;
      try {
        item = state->results.next(std::chrono::nanoseconds(0));
      } catch (...) {
        error = std::current_exception();
      }
      if (!item && !error && !state->results.exhausted()) {
        if (!aborted) {
          auto& descriptor = state->descriptor;
          descriptor.async_wait(
              boost::asio::posix::stream_descriptor::wait_read,
              boost::asio::bind_executor(descriptor.get_executor(), std::move(*this)));
          return;
        }
        error = std::make_exception_ptr(boost::system::system_error(aborted));
      }
      const Executor executor = work.get_executor();
      boost::asio::post(executor, [handler = std::move(handler), work = std::move(work),
                                   error = std::move(error), item = std::move(item)]() mutable {
        std::move(handler)(std::move(error), std::move(item));
      });
    }
  };

  std::shared_ptr<State> state_;
};

}  // namespace jobring
