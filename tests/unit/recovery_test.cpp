#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "daemon/recovery.hpp"
#include "tests/unit/heap_channel.hpp"

using namespace jobring;
using test::HeapChannel;

namespace {

constexpr std::uint32_t kDead = 2, kAlive = 3;

Death segfault() {
  return {Outcome::crashed, 11, true, "killed by signal 11", 1};
}

bool retry_bit(const HeapChannel& channel, std::uint32_t index) {
  return channel.view.retry_word(index / 64).load() >> (index % 64) & 1;
}

}  // namespace

TEST_CASE("a dead worker's claimed jobs go back to the queue, others are left alone") {
  HeapChannel channel(8);
  channel.set(0, SlotState::claimed, kDead);
  channel.set(1, SlotState::claimed, kAlive);
  channel.set(2, SlotState::queued, 0);
  const StateWord alive = channel.word(1), queued = channel.word(2);
  const Recovered r = recover_channel(channel.view, kDead, segfault());
  CHECK(r.requeued == 1);
  CHECK(r.ended == 0);
  CHECK(channel.word(0).is(SlotState::requeued));
  CHECK(retry_bit(channel, 0));
  CHECK(channel.word(1) == alive);
  CHECK(channel.word(2) == queued);
  CHECK(channel.view.header().retries.load() == 1);
  CHECK(channel.view.header().rescan.load() == 1);
}

TEST_CASE("a job that its worker died in fails alone, with signal and evidence") {
  HeapChannel channel(4);
  channel.set(3, SlotState::running, kDead);
  const Recovered r = recover_channel(channel.view, kDead, segfault());
  CHECK(r.ended == 1);
  const Slot& slot = channel.view.slot(3);
  CHECK(slot.word().is(SlotState::done));
  CHECK(Outcome(slot.outcome.get()) == Outcome::crashed);
  CHECK(slot.detail.get() == 11);
  CHECK(std::string(reinterpret_cast<const char*>(slot.result), slot.result_len.get()) ==
        "killed by signal 11");
}

TEST_CASE("a job with crash retries is run again until they are used up") {
  HeapChannel channel(4);
  channel.view.slot(0).crash_retries.set(2);
  for (int attempt = 1; attempt <= 2; ++attempt) {
    channel.set(0, SlotState::running, kDead);
    recover_channel(channel.view, kDead, segfault());
    CHECK(channel.word(0).is(SlotState::requeued));
    CHECK(channel.view.slot(0).attempts.get() == attempt);
  }
  channel.set(0, SlotState::running, kDead);
  recover_channel(channel.view, kDead, segfault());
  CHECK(channel.word(0).is(SlotState::done));
  CHECK(channel.view.slot(0).attempts.get() == 3);
}

TEST_CASE("a job that was to be killed is never run again") {
  HeapChannel channel(4);
  channel.view.slot(0).crash_retries.set(5);
  channel.set(0, SlotState::running, kDead);
  recover_channel(channel.view, kDead, {Outcome::killed, 9, false, "killed", 0});
  CHECK(channel.word(0).is(SlotState::done));
  CHECK(Outcome(channel.view.slot(0).outcome.get()) == Outcome::killed);
}

TEST_CASE("a worker is killed for one job only, and what it began instead has crashed") {
  HeapChannel channel(4);
  const Death killed{Outcome::killed, 9, false, "killed", 1};
  channel.set(0, SlotState::running, kDead);
  const StateWord meant = channel.word(0);
  channel.view.slot(1).crash_retries.set(1);
  channel.set(1, SlotState::running, kDead);
  CHECK(end_running(channel.view, 0, meant, killed));
  CHECK(channel.view.header().rescan.load() == 1);
  CHECK_FALSE(end_running(channel.view, 0, meant, killed));  // once
  recover_channel(channel.view, kDead, segfault());
  CHECK(channel.word(0).is(SlotState::done));
  CHECK(Outcome(channel.view.slot(0).outcome.get()) == Outcome::killed);
  CHECK(channel.word(1).is(SlotState::requeued));
}

