// Two processes at once: one stopped at some instruction of its operation while another is killed
// at some instruction of its own, then let go; or killed as well, while the first death is
// recovered.
#include <doctest/doctest.h>
#include <signal.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>

#include "tests/support/seed.hpp"
#include "tests/sweep/proc.hpp"
#include "tests/sweep/scene.hpp"

using namespace jobring;
using namespace jobring::test;
using Act = Actor::Act;
using std::chrono::milliseconds;

namespace {

enum class Kind : std::uint32_t {
  worker_dies_beside_worker,      // A killed, B stands and goes on
  both_workers_die,               // A killed, B killed when A has been recovered
  worker_dies_in_recovery,        // the supervisor stands in the recovery of A, B is killed
  supervisor_dies_in_recovery,    // the supervisor is killed in the recovery of A
  worker_dies_beside_client,      // A killed, a client stands in its enqueue and goes on
  client_dies_beside_worker,      // a client killed in its enqueue, A stands and goes on
  client_dies_beside_supervisor,  // the same while the supervisor stands in the recovery of A
  count
};
constexpr const char* kKinds[] = {"a worker dies beside a worker",
                                  "both workers die",
                                  "a worker dies in the recovery of another",
                                  "the supervisor dies in its recovery of a worker",
                                  "a worker dies beside a client",
                                  "a client dies beside a worker",
                                  "a client dies while the supervisor recovers a worker"};
static_assert(std::size(kKinds) == std::size_t(Kind::count));

class Pairs : public Scene {
 public:
  explicit Pairs(std::uint64_t seed) : Scene({.processes = 2}), seed_(seed) {}

  std::unique_ptr<Tracee> begin(unsigned) override { return nullptr; }
  void audit() override {}

