// wait(), AsCompleted, shutdown, time-outs.
#include <doctest/doctest.h>
#include <poll.h>
#include <sys/stat.h>

#include <atomic>
#include <chrono>
#include <set>
#include <thread>

#include "tests/futures/support.hpp"

using namespace jobring;
using namespace jobring::test;
using namespace std::chrono_literals;

TEST_CASE("wait for the first that completes tells done from pending") {
  Daemon daemon(futures_pool(2));
  Pool pool = daemon.connect().pool();
  const Gate first(daemon.dir(), "first"), second(daemon.dir(), "second");
  const std::vector<Future> jobs = {first.job(pool), second.job(pool)};
  CHECK(wait(jobs, WaitFor::first_completed, 20ms).done.empty());
  second.open();
  const Waited waited = wait(jobs, WaitFor::first_completed);
  REQUIRE(waited.done.size() == 1);
  CHECK(waited.done[0] == jobs[1]);
  CHECK(waited.pending == std::vector<Future>{jobs[0]});
  first.open();
  const Waited all = wait(jobs);
  CHECK(all.done == jobs);
  CHECK(all.pending.empty());
}

TEST_CASE("wait for the first exception returns at a failure and not at a success") {
  Daemon daemon(futures_pool(3));
  Pool pool = daemon.connect().pool();
  const Gate gate(daemon.dir(), "gate"), fails(daemon.dir(), "fails");
  std::vector<Future> jobs = {gate.job(pool), pool.submit("echo", "fine")};
  jobs[1].wait();
  CHECK(wait(jobs, WaitFor::first_exception, 20ms).done.size() == 1);  // timed out
  jobs.push_back(pool.submit("throw_app", "x"));
  const Waited waited = wait(jobs, WaitFor::first_exception);
  CHECK(waited.pending == std::vector<Future>{jobs[0]});
  gate.open();
  // All succeed but one, which is done: it returns at once, also when nothing is pending.
  CHECK(wait(jobs, WaitFor::all).pending.empty());
  CHECK(wait(jobs, WaitFor::first_exception).pending.empty());
}

TEST_CASE("wait takes empty sets, doubles and futures of several pools") {
  Daemon daemon(R"({"default": {"workers": 2, "modules": [")" + test_module("faulty") +
                R"("]}, "other": {"workers": 2, "modules": [")" + test_module("faulty") + "\"]}}");
  Client client = daemon.connect();
  Pool one = client.pool(), two = client.pool("other");
  CHECK(wait({}).done.empty());
  const Gate a(daemon.dir(), "a"), b(daemon.dir(), "b");
  const Future first = a.job(one), second = b.job(two);
  CHECK(wait(std::vector{first, first}, WaitFor::all, 10ms).pending.size() == 2);
  std::thread opener([&] { b.open(); });
  const Waited waited = wait(std::vector{first, second, second}, WaitFor::first_completed);
  opener.join();
  CHECK(waited.done.size() == 2);
  CHECK(waited.pending.size() == 1);
  // The completion is taken in by another thread while we wait for both pools.
  const Gate c(daemon.dir(), "c");
  const Future third = c.job(two);
  std::thread taker([&] {
    c.open();
    third.wait();
  });
  CHECK(wait(std::vector{first, third}, WaitFor::first_completed).done == std::vector{third});
  taker.join();
  a.open();
  CHECK(wait(std::vector{first, second, third}).pending.empty());
}

TEST_CASE("who waits for many is no obstacle to who waits for one of them") {
  Daemon daemon(futures_pool(6));
  Pool pool = daemon.connect().pool();
  std::vector<Gate> gates;
  std::vector<Future> jobs;
  for (const char* name : {"a", "b", "c", "d", "e", "f"}) {
    gates.emplace_back(daemon.dir(), name);
    jobs.push_back(gates.back().job(pool));
  }
  std::thread waits_for_all([&] { CHECK(wait(jobs).pending.empty()); });
  // It sleeps until several are done, sooner or later: the others are told of each anyway.
  for (int i = 0; i < 2; ++i) {
    gates[i].open();
    jobs[i].wait();
  }
  std::atomic<bool> called = false;
  jobs[2].on_ready([&](const Future&) { called = true; });
  gates[2].open();
  while (!called) std::this_thread::yield();  // on the thread that waits for all
  for (int i = 3; i < 6; ++i) gates[i].open();
  waits_for_all.join();
}

TEST_CASE("as many futures of one job are waited for while another runs on") {
  Daemon daemon(futures_pool(2));
  Pool pool = daemon.connect().pool();
  const Gate ends(daemon.dir(), "ends"), runs(daemon.dir(), "runs");
  const Future job = ends.job(pool), other = runs.job(pool);
  std::thread opener([&] { ends.open(); });
  CHECK(wait(std::vector(8, job)).pending.empty());
  opener.join();
  runs.open();
  other.wait();
}

TEST_CASE("as completed gives each once and takes more meanwhile") {
  Daemon daemon(futures_pool(2));
  Pool pool = daemon.connect().pool();
  AsCompleted jobs;
  CHECK(!jobs.next());
  const Gate slow(daemon.dir(), "slow");
  const Future last = slow.job(pool);
  jobs.add(last);
  CHECK(!jobs.try_next());
  CHECK(!jobs.next(-1s));  // a negative time-out only looks
  std::set<std::string> seen;
  int added = 0;
  for (; added < 100; ++added) jobs.add(pool.submit("echo", std::to_string(added)));
  while (jobs.left() > 1) {
    const auto next = jobs.next();
    REQUIRE(next);
    CHECK(seen.insert(next->get()).second);
    if (added < 3000) jobs.add(pool.submit("echo", std::to_string(added++)));
  }
  CHECK(seen.size() == 3000);
  CHECK(!jobs.next(1ms));
  slow.open();
  CHECK(*jobs.next() == last);
  CHECK(jobs.left() == 0);
  CHECK(!jobs.next());
}

