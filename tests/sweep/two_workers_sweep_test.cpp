// A worker killed at every instruction of what it does because of another worker: it takes over the
// job of a dead one, and steals from the batch of one that is busy.
#include <doctest/doctest.h>
#include <signal.h>

#include <algorithm>

#include "tests/sweep/proc.hpp"
#include "tests/sweep/scene.hpp"

using namespace jobring;
using namespace jobring::test;
using Act = Actor::Act;

namespace {

class TwoWorkers : public Scene {
 public:
  TwoWorkers() : Scene({.processes = 2}) {}
  bool unhurried() const override { return true; }

 protected:
  // The worker that does not run the job of that tag.
  pid_t the_other_one(std::uint64_t tag) {
    for (const pid_t pid : children_of(house_.daemon())) {
      if (pid != note(tag).runner) return pid;
    }
    return 0;
  }
  // The index of the only worker that sleeps.
  std::uint32_t sleeper() {
    std::uint32_t found = 2;
    REQUIRE(soon([&] {
      if (house_.view().sleeps(0) == house_.view().sleeps(1)) return false;
      found = house_.view().sleeps(0) ? 0 : 1;
      return true;
    }));
    return found;
  }
};

// A worker was killed in a job that may run again; the other one, which slept, takes it over. The
// dead one's successor is kept out of the way until the victim is dead.
class WorkerTakesOver : public TwoWorkers {
 public:
  std::unique_ptr<Tracee> begin(unsigned) override {
    REQUIRE(rest());
    house_.view().refresh();
    tag_ = new_tags(1);
    house_.view().watch(house_.log(), tag_, 1);
    house_.log().hold = 3;
    REQUIRE(
        client_->ask({.act = Act::submit, .count = 1, .tag = tag_, .crash_retries = 3, .hold = 1}));
    REQUIRE(soon([&] { return note(tag_).begins == 1; }));
    // By the other one, which now has both channels mapped, whoever has run what before.
    REQUIRE(runs(*client_, 1));
    REQUIRE(runs(*other_, 1));
    collect_held(*client_, 1);
    victim_index_ = sleeper();
    const pid_t first = note(tag_).runner;
    auto victim = std::make_unique<Tracee>(the_other_one(tag_));
    doze(*victim);
    house_.close_gate();
    kill(first, SIGKILL);
    REQUIRE(victim->wait_awake(std::chrono::seconds(20)) == Tracee::At::instruction);
    REQUIRE(soon([&] { return children_of(house_.daemon()).size() == 2; }));
    return victim;
  }

  bool over() override { return note(tag_).ends != 0 && house_.view().sleeps(victim_index_); }

  void audit() override {
    house_.log().hold = 0;
    house_.open_gate();
    REQUIRE_MESSAGE(awaken(), "the client that waits for the job is not woken");
    const auto ended = client_->answer();
    REQUIRE_MESSAGE(ended, "the client that waits for the job hangs");
    REQUIRE(ended->size() == 1);
    CHECK(ended->front().outcome == Outcome::ok);
    CHECK(ended->front().attempts >= 1);
    CHECK(ended->front().attempts <= 2);
    CHECK(note(tag_).begins <= 3);
    CHECK(note(tag_).overlaps == 0);
    check_all_goes_on();
  }

 private:
  std::uint64_t tag_ = 0;
  std::uint32_t victim_index_ = 0;
};

// One worker is in a long job and has claimed another behind it; the victim ends its own, claims
// what is left, and steals that one.
class WorkerSteals : public TwoWorkers {
 public:
  std::unique_ptr<Tracee> begin(unsigned) override {
    // A busy machine makes jobs look long, and the batch small: then once more.
    for (int tries = 0; !set_up(); ++tries) {
      REQUIRE(tries < 50);
      house_.log().hold = 0;
      REQUIRE(client_->ask({.act = Act::collect, .count = 5}));
    }
    collect_held(*client_, 5);
    auto victim = std::make_unique<Tracee>(note(tag_).runner);
    // From where its handler sleeps a moment, and then finds that it may end.
    Tracee::At at = Tracee::At::instruction;
    while (at == Tracee::At::instruction) at = victim->step();
    REQUIRE(at == Tracee::At::asleep);
    house_.log().hold = 2;
    REQUIRE(victim->wait_awake(std::chrono::seconds(20)) == Tracee::At::instruction);
    return victim;
  }

