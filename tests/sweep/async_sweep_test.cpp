// An async worker killed at every instruction while it has two jobs in flight: it wakes for a third
// one, claims, runs and completes it before those that began earlier, lies down in its event loop,
// and is woken there by what these wait for.
#include <doctest/doctest.h>

#include <cstdlib>
#include <map>
#include <string>

#include "tests/sweep/proc.hpp"
#include "tests/sweep/scene.hpp"

using namespace jobring;
using namespace jobring::test;
using Act = Actor::Act;

namespace {

constexpr std::uint32_t kJobs = 3;

class AsyncRuns : public Scene {
 public:
  explicit AsyncRuns() : Scene({.model = Crew::Model::async}) {}

  bool unhurried() const override { return true; }

  std::unique_ptr<Tracee> begin(unsigned) override {
    house_.keep_coroutines();
    let_go_ = false;
    REQUIRE(runs(*client_, 1));
    REQUIRE(runs(*other_, 1));
    REQUIRE(rest());
    house_.view().refresh();
    tag_ = new_tags(kJobs);
    // One may run again, the other may not: each has its own end.
    for (std::uint32_t i = 0; i < 2; ++i) {
      REQUIRE(client_->ask({.act = Act::submit,
                            .count = 1,
                            .tag = tag_ + i,
                            .crash_retries = retries(i),
                            .hold = 1}));
      REQUIRE(soon([&] { return note(tag_ + i).begins == 1; }));
    }
    REQUIRE(rest());
    auto victim = std::make_unique<Tracee>(children_of(house_.daemon()).at(0));
    doze(*victim);
    house_.view().watch(house_.log(), tag_, kJobs);
    REQUIRE(client_->ask({.act = Act::submit, .count = 1, .tag = tag_ + 2}));
    collect_held(*client_, kJobs);
    channel_ = house_.view().channel_of(client_->pid());
    REQUIRE(victim->wait_awake(std::chrono::seconds(20)) == Tracee::At::instruction);
    return victim;
  }

  bool over() override {
    if (note(tag_).ends != 0 && note(tag_ + 1).ends != 0) return house_.view().sleeps(0);
    // It sleeps with the first two in flight; the third has ended.
    if (!std::exchange(let_go_, true)) {
      CHECK(note(tag_).ends + note(tag_ + 1).ends == 0);
      CHECK(note(tag_ + 2).ends == 1);
      CHECK(house_.view().sleeps(0));
      house_.let_coroutines_go();
    }
    return false;
  }

  void before_kill() override {
    words_.clear();
    for (std::uint32_t i = 0; i < channel_.shape().slots; ++i) {
      const Slot& slot = channel_.slot(i);
      if (slot.word().is(SlotState::free)) continue;
      const std::string text(reinterpret_cast<const char*>(slot.payload), slot.payload_len.get());
      words_[std::strtoull(text.c_str(), nullptr, 10)] = slot.word();
    }
  }

  void audit() override {
    house_.let_coroutines_go();  // also what runs again
    REQUIRE_MESSAGE(awaken(), "the client that waits for the jobs is not woken");
    const auto ended = client_->answer();
    REQUIRE_MESSAGE(ended, "the client that waits for the jobs hangs");
    CHECK(ended->size() == kJobs);
    for (const Actor::Ended& job : *ended)
      check_ended(job, words_[job.tag], retries(std::uint32_t(job.tag - tag_)));
    check_all_goes_on();
  }

 private:
  static std::uint32_t retries(std::uint32_t i) { return i == 0 ? 2 : 0; }

  std::uint64_t tag_ = 0;
  bool let_go_ = false;
  ChannelView channel_;
  std::map<std::uint64_t, StateWord> words_;  // at the kill, by tag
};

}  // namespace

TEST_CASE("an async worker killed anywhere with several jobs in flight strands none of them") {
  AsyncRuns operation;
  sweep("async: wake, claim, complete out of order, sleep, wake", operation, 4);
}
