// Orders of sleeping and waking workers (doorbell.hpp, claimer.cpp), each between two words: small
// scenarios, searched to their ends.
#include <doctest/doctest.h>

#include "daemon/recovery.hpp"
#include "tests/explore/bounds.hpp"
#include "tests/explore/hand.hpp"
#include "tests/explore/house.hpp"
#include "tests/explore/kernel.hpp"

using namespace jobring;
using explore::Hand;
using explore::House;
using explore::open_house;
using explore::require;
using explore::Scenario;
using explore::searched;

namespace {

constexpr auto kNormal = std::uint32_t(Priority::normal);

bool is_ready(House& house, std::uint32_t bit) {
  for (const auto& level : house.doorbell->ready) {
    if (level.words[bit / 64].load() >> (bit % 64) & 1) return true;
  }
  return false;
}

}  // namespace

// S1 S2 S3 against W1 W2 W3 W4.
TEST_CASE("who submits while the worker lies down rings it or is seen") {
  searched({.preemptions = 3, .stale = 1}, [](Scenario& s) {
    auto house = open_house(s, {.workers = 1, .hands = true});
    auto client = std::make_shared<House::Client>();
    auto worker = std::make_shared<Hand>(0);
    auto asleep = std::make_shared<bool>(false);
    house->doorbell->set_ready(kNormal, 0);  // of a job that is gone
    s.thread("client", [=] {
      client->put(0);
      client->channel().publish();
    });
    s.thread("worker", [=] { *asleep = worker->falls_asleep(); });
    s.at_end([=] {
      if (!house->view.slot(0).word().is(SlotState::queued)) return;
      require(is_ready(*house, 0), "the ready bit is set if there is work");
      require(!*asleep || worker->rings() != 0, "nobody sleeps on work");
    });
  });
}

// The slot's word decides who has a job, however many see its cell.
TEST_CASE("a job is in one worker's batch only") {
  searched({.preemptions = 3, .stale = 1}, [](Scenario& s) {
    auto house = open_house(s, {.workers = 2, .hands = true});
    auto client = std::make_shared<House::Client>();
    auto one = std::make_shared<Hand>(0), two = std::make_shared<Hand>(1);
    client->put(0);
    client->channel().publish();
    s.thread("first worker", [=] { one->look(); });
    s.thread("second worker", [=] { two->look(); });
    s.at_end(
        [=] { require(one->batch().count + two->batch().count == 1, "the job is in one batch"); });
  });
}

// A dead worker's bit, cleared and then everybody rung, against the submitter's look. The one that
// lives is not the first that a submitter would ring. With 65 workers its bit is in another word.
TEST_CASE("who still sees a dead worker asleep does not leave the job to it") {
  for (const std::uint32_t workers : {2, 65}) {
    searched({.preemptions = 1, .stale = 1}, [=](Scenario& s) {
      auto house = open_house(s, {.workers = workers, .hands = true});
      auto client = std::make_shared<House::Client>();
      auto dead = std::make_shared<Hand>(0), alive = std::make_shared<Hand>(workers - 1);
      dead->claimer().lie_down();
      alive->claimer().lie_down();
      rearm(*house->doorbell, 0);  // of a job that is gone: the supervisor finds them set
      s.thread("client", [=] {
        client->put(0);
        client->channel().publish();
      });
      s.thread("supervisor", [=] {
        clear_worker(*house->page, dead->claimer().index());
        rearm(*house->doorbell, 0);
        explore::ring(house->colleagues[workers - 1]);
      });
      s.thread("worker", [=] {
        do {
          alive->sleep();
          while (!alive->look() && !alive->falls_asleep() && !alive->batch()) {
          }
        } while (!alive->batch());
      });
    });
  }
}

// batch_count against the sleeping bits: Claimer::begin() and lie_down(). And what a thief reads
// behind batch_count, though it be a later one: Claimer::next().
TEST_CASE("who lies down sees what a busy worker has claimed or is rung for it") {
  searched({.preemptions = 3, .stale = 1}, [](Scenario& s) {
    auto house = open_house(s, {.workers = 2, .slots = 8, .short_jobs = true, .hands = true});
    auto client = std::make_shared<House::Client>();
    auto busy = std::make_shared<Hand>(0), idle = std::make_shared<Hand>(1);
    auto asleep = std::make_shared<bool>(false);
    for (int job = 0; job < 5; ++job) client->put(job);
    client->channel().publish();
    busy->look();
    while (idle->look()) {
    }
    idle->falls_asleep();
    idle->claimer().get_up();
    const std::uint64_t before = idle->rings();
    s.thread("busy worker", [=] {
      require(busy->batch().count == 3, "one to run and two to steal");
      busy->claimer().begin(busy->batch(), 1);
      busy->claimer().next(busy->batch(), 1);
    });
    s.thread("idle worker", [=] { *asleep = idle->falls_asleep(); });
    s.at_end([=] { require(!*asleep || idle->rings() != before, "nobody sleeps on work"); });
  });
}

