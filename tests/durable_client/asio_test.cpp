// Durable jobs awaited in Asio's event loops.
#include <jobring/durable_asio.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "tests/durable_client/support.hpp"

using namespace jobring;
using namespace jobring::test;
namespace asio = boost::asio;

TEST_CASE("a coroutine submits and awaits durable jobs") {
  FakeKeeper keeper;
  asio::io_context io;
  AsyncDurable durable(io.get_executor(), keeper.jobs);
  std::string got, refused;
  asio::co_spawn(
      io,
      [&]() -> asio::awaitable<void> {
        std::vector<DurableJob> jobs(600, {"echo", "r", {}});
        const auto answers = co_await durable.async_submit(jobs, asio::use_awaitable);
        for (const SubmitAnswer& answer : answers) {
          durable.async_wait(keeper.jobs.attach(answer.id),
                             [&](DurableFuture done) { got += done.get(); });
        }
        const JobId last = answers.back().id;
        keeper.end(last);
        const DurableFuture again =
            co_await durable.async_wait(keeper.jobs.attach(last), asio::use_awaitable);
        CHECK(again.ready());
        JobFilter all;
        keeper.open().apply(JobVerb::release, all);
        jobs.resize(1);
        jobs.front().options.name = "full";
        try {
          co_await durable.async_submit(jobs, asio::use_awaitable);
        } catch (const DurableError& e) {
          refused = e.kind();
        }
      },
      asio::detached);
  io.run();  // and it ends
  CHECK(got == std::string(600, 'r'));
  CHECK(refused == "full");
}

TEST_CASE("a cancelled wait ends and leaves its job alone") {
  FakeKeeper keeper;
  asio::io_context io;
  AsyncDurable durable(io.get_executor(), keeper.jobs);
  const DurableFuture job = keeper.jobs.submit("echo", "r");
  asio::cancellation_signal stop;
  bool over = true;
  durable.async_wait(
      job, asio::bind_cancellation_slot(stop.slot(), [&](DurableFuture f) { over = f.ready(); }));
  asio::post(io, [&] { stop.emit(asio::cancellation_type::terminal); });
  io.run();
  CHECK_FALSE(over);
  keeper.end(job.id());
  CHECK(job.get() == "r");
}
