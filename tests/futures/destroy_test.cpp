// Futures, pools, clients and maps destroyed in any state: what then holds, and that nothing is
// left.
#include <doctest/doctest.h>

#include <atomic>
#include <optional>
#include <thread>

#include "tests/futures/leaks.hpp"
#include "tests/futures/support.hpp"

using namespace jobring;
using namespace jobring::test;
using namespace std::chrono_literals;

namespace {

// One worker, which waits at a gate, and one job behind it. What a test destroys, it resets.
struct Scene {
  Daemon daemon{futures_pool(1)};
  std::optional<Leaks> leaks;
  std::optional<Gate> gate;
  std::optional<Client> client;
  std::optional<Pool> pool;
  std::optional<Future> running, pending;
  std::string trace;  // a file that the job behind makes

  Scene() {
    // The first client of all: what the daemon and its worker open once is open from then on.
    {
      Pool warm = daemon.connect().pool();
      CHECK(warm.call("echo", "warm") == "warm");
      CHECK(warm.run({.argv = {"true"}}).result().ok());
    }
    leaks.emplace(daemon);
    gate.emplace(daemon.dir(), "gate");
    client.emplace(daemon.connect());
    pool.emplace(client->pool());
    running = gate->job(*pool);
    REQUIRE(eventually([&] { return busy(daemon); }));
    trace = daemon.dir() / "trace";
    pending = pool->run({.argv = {"touch", trace}});
  }
  // All that is left goes, and with it everything that was opened.
  ~Scene() {
    running.reset();
    pending.reset();
    pool.reset();
    client.reset();
    leaks->check();
  }

  bool traced() const { return access(trace.c_str(), F_OK) == 0; }
};

// A thread that waits for a future by a copy of its own.
class Waiter {
 public:
  explicit Waiter(const Future& future)
      : thread_([this, copy = future]() mutable {
          begun_ = true;
          outcome_ = copy.result().outcome;
          copy = Future();
        }) {
    CHECK(eventually([&] { return begun_.load(); }));
  }
  Outcome end() {
    thread_.join();
    return outcome_;
  }

 private:
  std::atomic<bool> begun_{false};
  Outcome outcome_ = Outcome::lost;
  std::thread thread_;
};

const char* const kClosed = "its pool was closed before it ended";

}  // namespace

// ---- futures

TEST_CASE("a future dropped while its job waits leaves the job to run") {
  Scene s;
  s.pending.reset();
  CHECK(s.pool->outstanding() == 2);
  s.gate->open();
  CHECK(s.pool->shutdown());
  CHECK(s.traced());
}

TEST_CASE("a future dropped while its job runs leaves the job to run") {
  Scene s;
  s.running.reset();
  s.gate->open();
  CHECK(s.pool->shutdown());
  CHECK(s.traced());
}

TEST_CASE("a future dropped in its own callback is gone after it") {
  Scene s;
  int ran = 0;
  s.running->on_ready([&](const Future& done) {
    s.running.reset();
    CHECK(done.result().ok());
    ++ran;
  });
  s.gate->open();
  s.pending->wait();
  CHECK(s.pool->shutdown());
  CHECK(ran == 1);
  CHECK(!s.running);
}

TEST_CASE("a future dropped while another thread waits for its job is that thread's") {
  Scene s;
  Waiter waiter(*s.running);
  s.running.reset();
  s.gate->open();
  CHECK(waiter.end() == Outcome::ok);
}

TEST_CASE("a map dropped with jobs waiting withdraws them") {
  Scene s;
  const std::vector<std::string> inputs(100, s.trace);
  std::optional<Results> map(s.pool->map_lazy("echo", inputs));
  CHECK(!map->next(1ms));
  map.reset();
  s.gate->open();
  CHECK(s.pending->result().ok());
  CHECK(s.pool->shutdown());
}

TEST_CASE("a map cancelled by its own source ends there") {
  Scene s;
  s.gate->open();
  std::optional<Results> map;
  int asked = 0;
  // What the source holds lives until it has returned.
  map.emplace(s.pool->map_unordered(
      "echo", [&, held = std::make_shared<std::string>(1000, 'x')]() -> std::optional<std::string> {
        if (++asked == 3) map->cancel();
        return *held;
      }));
  std::size_t given = 0;
  while (map->next()) ++given;
  CHECK(asked == 3);
  CHECK(given == 2);
  CHECK(map->exhausted());
  map.reset();
}

// ---- pools

