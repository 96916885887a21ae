// The supervisor killed at every instruction of its recovery of a worker that had several jobs
// RUNNING: a process with two lanes, and an async worker. Some may run again, some may not.
#include <doctest/doctest.h>
#include <signal.h>

#include "tests/sweep/proc.hpp"
#include "tests/sweep/scene.hpp"

using namespace jobring;
using namespace jobring::test;
using Act = Actor::Act;

namespace {

constexpr std::uint32_t kJobs = 4;
constexpr Crew kLanes{.model = Crew::Model::thread, .lanes = 2};
constexpr Crew kAsync{.model = Crew::Model::async};

class SupervisorRecoversMany : public Scene {
 public:
  explicit SupervisorRecoversMany(const Crew& crew)
      : Scene(crew), running_(crew.model == Crew::Model::async ? kJobs : crew.lanes) {}

  std::unique_ptr<Tracee> begin(unsigned) override {
    if (!house_.up()) start_again();
    REQUIRE(rest());
    house_.log().hold = 1;
    house_.keep_coroutines();
    tag_ = new_tags(kJobs);
    for (std::uint32_t i = 0; i < kJobs; ++i) {
      REQUIRE(client_->ask({.act = Act::submit,
                            .count = 1,
                            .tag = tag_ + i,
                            .crash_retries = retries(i),
                            .hold = 1}));
      if (i < running_) REQUIRE(soon([&] { return note(tag_ + i).begins == 1; }));
    }
    collect_held(*client_, kJobs);
    house_.view().refresh();
    house_.view().watch(house_.log(), tag_, kJobs);
    house_.close_gate();
    auto victim = std::make_unique<Tracee>(house_.daemon());
    // All that tells of the death has come before the supervisor looks.
    const pid_t worker = children_of(house_.daemon()).at(0);
    ::kill(worker, SIGKILL);
    REQUIRE(soon([&] { return process_state(worker) == 'Z' && threads_of(worker).size() == 1; }));
    return victim;
  }

  bool over() override { return count_running() == 0 && children_of(house_.daemon()).size() == 1; }

  void audit() override {
    house_.gone();
    REQUIRE_MESSAGE(awaken(), "a client that waits for its jobs is not woken");
    const auto ended = client_->answer();
    REQUIRE_MESSAGE(ended, "a client that waits for its jobs hangs");
    CHECK(ended->size() == kJobs);
    for (const Actor::Ended& job : *ended) {
      const auto i = std::uint32_t(job.tag - tag_);
      CHECK((job.outcome == Outcome::lost || job.outcome == Outcome::crashed));
      if (job.outcome == Outcome::crashed) CHECK((i < running_ && retries(i) == 0));
    }
    CHECK_MESSAGE(House::nothing_left({client_->pid(), other_->pid()}),
                  "a process outlives its daemon");
    for (std::uint32_t i = 0; i < kJobs; ++i) {
      check_runs(tag_ + i, 0);
      CHECK(note(tag_ + i).begins == (i < running_ ? 1 : 0));
    }
    house_.log().hold = 0;
    house_.open_gate();
    start_again();
    check_all_goes_on();
  }

 private:
  static std::uint32_t retries(std::uint32_t i) { return i % 2 == 0 ? 1 : 0; }

  void start_again() {
    client_.reset();
    other_.reset();
    house_.start();
    client_ = std::make_unique<Actor>(house_.socket());
    other_ = std::make_unique<Actor>(house_.socket());
  }
  int count_running() {
    int count = 0;
    for (const ChannelView& channel : house_.view().channels()) {
      for (std::uint32_t i = 0; i < channel.shape().slots; ++i)
        count += channel.slot(i).word().is(SlotState::running);
    }
    return count;
  }

  const std::uint32_t running_;  // at the death; the others wait
  std::uint64_t tag_ = 0;
};

}  // namespace

TEST_CASE("a supervisor killed anywhere while it recovers a worker with two lanes strands nobody") {
  SupervisorRecoversMany operation(kLanes);
  sweep("supervisor: recover two lanes", operation, 4);
}

TEST_CASE("a supervisor killed anywhere while it recovers an async worker strands nobody") {
  SupervisorRecoversMany operation(kAsync);
  sweep("supervisor: recover four jobs in flight", operation, 4);
}
