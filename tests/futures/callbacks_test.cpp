// on_ready: once each, outside all locks, whatever the callback does.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <atomic>
#include <optional>
#include <thread>

#include "tests/futures/support.hpp"

using namespace jobring;
using namespace jobring::test;
using namespace std::chrono_literals;

namespace {

std::atomic<int> errors{0};

}  // namespace

TEST_CASE("callbacks run once, in order, on the thread that finds the completion") {
  Daemon daemon(futures_pool());
  Pool pool = daemon.connect().pool();
  std::vector<int> order;
  const Gate gate(daemon.dir(), "gate");
  const Future job = gate.job(pool);
  for (int i = 0; i < 3; ++i) {
    job.on_ready([&, i](const Future& done) {
      CHECK(done == job);
      CHECK(done.ready());
      order.push_back(i);
    });
  }
  CHECK(pool.poll() == 0);
  CHECK(order.empty());
  gate.open();
  job.wait();
  CHECK(order == std::vector{0, 1, 2});
  // Done already: at once.
  job.on_ready([&](const Future&) { order.push_back(3); });
  CHECK(order.size() == 4);
  job.wait();
  pool.poll();
  CHECK(order.size() == 4);
}

TEST_CASE("a chain of ten thousand callbacks, each of which submits, does not nest") {
  Daemon daemon(futures_pool(2, R"(, "slots": 8)"));
  Pool pool = daemon.connect().pool();
  int ran = 0, depth = 0, deepest = 0;
  std::function<void(const Future&)> again = [&](const Future&) {
    deepest = std::max(deepest, ++depth);
    if (++ran < 10'000) pool.submit("echo", "x").on_ready(again);
    --depth;
  };
  // More than the channel holds: submit() meets a full channel, and runs callbacks itself.
  for (int i = 0; i < 20; ++i) pool.submit("echo", "x").on_ready(again);
  while (pool.outstanding() != 0) wait(std::vector{pool.submit("echo", "x")});
  CHECK(ran >= 10'000);
  CHECK(deepest == 1);
}

TEST_CASE("an exception that leaves a callback disturbs nobody else") {
  Daemon daemon(futures_pool());
  Pool pool = daemon.connect().pool();
  errors = 0;
  const auto before = set_callback_error_handler([](std::exception_ptr) noexcept { ++errors; });
  int ran = 0;
  const Future job = pool.submit("echo", "x");
  job.on_ready([](const Future&) { throw std::runtime_error("a callback's own"); });
  job.on_ready([&](const Future&) { ++ran; });
  CHECK(job.get() == "x");
  job.on_ready([](const Future&) { throw 7; });
  CHECK(errors == 2);
  CHECK(ran == 1);
  set_callback_error_handler(before);
}

TEST_CASE("a callback may wait for another job") {
  Daemon daemon(futures_pool());
  Pool pool = daemon.connect().pool();
  std::string got;
  const Future job = pool.submit("echo", "outer");
  job.on_ready([&](const Future&) { got = pool.call("echo", "inner"); });
  job.wait();
  CHECK(got == "inner");
}

TEST_CASE("a callback may destroy the pool, the client and its own future") {
  Daemon daemon(futures_pool());
  auto client = std::make_optional(daemon.connect());
  auto pool = std::make_optional(client->pool());
  auto job = std::make_optional(pool->submit("echo", "x"));
  bool ran = false;
  job->on_ready([&](const Future& done) {
    client.reset();
    pool.reset();
    job.reset();
    ran = true;
    CHECK(done.get() == "x");
  });
  while (!ran) pool->poll();
  CHECK(!pool);
}

TEST_CASE("destroying a pool ends its futures as lost and runs their callbacks") {
  Daemon daemon(futures_pool(1));
  Client client = daemon.connect();
  auto pool = std::make_optional(client.pool());
  const Gate gate(daemon.dir(), "gate");
  const Future runs = gate.job(*pool), waits = pool->submit("echo", "x");
  std::vector<Outcome> outcomes;
  runs.on_ready([&](const Future& done) {
    outcomes.push_back(done.result().outcome);
    // The others have ended too: asking for them from here blocks nobody.
    outcomes.push_back(waits.result().outcome);
    waits.on_ready([&](const Future&) { outcomes.push_back(Outcome::ok); });
  });
  CHECK(outcomes.empty());
  pool.reset();
  CHECK(outcomes == std::vector{Outcome::lost, Outcome::lost, Outcome::ok});
}

TEST_CASE("each callback runs once however many threads poll") {
  Daemon daemon(futures_pool());
  Pool pool = daemon.connect().pool();
  constexpr int kJobs = 4000;
  std::atomic<int> ran{0};
  std::atomic<bool> over{false};
  std::vector<std::thread> pollers;
  for (int t = 0; t < 3; ++t) {
    pollers.emplace_back([&] {
      while (!over) {
        pool.poll();
        std::this_thread::yield();
      }
    });
  }
  for (int i = 0; i < kJobs; ++i) pool.submit("echo", "x").on_ready([&](const Future&) { ++ran; });
  CHECK(eventually([&] { return ran == kJobs; }));
  over = true;
  for (auto& poller : pollers) poller.join();
  CHECK(ran == kJobs);
}

TEST_CASE("a callback of a withdrawn job runs in cancel") {
  Daemon daemon(futures_pool(1));
  Pool pool = daemon.connect().pool();
  const Gate gate(daemon.dir(), "gate");
  const Future runs = gate.job(pool);
  REQUIRE(eventually([&] { return busy(daemon); }));
  const Future waits = pool.submit("echo", "x");
  int ran = 0;
  waits.on_ready([&](const Future& done) {
    CHECK(done.result().outcome == Outcome::cancelled);
    ++ran;
  });
  CHECK(waits.cancel());
  CHECK(ran == 1);
  CHECK(!waits.cancel());
  gate.open();
  runs.wait();
}