TEST_CASE("a pool dropped withdraws what waits and ends what runs as lost") {
  Scene s;
  s.pool.reset();
  CHECK(s.pending->ready());
  CHECK(s.pending->result().outcome == Outcome::lost);
  CHECK(s.pending->result().bytes == kClosed);
  CHECK(s.running->ready());
  CHECK(s.running->result().outcome == Outcome::lost);
  CHECK_THROWS_AS(s.running->get(), JobFailed);
  CHECK(!s.running->cancel());
  s.running->kill();
  CHECK(!s.running->progress());
  s.gate->open();
  // A new pool of the same client has the worker's next turn.
  CHECK(s.client->pool().call("echo", "on") == "on");
  CHECK(!s.traced());
}

TEST_CASE("a pool dropped in a callback ends its other futures there") {
  Scene s;
  int ran = 0;
  s.running->on_ready([&](const Future& done) {
    CHECK(done.result().ok());
    s.pool.reset();
    ++ran;
  });
  s.gate->open();
  s.running->wait();
  // Whoever waited held the pool until then.
  CHECK(ran == 1);
  CHECK(s.pending->ready());
}

TEST_CASE("a pool dropped while another thread waits lives until that thread has its result") {
  Scene s;
  Waiter waiter(*s.running);
  // The thread may only be about to wait: then its job is lost, which is as good an end.
  REQUIRE(eventually([&] { return !s.running->ready(); }));
  s.pool.reset();
  s.gate->open();
  const Outcome outcome = waiter.end();
  CHECK((outcome == Outcome::ok || outcome == Outcome::lost));
  CHECK(s.running->result().outcome == outcome);
}

TEST_CASE("a map outlives its pool and its client") {
  Scene s;
  std::optional<Results> map(s.pool->map_lazy("echo", std::vector<std::string>(2000, "m")));
  CHECK(!map->next(1ms));
  s.pool.reset();
  s.client.reset();
  s.gate->open();
  std::size_t given = 0;
  for (const std::string& each : *map) given += each == "m";
  CHECK(given == 2000);
  map.reset();
}

TEST_CASE("a pool dropped by a map's source leaves the map to end") {
  Scene s;
  s.gate->open();
  s.pending.reset();
  s.running.reset();
  int asked = 0;
  std::optional<Results> map(s.pool->map_lazy("echo", [&]() -> std::optional<std::string> {
    if (asked == 2) s.pool.reset();
    if (asked == 3) s.client.reset();
    return asked++ < 10 ? std::optional<std::string>("x") : std::nullopt;
  }));
  std::size_t given = 0;
  while (map->next()) ++given;
  CHECK(given == 10);
  map.reset();
}

// ---- clients

TEST_CASE("a client dropped leaves its pools and futures as they are") {
  Scene s;
  s.client.reset();
  CHECK(!s.running->ready());
  s.gate->open();
  CHECK(s.running->result().ok());
  CHECK(s.pending->result().ok());
  CHECK(s.pool->call("echo", "x") == "x");
  CHECK(s.traced());
}

TEST_CASE("client and pool dropped in a callback, with futures waiting, leave nothing") {
  Scene s;
  int ran = 0;
  s.running->on_ready([&](const Future&) {
    s.client.reset();
    s.pool.reset();
    s.pending.reset();
    ++ran;
  });
  s.gate->open();
  s.running->wait();
  CHECK(ran == 1);
}

TEST_CASE("a client dropped while another thread waits and submits leaves it alone") {
  Scene s;
  std::thread other([pool = *s.pool, first = *s.running]() mutable {
    CHECK(first.result().ok());
    for (int i = 0; i < 100; ++i) CHECK(pool.call("echo", "x") == "x");
  });
  s.client.reset();
  s.pool.reset();
  s.gate->open();
  other.join();
  CHECK(s.running->result().ok());
}

TEST_CASE("a daemon killed under futures, waiters and maps ends each and leaves nothing here") {
  std::optional<Daemon> daemon(std::in_place, futures_pool(1));
  const std::size_t descriptors = open_descriptors(), segments = mapped_segments();
  {
    const Gate gate(daemon->dir(), "gate");
    Client client = daemon->connect();
    Pool pool = client.pool();
    const Future running = gate.job(pool), pending = pool.submit("echo", "x");
    Results map = pool.map_unordered("echo", std::vector<std::string>(50, "m"));
    CHECK(!map.next(1ms));
    int called = 0;
    pending.on_ready([&](const Future& done) {
      CHECK(done.result().outcome == Outcome::lost);
      ++called;
    });
    Waiter waiter(running);
    daemon->signal(SIGKILL);
    CHECK(waiter.end() == Outcome::lost);
    CHECK(pending.result().outcome == Outcome::lost);
    CHECK(called == 1);
    std::size_t lost = 0;
    while (const auto item = map.next()) lost += item->result.outcome == Outcome::lost;
    CHECK(lost == 50);
    CHECK_THROWS_AS(pool.submit("echo", "x"), Exception);
    CHECK(pool.shutdown());
  }
  CHECK(open_descriptors() == descriptors);
  CHECK(mapped_segments() == segments);
}
