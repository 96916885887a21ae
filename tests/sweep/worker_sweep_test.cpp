// A worker killed at every instruction from the moment that it wakes for a job to its next sleep:
// claim, run, complete, and going to sleep.
#include <doctest/doctest.h>

#include "tests/sweep/proc.hpp"
#include "tests/sweep/scene.hpp"

using namespace jobring;
using namespace jobring::test;
using Act = Actor::Act;

namespace {

// One worker; its client submits a job and sleeps on its end.
class WorkerRuns : public Scene {
 public:
  explicit WorkerRuns(bool new_channel) : Scene({}), new_channel_(new_channel) {}

  unsigned variants() const override { return 2; }
  bool unhurried() const override { return true; }

  std::unique_ptr<Tracee> begin(unsigned variant) override {
    retries_ = variant;
    if (new_channel_) {
      REQUIRE(client_->ask({.act = Act::close}));
      REQUIRE(client_->ask({.act = Act::connect}));
    } else {
      REQUIRE(runs(*client_, 1));
    }
    REQUIRE(rest());
    house_.view().refresh();
    auto victim = std::make_unique<Tracee>(children_of(house_.daemon()).at(0));
    doze(*victim);
    tag_ = new_tags(1);
    house_.view().watch(house_.log(), tag_, 1);
    REQUIRE(client_->ask({.act = Act::submit, .count = 1, .tag = tag_, .crash_retries = retries_}));
    collect_held(*client_, 1);
    channel_ = house_.view().channel_of(client_->pid());
    REQUIRE(victim->wait_awake(std::chrono::seconds(20)) == Tracee::At::instruction);
    return victim;
  }

  bool over() override { return note(tag_).ends != 0 && house_.view().sleeps(0); }

  void before_kill() override { word_ = only_word(channel_); }

  void audit() override {
    REQUIRE_MESSAGE(awaken(), "the client that waits for the job is not woken");
    const auto ended = client_->answer();
    REQUIRE_MESSAGE(ended, "the client that waits for the job hangs");
    REQUIRE(ended->size() == 1);
    CHECK(ended->front().tag == tag_);
    check_ended(ended->front(), word_, retries_);
    check_all_goes_on();
  }

 private:
  bool new_channel_;
  std::uint32_t retries_ = 0;
  std::uint64_t tag_ = 0;
  ChannelView channel_;
  StateWord word_;
};

// The client closes its channel while the worker sleeps: the worker is told to let go of it.
class WorkerLetsGo : public Scene {
 public:
  WorkerLetsGo() : Scene({}) {}

  std::unique_ptr<Tracee> begin(unsigned) override {
    REQUIRE(runs(*client_, 1));
    REQUIRE(rest());
    auto victim = std::make_unique<Tracee>(children_of(house_.daemon()).at(0));
    doze(*victim);
    REQUIRE(client_->ask({.act = Act::close}));
    REQUIRE(victim->wait_awake(std::chrono::seconds(20)) == Tracee::At::instruction);
    return victim;
  }

  bool over() override { return house_.view().sleeps(0); }

  void audit() override {
    CHECK_MESSAGE(channels_left(1), "the daemon keeps a channel that nobody has");
    REQUIRE(client_->ask({.act = Act::connect}));
    check_all_goes_on();
  }
};

}  // namespace

TEST_CASE("a worker killed anywhere between two sleeps strands no job") {
  WorkerRuns operation(false);
  sweep("worker: wake, claim, run, complete, sleep", operation);
}

TEST_CASE("a worker killed anywhere in a new channel's first job strands none") {
  WorkerRuns operation(true);
  sweep("worker: the same, and maps the channel", operation);
}

TEST_CASE("a worker killed anywhere while it lets go of a channel leaves nothing of that") {
  WorkerLetsGo operation;
  sweep("worker: let go of a channel", operation);
}
