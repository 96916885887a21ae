// A lane of a thread pool's worker, killed with its process at every instruction from the moment
// that it wakes for a job to its next sleep, while another lane of the process is in a job of its
// own.
//
// Only the victim's thread is stepped. The others run freely: one sleeps in the loop of its job,
// the main thread in ppoll(), and nothing wakes them. So all that can be seen is the victim's
// doing, and the kill meets the process as it is when a job of it is long.
#include <doctest/doctest.h>

#include "tests/sweep/proc.hpp"
#include "tests/sweep/scene.hpp"

using namespace jobring;
using namespace jobring::test;
using Act = Actor::Act;

namespace {

constexpr std::uint32_t kLanes = 2;

class LaneRuns : public Scene {
 public:
  LaneRuns() : Scene({.model = Crew::Model::thread, .lanes = kLanes}) {}

  unsigned variants() const override { return 2; }
  bool unhurried() const override { return true; }

  std::unique_ptr<Tracee> begin(unsigned variant) override {
    retries_ = variant;
    REQUIRE(rest());
    house_.view().refresh();
    tag_ = new_tags(2);
    house_.log().hold = 3;
    REQUIRE(other_->ask(
        {.act = Act::submit, .count = 1, .tag = tag_, .crash_retries = retries_, .hold = 1}));
    REQUIRE(soon([&] { return note(tag_).begins == 1; }));
    // The free lane gets to know both channels.
    REQUIRE(runs(*client_, 1));
    REQUIRE(runs(*other_, 1));
    victim_index_ = sleeper();
    // The main thread, then the lanes.
    const auto threads = threads_of(children_of(house_.daemon()).at(0));
    auto victim = std::make_unique<Tracee>(threads.at(1 + victim_index_));
    doze(*victim);
    house_.view().watch(house_.log(), tag_, 2);
    REQUIRE(
        client_->ask({.act = Act::submit, .count = 1, .tag = tag_ + 1, .crash_retries = retries_}));
    collect_held(*client_, 1);
    channel_ = house_.view().channel_of(client_->pid());
    REQUIRE(victim->wait_awake(std::chrono::seconds(20)) == Tracee::At::instruction);
    return victim;
  }

  bool over() override { return note(tag_ + 1).ends != 0 && house_.view().sleeps(victim_index_); }

  void before_kill() override { word_ = only_word(channel_); }

  void audit() override {
    REQUIRE_MESSAGE(awaken(), "the client that waits for the job is not woken");
    const auto ended = client_->answer();
    REQUIRE_MESSAGE(ended, "the client that waits for the job hangs");
    REQUIRE(ended->size() == 1);
    CHECK(ended->front().tag == tag_ + 1);
    check_ended(ended->front(), word_, retries_);
    // The other lane's job was RUNNING.
    const auto held = other_->ask({.act = Act::collect, .count = 1});
    REQUIRE_MESSAGE(held, "the client of the other lane's job hangs");
    REQUIRE(held->size() == 1);
    CHECK(held->front().tag == tag_);
    check_ended(held->front(), StateWord(SlotState::running, 1, 0), retries_);
    house_.log().hold = 0;
    check_all_goes_on();
  }

 private:
  // The index of the only lane that sleeps.
  std::uint32_t sleeper() {
    std::uint32_t found = 0;
    REQUIRE(soon([&] {
      found = house_.view().sleeps(0) ? 0 : 1;
      return house_.view().sleeps(0) != house_.view().sleeps(1);
    }));
    return found;
  }

  std::uint32_t retries_ = 0, victim_index_ = 0;
  std::uint64_t tag_ = 0;
  ChannelView channel_;
  StateWord word_;
};

}  // namespace

TEST_CASE("a lane killed anywhere between two sleeps while another one runs strands no job") {
  LaneRuns operation;
  sweep("lane: wake, claim, run, complete, sleep", operation, 4);
}
