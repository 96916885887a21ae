// The supervisor killed at every instruction of what it does: its clients learn at once, its
// workers and their commands end, nothing stays, and the next daemon starts in the same place.
#include <doctest/doctest.h>
#include <signal.h>

#include <algorithm>

#include "tests/sweep/proc.hpp"
#include "tests/sweep/scene.hpp"

using namespace jobring;
using namespace jobring::test;
using Act = Actor::Act;

namespace {

enum class Deed {
  recover_retry,  // a worker died in a job that is to run again
  recover_end,    // a worker died, its command lives; the job is not to run again
  open,
  close,
  client_death
};

class SupervisorDies : public Scene {
 public:
  explicit SupervisorDies(Deed deed) : Scene({.processes = 2}), deed_(deed) {}

  std::unique_ptr<Tracee> begin(unsigned) override {
    if (!house_.up()) {
      house_.start();
      client_ = std::make_unique<Actor>(house_.socket());
      other_ = std::make_unique<Actor>(house_.socket());
    }
    const bool visitor_is_there = deed_ == Deed::close || deed_ == Deed::client_death;
    if (deed_ == Deed::open || visitor_is_there)
      visitor_ = std::make_unique<Actor>(house_.socket(), visitor_is_there);
    REQUIRE(rest());
    house_.view().refresh();
    // Both workers are busy for as long as it takes, and two jobs wait.
    house_.log().hold = 1;
    tag_ = new_tags(3);
    Actor& runner = deed_ == Deed::client_death ? *visitor_ : *client_;
    // Whether the job of a client that dies stops would come sooner in one round than in another.
    const std::uint32_t hold = deed_ == Deed::client_death ? 3 : 1;
    REQUIRE(runner.ask(
        {.act = Act::submit, .count = 1, .tag = tag_, .crash_retries = 1, .hold = hold}));
    REQUIRE(soon([&] { return note(tag_).begins == 1; }));
    REQUIRE(client_->ask({.act = Act::submit, .count = 1, .hold = 2}));
    REQUIRE(soon([&] { return running() == 2 && command_of(other_worker()) != 0; }));
    REQUIRE(client_->ask({.act = Act::submit, .count = 2, .tag = tag_ + 1}));
    if (visitor_is_there) REQUIRE(visitor_->ask({.act = Act::submit, .count = 2, .tag = tag_ + 1}));
    outstanding_ = deed_ == Deed::client_death ? 3 : 4;
    collect_held(*client_, outstanding_);
    house_.view().refresh();
    house_.view().watch(house_.log(), tag_, 3);
    channels_ = house_.view().channels().size();
    house_.close_gate();
    auto victim = std::make_unique<Tracee>(house_.daemon());
    // A death is told in several ways. All of them have come before the supervisor looks, so that
    // it finds them in the same order every time; a request finds it asleep.
    const bool request = deed_ == Deed::open || deed_ == Deed::close;
    if (request) doze(*victim);
    act();
    if (request) REQUIRE(victim->wait_awake(std::chrono::seconds(20)) == Tracee::At::instruction);
    return victim;
  }

  bool over() override {
    house_.view().refresh();
    switch (deed_) {
      case Deed::recover_retry:
      case Deed::recover_end:
        return running() == 1 && children_of(house_.daemon()).size() == 2;
      case Deed::open:
      case Deed::close:
        return visitor_->answered();
      case Deed::client_death:
        // It is forgotten when the busy worker has let go of it, too: that is not waited for.
        return house_.view().channels().size() < channels_ ||
               std::any_of(house_.view().channels().begin(), house_.view().channels().end(),
                           [](const ChannelView& c) { return c.header().closing.load() == 2; });
    }
    return true;
  }

