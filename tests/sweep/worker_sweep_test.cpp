// A worker killed at every instruction from the moment that it wakes for a job to its next sleep:
// claim, run, complete, and going to sleep.
#include <doctest/doctest.h>

#include <map>

#include "tests/sweep/actor.hpp"
#include "tests/sweep/house.hpp"
#include "tests/sweep/proc.hpp"
#include "tests/sweep/sweep.hpp"

using namespace jobring;
using namespace jobring::test;

namespace {

// Steps a process to where it sleeps, waiting for events.
void doze(Tracee& tracee) {
  for (;;) {
    Tracee::At at = tracee.step();
    if (at == Tracee::At::asleep) {
      if (tracee.idle()) return;
      at = tracee.wait_awake(std::chrono::seconds(20));
    }
    REQUIRE(at == Tracee::At::instruction);
  }
}

// One worker, one client that submits a job and sleeps on its end, one client that looks on.
class WorkerRuns : public Operation {
 public:
  explicit WorkerRuns(bool warm) : warm_(warm) {}

  unsigned variants() const override { return 2; }
  SharedView& view() override { return house_.view(); }

  std::unique_ptr<Tracee> begin(unsigned variant) override {
    retries_ = variant;
    if (warm_) {
      REQUIRE(runs(client_, 1));
    } else {
      REQUIRE(client_.ask({.act = Actor::Act::close}));
      REQUIRE(client_.ask({.act = Actor::Act::connect}));
    }
    REQUIRE(house_.at_rest({client_.pid(), other_.pid()}));
    house_.view().refresh();
    victim_ = children_of(house_.daemon()).at(0);
    auto victim = std::make_unique<Tracee>(victim_);
    doze(*victim);
    tag_ = next_tag();
    house_.view().watch(house_.log(), tag_, 1);
    REQUIRE(client_.ask({.act = Actor::Act::submit, .count = 1, .tag = tag_, .crash_retries = retries_}));
    client_.tell({.act = Actor::Act::collect, .count = 1});
    channel_ = house_.view().channel_of(client_.pid());
    while (channel_.header().waiting.load() == 0 || process_state(client_.pid()) != 'S') {
    }
    REQUIRE(victim->wait_awake(std::chrono::seconds(20)) == Tracee::At::instruction);
    return victim;
  }

  bool over() override {
    return house_.log().note(tag_).ends != 0 && house_.view().sleeps(0);
  }

  void before_kill() override {
    word_ = {};
    // The client has one job outstanding: the slot that is not FREE, until it is reaped.
    for (std::uint32_t i = 0; i < channel_.shape().slots; ++i) {
      const StateWord word = channel_.slot(i).word();
      if (!word.is(SlotState::free)) word_ = word;
    }
  }

  void audit() override {
    const auto ended = client_.answer();
    REQUIRE_MESSAGE(ended, "the client that waits for the job hangs");
    REQUIRE(ended->size() == 1);
    const auto& job = ended->front();
    CHECK(job.tag == tag_);
    const RunNote& note = house_.log().note(tag_);
    CHECK(note.overlaps == 0);
    const bool ran = word_.is(SlotState::running);
    if (ran && retries_ == 0) {
      CHECK(job.outcome == Outcome::crashed);
      CHECK(job.attempts == 1);
      CHECK(note.begins <= 1);
    } else {
      CHECK(job.outcome == Outcome::ok);
      CHECK(job.attempts == (ran ? 1 : 0));
      CHECK(note.begins >= 1);
      CHECK(note.begins <= (ran ? 2 : 1));
      CHECK(note.ends >= 1);
    }
    // The same channel and another one go on.
    CHECK(runs(client_, 2));
    CHECK(runs(other_, 1));
    CHECK(house_.at_rest({client_.pid(), other_.pid()}));
    CHECK(house_.view().fault_at_rest(1) == "");
  }

 private:
  std::uint64_t next_tag() {
    RunNote& note = house_.log().note(++tags_);
    note.begins = note.ends = note.overlaps = 0;
    note.runner = 0;
    return tags_;
  }
  bool runs(Actor& actor, std::uint32_t count) {
    const std::uint64_t first = tags_ + 1;
    for (std::uint32_t i = 0; i < count; ++i) next_tag();
    if (!actor.ask({.act = Actor::Act::submit, .count = count, .tag = first})) return false;
    const auto ended = actor.ask({.act = Actor::Act::collect, .count = count});
    if (!ended || ended->size() != count) return false;
    for (std::uint32_t i = 0; i < count; ++i) {
      const RunNote& note = house_.log().note(first + i);
      if ((*ended)[i].outcome != Outcome::ok || note.begins != 1 || note.ends != 1) return false;
    }
    return true;
  }
  House house_{1};
  Actor client_{house_.socket()};
  Actor other_{house_.socket()};
  bool warm_;
  std::uint32_t retries_ = 0;
  std::uint64_t tags_ = 1'000'000, tag_ = 0;  // all of one length: their digits are read by instructions
  pid_t victim_ = 0;
  ChannelView channel_;
  StateWord word_;
};

}  // namespace

TEST_CASE("a worker killed anywhere between two sleeps strands no job") {
  WorkerRuns operation(true);
  sweep("worker runs a job", operation);
}

TEST_CASE("a worker killed anywhere in a new channel's first job, for which it maps it, strands none") {
  WorkerRuns operation(false);
  sweep("worker maps a channel and runs a job", operation);
}
