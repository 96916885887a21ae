// Orders of what recovery gives back (recovery.cpp, claimer.cpp): retry bits, `retries`, ready
// bits. Small scenarios, searched to their ends.
#include <doctest/doctest.h>

#include "daemon/recovery.hpp"
#include "tests/explore/bounds.hpp"
#include "tests/explore/hand.hpp"
#include "tests/explore/house.hpp"

using namespace jobring;
using explore::Hand;
using explore::House;
using explore::open_house;
using explore::require;
using explore::Scenario;
using explore::searched;

namespace {

// Who looks now finds it: by a ready bit, then `retries`, then its retry bit.
void require_found(House& house) {
  for (std::uint32_t i = 0; i < house.view.shape().slots; ++i) {
    if (!house.view.slot(i).word().is(SlotState::requeued)) continue;
    require(house.view.retry_word(0).load() >> i & 1, "a REQUEUED slot has its retry bit");
    require(house.view.header().retries.load() == 1, "retries is up while there is a retry bit");
    bool ready = false;
    for (const auto& level : house.doorbell->ready) ready = ready || level.words[0].load() != 0;
    require(ready, "the ready bit is set if there is work");
  }
}

// A house in which worker 1 has claimed `jobs` jobs, and will do nothing more.
struct Given {
  Given(Scenario& s, int jobs) : house(open_house(s, {.workers = 3, .hands = true})) {
    client = std::make_shared<House::Client>();
    worker = std::make_shared<Hand>(0);
    other = std::make_shared<Hand>(2);
    gone = std::make_shared<Hand>(1);
    for (int job = 0; job < jobs; ++job) client->put(job);
    client->channel().publish();
    while (gone->look()) {
    }
  }
  std::shared_ptr<House> house;
  std::shared_ptr<House::Client> client;
  std::shared_ptr<Hand> worker, other, gone;
};

enum class Gone { dead, stopped };

// As Pool::settle() and Pool::on_stopped().
void give_back(const Given& given, Gone how) {
  const std::uint32_t owner = given.gone->claimer().owner();
  if (how == Gone::dead) {
    recover_channel(given.house->view, owner, {});
  } else {
    requeue_claimed(given.house->view, owner);
  }
  rearm(*given.house->doorbell, 0);
}

}  // namespace

// retries.store(1), then the ready bits, against the ready bit cleared, then retries. All ready
// bits are set already, so the supervisor only looks at them; the worker clears all three.
TEST_CASE("what is given back while a worker lies down keeps its ready bit") {
  for (const Gone how : {Gone::dead, Gone::stopped}) {
    searched({.preemptions = 2, .stale = 3}, [=](Scenario& s) {
      const Given given(s, 1);
      rearm(*given.house->doorbell, 0);
      s.thread("supervisor", [=] { give_back(given, how); });
      s.thread("worker", [=] { given.worker->falls_asleep(); });
      s.at_end([=] { require_found(*given.house); });
    });
  }
}

// The retry bit, then retries.store(1), against retries.store(0), then the retry bits.
TEST_CASE("what is given back while a worker looks for such jobs is not forgotten") {
  for (const Gone how : {Gone::dead, Gone::stopped}) {
    searched({.preemptions = 3, .stale = 1}, [=](Scenario& s) {
      const Given given(s, 1);
      given.house->view.header().retries.store(1);  // of a death before
      s.thread("supervisor", [=] { give_back(given, how); });
      s.thread("worker", [=] { given.worker->look(); });
      s.at_end([=] { require_found(*given.house); });
    });
  }
}

// Recovery saw a REQUEUED job and set its bit again while a worker was about to claim it; that one
// is dead now as well. So the bit is there before the job is REQUEUED for the second time.
TEST_CASE("a retry bit is not taken down for a job that is given back at this moment") {
  for (const Gone how : {Gone::dead, Gone::stopped}) {
    searched({.preemptions = 3, .stale = 1}, [=](Scenario& s) {
      const Given given(s, 1);
      given.house->view.header().retries.store(1);
      given.house->view.retry_word(0).store(1);
      s.thread("supervisor", [=] { give_back(given, how); });
      s.thread("worker", [=] { given.worker->look(); });
      s.at_end([=] { require_found(*given.house); });
    });
  }
}

// retries.store(1) after a claim, then the ready bit, against the ready bit cleared, then retries.
TEST_CASE("who takes one of two requeued jobs leaves the other one for all to see") {
  searched({.preemptions = 3, .stale = 1}, [](Scenario& s) {
    const Given given(s, 2);
    give_back(given, Gone::dead);
    s.thread("worker", [=] { given.worker->look(); });
    s.thread("other worker", [=] { given.other->falls_asleep(); });
    s.at_end([=] { require_found(*given.house); });
  });
}
