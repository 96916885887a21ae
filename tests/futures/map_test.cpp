// map: lazy inputs, bounded buffers, both orders.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <deque>
#include <set>
#include <thread>

#include "tests/futures/support.hpp"

using namespace jobring;
using namespace jobring::test;
using namespace std::chrono_literals;

namespace {

Source count_to(int end, int& taken) {
  return [end, &taken, next = 0]() mutable -> std::optional<std::string> {
    if (next == end) return std::nullopt;
    ++taken;
    return std::to_string(next++);
  };
}

}  // namespace

TEST_CASE("a lazy map gives results in the order of its inputs") {
  Daemon daemon(futures_pool());
  Pool pool = daemon.connect().pool();
  for (const std::size_t chunk : {0, 1, 7, 500}) {
    CAPTURE(chunk);
    int taken = 0, at = 0;
    for (std::string& result :
         pool.map_lazy("echo", count_to(5000, taken), {.chunk = chunk, .buffer = 100})) {
      REQUIRE(result == std::to_string(at));
      ++at;
      REQUIRE(taken - at <= 100);
    }
    CHECK(at == 5000);
  }
}

TEST_CASE("an unordered map gives each result once with its input's index") {
  Daemon daemon(futures_pool());
  Pool pool = daemon.connect().pool();
  int taken = 0;
  Results results = pool.map_unordered("echo", count_to(5000, taken), {.buffer = 50});
  std::set<std::uint64_t> seen;
  while (auto item = results.next()) {
    CHECK(item->result.text() == std::to_string(item->index));
    CHECK(seen.insert(item->index).second);
    REQUIRE(taken - int(seen.size()) <= 50);
  }
  CHECK(results.exhausted());
  CHECK(seen.size() == 5000);
  CHECK(!results.next());
}

TEST_CASE("a map takes any range, by reference or moved in") {
  Daemon daemon(futures_pool());
  Pool pool = daemon.connect().pool();
  std::deque<std::string> inputs = {"a", "b", "c"};
  std::string all;
  for (const std::string& result : pool.map_lazy("echo", inputs)) all += result;
  const char* const words[] = {"d", "e"};
  for (const std::string& result : pool.map_lazy("echo", words)) all += result;
  for (const std::string& result : pool.map_lazy("echo", std::vector<std::string_view>{"f", "g"}))
    all += result;
  CHECK(all == "abcdefg");
  CHECK(inputs.size() == 3);
  CHECK(!pool.map_lazy("echo", std::vector<std::string>{}).next());
}

TEST_CASE("no input is taken before somebody asks and none beyond the buffer") {
  Daemon daemon(futures_pool(1));
  Pool pool = daemon.connect().pool();
  const Gate gate(daemon.dir(), "gate");
  int taken = 0;
  Results results = pool.map_lazy("wait_at_fifo",
                                  [&]() -> std::optional<std::string> {
                                    ++taken;
                                    return taken == 1 ? gate.path() : "/dev/null";
                                  },
                                  {.buffer = 10});
  CHECK(taken == 0);
  // The first one waits, so that the others cannot be given however often we ask.
  for (int i = 0; i < 20; ++i) CHECK(!results.next(2ms));
  CHECK(taken == 10);
  CHECK(!results.exhausted());
  gate.open();
  CHECK(results.next()->index == 0);
  CHECK(results.next()->index == 1);
  results.cancel();
}

TEST_CASE("a source may wait for the jobs that it has given however quick it was") {
  Daemon daemon(futures_pool());
  Pool pool = daemon.connect().pool();
  int taken = 0;
  Results results = pool.map_unordered("echo", [&]() -> std::optional<std::string> {
    if (taken == 40) return {};
    if (taken % 10 == 9) CHECK(eventually([&] { return pool_number(daemon, "jobs") == taken; }));
    return std::to_string(taken++);
  });
  int given = 0;
  while (results.next()) ++given;
  CHECK(given == 40);
}

