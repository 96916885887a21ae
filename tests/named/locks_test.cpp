// Locks and conditions between unrelated processes.
#include <poll.h>
#include <signal.h>

#include <mutex>
#include <thread>

#include "tests/named/support.hpp"

using namespace jobring;
using namespace jobring::test;

TEST_CASE("a lock held by one process keeps another out until it is released") {
  Daemon daemon;
  Child holder([&](Child& self) {
    Client client = daemon.connect();
    Registry registry(client);
    Lock lock(registry, "l");
    const std::unique_lock guard(lock);
    self.say("held");
    self.listen();
    return 0;
  });
  REQUIRE_EQ(holder.hear(), "held");
  Client client = daemon.connect();
  Registry registry(client);
  Lock lock(registry, "l");
  CHECK_FALSE(lock.try_lock());
  CHECK_FALSE(lock.acquire(20ms));
  const Pending<Grant> waits = lock.start_acquire();
  CHECK_FALSE(waits.wait_for(20ms));
  CHECK_EQ(lock.info()->waiters, 1);
  holder.tell("go");
  const Grant grant = waits.get();
  CHECK(grant);
  CHECK_FALSE(grant.owner_died);
  CHECK_EQ(lock.token(), grant.token);
  CHECK(lock.held());
  CHECK(lock.check());
  lock.release();
  CHECK_FALSE(lock.held());
}

TEST_CASE("a holder that is killed releases its lock and the next one learns of it once") {
  Daemon daemon;
  std::uint64_t last = 0;
  Client client = daemon.connect();
  Registry registry(client);
  Lock lock(registry, "l");
  for (int round = 0; round < 5; ++round) {
    Child holder([&](Child& self) {
      Client client = daemon.connect();
      Registry registry(client);
      Lock lock(registry, "l");
      self.say(std::to_string(lock.acquire().token));
      self.listen();
      return 0;
    });
    const std::uint64_t theirs = std::stoull(holder.hear());
    CHECK(theirs > last);
    const Pending<Grant> waits = lock.start_acquire();
    CHECK_FALSE(waits.wait_for(5ms));
    holder.kill();
    const Grant grant = waits.get();
    CHECK(grant.owner_died);
    CHECK_THROWS_AS(grant.require_clean(), OwnerDied);
    CHECK(grant.token > theirs);
    last = grant.token;
    lock.release();
    const Grant again = lock.acquire();
    CHECK_FALSE(again.owner_died);
    CHECK(again.token > last);
    last = again.token;
    lock.release();
  }
}

TEST_CASE("processes get a lock in the order in which they asked for it") {
  Daemon daemon;
  Client client = daemon.connect();
  Registry registry(client);
  Lock lock(registry, "l");
  lock.lock();
  std::vector<std::unique_ptr<Child>> waiters;
  for (int i = 0; i < 5; ++i) {
    waiters.push_back(std::make_unique<Child>([&](Child& self) {
      Client client = daemon.connect();
      Registry registry(client);
      Lock lock(registry, "l");
      List order(registry, "order");
      self.say("asks");
      const std::unique_lock guard(lock);
      order.append(std::to_string(i));
      return 0;
    }));
    REQUIRE_EQ(waiters.back()->hear(), "asks");
    REQUIRE(eventually([&] { return int(lock.info()->waiters) == i + 1; }));
  }
  lock.unlock();
  for (auto& waiter : waiters) CHECK_EQ(waiter->wait(), 0);
  const std::vector<std::string> expected{"0", "1", "2", "3", "4"};
  CHECK_EQ(List(registry, "order").all(), expected);
}

TEST_CASE("misuse of a lock is an error that says what it is") {
  Daemon daemon;
  Client client = daemon.connect(), other_client = daemon.connect();
  Registry registry(client), other(other_client);
  Lock lock(registry, "l"), theirs(other, "l");
  CHECK_THROWS_AS(lock.release(), NotHolder);
  lock.lock();
  CHECK_THROWS_AS(theirs.release(), NotHolder);
  lock.release();
  CHECK_THROWS_AS(lock.release(), NotHolder);  // twice
  CHECK_THROWS_AS(lock.unlock(), NotHolder);
  CHECK_THROWS_AS(lock.acquire(-1ns), BadTimeout);
  const auto kind_of = [&](auto operation) -> std::string {
    try {
      operation();
    } catch (const ObjectError& e) {
      return e.kind();
    }
    return "nothing";
  };
  CHECK_EQ(kind_of([&] { Event(registry, "l").set(); }), "wrong_type");
  CHECK_EQ(kind_of([&] { RLock(registry, "l").acquire(); }), "wrong_type");
  CHECK_EQ(kind_of([&] { Lock(registry, std::string(256, 'x')).acquire(); }), "bad_name");
  CHECK_EQ(kind_of([&] { Lock(registry, "").acquire(); }), "bad_name");
  CHECK_EQ(kind_of([&] { Lock(registry, "a\nb").acquire(); }), "bad_name");
  CHECK_EQ(kind_of([&] { Lock(registry, "none", {.create = false}).acquire(); }), "not_found");
  CHECK_FALSE(registry.info("none"));
  CHECK(Lock(registry, std::string(255, 'x')).try_lock());
}

TEST_CASE("an rlock belongs to a thread as often as it took it") {
  Daemon daemon;
  Client client = daemon.connect();
  Registry registry(client);
  RLock lock(registry, "r");
  const Grant first = lock.acquire();
  const Grant second = lock.acquire();
  CHECK_EQ(second.number, 2);
  CHECK_EQ(second.token, first.token);
  std::thread([&] {
    CHECK_FALSE(lock.try_lock());
    CHECK_THROWS_AS(RLock(registry, "r").release(), NotHolder);
  }).join();
  lock.release();
  CHECK(lock.held());
  std::thread([&] { CHECK_FALSE(lock.try_lock()); }).join();
  lock.release();
  CHECK_FALSE(lock.held());
  std::thread([&] {
    CHECK(lock.try_lock());
    lock.release();
  }).join();
}

