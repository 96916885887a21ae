// Handlers that are coroutines: C++ functions that the workers of an async pool ("model": "async")
// run many at a time on one thread.
//
//     #include <jobring/async_handler.hpp>
//
//     JOBRING_ASYNC_HANDLER(later, job) {
//       boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor);
//       timer.expires_after(std::chrono::seconds(std::stoi(std::string(job.text()))));
//       co_await timer.async_wait(boost::asio::use_awaitable);
//       job.reply("waited");
//     }
//
// Build it as a module of handler.hpp, with the Boost headers of the release that jobring was built
// with (1.81): a worker refuses a module with others. No library has to be linked.
//
// While a handler does not await, no other job of its worker moves on: what blocks or computes for
// long belongs into a pool of another model. Everything of a worker's handlers happens on one
// thread, so they need no locks among themselves.
//
// Ends: as with handler.hpp (a normal return, an exception, a crash, which ends all jobs of the
// worker). A job that is over its time or that somebody stops is cancelled: the operation that it
// awaits ends with boost::asio::error::operation_aborted, thrown into the handler. One that goes on
// all the same is ended with its worker after the pool's kill_grace.
#pragma once

#include <utility>  // before Asio

#include <boost/asio/awaitable.hpp>
#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>
#include <boost/version.hpp>

#include <jobring/handler.hpp>

extern "C" {

// What a module is given to register its coroutines with. `add` copies the name; it returns 0, or
// -1 as in jobring_registry. `start` makes a new coroutine for a job that outlives it.
struct jobring_async_registry {
  std::uint64_t version;  // JOBRING_ASYNC_VERSION
  void* host;
  int (*add)(void* host, const char* name,
             boost::asio::awaitable<void> (*start)(struct jobring_job* job, void* user),
             void* user);
};
}

// Of this interface, of handler.hpp and of Boost: coroutines of one release do not run on the loop
// of another.
#define JOBRING_ASYNC_VERSION \
  (1ull * 1'000'000'000'000ull + JOBRING_MODULE_VERSION * 1'000'000'000ull + BOOST_VERSION)

namespace jobring {

// The job that a coroutine works on: all that a Job is, until the coroutine ends.
using AsyncContext = Job;

namespace detail {

using AsyncFunction = boost::asio::awaitable<void> (*)(AsyncContext&);

__attribute__((visibility("hidden"))) inline boost::asio::awaitable<void> start(jobring_job* raw,
                                                                                void* user) {
  AsyncContext job(raw);
  try {
    co_await reinterpret_cast<AsyncFunction>(user)(job);
  } catch (const boost::system::system_error& e) {
    // Its worker knows whether somebody has cancelled it.
    if (e.code() == boost::asio::error::operation_aborted) throw;
    report(raw);
  } catch (...) {
    report(raw);  // here, where its type is known
  }
}

// Coroutines of this module, a list built by static initialisers.
struct __attribute__((visibility("hidden"))) AsyncRegistration {
  const char* name;
  AsyncFunction function;
  AsyncRegistration* next;
  static inline AsyncRegistration* first = nullptr;
  AsyncRegistration(const char* n, AsyncFunction f) : name(n), function(f), next(first) {
    first = this;
  }
};

}  // namespace detail
}  // namespace jobring

// The symbol that an async worker looks for. Returns 0, -1 if it failed, or this module's version
// if the worker's is another.
#ifndef JOBRING_OWN_INIT
extern "C" __attribute__((weak, visibility("default"))) std::int64_t jobring_async_module_init(
    const jobring_async_registry* registry) {
  if (registry->version != JOBRING_ASYNC_VERSION) return std::int64_t(JOBRING_ASYNC_VERSION);
  for (auto* r = jobring::detail::AsyncRegistration::first; r != nullptr; r = r->next) {
    if (registry->add(registry->host, r->name, &jobring::detail::start,
                      reinterpret_cast<void*>(r->function)) != 0) {
      return -1;
    }
  }
  return 0;
}
#endif

// Defines and registers a coroutine: JOBRING_ASYNC_HANDLER(name, job) { ... co_return; }
#define JOBRING_ASYNC_HANDLER(handler_name, job)                                         \
  static ::boost::asio::awaitable<void> jobring_async_##handler_name(                    \
      ::jobring::AsyncContext& job);                                                     \
  static ::jobring::detail::AsyncRegistration jobring_async_registration_##handler_name( \
      #handler_name, &jobring_async_##handler_name);                                     \
  static ::boost::asio::awaitable<void> jobring_async_##handler_name(                    \
      [[maybe_unused]] ::jobring::AsyncContext& job)
