// Durable jobs in Boost.Asio programs: awaited like any other asynchronous operation, without
// threads. Optional: needs Boost.Asio. See asio.hpp for the rules.
//
//     boost::asio::io_context io;
//     jobring::AsyncDurable durable(io.get_executor(), jobs);
//     // in a coroutine of this io_context:
//     jobring::DurableFuture done = co_await durable.async_wait(jobs.attach(id), use_awaitable);
//
// Any number of them may be awaited. Cancelling the operation ends it and touches nothing: the
// future that it completes with is not ready() then.
#pragma once

#include <jobring/asio.hpp>
#include <jobring/durable.hpp>

namespace jobring {

// Copies share it. Thread-safe. An AsyncDurable must not outlive its io_context.
class AsyncDurable {
 public:
  AsyncDurable(const boost::asio::any_io_executor& executor, const DurableJobs& jobs)
      : jobs_(jobs), pool_(executor, jobs.pool()) {}

  // Completes when it is over: void(DurableFuture), whose info() does not block any more; get()
  // asks the daemon for the output of a command.
  template <class CompletionToken>
  auto async_wait(DurableFuture future, CompletionToken&& token) {
    return boost::asio::async_initiate<CompletionToken, void(DurableFuture)>(
        [pump = pool_.pump_, future = std::move(future)](auto handler) {
          const std::uint64_t id = pump->new_id();
          connect(handler, pump, id);
          auto deliver = [future](auto&& to, std::exception_ptr, Future) { std::move(to)(future); };
          pump->wait_for_call(
              id, AsyncPool::operation(*pump, std::move(handler), deliver), [&](auto over) {
                future.on_ready([over = std::move(over)](const DurableFuture&) { over(); });
              });
        },
        token);
  }

  // Submits without waiting, and completes with the answers: void(std::exception_ptr,
  // std::vector<SubmitAnswer>). Throws as DurableJobs::start_submit(), which also blocks while the
  // channel is full.
  template <class CompletionToken>
  auto async_submit(std::span<const DurableJob> jobs, CompletionToken&& token) {
    return boost::asio::async_initiate<CompletionToken,
                                       void(std::exception_ptr, std::vector<SubmitAnswer>)>(
        [pool = pool_, submitted = jobs_.start_submit(jobs)](auto handler) mutable {
          const auto runs_on =
              boost::asio::get_associated_executor(handler, pool.pump_->executor());
          auto done = [handler = std::move(handler)](Future future) mutable {
            std::exception_ptr error;
            std::vector<SubmitAnswer> answers;
            try {
              answers = DurableJobs::answers(future);
            } catch (...) {
              error = std::current_exception();
            }
            std::move(handler)(std::move(error), std::move(answers));
          };
          pool.async_wait(submitted, boost::asio::bind_executor(runs_on, std::move(done)));
        },
        token);
  }

 private:
#if BOOST_VERSION >= 107700
  template <class Handler>
  static void connect(const Handler& handler, const std::shared_ptr<detail::AsyncPump>& pump,
                      std::uint64_t id) {
    auto slot = boost::asio::get_associated_cancellation_slot(handler);
    if (!slot.is_connected()) return;
    slot.assign([weak = std::weak_ptr(pump), id](boost::asio::cancellation_type type) {
      const auto alive = weak.lock();
      if (alive && type != boost::asio::cancellation_type::none) alive->leave(id);
    });
  }
#else
  template <class Handler>
  static void connect(const Handler&, const std::shared_ptr<detail::AsyncPump>&, std::uint64_t) {}
#endif

  DurableJobs jobs_;
  AsyncPool pool_;
};

}  // namespace jobring