TEST_CASE("a map gives a result that is there before it asks a slow source for more") {
  Daemon daemon(futures_pool());
  Pool pool = daemon.connect().pool();
  int taken = 0;
  Results results = pool.map_unordered("echo", [&]() -> std::optional<std::string> {
    // A slow source: each input comes when the workers have done all those before, and a while
    // after that.
    std::this_thread::sleep_for(1ms);
    CHECK(eventually([&] { return pool_number(daemon, "jobs") == taken; }));
    return std::to_string(taken++);
  });
  for (int given = 0; given < 50; ++given) {
    REQUIRE(results.next().has_value());
    // One that it gives, and one that it took because the other was not there yet; a job counts a
    // moment before its result is there. Who filled a batch first, of 32, would be further ahead.
    CHECK(taken - given <= 5);
  }
}

TEST_CASE("an iteration throws what a job threw and goes on after it") {
  Daemon daemon(futures_pool());
  Pool pool = daemon.connect().pool();
  std::vector<std::string> inputs(20, "1");
  Results results = pool.map_lazy("throw_app", inputs);
  for (int i = 0; i < 20; ++i) {
    try {
      results.begin();
      FAIL("no exception");
    } catch (const JobFailed& e) {
      CHECK(e.type() == "app::BadInput");
      CHECK(e.message() == "not a number: 1");
    }
  }
  CHECK(results.begin() == results.end());
}

TEST_CASE("what a source throws passes through once and the rest can be taken") {
  Daemon daemon(futures_pool());
  Pool pool = daemon.connect().pool();
  int next = 0;
  Results results = pool.map_lazy("echo", [&]() -> std::optional<std::string> {
    if (next == 5) throw std::out_of_range("source");
    return std::to_string(next++);
  });
  // At once, or behind results that were there before it.
  std::vector<std::string> given;
  const auto take_all = [&](Results& from) {
    given.clear();
    int thrown = 0;
    for (;;) {
      try {
        const auto item = from.next();
        if (!item) return thrown;
        given.emplace_back(item->result.text());
      } catch (const std::exception&) {
        ++thrown;
      }
    }
  };
  CHECK(take_all(results) == 1);
  CHECK(given == std::vector<std::string>{"0", "1", "2", "3", "4"});
  CHECK(results.exhausted());
  // A payload that is too large is such an end too.
  Results large = pool.map_lazy(
      "echo", std::vector<std::string>{"fits", std::string(pool.max_payload() + 1, 'x')});
  CHECK(take_all(large) == 1);
  CHECK(given == std::vector<std::string>{"fits"});
}

TEST_CASE("a map dropped half way leaves the pool as it was") {
  Daemon daemon(futures_pool());
  Pool pool = daemon.connect().pool();
  for (int round = 0; round < 20; ++round) {
    int taken = 0;
    Results results = pool.map_lazy("echo", count_to(1 << 30, taken));
    for (int i = 0; i < round; ++i) REQUIRE(results.next()->result.text() == std::to_string(i));
  }
  CHECK(pool.map("echo", {"a", "b"}) == std::vector<std::string>{"a", "b"});
  // Also with jobs that run on while nobody waits for them.
  const Gate gate(daemon.dir(), "gate");
  { CHECK(!pool.map_lazy("wait_at_fifo", std::vector{gate.path()}).next(20ms)); }
  CHECK(pool.map("echo", {"c"}) == std::vector<std::string>{"c"});
  gate.open();
}

TEST_CASE("shutdown ends the inputs of a map") {
  Daemon daemon(futures_pool());
  Pool pool = daemon.connect().pool();
  int taken = 0, given = 0;
  Results results = pool.map_lazy("echo", count_to(1 << 30, taken));
  REQUIRE(results.next());
  pool.shutdown();
  for (given = 1; results.next(); ++given) {
  }
  CHECK(given == taken);
  CHECK(results.exhausted());
}
