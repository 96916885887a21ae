#include "tests/registry/registry.hpp"

using namespace jobring;
using namespace jobring::test;

namespace {
constexpr std::uint64_t A = 1, B = 2, C = 3;
const RegistryRequest kAcquire = on(Op::lock_acquire), kRelease = on(Op::lock_release);

RegistryRequest rlock(Op op, std::uint64_t owner) {
  return owned(typed(on(op), ObjectType::rlock), owner);
}
}  // namespace

TEST_CASE("a lock is granted first come, first served, with tokens that grow") {
  Registry r;
  const RegistryReply first = r.ask(A, kAcquire);
  CHECK(first.status == Status::ok);
  CHECK(first.token > kFirstToken);
  const auto b = r.send(B, kAcquire), c = r.send(C, kAcquire), a = r.send(A, kAcquire);
  CHECK(r.waits(b));
  r.ask(A, kRelease);
  REQUIRE_FALSE(r.waits(b));
  CHECK(r.replies[b].token > first.token);
  CHECK(r.waits(c));
  r.ask(B, kRelease);
  CHECK(r.status(c) == Status::ok);
  CHECK(r.waits(a));
  r.ask(C, kRelease);
  CHECK(r.status(a) == Status::ok);
  CHECK(r.replies[a].flags == 0);
}

TEST_CASE("a lock is not released by one who does not hold it, nor twice, nor by an old token") {
  Registry r;
  const auto first = r.ask(A, kAcquire);
  const RegistryReply foreign = r.ask(B, kRelease);
  CHECK(foreign.status == Status::not_holder);
  CHECK(foreign.payload == "lock \"x\": not held by this client");
  CHECK(r.ask(A, token(kRelease, first.token)).status == Status::ok);
  CHECK(r.ask(A, kRelease).status == Status::not_holder);
  const auto second = r.ask(A, kAcquire);
  CHECK(r.ask(A, token(kRelease, first.token)).status == Status::not_holder);
  CHECK(r.ask(A, token(on(Op::lock_check), second.token)).status == Status::ok);
}

TEST_CASE("a lock's holder that dies releases it, and the next one is told so, once") {
  Registry r;
  r.ask(A, kAcquire);
  const auto b = r.send(B, kAcquire);
  r.end(A);
  REQUIRE_FALSE(r.waits(b));
  CHECK(r.replies[b].flags == kOwnerDied);
  r.ask(B, kRelease);
  CHECK(r.ask(C, kAcquire).flags == 0);
}