TEST_CASE("a job that ended before its worker was killed for it is left alone") {
  HeapChannel channel(4);
  channel.set(0, SlotState::running, kDead);
  const StateWord meant = channel.word(0);
  channel.set(0, SlotState::running, kDead);  // the next one, in the same slot
  const StateWord next = channel.word(0);
  REQUIRE(next != meant);
  CHECK_FALSE(end_running(channel.view, 0, meant, {Outcome::killed, 9, false, "killed", 1}));
  CHECK(channel.word(0) == next);
  CHECK(channel.view.slot(0).result_len.get() == 0);
  CHECK_FALSE(end_running(channel.view, 4, meant, segfault()));  // no such slot
  CHECK_FALSE(end_running(channel.view, 0, StateWord(), segfault()));
}

TEST_CASE("what a living worker has claimed and cannot start goes back, what it runs stays") {
  HeapChannel channel(4);
  channel.set(0, SlotState::claimed, kDead);
  channel.set(1, SlotState::running, kDead);
  channel.set(2, SlotState::claimed, kAlive);
  const StateWord running = channel.word(1), other = channel.word(2), claimed = channel.word(0);
  CHECK(requeue_claimed(channel.view, kDead) == 1);
  CHECK(channel.word(0).is(SlotState::requeued));
  CHECK(retry_bit(channel, 0));
  CHECK(channel.view.header().retries.load() == 1);
  CHECK(channel.word(1) == running);
  CHECK(channel.word(2) == other);
  // The worker goes on, and finds that it has lost the job.
  CHECK_FALSE(channel.view.slot(0).move(claimed, claimed.to(SlotState::running, kDead)));
  CHECK(channel.view.slot(0).attempts.get() == 0);
}

TEST_CASE("recovery may be run again: nothing changes a second time") {
  HeapChannel channel(8);
  channel.set(0, SlotState::claimed, kDead);
  channel.set(1, SlotState::running, kDead);
  recover_channel(channel.view, kDead, segfault());
  const StateWord first = channel.word(0), second = channel.word(1);
  const Recovered again = recover_channel(channel.view, kDead, segfault());
  CHECK(again.requeued == 0);
  CHECK(again.ended == 0);
  CHECK(channel.word(0) == first);
  CHECK(channel.word(1) == second);
}

TEST_CASE("a death that an interrupted recovery counted already is not counted again") {
  HeapChannel channel(2);
  Slot& slot = channel.view.slot(0);
  slot.crash_retries.set(2);
  for (int attempt = 1; attempt <= 3; ++attempt) {
    channel.set(0, SlotState::running, kDead);
    // The first recovery dies after counting and before the CAS, the second does so as well.
    slot.attempts.count(slot.word());
    slot.attempts.count(slot.word());
    recover_channel(channel.view, kDead, segfault());
    CHECK(slot.attempts.get() == attempt);
    CHECK(channel.word(0).is(attempt <= 2 ? SlotState::requeued : SlotState::done));
  }
}

TEST_CASE("a job with the most crash retries that there are still comes to an end") {
  HeapChannel channel(2);
  Slot& slot = channel.view.slot(0);
  slot.crash_retries.set(255);
  int attempts = 0;
  for (; attempts < 300 && !channel.word(0).is(SlotState::done); ++attempts) {
    channel.set(0, SlotState::running, kDead);
    recover_channel(channel.view, kDead, segfault());
  }
  CHECK(attempts == 256);
  slot.attempts.reset();
  channel.set(0, SlotState::running, kDead);
  CHECK(slot.attempts.count(slot.word()) == 1);  // a new job in the same slot
}

TEST_CASE("the crash limit bounds the retries that a job asked for, and says so") {
  HeapChannel channel(2);
  channel.view.slot(0).crash_retries.set(200);
  Death death = segfault();
  death.crash_limit = 3;
  std::vector<EndedJob> ended;
  for (int attempt = 1; attempt <= 3; ++attempt) {
    channel.set(0, SlotState::running, kDead);
    recover_channel(channel.view, kDead, death, [&](const EndedJob& job) { ended.push_back(job); });
    CHECK(channel.word(0).is(attempt < 3 ? SlotState::requeued : SlotState::done));
  }
  REQUIRE(ended.size() == 1);
  CHECK(ended[0].quarantined);
  CHECK(ended[0].attempts == 3);
  CHECK(ended[0].message.find("quarantined: it ended its worker 3 times") == 0);
  CHECK(ended[0].message.find("killed by signal 11") != std::string::npos);
}