  void audit() override {
    house_.gone();
    REQUIRE_MESSAGE(awaken(), "a client that waits for its jobs is not woken");
    const auto ended = client_->answer();
    REQUIRE_MESSAGE(ended, "a client that waits for its jobs hangs");
    CHECK(ended->size() == outstanding_);
    for (const Actor::Ended& job : *ended) {
      // The dead client's worker is free for what waits.
      if (job.outcome == Outcome::ok && deed_ == Deed::client_death) continue;
      CHECK((job.outcome == Outcome::lost || job.outcome == Outcome::crashed));
      if (job.outcome == Outcome::crashed) CHECK(deed_ == Deed::recover_end);
    }
    if (visitor_ && deed_ != Deed::client_death)
      CHECK_MESSAGE(soon([&] { return visitor_->answered(); }), "a client hangs");
    visitor_.reset();
    CHECK_MESSAGE(House::nothing_left({client_->pid(), other_->pid()}),
                  "a process outlives its daemon");
    for (std::uint64_t tag = tag_; tag < tag_ + 3; ++tag) check_runs(tag, 0);
    house_.log().hold = 0;
    house_.open_gate();
    client_.reset();
    other_.reset();
    house_.start();
    client_ = std::make_unique<Actor>(house_.socket());
    other_ = std::make_unique<Actor>(house_.socket());
    check_all_goes_on();
  }

 private:
  // Jobs of all channels that are RUNNING.
  int running() {
    int count = 0;
    for (const ChannelView& channel : house_.view().channels()) {
      for (std::uint32_t i = 0; i < channel.shape().slots; ++i)
        count += channel.slot(i).word().is(SlotState::running);
    }
    return count;
  }
  pid_t other_worker() {
    for (const pid_t pid : children_of(house_.daemon())) {
      if (pid != note(tag_).runner) return pid;
    }
    return 0;
  }
  static pid_t command_of(pid_t worker) {
    const auto children = children_of(worker);
    return children.empty() ? 0 : children.front();
  }

  void act() {
    const auto kill_worker = [&](pid_t worker) {
      const pid_t command = command_of(worker);
      ::kill(worker, SIGKILL);
      REQUIRE(soon([&] { return process_state(worker) == 'Z'; }));
      // Its command dies of that, as the daemon's child: not sooner in one round than in another.
      if (command != 0) REQUIRE(soon([&] { return process_state(command) == 'Z'; }));
    };
    switch (deed_) {
      case Deed::recover_retry:
        return kill_worker(note(tag_).runner);
      case Deed::recover_end:
        return kill_worker(other_worker());
      case Deed::open:
        return visitor_->tell({.act = Act::connect});
      case Deed::close:
        return visitor_->tell({.act = Act::close});
      case Deed::client_death:
        visitor_.reset();
        return;
    }
  }

  Deed deed_;
  std::unique_ptr<Actor> visitor_;
  std::uint64_t tag_ = 0;
  std::uint32_t outstanding_ = 0;
  std::size_t channels_ = 0;
};

}  // namespace

TEST_CASE("a supervisor killed anywhere while it recovers a job to run again strands nobody") {
  SupervisorDies operation(Deed::recover_retry);
  sweep("supervisor: recover a worker whose job runs again", operation, 4);
}

TEST_CASE("a supervisor killed anywhere while it ends a dead worker's job strands nobody") {
  SupervisorDies operation(Deed::recover_end);
  sweep("supervisor: recover a worker whose command lives", operation, 4);
}

TEST_CASE("a supervisor killed anywhere while it opens a channel strands nobody") {
  SupervisorDies operation(Deed::open);
  sweep("supervisor: open a channel", operation, 4);
}

TEST_CASE("a supervisor killed anywhere while it closes a channel strands nobody") {
  SupervisorDies operation(Deed::close);
  sweep("supervisor: close a channel", operation, 4);
}

TEST_CASE("a supervisor killed anywhere after a client's death strands nobody") {
  SupervisorDies operation(Deed::client_death);
  sweep("supervisor: a client's death", operation, 4);
}