  bool over() override { return all_stolen() && house_.view().sleeps(victim_index_); }

  void audit() override {
    CHECK_MESSAGE(soon([&] { return all_stolen(); }), "jobs behind a long one do not run");
    house_.log().hold = 0;
    REQUIRE_MESSAGE(awaken(), "the client that waits for the jobs is not woken");
    const auto ended = client_->answer();
    REQUIRE_MESSAGE(ended, "the client that waits for the jobs hangs");
    CHECK(ended->size() == 5);
    for (const Actor::Ended& job : *ended) {
      CHECK(job.outcome == Outcome::ok);
      CHECK(note(job.tag).overlaps == 0);
      CHECK(note(job.tag).begins <= (job.tag == tag_ + 1 ? 1 : 2));
    }
    check_all_goes_on();
  }

 private:
  // True if the other worker has claimed a job behind the one that it runs.
  bool set_up() {
    REQUIRE(rest());
    house_.view().refresh();
    tag_ = new_tags(6);
    if (tag_ % 2 == 0) ++tag_;  // the first one is the victim's, and let go before the second
    house_.view().watch(house_.log(), tag_, 5);
    house_.log().hold = 1;
    REQUIRE(
        client_->ask({.act = Act::submit, .count = 1, .tag = tag_, .crash_retries = 2, .hold = 1}));
    REQUIRE(soon([&] { return note(tag_).begins == 1; }));
    victim_index_ = 1 - sleeper();
    // Until the other one takes jobs for short, and claims several at once.
    for (int i = 0; i < 6; ++i) REQUIRE(runs(*other_, 12));
    sleeper();
    REQUIRE(client_->ask(
        {.act = Act::submit, .count = 1, .tag = tag_ + 1, .hold = 1, .unpublished = 1}));
    REQUIRE(client_->ask({.act = Act::submit, .count = 3, .tag = tag_ + 2, .crash_retries = 2}));
    REQUIRE(soon([&] { return note(tag_ + 1).begins == 1; }));
    return house_.view().page().worker(1 - victim_index_).batch_count.load() != 0;
  }
  bool all_stolen() {
    return note(tag_ + 2).ends != 0 && note(tag_ + 3).ends != 0 && note(tag_ + 4).ends != 0;
  }
  std::uint64_t tag_ = 0;
  std::uint32_t victim_index_ = 0;
};

// A worker is killed in its sleep, and no successor comes: clients must not ring it any more.
class SleeperDies : public TwoWorkers {
 public:
  std::unique_ptr<Tracee> begin(unsigned) override { return nullptr; }
  void audit() override {}

  void play(std::uint32_t index) {
    const std::vector<pid_t> workers = house_.worker_pids();
    REQUIRE(rest());
    house_.close_gate();
    kill(workers.at(index), SIGKILL);
    REQUIRE(soon([&] {
      const auto children = children_of(house_.daemon());
      return children.size() == 2 &&
             std::find(children.begin(), children.end(), workers.at(index)) == children.end();
    }));
    CHECK_MESSAGE(runs(*other_, 1), "a job is announced to a dead worker only");
    house_.open_gate();
    check_all_goes_on();
  }
};

}  // namespace

TEST_CASE("a worker killed in its sleep is not rung in the place of another that sleeps") {
  SleeperDies operation;
  for (std::uint32_t index = 0; index < 2; ++index) operation.play(index);
}

TEST_CASE("a worker killed anywhere while it takes over a dead one's job strands nothing") {
  WorkerTakesOver operation;
  sweep("worker: take over a requeued job", operation);
}

TEST_CASE("a worker killed anywhere while it claims several jobs and steals one strands none") {
  WorkerSteals operation;
  sweep("worker: complete, claim, steal, sleep", operation);
}
