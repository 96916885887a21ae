// Waiting for durable jobs: one, many, in callbacks, in threads, and when somebody dies.
#include <poll.h>

#include <atomic>
#include <random>
#include <thread>

#include "tests/durable_client/support.hpp"
#include "tests/support/seed.hpp"

using namespace jobring;
using namespace jobring::test;
using namespace std::chrono_literals;

namespace {

std::vector<DurableFuture> submit_many(DurableJobs& jobs, std::size_t count) {
  std::vector<DurableFuture> futures;
  for (const SubmitAnswer& answer :
       jobs.submit_all(std::vector<DurableJob>(count, {"echo", "r", {}})))
    futures.push_back(jobs.attach(answer.id));
  return futures;
}

}  // namespace

TEST_CASE("one loop awaits ten thousand jobs with a bounded number of requests") {
  FakeKeeper keeper;
  constexpr std::size_t kJobs = 10'000;
  INFO(keeper.daemon.log());
  std::vector<DurableFuture> futures = submit_many(keeper.jobs, kJobs);
  std::size_t ended = 0;
  for (const DurableFuture& future : futures) {
    future.on_ready([&](const DurableFuture& done) {
      CHECK(done.get() == "r");
      ++ended;
    });
  }
  CHECK(ended == 0);
  // The last one of all ends first: nothing stands before it.
  keeper.end(futures.back().id());
  loop_until(keeper.jobs, [&] { return ended == 1; });
  CHECK(futures.back().ready());
  CHECK_FALSE(futures.front().ready());

  const std::uint64_t seed = seed_of_test();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  std::vector<DurableFuture> order(futures.begin(), futures.end() - 1);
  std::shuffle(order.begin(), order.end(), random);
  DurableJobs other = keeper.open();
  for (std::size_t i = 0; i < order.size();) {
    JobFilter some;
    for (std::size_t n = 1 + random() % 400; n > 0 && i < order.size(); --n, ++i)
      some.ids.emplace_back(order[i].id(), order[i].id());
    other.apply(JobVerb::release, some);
    loop_until(keeper.jobs, [&] { return ended == i + 1; });
  }
  CHECK(ended == kJobs);
  const auto asked = keeper.asked();
  CHECK(asked.most_waits <= 256 + 128 + 128 + 128);
  CHECK(asked.single_waits < 3 * kJobs);
  CHECK(asked.waits == 0);
}

