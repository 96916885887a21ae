// What a caller can get wrong: each is the documented error, nothing is submitted, and nothing is
// left behind.
#include <doctest/doctest.h>

#include <functional>
#include <optional>

#include <jobring/typed.hpp>

#include "tests/futures/leaks.hpp"
#include "tests/futures/point.hpp"
#include "tests/futures/support.hpp"

using namespace jobring;
using namespace jobring::test;
using namespace std::chrono_literals;

namespace {

// Its kind, "" if it throws nothing.
std::string kind_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Exception& e) {
    CHECK(std::string(e.what()).find('\n') == std::string::npos);
    return e.kind();
  }
  return "";
}

}  // namespace

TEST_CASE("each wrong argument is an error of its own and leaves nothing behind") {
  Daemon daemon(futures_pool(1, R"(, "max_payload": "4KiB")"));
  { daemon.connect().pool().call("echo", "warm"); }
  Leaks leaks(daemon);
  {
    Client client = daemon.connect();
    Pool pool = client.pool();
    Channel channel = client.channel();
    const HandlerId echo = channel.handler("echo");
    const std::string long_name(48, 'n'), large(4097, 'p'), with_nul("a\0b", 3);

    const std::vector<std::pair<std::string, std::string>> names = {
        {"", "empty"}, {long_name, "too long"}, {with_nul, "with a NUL"}};
    for (const auto& [name, what] : names) {
      CAPTURE(what);
      CHECK(kind_of([&] { pool.submit(name, "x"); }) == "bad_input");
      CHECK(kind_of([&] { pool.try_submit(name, "x"); }) == "bad_input");
      CHECK(kind_of([&] { pool.submit_for(1s, name, "x"); }) == "bad_input");
      CHECK(kind_of([&] { pool.call(name, "x"); }) == "bad_input");
      CHECK(kind_of([&] { pool.map(name, {"x"}); }) == "bad_input");
      CHECK(kind_of([&] { pool.map_lazy(name, std::vector<std::string>{"x"}); }) == "bad_input");
      CHECK(kind_of([&] { pool.map_unordered(name, std::vector<std::string>{"x"}); }) ==
            "bad_input");
      CHECK(kind_of([&] { pool.submit_as<int>(name, 1); }) == "bad_input");
      CHECK(kind_of([&] { pool.reserve(1).submit(name, 1); }) == "bad_input");
      CHECK(kind_of([&] { channel.handler(name); }) == "bad_input");
    }

    for (const JobOptions& options : {JobOptions{.timeout = -1ms}, JobOptions{.start_within = -1ms},
                                      JobOptions{.tag = std::string(48, 't')}}) {
      CHECK(kind_of([&] { pool.submit("echo", "x", options); }) == "bad_input");
      CHECK(kind_of([&] { pool.run({.argv = {"true"}}, options); }) == "bad_input");
      CHECK(kind_of([&] { pool.map("echo", {"x"}, options); }) == "bad_input");
      CHECK(kind_of([&] {
              pool.map_unordered("echo", std::vector<std::string>{"x"}, {.job = options});
            }) == "bad_input");
      CHECK(kind_of([&] { pool.submit_as<int>(options, "echo", 1); }) == "bad_input");
      CHECK(kind_of([&] { pool.reserve(1).submit("echo", 1, options); }) == "bad_input");
      CHECK(kind_of([&] { channel.prepare(echo, "x", 0, options); }) == "bad_input");
    }

    CHECK(kind_of([&] { pool.submit("echo", large); }) == "bad_input");
    CHECK(kind_of([&] { pool.map("echo", {large}); }) == "bad_input");
    CHECK(kind_of([&] { pool.reserve(large.size()); }) == "bad_input");
    CHECK(kind_of([&] { channel.prepare(echo, large, 0); }) == "bad_input");
    CHECK(kind_of([&] { pool.submit_as<std::string>("echo", large); }) == "bad_input");
    CHECK(kind_of([&] { pool.run({}); }) == "bad_input");
    CHECK(kind_of([&] { client.pool("no such pool"); }) == "unknown_pool");
    CHECK(kind_of([&] { client.pool(std::string(300, 'p')); }) == "unknown_pool");
    CHECK(kind_of([&] { client.pool("default", {.slots = 1u << 30}); }) == "");  // the pool's most
    CHECK(kind_of([&] { pool.submit("echo", "x").on_ready({}); }) == "bad_input");

    // Zero and negative patience only look, also of the longest past there is.
    const Gate gate(daemon.dir(), "gate");
    const Future job = gate.job(pool);
    for (const auto none : {0ns, -1ns, std::chrono::nanoseconds::min()}) {
      CHECK(!job.wait_for(none));
      CHECK(wait(std::vector{job}, WaitFor::all, none).pending.size() == 1);
      AsCompleted each(std::vector{job});
      CHECK(!each.next(none));
      CHECK(!channel.wait(none));
      Results map = pool.map_lazy("echo", std::vector<std::string>{"x"});
      CHECK(!map.next(none));
      CHECK(!map.exhausted());
    }
    gate.open();
    job.wait();
    // All that was refused left no trace: every slot is there, and nothing is outstanding.
    CHECK(pool.shutdown());
    CHECK(channel.outstanding() == 0);
    std::size_t slots = 0;
    while (channel.prepare(echo, "x", slots)) ++slots;
    CHECK(slots == channel.slots());
    channel.cancel_all();
  }
  leaks.check();
}

TEST_CASE("a codec that throws at any point leaves no job and no leak") {
  Daemon daemon(futures_pool(1));
  { daemon.connect().pool().call("echo", "warm"); }
  Leaks leaks(daemon);
  {
    Client client = daemon.connect();
    Pool pool = client.pool();
    const Point bad{Codec<Point>::kUnsendable, 0}, unreadable{Codec<Point>::kUnreadable, 0};
    for (int i = 0; i < 100; ++i) {
      CHECK_THROWS_AS(pool.submit_as<Point>("mirror", bad), std::domain_error);
      CHECK_THROWS_AS(pool.submit_as<Point>("mirror", Point{}, bad), std::domain_error);
    }
    CHECK(pool.outstanding() == 0);
    // The third element of a map: the first two are jobs, the others are never taken.
    const std::vector<Point> points{{1, 1}, {2, 2}, bad, {4, 4}};
    auto map = pool.map_as<Point>("mirror", points);
    int given = 0;
    for (;;) {
      try {
        if (!map.next()) break;
        ++given;
      } catch (const std::domain_error&) {
        given += 100;
      }
    }
    CHECK(given == 102);
    // A result that cannot be read here: as often as it is asked for, and the job is done.
    const auto job = pool.submit_as<Point>("echo", unreadable);
    for (int i = 0; i < 3; ++i) CHECK_THROWS_AS(job.get(), std::range_error);
    CHECK(job.future().result().ok());
  }
  leaks.check();
}
