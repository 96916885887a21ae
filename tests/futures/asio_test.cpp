// Jobs awaited in Asio's event loops, with any completion token.
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jobring/asio.hpp>
#include <jobring/asio_map.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <thread>
#if BOOST_VERSION >= 107700
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#endif

#include "tests/futures/support.hpp"

using namespace jobring;
using namespace jobring::test;
using namespace std::chrono_literals;
namespace asio = boost::asio;

TEST_CASE("callbacks, std futures and coroutines all await jobs") {
  Daemon daemon(futures_pool());
  asio::io_context io;
  AsyncPool pool(io.get_executor(), daemon.connect().pool());
  std::string by_callback, by_coroutine, failure;
  bool within = true;
  pool.async_call("echo", "callback", {}, [&](std::exception_ptr error, std::string result) {
    CHECK(!within);
    CHECK(!error);
    by_callback = std::move(result);
  });
  within = false;
  asio::co_spawn(
      io,
      [&]() -> asio::awaitable<void> {
        by_coroutine = co_await pool.async_call("echo", "coroutine", {}, asio::use_awaitable);
        try {
          co_await pool.async_call("throw_app", "x", {}, asio::use_awaitable);
        } catch (const JobFailed& e) {
          failure = e.type();
        }
        const Future done = co_await pool.async_submit("throw_app", "y", {}, asio::use_awaitable);
        CHECK(done.result().outcome == Outcome::failed);
        const Future again = co_await pool.async_wait(done, asio::use_awaitable);
        CHECK(again == done);
      },
      asio::detached);
  auto by_future = pool.async_call("echo", "future", {}, asio::use_future);
  auto refused = pool.async_call("echo", std::string(pool.pool().max_payload() + 1, 'x'), {},
                                 asio::use_future);
  io.run();  // and it ends
  CHECK(by_callback == "callback");
  CHECK(by_coroutine == "coroutine");
  CHECK(failure == "app::BadInput");
  CHECK(by_future.get() == "future");
  CHECK_THROWS_AS(refused.get(), Exception);
  // The loop can be run again.
  io.restart();
  auto later = pool.async_call("echo", "later", {}, asio::use_future);
  io.run();
  CHECK(later.get() == "later");
}

TEST_CASE("a full channel does not block the loop and calls take their turn") {
  Daemon daemon(futures_pool(1, R"(, "slots": 4)"));
  asio::io_context io;
  AsyncPool pool(io.get_executor(), daemon.connect().pool(), 100);
  const Gate gate(daemon.dir(), "gate");
  int done = 0, full = 0;
  std::vector<int> order;
  pool.async_call("wait_at_fifo", gate.path(), {},
                  [&](std::exception_ptr, std::string) { ++done; });
  for (int i = 0; i < 150; ++i) {
    pool.async_call("echo", std::to_string(i), {},
                    [&](std::exception_ptr error, std::string result) {
                      if (error) {
                        ++full;
                        return;
                      }
                      order.push_back(std::stoi(result));
                    });
  }
  std::thread opener([&] { gate.open(); });
  io.run();
  opener.join();
  CHECK(done == 1);
  CHECK(full + int(order.size()) == 150);
  CHECK(full >= 46);  // 150 less 100 that wait and 4 slots
  CHECK(std::is_sorted(order.begin(), order.end()));
}

TEST_CASE("another thread that waits for the same pool steals no completion from the loop") {
  Daemon daemon(futures_pool());
  Pool plain = daemon.connect().pool();
  asio::io_context io;
  AsyncPool pool(io.get_executor(), plain);
  std::atomic<bool> over{false};
  std::thread other([&] {
    while (!over) plain.call("echo", "mine");
  });
  int done = 0;
  asio::co_spawn(
      io,
      [&]() -> asio::awaitable<void> {
        for (; done < 2000; ++done) co_await pool.async_call("echo", "x", {}, asio::use_awaitable);
      },
      asio::detached);
  io.run();
  over = true;
  other.join();
  CHECK(done == 2000);
}

TEST_CASE("a context with several threads may share one pool") {
  Daemon daemon(futures_pool());
  asio::io_context io;
  AsyncPool pool(io.get_executor(), daemon.connect().pool());
  std::atomic<int> done{0};
  for (int c = 0; c < 50; ++c) {
    asio::co_spawn(
        io,
        [&]() -> asio::awaitable<void> {
          for (int i = 0; i < 40; ++i) {
            co_await pool.async_call("echo", "x", {}, asio::use_awaitable);
            ++done;
          }
        },
        asio::detached);
  }
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) threads.emplace_back([&] { io.run(); });
  for (auto& thread : threads) thread.join();
  CHECK(done == 2000);
}

TEST_CASE("a context destroyed first takes its handlers along and leaves the pool alone") {
  Daemon daemon(futures_pool(1));
  Pool plain = daemon.connect().pool();
  const Gate gate(daemon.dir(), "gate");
  auto token = std::make_shared<int>(1);
  {
    asio::io_context io;
    {
      AsyncPool pool(io.get_executor(), plain);
      pool.async_call("wait_at_fifo", gate.path(), {},
                      [token](std::exception_ptr, std::string) { FAIL("called"); });
      // A coroutine that owns the pool it awaits on.
      asio::co_spawn(
          io,
          [token, plain]() -> asio::awaitable<void> {
            AsyncPool own(co_await asio::this_coro::executor, plain);
            co_await own.async_call("echo", "x", {}, asio::use_awaitable);
            FAIL("resumed");
          },
          asio::detached);
    }
    io.poll();
  }
  CHECK(token.use_count() == 1);
  gate.open();
  CHECK(plain.shutdown());
}