// get_up() and the ready bits in leaves_work(). Both clients ring the first worker, which can take
// one job only: it has to see the other one and wake its colleague.
TEST_CASE("a worker that two clients have rung wakes another for what it leaves") {
  searched({.preemptions = 3, .stale = 2}, [](Scenario& s) {
    auto house = open_house(s, {.workers = 2, .channels = 2, .hands = true});
    auto one = std::make_shared<House::Client>(0), two = std::make_shared<House::Client>(1);
    auto rung = std::make_shared<Hand>(0), asleep = std::make_shared<Hand>(1);
    rung->claimer().lie_down();
    asleep->claimer().lie_down();
    one->put(0);
    one->channel().publish();
    const bool first = rung->rings() == 1 && asleep->rings() == 0;
    s.thread("second client", [=] {
      two->put(1);
      two->channel().publish();
    });
    s.thread("first worker", [=] {
      require(first, "the first client rings the first worker");
      rung->claimer().get_up();
      require(rung->look(), "it has been rung for something");
      rung->claimer().begin(rung->batch(), 1);
    });
    s.at_end([=] {
      const bool left = house->views[0].slot(0).word().is(SlotState::queued) ||
                        house->views[1].slot(0).word().is(SlotState::queued);
      require(!left || asleep->rings() != 0, "nobody sleeps on work");
    });
  });
}

// The same with `retries` in leaves_work(). A colleague that takes one of two requeued jobs, of
// another channel, rings the first worker for the other; that one had looked there before.
TEST_CASE("a worker that is rung for a job and a requeued one wakes another for what it leaves") {
  searched({.preemptions = 3, .stale = 2}, [](Scenario& s) {
    auto house = open_house(s, {.workers = 4, .channels = 2, .hands = true});
    auto one = std::make_shared<House::Client>(0), two = std::make_shared<House::Client>(1);
    auto rung = std::make_shared<Hand>(0), asleep = std::make_shared<Hand>(1);
    auto colleague = std::make_shared<Hand>(2), dead = std::make_shared<Hand>(3);
    two->put(1, 0, Priority::high);
    two->put(2, 0, Priority::high);
    two->channel().publish();
    while (dead->look()) {
    }
    recover_channel(house->views[1], dead->claimer().owner(), {});
    rung->claimer().lie_down();
    asleep->claimer().lie_down();
    one->put(0);
    one->channel().publish();
    const bool first = rung->rings() == 1 && asleep->rings() == 0;
    s.thread("colleague", [=] { require(colleague->look(), "two jobs are to be run again"); });
    s.thread("first worker", [=] {
      require(first, "the client rings the first worker");
      rung->claimer().get_up();
      require(rung->look(), "it has been rung for something");
      rung->claimer().begin(rung->batch(), 1);
    });
    s.at_end([=] {
      bool left = house->views[0].slot(0).word().is(SlotState::queued);
      for (std::uint32_t i = 0; i < 2; ++i)
        left = left || house->views[1].slot(i).word().is(SlotState::requeued);
      require(!left || asleep->rings() != 0, "nobody sleeps on work");
    });
  });
}

// The same with the list of a busy worker, which rings the first one for it as the client does for
// its job.
TEST_CASE("a worker that is rung for a job and a list wakes another for what it leaves") {
  searched({.preemptions = 3, .stale = 1}, [](Scenario& s) {
    auto house = open_house(s, {.workers = 3, .short_jobs = true, .hands = true});
    auto client = std::make_shared<House::Client>();
    auto rung = std::make_shared<Hand>(0), asleep = std::make_shared<Hand>(1);
    auto busy = std::make_shared<Hand>(2);
    for (int job = 0; job < 4; ++job) client->put(job);
    client->channel().publish();
    busy->look();
    client->channel().cancel_all();
    client->channel().reap(4);
    client->channel().reap(4);  // their slots are free
    rung->look();               // over their cells
    bool ready = rung->falls_asleep() && asleep->falls_asleep();
    client->put(4);
    client->channel().publish();
    ready = ready && rung->rings() == 1 && asleep->rings() == 0;
    s.thread("busy worker", [=] {
      require(busy->batch().count == 2, "one to run and one to steal");
      busy->claimer().begin(busy->batch(), 1);
    });
    s.thread("first worker", [=] {
      require(ready, "both slept and the client has rung the first one");
      rung->claimer().get_up();
      require(rung->look(), "it has been rung for something");
      rung->claimer().begin(rung->batch(), 1);
    });
    s.at_end([=] { require(asleep->rings() != 0, "nobody sleeps on work"); });
  });
}