TEST_CASE("a job that fails before the limit, or was to end, is not quarantined") {
  HeapChannel channel(2);
  Death death = segfault();
  death.crash_limit = 2;
  std::vector<EndedJob> ended;
  const auto note = [&](const EndedJob& job) { ended.push_back(job); };
  channel.set(0, SlotState::running, kDead);
  recover_channel(channel.view, kDead, death, note);
  death.crash_limit = 1;
  death.may_retry = false;  // killed on request
  channel.set(1, SlotState::running, kDead);
  recover_channel(channel.view, kDead, death, note);
  REQUIRE(ended.size() == 2);
  CHECK_FALSE(ended[0].quarantined);
  CHECK_FALSE(ended[1].quarantined);
}

TEST_CASE("a retry bit that a worker took before it died is set again by its recovery") {
  HeapChannel channel(4);
  channel.set(0, SlotState::requeued,
              0);  // recovered earlier; its bit was cleared by a worker that then died
  recover_channel(channel.view, kDead, segfault());
  CHECK(retry_bit(channel, 0));
}

TEST_CASE("slots that were never used are not even looked at") {
  HeapChannel channel(8);
  channel.view.header().slots_used.set(2);
  channel.set(5, SlotState::running, kDead);  // cannot be: the client raises slots_used first
  recover_channel(channel.view, kDead, segfault());
  CHECK(channel.word(5).is(SlotState::running));
  channel.view.header().slots_used.set(4'000'000'000);  // a client may write anything
  recover_channel(channel.view, kDead, segfault());
  CHECK(channel.word(5).is(SlotState::done));
}

TEST_CASE("evidence longer than a result may be is cut, not written past the end") {
  HeapChannel channel(2, 64, 16);
  channel.set(0, SlotState::running, kDead);
  Death death = segfault();
  death.message.assign(5000, 'x');
  recover_channel(channel.view, kDead, death);
  CHECK(channel.view.slot(0).result_len.get() == 16);
}

TEST_CASE("the waiting jobs of a client that is gone are cancelled, the others stay") {
  HeapChannel channel(4);
  channel.set(0, SlotState::queued, 0);
  channel.set(1, SlotState::requeued, 0);
  channel.set(2, SlotState::running, kAlive);
  CHECK(cancel_waiting(channel.view) == 2);
  CHECK(channel.word(0).is(SlotState::free));
  CHECK(channel.word(1).is(SlotState::free));
  CHECK(channel.word(2).is(SlotState::running));
}

TEST_CASE("waiting jobs of a pool that cannot run learn why") {
  HeapChannel channel(4);
  channel.set(0, SlotState::queued, 0);
  channel.set(1, SlotState::running, kAlive);
  CHECK(fail_waiting(channel.view, "no such module") == 1);
  CHECK(channel.word(0).is(SlotState::done));
  CHECK(Outcome(channel.view.slot(0).outcome.get()) == Outcome::lost);
  CHECK(channel.word(1).is(SlotState::running));
}

TEST_CASE("a worker that died with many jobs running leaves none of them and each has its policy") {
  HeapChannel channel(1024);
  for (std::uint32_t i = 0; i < 1024; ++i) {
    channel.view.slot(i).crash_retries.set(i % 2);
    channel.set(i, SlotState::running, i % 4 == 3 ? kAlive : kDead);
  }
  // It was ended for the sake of this one.
  REQUIRE(end_running(channel.view, 8, channel.word(8), {Outcome::killed, 9, false, "killed", 1}));
  const Recovered r = recover_channel(channel.view, kDead, segfault());
  CHECK(r.requeued == 256);
  CHECK(r.ended == 511);
  for (std::uint32_t i = 0; i < 1024; ++i) {
    CAPTURE(i);
    const StateWord word = channel.word(i);
    if (i % 4 == 3) {
      CHECK(word.owned_by(kAlive));
    } else if (i % 2 == 1) {
      CHECK(word.is(SlotState::requeued));
      CHECK(retry_bit(channel, i));
    } else {
      CHECK(word.is(SlotState::done));
      const auto outcome = Outcome(channel.view.slot(i).outcome.get());
      CHECK(outcome == (i == 8 ? Outcome::killed : Outcome::crashed));
    }
  }
}
