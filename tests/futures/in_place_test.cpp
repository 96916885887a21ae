// Large payloads and results without a copy; a job that will not end.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <atomic>
#include <cstring>
#include <optional>
#include <thread>

#include <jobring/typed.hpp>

#include "tests/futures/leaks.hpp"
#include "tests/futures/support.hpp"

using namespace jobring;
using namespace jobring::test;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t kLarge = 1 << 20;
const std::string kPool = R"(, "slots": 4, "max_payload": "1MiB", "max_result": "1MiB")";

}  // namespace

TEST_CASE("a result in place is shared memory until its last future goes") {
  Daemon daemon(futures_pool(1, kPool));
  Pool pool = daemon.connect().pool();
  const std::string large(kLarge, 'r');
  auto job = std::make_optional(pool.submit("echo", large, {.in_place = true}));
  const auto view = job->view();
  CHECK(view.size() == kLarge);
  CHECK(view.data() == job->view().data());
  CHECK(job->result().bytes.empty());
  // Others come and go: it stays.
  for (int i = 0; i < 50; ++i) pool.call("echo", std::string(kLarge, 'x'));
  CHECK(std::memcmp(view.data(), large.data(), kLarge) == 0);
  CHECK(job->get() == large);
  const Future copy = *job;
  job.reset();
  CHECK(copy.view().data() == view.data());
  // Not in place: a view all the same, of a copy.
  const Future other = pool.submit("echo", "small");
  CHECK(other.view().size() == 5);
  CHECK_THROWS_AS(pool.submit("throw_app", "x", {.in_place = true}).view(), JobFailed);
}

TEST_CASE("results in place take slots and a pool full of them says so") {
  Daemon daemon(futures_pool(1, kPool));
  Pool pool = daemon.connect().pool();
  std::vector<Future> held;
  for (int i = 0; i < 4; ++i) {
    held.push_back(pool.submit("echo", std::to_string(i), {.in_place = true}));
    held.back().wait();
  }
  CHECK(!pool.try_submit("echo", "x"));
  try {
    pool.submit("echo", "x");
    FAIL("it took a job");
  } catch (const Exception& e) {
    CHECK(std::string(e.kind()) == "full");
  }
  for (int i = 0; i < 4; ++i) CHECK(held[std::size_t(i)].get() == std::to_string(i));
  held.pop_back();
  CHECK(pool.call("echo", "x") == "x");
  // Nobody holds it when it ends: nothing is kept.
  for (int i = 0; i < 20; ++i) pool.submit("echo", "dropped", {.in_place = true});
  CHECK(pool.call("echo", "x") == "x");
}

TEST_CASE("a view outlives its pool and its client") {
  Daemon daemon(futures_pool(1, kPool));
  std::optional<Future> job, lost;
  {
    Client client = daemon.connect();
    Pool pool = client.pool();
    job = pool.submit("echo", std::string(kLarge, 'v'), {.in_place = true});
    job->wait();
  }
  const auto view = job->view();
  CHECK(std::count(view.begin(), view.end(), std::byte{'v'}) == kLarge);
  job.reset();
  CHECK(mapped_segments() == 0);
}

TEST_CASE("in-place results survive many threads that submit and drop them") {
  Daemon daemon(futures_pool(2, R"(, "slots": 16)"));
  Pool pool = daemon.connect().pool();
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 500; ++i) {
        const std::string text = std::to_string(t) + ":" + std::to_string(i);
        const Future kept = pool.submit("echo", text, {.in_place = true});
        AsCompleted each(std::vector{kept, pool.submit("echo", "y", {.in_place = true})});
        each.next();
        if (i % 3 == 0) kept.on_ready([](const Future& f) { f.view(); });
        if (kept.get() == text) ++right;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(right == 2000);
  CHECK(pool.shutdown());
}

TEST_CASE("a payload is built in place") {
  Daemon daemon(futures_pool(1, kPool));
  Pool pool = daemon.connect().pool();
  Reservation room = pool.reserve(kLarge);
  CHECK(room.bytes().size() == kLarge);
  // Others are submitted meanwhile: it is nobody else's.
  std::memset(room.bytes().data(), 'p', kLarge / 2);
  CHECK(pool.call("echo", std::string(kLarge, 'q')).size() == kLarge);
  std::memset(room.bytes().data() + kLarge / 2, 'p', kLarge / 2);
  CHECK_THROWS_AS(room.submit("echo", kLarge + 1), Exception);
  CHECK_THROWS_AS(room.submit("", 1), Exception);
  CHECK(room.submit("echo", kLarge).get() == std::string(kLarge, 'p'));
  CHECK_THROWS_AS(room.submit("echo", 1), Exception);
  CHECK_THROWS_AS(pool.reserve(kLarge + 1), Exception);
  // Given back unsubmitted, by destruction and by assignment.
  for (int i = 0; i < 10; ++i) pool.reserve(100);
  Reservation again = pool.reserve(1);
  again = pool.reserve(2);
  {
    std::vector<Reservation> all;
    for (int i = 0; i < 3; ++i) all.push_back(pool.reserve(1));
    CHECK_THROWS_AS(pool.submit("echo", "x"), Exception);
  }
  CHECK(pool.call("echo", "x") == "x");
}

TEST_CASE("a payload that comes out shorter than its room is the one that was written") {
  Daemon daemon(futures_pool(1, kPool));
  Pool pool = daemon.connect().pool();
  // What fits into a slot stands elsewhere than what does not.
  for (const std::size_t room_size : {193ul, 1000ul, kLarge}) {
    for (const std::size_t size : {0ul, 1ul, 191ul, 192ul, 193ul}) {
      CAPTURE(room_size);
      CAPTURE(size);
      CHECK(pool.call("echo", std::string(192, 'o')).size() == 192);  // what was in the slot before
      Reservation room = pool.reserve(room_size);
      std::memset(room.bytes().data(), 'n', size);
      CHECK(room.submit("echo", size).get() == std::string(size, 'n'));
    }
  }
}

TEST_CASE("a job that ignores every request is ended with its worker and the pool carries on") {
  Daemon daemon(futures_pool(2), R"(, "kill_grace": "100ms")");
  Pool pool = daemon.connect().pool();
  const Future polite = pool.submit("spin", ""), stubborn = pool.submit("stubborn", "");
  REQUIRE(eventually([&] {
    const std::string status = daemon.connect().status_json();
    return status.find("\"spin\"") != status.npos && status.find("\"stubborn\"") != status.npos;
  }));
  CHECK(!polite.cancel());
  polite.kill();
  stubborn.kill();
  CHECK(polite.get() == "stopped when asked");
  CHECK(stubborn.result().outcome == Outcome::killed);
  for (int i = 0; i < 20; ++i) CHECK(pool.call("echo", "on") == "on");
}