TEST_CASE("many threads that wait for shared futures all learn of them") {
  Daemon daemon(futures_pool(2));
  Pool pool = daemon.connect().pool();
  for (int round = 0; round < 50; ++round) {
    std::vector<Future> jobs;
    for (int i = 0; i < 20; ++i) jobs.push_back(pool.submit("echo", "x"));
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        if (t % 2 == 0) {
          CHECK(wait(jobs).pending.empty());
        } else {
          AsCompleted each(jobs);
          for (int i = 0; i < 20; ++i) CHECK(each.next().has_value());
        }
      });
    }
    for (auto& thread : threads) thread.join();
  }
}

TEST_CASE("shutdown drains, refuses new jobs, and leaves the client a new pool") {
  Daemon daemon(futures_pool(2));
  Client client = daemon.connect();
  Pool pool = client.pool(), copy = pool;
  std::vector<Future> jobs;
  for (int i = 0; i < 200; ++i) jobs.push_back(pool.submit("echo", std::to_string(i)));
  CHECK(pool.shutdown());
  for (int i = 0; i < 200; ++i) CHECK(jobs[std::size_t(i)].get() == std::to_string(i));
  for (Pool* each : {&pool, &copy}) {
    try {
      each->submit("echo", "late");
      FAIL("it took a job");
    } catch (const Exception& e) {
      CHECK(std::string(e.kind()) == "shut_down");
    }
  }
  CHECK_THROWS_AS(pool.map("echo", {"late"}), Exception);
  CHECK(pool.shutdown());
  CHECK(client.pool().call("echo", "new") == "new");
}

TEST_CASE("shutdown can withdraw what waits and can give up waiting") {
  Daemon daemon(futures_pool(1));
  Pool pool = daemon.connect().pool();
  const Gate gate(daemon.dir(), "gate");
  const Future runs = gate.job(pool);
  REQUIRE(eventually([&] { return busy(daemon); }));
  const Future waits = pool.submit("echo", "never");
  CHECK(!pool.shutdown(true, true, 20ms));
  CHECK(waits.result().outcome == Outcome::cancelled);
  CHECK(!pool.shutdown(false));
  CHECK(!runs.ready());
  gate.open();
  CHECK(pool.shutdown());
  CHECK(runs.result().ok());
}

TEST_CASE("shutdown frees a thread that waits for a free slot") {
  Daemon daemon(futures_pool(1, R"(, "slots": 4)"));
  Pool pool = daemon.connect().pool();
  const Gate gate(daemon.dir(), "gate");
  const Future runs = gate.job(pool);
  for (int i = 0; i < 3; ++i) pool.submit("echo", "x");
  CHECK(!pool.try_submit("echo", "full"));
  CHECK(!pool.submit_for(-1ms, "echo", "full"));
  std::string kind;
  std::thread blocked([&] {
    try {
      for (;;) pool.submit("echo", "x");
    } catch (const Exception& e) {
      kind = e.kind();
    }
  });
  CHECK(!pool.shutdown(true, false, 50ms));
  blocked.join();
  CHECK(kind == "shut_down");
  gate.open();
  CHECK(pool.shutdown());
}

TEST_CASE("negative time-outs of a job are errors, of a wait a look") {
  Daemon daemon(futures_pool(1));
  Client client = daemon.connect();
  Pool pool = client.pool();
  Channel channel = client.channel();
  for (const JobOptions& options : {JobOptions{.timeout = -1ms}, JobOptions{.start_within = -1ms},
                                    JobOptions{.tag = std::string(48, 't')}}) {
    CHECK_THROWS_AS(pool.submit("echo", "x", options), Exception);
    CHECK_THROWS_AS(channel.prepare(channel.handler("echo"), "x", 0, options), Exception);
    CHECK_THROWS_AS(pool.map_lazy("echo", std::vector<std::string>{"x"}, {.job = options}),
                    Exception);
  }
  const Gate gate(daemon.dir(), "gate");
  const Future job = gate.job(pool);
  CHECK(!job.wait_for(-1s));
  CHECK(wait(std::vector{job}, WaitFor::all, std::chrono::nanoseconds::min()).pending.size() == 1);
  gate.open();
  job.wait();
}

TEST_CASE("a future without a job says so") {
  const Future none;
  CHECK(!none.valid());
  CHECK_THROWS_AS(none.get(), Exception);
  CHECK_THROWS_AS(none.ready(), Exception);
  CHECK_THROWS_AS(none.cancel(), Exception);
  CHECK_THROWS_AS(none.progress(), Exception);
  CHECK_THROWS_AS(none.on_ready([](const Future&) {}), Exception);
  CHECK_THROWS_AS(wait(std::vector{none}), Exception);
  CHECK_THROWS_AS(AsCompleted(std::vector{none}), Exception);
}

TEST_CASE("a descriptor that is asked for late tells what came before") {
  Daemon daemon(futures_pool(1));
  Pool pool = daemon.connect().pool();
  bool told = false;
  pool.submit("echo", "x").on_ready([&](const Future&) { told = true; });
  REQUIRE(eventually([&] { return pool_number(daemon, "jobs") == 1; }));
  CHECK(!told);
  pollfd readable{pool.fd(), POLLIN, 0};
  REQUIRE(poll(&readable, 1, 10'000) == 1);
  pool.poll();
  CHECK(told);
  CHECK(poll(&readable, 1, 0) == 0);
}