TEST_CASE("waiters that die, time out or are cancelled leave the line, and the next one gets it") {
  Registry r;
  r.ask(A, kAcquire);
  const auto dies = r.send(B, kAcquire);
  const auto late = r.send(C, until(kAcquire, 2'000));
  const auto cancelled = r.send(C, kAcquire);
  const auto last = r.send(C, kAcquire);
  CHECK(r.engine->next_deadline() == 2'000);
  r.tick(1'999);
  CHECK(r.waits(late));
  r.tick(2'000);
  CHECK(r.status(late) == Status::timed_out);
  CHECK(r.engine->next_deadline() == kNoDeadline);
  r.end(B);
  CHECK(r.waits(dies));
  r.cancel(cancelled);
  CHECK(r.status(cancelled) == Status::cancelled);
  CHECK_FALSE(r.engine->cancel(cancelled, r.now));
  r.ask(A, kRelease);
  CHECK(r.status(last) == Status::ok);
  CHECK(r.engine->waiters() == 0);
}

TEST_CASE("with deadline 0 a lock is tried, never waited for") {
  Registry r;
  CHECK(r.ask(A, until(kAcquire, 0)).status == Status::ok);
  CHECK(r.ask(B, until(kAcquire, 0)).status == Status::timed_out);
  CHECK(r.ask(B, until(kAcquire, -1)).status == Status::bad_timeout);
}

TEST_CASE("an RLock counts its levels, per owner in a session") {
  Registry r;
  const auto first = r.ask(A, rlock(Op::lock_acquire, 7));
  const auto again = r.ask(A, rlock(Op::lock_acquire, 7));
  CHECK(again.number == 2);
  CHECK(again.token == first.token);
  const auto other = r.send(A, rlock(Op::lock_acquire, 8));
  CHECK(r.waits(other));
  CHECK(r.ask(A, rlock(Op::lock_release, 8)).status == Status::not_holder);
  CHECK(r.ask(A, rlock(Op::lock_release, 7)).number == 1);
  CHECK(r.waits(other));
  CHECK(r.ask(A, rlock(Op::lock_release, 7)).number == 0);
  CHECK(r.status(other) == Status::ok);
}

TEST_CASE(
    "after a restart a holder is told that its lock is lost, and the next one that it was held") {
  Registry r;
  const auto held = r.ask(A, kAcquire);
  r.restart();
  CHECK(r.ask(A, kRelease).status == Status::lost);
  CHECK(r.ask(A, token(on(Op::lock_check), held.token)).status == Status::lost);
  const auto next = r.ask(B, kAcquire);
  CHECK(next.flags == kAfterRestart);
  CHECK(next.token > held.token);
  CHECK(r.ask(A, token(kRelease, held.token)).status == Status::lost);
  CHECK(r.ask(A, kRelease).status == Status::not_holder);
}

TEST_CASE("fencing tokens grow over many restarts") {
  Registry r;
  std::uint64_t last = 0;
  for (int life = 0; life < 20; ++life) {
    for (int i = 0; i < 3; ++i) {
      const auto got = r.ask(A, kAcquire);
      CHECK(got.token > last);
      last = got.token;
      r.ask(A, kRelease);
    }
    r.restart();
  }
}

TEST_CASE("a condition's wait releases the lock, and notify gives it back in order") {
  Registry r;
  const auto wait = keyed(on(Op::condition_wait, "c"), "x");
  const auto notify = with(keyed(on(Op::condition_notify, "c"), "x"), 1);
  r.ask(A, kAcquire);
  const auto a = r.send(A, wait);
  const auto b_lock = r.ask(B, kAcquire);
  CHECK(b_lock.status == Status::ok);
  const auto b = r.send(B, wait);
  r.ask(C, kAcquire);
  CHECK(r.ask(A, notify).status == Status::not_holder);
  CHECK(r.ask(C, notify).number == 1);
  CHECK(r.waits(a));
  r.ask(C, kRelease);
  CHECK(r.status(a) == Status::ok);
  CHECK(r.replies[a].token > b_lock.token);
  CHECK(r.waits(b));
  CHECK(r.ask(A, with(notify, -1)).number == 1);
  CHECK(r.ask(A, with(notify, -1)).number == 0);
  r.ask(A, kRelease);
  CHECK(r.status(b) == Status::ok);
  CHECK(r.ask(B, kRelease).status == Status::ok);
}

TEST_CASE("a condition's wait that times out ends holding the lock again, with all its levels") {
  Registry r;
  r.ask(A, rlock(Op::lock_acquire, 5));
  r.ask(A, rlock(Op::lock_acquire, 5));
  const auto a = r.send(A, owned(until(keyed(on(Op::condition_wait, "c"), "x"), 5'000), 5));
  r.ask(B, rlock(Op::lock_acquire, 1));
  r.tick(6'000);
  CHECK(r.waits(a));
  r.ask(B, rlock(Op::lock_release, 1));
  CHECK(r.status(a) == Status::timed_out);
  CHECK(r.replies[a].number == 2);
  CHECK(r.ask(A, rlock(Op::lock_release, 5)).number == 1);
  CHECK(r.ask(A, rlock(Op::lock_release, 5)).number == 0);
}

TEST_CASE("a notification is not lost with a waiter that dies before it has the lock") {
  Registry r;
  const auto wait = keyed(on(Op::condition_wait, "c"), "x");
  r.ask(A, kAcquire);
  r.send(A, wait);
  r.ask(B, kAcquire);
  const auto b = r.send(B, wait);
  r.ask(C, kAcquire);
  CHECK(r.ask(C, on(Op::condition_notify, "c")).status == Status::wrong_params);
  CHECK(r.ask(C, keyed(on(Op::condition_notify, "c"), "x")).number == 1);  // A
  r.end(A);
  r.ask(C, kRelease);
  CHECK(r.status(b) == Status::ok);
}

TEST_CASE("a condition's wait without its lock, or with a lock that is none, is refused") {
  Registry r;
  const auto wait = keyed(on(Op::condition_wait, "c"), "x");
  CHECK(r.ask(A, wait).status == Status::not_found);
  r.ask(B, kAcquire);
  CHECK(r.ask(A, wait).status == Status::not_holder);
  r.ask(A, on(Op::event_set, "e"));
  CHECK(r.ask(A, keyed(on(Op::condition_wait, "d"), "e")).status == Status::wrong_type);
  // Waiters whose lock is removed are told.
  const auto b = r.send(B, wait);
  r.ask(A, on(Op::remove, "x"));
  r.engine->cancel(b, r.now);
  r.collect();
  CHECK(r.status(b) == Status::cancelled);
}
