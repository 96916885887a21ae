// The soak's handler for async pools: a coroutine of the same name and behaviours.
#include <jobring/async_handler.hpp>

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>

#include "tests/soak/handlers/soaked.hpp"

namespace asio = boost::asio;
using namespace jobring::soak;

JOBRING_ASYNC_HANDLER(soak, job) {
  const JobSpec spec = read_spec(job);
  HandlerRun run(spec);
  check_payload(job, spec);
  asio::steady_timer timer(co_await asio::this_coro::executor);
  timer.expires_after(std::chrono::microseconds(spec.us));
  switch (spec.behaviour) {
    case Behaviour::spin:
      burn(spec.us);
      break;
    case Behaviour::nap:
      co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
      co_await timer.async_wait(asio::use_awaitable);
      break;
    case Behaviour::cooperate:
      // Ends by operation_aborted when it is asked to stop.
      co_await timer.async_wait(asio::use_awaitable);
      break;
    case Behaviour::fail:
      job.fail("as it was told");
      co_return;
    case Behaviour::crash_once:
      if (run.number() == 0) run.crash();
      break;
    case Behaviour::crash:
      run.crash();
    case Behaviour::hold:
      timer.expires_at(asio::steady_timer::time_point::max());
      if (run.number() == 0) co_await timer.async_wait(asio::use_awaitable);
      break;
    case Behaviour::leave_child:
    case Behaviour::delegate:
      break;
  }
  // Another turn of the loop between the work and its result, now and then.
  if (spec.id % 4 == 0) {
    timer.expires_after(std::chrono::nanoseconds(0));
    co_await timer.async_wait(asio::use_awaitable);
  }
  give_result(job, spec);
}