TEST_CASE("threads of one process exclude each other by a lock") {
  Daemon daemon;
  Client client = daemon.connect();
  Registry registry(client);
  Lock lock(registry, "l");
  int inside = 0, most = 0, done = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) {
        const std::unique_lock guard(lock);
        most = std::max(most, ++inside);
        ++done;
        --inside;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK_EQ(most, 1);
  CHECK_EQ(done, 200);
}

TEST_CASE("a request that waits can be cancelled and leaves its line") {
  Daemon daemon;
  Client client = daemon.connect(), other_client = daemon.connect();
  Registry registry(client), other(other_client);
  Lock lock(registry, "l"), theirs(other, "l");
  theirs.lock();
  const Pending<Grant> first = lock.start_acquire(), second = lock.start_acquire();
  REQUIRE(eventually([&] { return lock.info()->waiters == 2; }));
  first.cancel();
  CHECK_THROWS_AS(first.get(), ObjectCancelled);
  CHECK_EQ(lock.info()->waiters, 1);
  theirs.unlock();
  CHECK(second.get());
  second.cancel();  // too late: nothing happens
  CHECK(lock.held());
}

TEST_CASE("a condition wakes the process that waits and gives it the lock") {
  Daemon daemon;
  Client client = daemon.connect();
  Registry registry(client);
  Lock lock(registry, "l");
  Condition condition(registry, "c", lock);
  Child waiter([&](Child& self) {
    Client client = daemon.connect();
    Registry registry(client);
    Lock lock(registry, "l");
    Condition condition(registry, "c", lock);
    Dict dict(registry, "state");
    lock.lock();
    self.say("waits");
    const bool ready = condition.wait(30s, [&] { return dict.get("ready").has_value(); });
    const bool held = lock.held() && lock.check();
    lock.unlock();
    return ready && held ? 0 : 1;
  });
  REQUIRE_EQ(waiter.hear(), "waits");
  REQUIRE(eventually([&] { return condition.info() && condition.info()->waiters == 1; }));
  CHECK_THROWS_AS(condition.notify(), NotHolder);
  CHECK_THROWS_AS(condition.wait(0ns), NotHolder);
  {
    const std::unique_lock guard(lock);
    CHECK_EQ(condition.notify(), 1);  // in vain: the predicate does not hold yet
  }
  REQUIRE(eventually([&] { return condition.info()->waiters == 1; }));
  {
    const std::unique_lock guard(lock);
    Dict(registry, "state").set("ready", "1");
    CHECK_EQ(condition.notify_all(), 1);
  }
  CHECK_EQ(waiter.wait(), 0);
  const std::unique_lock guard(lock);
  CHECK_FALSE(condition.wait(10ms));
  CHECK(lock.held());
}

TEST_CASE("holders and waiters hear of the registry's death at once") {
  Daemon daemon;
  Client client = daemon.connect(), other_client = daemon.connect();
  Registry registry(client), other(other_client);
  Lock lock(registry, "l"), theirs(other, "l");
  Semaphore permits(registry, "s", 2);
  Barrier barrier(registry, "b", 2);
  const Grant grant = lock.acquire();
  const Grant permit = permits.acquire(kForever, 2);
  const Pending<Grant> waits = theirs.start_acquire();
  const Pending<std::int64_t> arrives = barrier.start_wait();
  const Pending<Grant> wants = permits.start_acquire();
  REQUIRE(eventually([&] { return lock.info()->waiters == 1 && barrier.waiting() == 1; }));
  kill(registry_pid(daemon), SIGKILL);
  CHECK_THROWS_AS(waits.get(), ObjectLost);
  CHECK_THROWS_AS(arrives.get(), ObjectLost);
  CHECK_THROWS_AS(wants.get(), ObjectLost);
  CHECK_FALSE(lock.held());
  CHECK_THROWS_AS(lock.check(), ObjectLost);
  CHECK_THROWS_AS(lock.release(), ObjectLost);
  CHECK_THROWS_AS(permits.release(2, permit.token), ObjectLost);
  const Grant again = theirs.acquire();
  CHECK(again.after_restart);
  CHECK(again.token > grant.token);
  CHECK(theirs.held());
  CHECK_EQ(permits.value(), 2);
}

TEST_CASE("a loop that begins after the registry's death hears of it") {
  Daemon daemon;
  Client client = daemon.connect();
  Registry registry(client);
  Lock lock(registry, "l");
  lock.lock();
  kill(registry_pid(daemon), SIGKILL);
  REQUIRE(eventually([&] { return !lock.held(); }));
  // With the next one all has rung that will.
  Client other = daemon.connect();
  Registry next(other);
  Lock(next, "l").lock();
  Pool pool = registry.pool();
  pool.poll();  // there is no completion
  pollfd first{pool.fd(), POLLIN, 0};
  CHECK(poll(&first, 1, 5'000) == 1);
}

TEST_CASE("who waits hears of the daemon's end") {
  auto daemon = std::make_unique<Daemon>();
  Client client = daemon->connect(), other_client = daemon->connect();
  Registry registry(client), other(other_client);
  Lock lock(registry, "l"), theirs(other, "l");
  lock.lock();
  const Pending<Grant> waits = theirs.start_acquire();
  REQUIRE(eventually([&] { return lock.info()->waiters == 1; }));
  daemon->signal(SIGKILL);
  CHECK_THROWS_AS(waits.get(), ObjectLost);
  CHECK(eventually([&] {
    other.pool().poll();
    registry.pool().poll();
    return !lock.held();
  }));
}