TEST_CASE("a thread that waits for the last of ten thousand gets it at once") {
  FakeKeeper keeper;
  std::vector<DurableFuture> futures = submit_many(keeper.jobs, 10'000);
  for (const DurableFuture& future : futures) CHECK_FALSE(future.ready());
  keeper.end(futures.back().id());
  CHECK(futures.back().get() == "r");
}

TEST_CASE("few slots are enough for many jobs and for other requests meanwhile") {
  FakeKeeper keeper(16);
  std::vector<DurableFuture> futures = submit_many(keeper.jobs, 300);
  std::size_t ended = 0;
  for (const DurableFuture& future : futures)
    future.on_ready([&](const DurableFuture&) { ++ended; });
  std::vector<Future> sent;
  for (int i = 0; i < 100; ++i)
    sent.push_back(keeper.jobs.start_submit(std::vector<DurableJob>(1, {"echo", "", {}})));
  CHECK(keeper.jobs.apply(JobVerb::release, {.ids = {{1, 300}}}).changed == 300);
  for (const DurableFuture& future : futures) future.wait();
  CHECK(ended == 300);
  for (const Future& future : sent) CHECK(DurableJobs::answers(future).size() == 1);
  CHECK(keeper.asked().most_waits <= 16);
}

TEST_CASE("a callback waits for other jobs") {
  FakeKeeper keeper;
  std::vector<DurableFuture> futures = submit_many(keeper.jobs, 600);
  for (const DurableFuture& future : futures) CHECK_FALSE(future.ready());
  int done = 0;
  futures[0].on_ready([&](const DurableFuture&) {
    for (std::size_t i = 1; i < futures.size(); ++i) {
      keeper.end(futures[i].id());
      CHECK(futures[i].get() == "r");
    }
    keeper.jobs.submit("echo", "");
    ++done;
  });
  keeper.end(futures[0].id());
  futures[0].wait();
  CHECK(done == 1);
}

TEST_CASE("callbacks run once and in their order whenever they are given") {
  FakeKeeper keeper;
  const DurableFuture future = keeper.jobs.submit("echo", "r");
  std::string told;
  future.on_ready([&](const DurableFuture&) { told += "1"; });
  future.on_ready([&](const DurableFuture& f) {
    told += "2";
    f.on_ready([&](const DurableFuture&) { told += "4"; });
    throw std::runtime_error("disturbs nobody");
  });
  const DurableFuture copy = future;
  copy.on_ready([&](const DurableFuture&) { told += "3"; });
  CHECK(told.empty());
  static std::atomic<int> thrown;
  thrown = 0;
  set_callback_error_handler([](std::exception_ptr) noexcept { ++thrown; });
  keeper.end(future.id());
  future.wait();
  CHECK(told == "1234");
  CHECK(thrown == 1);
  set_callback_error_handler(nullptr);
  copy.on_ready([&](const DurableFuture&) { told += "5"; });
  CHECK(told == "12345");
}

TEST_CASE("a job whose future was dropped still calls back") {
  FakeKeeper keeper;
  std::string told;
  JobId id = 0;
  {
    const DurableFuture future = keeper.jobs.submit("echo", "r");
    id = future.id();
    future.on_ready([&](const DurableFuture& done) { told = done.get(); });
  }
  keeper.end(id);
  loop_until(keeper.jobs, [&] { return !told.empty(); });
  CHECK(told == "r");
}

TEST_CASE("who closes all of it before the end is told so in the callback") {
  FakeKeeper keeper;
  std::string kind;
  {
    DurableJobs jobs = keeper.open();
    for (const DurableFuture& future : submit_many(jobs, 400)) {
      future.on_ready([&](const DurableFuture& done) {
        CHECK(done.ready());
        kind = kind_of([&] { done.info(); });
        done.on_ready([&](const DurableFuture&) { kind += " again"; });
      });
    }
    CHECK(kind.empty());
  }
  CHECK(kind == "no_daemon again");
}

TEST_CASE("jobs that are forgotten are over and say so") {
  FakeKeeper keeper;
  std::vector<DurableFuture> futures = submit_many(keeper.jobs, 500);
  for (const DurableFuture& future : futures) CHECK_FALSE(future.ready());
  keeper.open().apply(JobVerb::remove, {});
  for (const DurableFuture& future : futures) {
    CHECK(kind_of([&] { future.info(); }) == "not_found");
    CHECK(future.ready());
  }
  CHECK(kind_of([&] { keeper.jobs.attach(4711).get(); }) == "not_found");
}

TEST_CASE("threads wait for jobs of their own and for the same ones") {
  FakeKeeper keeper;
  constexpr std::size_t kJobs = 1000;
  INFO(keeper.daemon.log());
  std::vector<DurableFuture> futures = submit_many(keeper.jobs, kJobs);
  std::atomic<std::size_t> got{0}, called{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (std::size_t i = 0; i < kJobs; ++i) {
        const DurableFuture future = futures[(i * 7 + std::size_t(t) * 250) % kJobs];
        future.on_ready([&](const DurableFuture&) { ++called; });
        if (t % 2 == 0) (void)future.ready();
        if (future.get() == "r") ++got;
      }
    });
  }
  std::thread ender([&] {
    DurableJobs jobs = keeper.open();
    for (JobId first = 1; first <= kJobs; first += 50)
      jobs.apply(JobVerb::release, {.ids = {{first, first + 49}}});
  });
  for (std::thread& thread : threads) thread.join();
  ender.join();
  CHECK(got == 4 * kJobs);
  CHECK(called == 4 * kJobs);
}

TEST_CASE("clients learn at once that the daemon has died") {
  FakeKeeper keeper;
  std::vector<DurableFuture> futures = submit_many(keeper.jobs, 700);
  std::size_t told = 0;
  for (const DurableFuture& future : futures) {
    future.on_ready([&](const DurableFuture& done) {
      CHECK(kind_of([&] { done.info(); }) == "no_daemon");
      ++told;
    });
  }
  keeper.daemon.signal(SIGKILL);
  loop_until(keeper.jobs, [&] { return told == futures.size(); });
  CHECK(kind_of([&] { keeper.jobs.submit("echo", ""); }) == "no_daemon");
  CHECK(kind_of([&] { keeper.jobs.attach(1).wait(), keeper.jobs.attach(1).info(); }) ==
        "no_daemon");
}

TEST_CASE("requests go on with the next keeper when one dies") {
  FakeKeeper keeper;
  std::vector<DurableFuture> futures = submit_many(keeper.jobs, 300);
  for (const DurableFuture& future : futures) CHECK_FALSE(future.ready());
  // The fake forgets its jobs with its life: what matters is that the requests are asked again.
  REQUIRE(eventually([&] { return keeper.asked().waits != 0; }));
  for (const pid_t pid : keeper.daemon.workers()) kill(pid, SIGKILL);
  for (const DurableFuture& future : futures) CHECK(kind_of([&] { future.info(); }) == "not_found");
  CHECK(keeper.jobs.submit("echo", "").id() == 1);
}