  void play(std::uint64_t sample, Kind kind) {
    random_.seed(seed_ + sample * 1'000'003);
    set_up();
    switch (kind) {
      case Kind::worker_dies_beside_worker:
      case Kind::both_workers_die: {
        auto a = worker(0), b = worker(1);
        submit();
        wander_as_worker(*b);
        wander_as_worker(*a);
        die(*a);
        recovered(a->pid());
        if (kind == Kind::both_workers_die) {
          wander_as_worker(*b);
          die(*b);
        }
        b->let_go();
        break;
      }
      case Kind::worker_dies_in_recovery:
      case Kind::supervisor_dies_in_recovery:
      case Kind::client_dies_beside_supervisor: {
        auto a = worker(0), b = worker(1);
        auto supervisor = std::make_unique<Tracee>(house_.daemon());
        doze(*supervisor);
        std::unique_ptr<Tracee> guest;
        if (kind == Kind::client_dies_beside_supervisor) guest = visitor_enqueues();
        submit();
        wander_as_worker(*a);
        die(*a);
        REQUIRE(supervisor->wait_awake(milliseconds(20'000)) == Tracee::At::instruction);
        wander(*supervisor, 45, 3000);
        if (kind == Kind::supervisor_dies_in_recovery) {
          b->let_go();
          supervisor->kill();
          house_.gone();
          break;
        }
        if (kind == Kind::worker_dies_in_recovery) {
          wander_as_worker(*b);
          die(*b);
        } else {
          wander(*guest, 1, 3000);
          guest->kill();
          visitor_->gone();
          visitor_.reset();
        }
        b->let_go();
        supervisor->let_go();
        break;
      }
      case Kind::worker_dies_beside_client: {
        auto a = worker(0);
        auto guest = visitor_enqueues();
        submit();
        wander(*guest, 1, 3000);
        wander_as_worker(*a);
        die(*a);
        recovered(a->pid());
        to_second_marker(*guest);
        guest->let_go();
        visitor_jobs_ = 2;
        break;
      }
      case Kind::client_dies_beside_worker: {
        auto a = worker(0);
        auto guest = visitor_enqueues();
        submit();
        wander(*guest, 1, 3000);
        wander_as_worker(*a);
        guest->kill();
        visitor_->gone();
        visitor_.reset();
        wander_as_worker(*a);
        a->let_go();
        break;
      }
      case Kind::count:
        break;
    }
    check();
  }

 private:
  void set_up() {
    if (!house_.up()) {
      house_.start();
      client_ = std::make_unique<Actor>(house_.socket());
      other_ = std::make_unique<Actor>(house_.socket());
    }
    visitor_ = std::make_unique<Actor>(house_.socket());
    visitor_jobs_ = 0;
    kills_ = 0;
    retries_ = random_() % 2 == 0 ? 0 : 2;
    REQUIRE(rest());
    workers_ = house_.worker_pids();
    REQUIRE(house_.at_rest({visitor_->pid()}));  // the supervisor has ended that connection
    tag_ = new_tags(8);
  }

  std::unique_ptr<Tracee> worker(std::size_t index) {
    auto tracee = std::make_unique<Tracee>(workers_.at(index));
    doze(*tracee);
    return tracee;
  }
  std::unique_ptr<Tracee> visitor_enqueues() {
    auto tracee = std::make_unique<Tracee>(visitor_->pid());
    visitor_->tell(
        {.act = Act::submit, .count = 2, .tag = tag_ + 6, .crash_retries = retries_, .marked = 1});
    REQUIRE(tracee->run_to_marker() == Tracee::At::marker);
    return tracee;
  }
  void submit() {
    REQUIRE(client_->ask({.act = Act::submit, .count = 4, .tag = tag_, .crash_retries = retries_}));
    REQUIRE(
        other_->ask({.act = Act::submit, .count = 2, .tag = tag_ + 4, .crash_retries = retries_}));
    client_->tell({.act = Act::collect, .count = 4});
    other_->tell({.act = Act::collect, .count = 2});
    sleeps_on_completions(*client_);
    sleeps_on_completions(*other_);
  }

  // Some system calls on at full speed, then some instructions; less if it sleeps or ends before.
  void wander(Tracee& tracee, std::uint32_t calls_max, std::uint32_t steps_max) {
    // Half of them go few instructions: most of what others can see happens close to calls.
    const std::uint32_t calls = std::uint32_t(random_() % (calls_max + 1));
    const std::uint32_t steps =
        std::uint32_t(random_() % (random_() % 2 == 0 ? steps_max / 10 : steps_max));
    for (std::uint32_t i = 0; i < calls + steps; ++i) {
      Tracee::At at = i < calls ? tracee.next_syscall() : tracee.step();
      if (at == Tracee::At::asleep) at = tracee.wait_awake(milliseconds(tracee.idle() ? 0 : 5));
      if (at != Tracee::At::instruction) return;
    }
  }
  // One that sleeps may not have been rung: it wakes all the same.
  void wander_as_worker(Tracee& tracee) {
    if (tracee.wait_awake(milliseconds(1)) == Tracee::At::asleep) tracee.rouse();
    wander(tracee, 3, 3000);
  }
  void to_second_marker(Tracee& tracee) {
    for (;;) {
      Tracee::At at = tracee.step();
      if (at == Tracee::At::asleep) at = tracee.wait_awake(milliseconds(20'000));
      if (at == Tracee::At::marker) break;
      REQUIRE(at == Tracee::At::instruction);
    }
    REQUIRE(tracee.run_to_marker() == Tracee::At::marker);
  }

  void die(Tracee& tracee) {
    tracee.kill();
    ++kills_;
  }
  // Its slots are settled: somebody else has its place.
  void recovered(pid_t worker) {
    CHECK_MESSAGE(soon([&] {
                    const auto children = children_of(house_.daemon());
                    return children.size() == 2 &&
                           std::find(children.begin(), children.end(), worker) == children.end();
                  }),
                  "a dead worker is not replaced while another process stands still");
  }

  void check_jobs(const std::optional<std::vector<Actor::Ended>>& ended, std::size_t count) {
    REQUIRE_MESSAGE(ended, "a client that waits for its jobs hangs");
    CHECK(ended->size() == count);
    for (const Actor::Ended& job : *ended) {
      const RunNote& ran = note(job.tag);
      CHECK(ran.overlaps == 0);
      CHECK(ran.begins <= (retries_ == 0 ? 1 : 1 + kills_));
      if (job.outcome == Outcome::lost && !house_.up()) continue;
      if (job.outcome == Outcome::crashed) {
        CHECK(retries_ == 0);
        CHECK(++crashed_ <= kills_);
      } else {
        CHECK(job.outcome == Outcome::ok);
        CHECK(ran.ends >= 1);
      }
    }
  }

  void check() {
    crashed_ = 0;
    check_jobs(client_->answer(), 4);
    check_jobs(other_->answer(), 2);
    if (visitor_jobs_ != 0) {
      REQUIRE(visitor_->answer());
      check_jobs(visitor_->ask({.act = Act::collect, .count = visitor_jobs_}), visitor_jobs_);
    }
    visitor_.reset();
    check_runs(tag_ + 6, retries_);
    check_runs(tag_ + 7, retries_);
    if (!house_.up()) {
      CHECK_MESSAGE(House::nothing_left({client_->pid(), other_->pid()}),
                    "a process outlives its daemon");
      return;
    }
    CHECK_MESSAGE(channels_left(2), "a dead client's channel stays");
    check_all_goes_on();
  }

  std::uint64_t seed_;
  std::mt19937_64 random_;
  std::unique_ptr<Actor> visitor_;
  std::vector<pid_t> workers_;
  std::uint64_t tag_ = 0;
  std::uint32_t retries_ = 0, kills_ = 0, crashed_ = 0, visitor_jobs_ = 0;
};

}  // namespace

// JOBRING_PAIRS says how many of each kind; JOBRING_SEED and JOBRING_PAIR replay a single one.
TEST_CASE("one process stopped or killed while another is killed: nothing is stranded") {
  const std::uint64_t seed = seed_of_test();
  CAPTURE(seed);
  const char* asked = std::getenv("JOBRING_PAIRS");
  const char* only = std::getenv("JOBRING_PAIR");
  const std::uint64_t each = asked != nullptr ? std::strtoull(asked, nullptr, 10) : 12;
  const std::uint64_t kinds = std::uint64_t(Kind::count);
  Pairs pairs(seed);
  const auto start = std::chrono::steady_clock::now();
  std::uint64_t played = 0;
  for (std::uint64_t sample = 0; sample < each * kinds; ++sample) {
    if (only != nullptr && std::strtoull(only, nullptr, 10) != sample) continue;
    const std::string kind = kKinds[sample % kinds];
    CAPTURE(sample);
    CAPTURE(kind);
    pairs.play(sample, Kind(sample % kinds));
    ++played;
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  std::printf("pairs: %llu samples of %llu kinds, %.0f per second; seed %llu\n",
              static_cast<unsigned long long>(played), static_cast<unsigned long long>(kinds),
              double(played) / took.count(), static_cast<unsigned long long>(seed));
}
