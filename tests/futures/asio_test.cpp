// Jobs awaited in event loops: Asio with any token, and a plain epoll.
#include <doctest/doctest.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <jobring/asio.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <optional>
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

namespace {

// How often a timer of a millisecond rings on this loop while `busy()` holds, and how often it
// should have.
struct Ticks {
  explicit Ticks(asio::io_context& io) : timer_(io) {}
  void start(std::function<bool()> busy) {
    busy_ = std::move(busy);
    began_ = std::chrono::steady_clock::now();
    again();
  }
  double share() const {
    return double(came_) / std::max(1.0, std::chrono::duration<double, std::milli>(took_).count());
  }

 private:
  void again() {
    timer_.expires_after(1ms);
    timer_.async_wait([this](const boost::system::error_code&) {
      ++came_;
      took_ = std::chrono::steady_clock::now() - began_;
      if (busy_()) again();
    });
  }
  asio::steady_timer timer_;
  std::function<bool()> busy_;
  std::chrono::steady_clock::time_point began_;
  std::chrono::steady_clock::duration took_{};
  long came_ = 0;
};

}  // namespace

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
  pool.async_call("wait_at_fifo", gate.path(), {}, [&](std::exception_ptr, std::string) { ++done; });
  for (int i = 0; i < 150; ++i) {
    pool.async_call("echo", std::to_string(i), {}, [&](std::exception_ptr error, std::string result) {
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

TEST_CASE("a timer of a millisecond keeps ticking while thousands of results are awaited") {
  Daemon daemon(futures_pool(2, R"(, "slots": 1024)"));
  constexpr int kJobs = 20'000;
  // The same loop with nothing else to do says what this machine can do now.
  double idle = 0;
  {
    asio::io_context io;
    Ticks ticks(io);
    const auto until = std::chrono::steady_clock::now() + 300ms;
    ticks.start([&] { return std::chrono::steady_clock::now() < until; });
    io.run();
    idle = ticks.share();
  }
  asio::io_context io;
  AsyncPool pool(io.get_executor(), daemon.connect().pool());
  int done = 0;
  bool submitting = true;
  Ticks ticks(io);
  ticks.start([&] { return submitting || done < kJobs; });
  // Awaited by 500 coroutines, each of which awaits one job after the other.
  for (int c = 0; c < 500; ++c) {
    asio::co_spawn(
        io,
        [&]() -> asio::awaitable<void> {
          for (int i = 0; i < kJobs / 500; ++i) {
            co_await pool.async_call("sleep_ms", "0", {}, asio::use_awaitable);
            ++done;
          }
        },
        asio::detached);
  }
  submitting = false;
  io.run();
  CHECK(done == kJobs);
  MESSAGE("ticks that came of those that should: idle " << idle << ", with jobs " << ticks.share());
  // A loop that blocked on each job, or that took all results in before it looked at its timers,
  // would miss nearly all.
  CHECK(ticks.share() > idle / 10);
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

TEST_CASE("a plain epoll loop with a timer awaits thousands of results") {
  Daemon daemon(futures_pool());
  Pool pool = daemon.connect().pool();
  const int loop = epoll_create1(EPOLL_CLOEXEC);
  const int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  const itimerspec every{{0, 1'000'000}, {0, 1'000'000}};
  timerfd_settime(timer, 0, &every, nullptr);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = timer;
  epoll_ctl(loop, EPOLL_CTL_ADD, timer, &event);
  event.data.fd = pool.fd();
  epoll_ctl(loop, EPOLL_CTL_ADD, pool.fd(), &event);

  constexpr int kJobs = 5000;
  int done = 0, submitted = 0, turns = 0;
  std::uint64_t expired = 0;
  int ticks = 0;
  std::function<void()> submit_one = [&] {
    ++submitted;
    pool.submit("echo", "x").on_ready([&](const Future&) {
      ++done;
      if (submitted < kJobs) submit_one();
    });
  };
  for (int i = 0; i < 50; ++i) submit_one();
  pool.poll();
  while (done < kJobs) {
    epoll_event events[2];
    const int count = epoll_wait(loop, events, 2, 10'000);
    REQUIRE(count > 0);  // ten seconds without any event: a wake-up was lost
    for (int i = 0; i < count; ++i) {
      if (events[i].data.fd == timer) {
        std::uint64_t times = 0;
        if (read(timer, &times, sizeof times) == sizeof times) {
          expired += times;
          ++ticks;
        }
      } else {
        pool.poll();
      }
    }
    ++turns;
  }
  CHECK(done == kJobs);
  // Of the times that the timer rang, the loop saw most one by one.
  CHECK(ticks * 20 >= int(expired));
  close(loop);
  close(timer);
}
