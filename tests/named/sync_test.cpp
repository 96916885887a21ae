// Semaphores, events and barriers between unrelated processes.
#include "tests/named/support.hpp"

using namespace jobring;
using namespace jobring::test;

TEST_CASE("permits of a process that is killed come back") {
  Daemon daemon;
  Client client = daemon.connect();
  Registry registry(client);
  Semaphore permits(registry, "s", 3);
  Child holder([&](Child& self) {
    Client client = daemon.connect();
    Registry registry(client);
    Semaphore permits(registry, "s", 3);
    permits.acquire(kForever, 2);
    self.say("held");
    self.listen();
    return 0;
  });
  REQUIRE_EQ(holder.hear(), "held");
  CHECK_EQ(permits.value(), 1);
  CHECK_FALSE(permits.acquire(10ms, 2));
  const Pending<Grant> waits = permits.start_acquire(kForever, 3);
  const Pending<Grant> behind = permits.start_acquire(kForever, 1);
  CHECK_FALSE(behind.wait_for(10ms));  // who wants few waits behind who wants many
  holder.kill();
  CHECK(waits.get().owner_died);
  CHECK_FALSE(behind.ready());
  permits.release(3);
  CHECK(behind.get());
}

TEST_CASE("a bounded semaphore refuses to be released too often and a plain one grows") {
  Daemon daemon;
  Client client = daemon.connect();
  Registry registry(client);
  BoundedSemaphore bounded(registry, "b", 2);
  CHECK_THROWS_AS(bounded.release(), NotHolder);
  bounded.acquire();
  CHECK_EQ(bounded.release(), 2);
  CHECK_THROWS_AS(bounded.release(), NotHolder);
  CHECK_THROWS_AS(bounded.acquire(0ns, 3), ObjectError);
  Semaphore plain(registry, "p", 0);
  CHECK_EQ(plain.release(5), 5);
  CHECK(plain.consume(0ns, 4));
  CHECK_EQ(plain.value(), 1);
  CHECK_THROWS_AS(Semaphore(registry, "p", 7).value(), ObjectError);
  CHECK_THROWS_AS(plain.acquire(-1ms), BadTimeout);
}

TEST_CASE("none of something is asked for in vain") {
  Daemon daemon(R"({"default": {"workers": 1}})");
  Client client = daemon.connect();
  Registry registry(client);
  Semaphore permits(registry, "permits", 2);
  Queue queue(registry, "queue");
  Lock lock(registry, "lock");
  Condition condition(registry, "condition", lock);
  queue.put("x");
  queue.get();
  lock.lock();
  const auto refused = [](const auto& operation) {
    try {
      operation();
      return false;
    } catch (const ObjectError& e) {
      return e.kind() == std::string("bad_argument");
    }
  };
  CHECK(refused([&] { permits.acquire(kForever, 0); }));
  CHECK(refused([&] { permits.consume(kForever, 0); }));
  CHECK(refused([&] { permits.release(0); }));
  CHECK(refused([&] { queue.task_done(0); }));
  CHECK(refused([&] { condition.notify(0); }));
  CHECK_EQ(permits.value(), 2);
  CHECK_EQ(queue.unfinished(), 1);
}

TEST_CASE("an event lets go every process that waits") {
  Daemon daemon;
  Client client = daemon.connect();
  Registry registry(client);
  Event event(registry, "e");
  CHECK_FALSE(event.is_set());
  std::vector<std::unique_ptr<Child>> waiters;
  for (int i = 0; i < 3; ++i) {
    waiters.push_back(std::make_unique<Child>([&](Child&) {
      Client client = daemon.connect();
      Registry registry(client);
      return Event(registry, "e").wait(30s) ? 0 : 1;
    }));
  }
  REQUIRE(eventually([&] { return event.info()->waiters == 3; }));
  CHECK_FALSE(event.wait(10ms));
  event.set();
  for (auto& waiter : waiters) CHECK_EQ(waiter->wait(), 0);
  CHECK(event.is_set());
  CHECK(event.wait(0ns));
  event.clear();
  CHECK_FALSE(event.wait(0ns));
}

TEST_CASE("who waits for an event goes on waiting when the registry dies") {
  Daemon daemon;
  Client client = daemon.connect();
  Registry registry(client);
  Event event(registry, "e");
  const Pending<bool> waits = event.start_wait();
  REQUIRE(eventually([&] { return event.info() && event.info()->waiters == 1; }));
  kill_registry(daemon);
  REQUIRE(eventually([&] { return event.info()->waiters == 1; }));
  CHECK_FALSE(waits.ready());
  event.set();
  CHECK(waits.get());
}

TEST_CASE("a barrier lets all go with the last and is broken by one that dies") {
  Daemon daemon;
  Client client = daemon.connect();
  Registry registry(client);
  Barrier barrier(registry, "b", 3);
  const Pending<std::int64_t> first = barrier.start_wait(), second = barrier.start_wait();
  REQUIRE(eventually([&] { return barrier.waiting() == 2; }));
  Child third([&](Child&) {
    Client client = daemon.connect();
    Registry registry(client);
    return int(Barrier(registry, "b", 3).wait());
  });
  CHECK_EQ(third.wait(), 2);
  CHECK_EQ(first.get() + second.get(), 1);

  Child party([&](Child& self) {
    Client client = daemon.connect();
    Registry registry(client);
    Barrier barrier(registry, "b", 3);
    const auto waits = barrier.start_wait();
    self.say("there");
    waits.wait();
    return 0;
  });
  REQUIRE_EQ(party.hear(), "there");
  const Pending<std::int64_t> here = barrier.start_wait();
  REQUIRE(eventually([&] { return barrier.waiting() == 2; }));
  party.kill();
  CHECK_THROWS_AS(here.get(), BrokenBarrier);
  CHECK(barrier.broken());
  CHECK_THROWS_AS(barrier.wait(), BrokenBarrier);
  barrier.reset();
  CHECK_FALSE(barrier.broken());
  CHECK_THROWS_AS(barrier.wait(5ms), BrokenBarrier);
  CHECK_THROWS_AS(barrier.wait(-5ms), BadTimeout);
}
