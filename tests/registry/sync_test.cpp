#include "tests/registry/registry.hpp"

using namespace jobring;
using namespace jobring::test;

namespace {
constexpr std::uint64_t A = 1, B = 2, C = 3;

RegistryRequest semaphore(Op op, std::int64_t n = 0) {
  return with(sized(on(op), 2), n);
}
RegistryRequest bounded(Op op, std::int64_t n = 0) {
  return typed(semaphore(op, n), ObjectType::bounded_semaphore);
}
RegistryRequest barrier(Op op) {
  return sized(on(op), 3);
}
}  // namespace

TEST_CASE("a semaphore gives its permits in order, also to one who wants many") {
  Registry r;
  CHECK(r.ask(A, semaphore(Op::semaphore_acquire)).number == 1);
  const auto b = r.send(B, semaphore(Op::semaphore_acquire, 2));
  const auto c = r.send(C, semaphore(Op::semaphore_acquire));
  CHECK(r.waits(b));
  CHECK(r.waits(c));  // one permit is there, but B was first
  r.ask(A, semaphore(Op::semaphore_release));
  CHECK(r.status(b) == Status::ok);
  CHECK(r.waits(c));
  r.ask(B, semaphore(Op::semaphore_release, 2));
  CHECK(r.status(c) == Status::ok);
}

TEST_CASE("who wants many and times out no longer blocks those behind") {
  Registry r;
  r.ask(A, semaphore(Op::semaphore_acquire));
  r.send(B, until(semaphore(Op::semaphore_acquire, 2), 2'000));
  const auto c = r.send(C, semaphore(Op::semaphore_acquire));
  r.tick(2'000);
  CHECK(r.status(c) == Status::ok);
}

TEST_CASE("a semaphore's permits come back when their holder dies, those used up do not") {
  Registry r;
  r.ask(A, semaphore(Op::semaphore_acquire));
  r.ask(A, flagged(semaphore(Op::semaphore_acquire), kConsume));
  const auto b = r.send(B, semaphore(Op::semaphore_acquire));
  CHECK(r.waits(b));
  r.end(A);
  CHECK(r.status(b) == Status::ok);
  CHECK(r.replies[b].flags == kOwnerDied);
  CHECK(r.ask(C, semaphore(Op::semaphore_value)).number == 0);
}

TEST_CASE("a semaphore takes more releases than acquires, a bounded one does not") {
  Registry r;
  CHECK(r.ask(A, semaphore(Op::semaphore_release)).number == 3);
  r.restart();
  CHECK(r.ask(A, semaphore(Op::semaphore_value)).number == 3);

  Registry q;
  CHECK(q.ask(A, bounded(Op::semaphore_acquire, 3)).status == Status::bad_argument);
  CHECK(q.ask(A, bounded(Op::semaphore_acquire)).status == Status::ok);
  CHECK(q.ask(B, bounded(Op::semaphore_release)).status == Status::over_release);
  CHECK(q.ask(A, bounded(Op::semaphore_release, 2)).status == Status::over_release);
  CHECK(q.ask(A, bounded(Op::semaphore_release, -1)).status == Status::bad_argument);
  CHECK(q.ask(A, bounded(Op::semaphore_release)).number == 2);
  CHECK(q.ask(A, bounded(Op::semaphore_acquire)).status == Status::ok);
  q.restart();
  CHECK(q.ask(A, bounded(Op::semaphore_release)).status == Status::lost);
  CHECK(q.ask(A, bounded(Op::semaphore_value)).number == 2);
}

TEST_CASE("permits of a grant that was lost or given back are not released into being") {
  Registry r;
  const auto grant = r.ask(A, semaphore(Op::semaphore_acquire));
  r.ask(A, semaphore(Op::semaphore_acquire));
  auto release = semaphore(Op::semaphore_release);
  release.token = grant.token;
  CHECK(r.ask(A, release).status == Status::ok);
  CHECK(r.ask(A, release).status == Status::ok);
  CHECK(r.ask(A, release).status == Status::over_release);
  const auto again = r.ask(A, semaphore(Op::semaphore_acquire));
  r.restart();
  release.token = again.token;
  CHECK(r.ask(A, release).status == Status::lost);
  CHECK(r.ask(A, semaphore(Op::semaphore_value)).number == 2);
}

TEST_CASE("an event lets everybody go while it is set, and survives as it was") {
  Registry r;
  const auto a = r.send(A, on(Op::event_wait)), b = r.send(B, until(on(Op::event_wait), 1'500));
  r.tick(1'500);
  CHECK(r.status(b) == Status::timed_out);
  CHECK(r.waits(a));
  r.ask(C, on(Op::event_set));
  CHECK(r.status(a) == Status::ok);
  CHECK(r.ask(B, on(Op::event_wait)).status == Status::ok);
  r.restart();
  CHECK(r.ask(B, on(Op::event_is_set)).number == 1);
  r.ask(C, on(Op::event_clear));
  CHECK(r.ask(B, until(on(Op::event_wait), 0)).status == Status::timed_out);
}

TEST_CASE("a barrier lets all parties go with the last one, and is ready again") {
  Registry r;
  for (int round = 0; round < 2; ++round) {
    const auto a = r.send(A, barrier(Op::barrier_wait)), b = r.send(B, barrier(Op::barrier_wait));
    CHECK(r.waits(a));
    CHECK(r.ask(C, barrier(Op::barrier_state)).number == 2);
    const auto c = r.ask(C, barrier(Op::barrier_wait));
    CHECK(c.number == 2);
    CHECK(r.replies[a].number == 0);
    CHECK(r.replies[b].number == 1);
  }
}

TEST_CASE("a party that times out, is cancelled or dies breaks the barrier until it is reset") {
  for (const std::string how : {"time-out", "try", "cancel", "death", "abort"}) {
    CAPTURE(how);
    Registry r;
    const auto b = r.send(B, barrier(Op::barrier_wait));
    if (how == "try") {
      CHECK(r.ask(A, until(barrier(Op::barrier_wait), 0)).status == Status::timed_out);
    } else {
      const auto a = r.send(A, until(barrier(Op::barrier_wait), 1'100));
      if (how == "time-out") r.tick(1'100);
      if (how == "cancel") r.cancel(a);
      if (how == "death") r.end(A);
      if (how == "abort") r.ask(C, barrier(Op::barrier_abort));
    }
    CHECK(r.status(b) == Status::broken);
    CHECK(r.ask(C, barrier(Op::barrier_wait)).status == Status::broken);
    CHECK(r.ask(C, barrier(Op::barrier_state)).status == Status::broken);
    CHECK(r.ask(C, barrier(Op::barrier_reset)).status == Status::ok);
    CHECK(r.waits(r.send(C, barrier(Op::barrier_wait))));
  }
}

TEST_CASE("of a client that dies with several requests in line none is granted on the way") {
  Registry r;
  r.ask(C, with(semaphore(Op::semaphore_acquire), 1));
  const auto many = r.send(A, with(semaphore(Op::semaphore_acquire), 2));
  const auto one = r.send(A, semaphore(Op::semaphore_acquire));
  const auto other = r.send(B, semaphore(Op::semaphore_acquire));
  r.end(A);
  CHECK(r.waits(many));
  CHECK(r.waits(one));
  CHECK(r.status(other) == Status::ok);
  CHECK(r.replies[other].flags == 0);  // nobody died holding anything
}