#if BOOST_VERSION >= 107700
TEST_CASE("cancelling an operation withdraws its job or kills it") {
  Daemon daemon(futures_pool(1, R"(, "slots": 2)"));
  asio::io_context io;
  AsyncPool pool(io.get_executor(), daemon.connect().pool());
  asio::cancellation_signal running, queued, waiting;
  std::vector<std::string> ends;
  const auto note = [&](const char* name) {
    return [&ends, name](std::exception_ptr error, std::string result) {
      try {
        if (error) std::rethrow_exception(error);
        ends.push_back(std::string(name) + " " + result);
      } catch (const JobFailed& e) {
        ends.push_back(std::string(name) + " " + e.kind());
      }
    };
  };
  pool.async_call("spin", "", {}, asio::bind_cancellation_slot(running.slot(), note("running")));
  REQUIRE(eventually([&] { return busy(daemon); }));
  pool.async_call("echo", "", {}, asio::bind_cancellation_slot(queued.slot(), note("queued")));
  pool.async_call("echo", "", {}, asio::bind_cancellation_slot(waiting.slot(), note("waiting")));
  asio::post(io, [&] {
    running.emit(asio::cancellation_type::total);  // it runs: only terminal ends it
    waiting.emit(asio::cancellation_type::total);
    queued.emit(asio::cancellation_type::partial);
    running.emit(asio::cancellation_type::terminal);
  });
  io.run();
  CHECK(ends == std::vector<std::string>{"waiting cancelled", "queued cancelled",
                                         "running stopped when asked"});
}
#endif

TEST_CASE("maps are awaited result by result while the loop goes on") {
  Daemon daemon(futures_pool());
  asio::io_context io;
  Pool pool = daemon.connect().pool();
  const Gate gate(daemon.dir(), "gate");
  int given = 0, ticks = 0;
  bool ended = false;
  asio::co_spawn(
      io,
      [&]() -> asio::awaitable<void> {
        std::vector<std::string> inputs;
        for (int i = 0; i < 3000; ++i) inputs.push_back(std::to_string(i));
        AsyncResults echoes(io.get_executor(), pool.map_lazy("echo", std::move(inputs)));
        for (;;) {
          const std::optional<MapItem> item = co_await echoes.async_next(asio::use_awaitable);
          if (!item) break;
          CHECK(item->index == std::uint64_t(given));
          CHECK(item->result.bytes == std::to_string(given));
          ++given;
        }
        // A source that throws: once, and then the end.
        AsyncResults broken(io.get_executor(),
                            pool.map_unordered("echo", []() -> std::optional<std::string> {
                              throw std::runtime_error("no more");
                            }));
        bool threw = false;
        try {
          co_await broken.async_next(asio::use_awaitable);
        } catch (const std::runtime_error& e) {
          threw = std::string(e.what()) == "no more";
        }
        CHECK(threw);
        const std::optional<MapItem> end = co_await broken.async_next(asio::use_awaitable);
        CHECK(!end);
        ended = true;
      },
      asio::detached);
  // Its one result comes only once the loop has ticked: it must not be blocked by the map.
  AsyncResults held(io.get_executor(),
                    pool.map_lazy("wait_at_fifo", std::vector<std::string>{gate.path()}));
  std::optional<MapItem> last;
  held.async_next([&](std::exception_ptr error, std::optional<MapItem> item) {
    CHECK(!error);
    last = std::move(item);
  });
  asio::steady_timer timer(io);
  std::function<void()> again = [&] {
    timer.expires_after(1ms);
    timer.async_wait([&](const boost::system::error_code&) {
      ++ticks;
      const int fd = ticks < 10 ? -1 : ::open(gate.path().c_str(), O_WRONLY | O_NONBLOCK);
      if (fd < 0) return again();
      ::close(fd);
    });
  };
  again();
  io.run();
  CHECK(ended);
  CHECK(given == 3000);
  CHECK(ticks >= 10);
  REQUIRE(last);
  CHECK(last->result.ok());
}

TEST_CASE("an awaited map that is destroyed or whose context is leaves nothing behind") {
  Daemon daemon(futures_pool(1));
  Pool pool = daemon.connect().pool();
  const Gate gate(daemon.dir(), "gate");
  const Future running = gate.job(pool);
  auto token = std::make_shared<int>(1);
  bool aborted = false;
  {
    asio::io_context io;
    auto map = std::make_optional<AsyncResults>(
        io.get_executor(), pool.map_lazy("echo", std::vector<std::string>(50, "x")));
    map->async_next([&, token](std::exception_ptr error, std::optional<MapItem> item) {
      aborted = error != nullptr && !item;
    });
    io.poll();
    map.reset();
    io.run();
    CHECK(aborted);
    AsyncResults other(io.get_executor(),
                       pool.map_unordered("echo", std::vector<std::string>(50, "x")));
    other.async_next([token](std::exception_ptr, std::optional<MapItem>) { FAIL("called"); });
    io.restart();
    io.poll();
  }
  CHECK(token.use_count() == 1);
  gate.open();
  CHECK(running.result().ok());
}
