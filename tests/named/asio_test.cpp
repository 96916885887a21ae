// Named objects awaited in an Asio program.
#include <jobring/registry_asio.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "tests/named/support.hpp"

using namespace jobring;
using namespace jobring::test;
namespace asio = boost::asio;

TEST_CASE("an event loop keeps ticking while a thousand locks and queue items are awaited") {
  Daemon daemon;
  Client client = daemon.connect(), other_client = daemon.connect();
  Registry registry(client), other(other_client);
  asio::io_context io;
  AsyncRegistry async(io.get_executor(), registry);
  constexpr int kWaiters = 1000;
  int granted = 0, got = 0, lost = 0;
  long ticks = 0;
  std::function<void()> tick;
  asio::steady_timer timer(io);
  tick = [&] {
    timer.expires_after(1ms);
    timer.async_wait([&](const boost::system::error_code&) {
      ++ticks;
      if (granted + got < 2 * kWaiters) tick();
    });
  };
  const auto locker = [&]() -> asio::awaitable<void> {
    Lock lock(registry, "l");
    const auto acquires = lock.start_acquire();
    const Grant grant = co_await async.wait(acquires, asio::use_awaitable);
    granted += bool(grant);
    const auto releases = lock.start_release();
    co_await async.wait(releases, asio::use_awaitable);
  };
  const auto getter = [&]() -> asio::awaitable<void> {
    Queue queue(registry, "q");
    const auto gets = queue.start_get();
    const auto item = co_await async.wait(gets, asio::use_awaitable);
    got += item.has_value();
  };
  const auto putter = [&]() -> asio::awaitable<void> {
    Lock lock(other, "l");
    Queue queue(other, "q");
    // All of them wait by now; the loop has ticked meanwhile.
    asio::steady_timer pause(io);
    const long before = ticks;
    while (ticks < before + 20) {
      pause.expires_after(1ms);
      co_await pause.async_wait(asio::use_awaitable);
    }
    for (int i = 0; i < kWaiters; ++i) queue.start_put("x");
    lock.unlock();
  };
  const auto loser = [&]() -> asio::awaitable<void> {
    Lock lock(registry, "never");
    bool thrown = false;
    const auto pending = lock.start_acquire();
    const auto cancelled = pending;
    asio::post(io, [cancelled] { cancelled.cancel(); });
    try {
      co_await async.wait(pending, asio::use_awaitable);
    } catch (const ObjectCancelled&) {
      thrown = true;
    }
    lost += thrown;
  };
  Lock held(other, "l"), never(other, "never");
  held.lock();
  never.lock();
  for (int i = 0; i < kWaiters; ++i) {
    asio::co_spawn(io, locker, asio::detached);
    asio::co_spawn(io, getter, asio::detached);
  }
  asio::co_spawn(io, putter, asio::detached);
  asio::co_spawn(io, loser, asio::detached);
  tick();
  io.run();
  CHECK_EQ(granted, kWaiters);
  CHECK_EQ(got, kWaiters);
  CHECK_EQ(lost, 1);
  CHECK(ticks >= 20);
}
