// Orders of how jobs end (completion.hpp, channel_impl.cpp, recovery.cpp, job_run.cpp):
// completions, rescan, requests to stop. Small scenarios, searched to their ends.
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

constexpr int kSignal = 15;

// A house in which worker 0 has claimed the one job.
struct Given {
  explicit Given(Scenario& s, std::uint8_t crash_retries = 0)
      : house(open_house(s, {.workers = 1, .hands = true})) {
    client = std::make_shared<House::Client>();
    worker = std::make_shared<Hand>(0);
    job = client->put(0, crash_retries);
    client->channel().publish();
  }
  // Takes completions without ever sleeping.
  void poll() const {
    while (client->channel().reap(1).empty()) explore::yield();
  }
  std::shared_ptr<House> house;
  std::shared_ptr<House::Client> client;
  std::shared_ptr<Hand> worker;
  JobRef job;
};

Death killed() {
  Death death;
  death.signal = 9;
  return death;
}

}  // namespace

// The completion word, then `waiting`, against `waiting`, then the completion word.
TEST_CASE("a client that lies down while its job completes is rung or sees it") {
  searched({.preemptions = 3, .stale = 1}, [](Scenario& s) {
    const Given given(s);
    given.worker->look();
    given.worker->start(0);
    s.thread("worker", [=] { given.worker->end(); });
    s.thread("client", [=] { given.client->finish(1); });
  });
}

// The outcome and result, then the completion word, against that word, then these.
TEST_CASE("a client that polls sees outcome and result of what it takes") {
  searched({.preemptions = 3, .stale = 1, .steps = 1000}, [](Scenario& s) {
    const Given given(s);
    given.worker->look();
    given.worker->start(0);
    s.thread("worker", [=] { given.worker->end(); });
    s.thread("client", [=] { given.poll(); });
  });
}

// Nobody looks whether the client waits: it is rung once. That orders nothing by itself, so only
// seq_cst shows `rescan` to a client that looks after it.
TEST_CASE("a client that is rung once after a recovery sees what it did") {
  enum class By { recovery, condemned, broken_pool };
  for (const By by : {By::recovery, By::condemned, By::broken_pool}) {
    searched({.preemptions = 2, .stale = 3}, [=](Scenario& s) {
      const Given given(s);
      StateWord running;
      if (by != By::broken_pool) {
        given.worker->look();
        given.worker->start(0);
        running = given.house->view.slot(0).word();
      }
      s.thread("supervisor", [=] {
        const ChannelView& view = given.house->view;
        if (by == By::recovery) recover_channel(view, running.owner(), killed());
        if (by == By::condemned) end_running(view, 0, running, killed());
        if (by == By::broken_pool) fail_waiting(view, "broken");
        explore::ring(given.house->client_events[0]);
      });
      s.thread("client", [=] { given.client->finish(1); });
    });
  }
}

// rescan is taken down before the slots are looked at, and only once.
TEST_CASE("a client that polls finds what a recovery has ended") {
  searched({.preemptions = 3, .stale = 2, .steps = 1000}, [](Scenario& s) {
    const Given given(s);
    given.worker->look();
    given.worker->start(0);
    s.thread("supervisor", [=] {
      recover_channel(given.house->view, given.worker->claimer().owner(), killed());
    });
    s.thread("client", [=] { given.poll(); });
  });
}

// Who takes rescan down, or up again because one reap is not enough, sees what raised it last: a
// store would undo a flag that it has not seen. The first death ends two jobs.
TEST_CASE("a client that polls finds what two deaths in a row have ended") {
  searched({.preemptions = 2, .stale = 1, .steps = 1000}, [](Scenario& s) {
    auto house = open_house(s, {.workers = 2, .hands = true});
    auto client = std::make_shared<House::Client>();
    auto one = std::make_shared<Hand>(0), two = std::make_shared<Hand>(1);
    for (int job = 0; job < 3; ++job) client->put(job);
    client->channel().publish();
    for (const auto& worker : {one, one, two}) {
      worker->look();
      worker->start(0);
    }
    s.thread("supervisor", [=] {
      recover_channel(house->view, one->claimer().owner(), killed());
      recover_channel(house->view, two->claimer().owner(), killed());
    });
    s.thread("client", [=] {
      for (std::size_t ended = 0; ended < 3;) {
        const std::size_t some = client->channel().reap(1).size();
        require(some <= 1, "it takes no more than it asks for");
        ended += some;
        if (some == 0) explore::yield();
      }
    });
  });
}

// Their cells are still in the ring, which has two: the client moves the head over them.
TEST_CASE("a client that has cancelled a ring of jobs takes them one by one and submits others") {
  searched({.preemptions = 2, .stale = 1}, [](Scenario& s) {
    auto house = open_house(s, {.workers = 1, .slots = 2, .hands = true});
    auto client = std::make_shared<House::Client>();
    auto worker = std::make_shared<Hand>(0);
    for (int job = 0; job < 2; ++job) client->put(job);
    client->channel().publish();
    s.thread("client", [=] {
      const std::size_t cancelled = client->channel().cancel_all();
      for (std::size_t job = 0; job < cancelled; ++job)
        require(client->channel().reap(1).size() == 1, "one is there");
      client->channel().reap(1);
      for (std::size_t job = 0; job < cancelled; ++job) client->put(2);
      client->channel().publish();
    });
    s.thread("worker", [=] { worker->look(); });
    s.at_end([=] {
      int waiting = worker->batch() ? 1 : 0;  // or claimed
      while (worker->look()) ++waiting;
      require(waiting == 2, "every job is found");
    });
  });
}

// The client is told by the slot's word alone that the job is DONE: it scans because of another
// worker's death, before this one's completion word is there.
TEST_CASE("a job that is found DONE by a scan has its outcome and result") {
  searched({.preemptions = 3, .stale = 1}, [](Scenario& s) {
    const Given given(s);
    given.worker->look();
    given.worker->start(0);
    given.house->view.header().rescan.store(1);
    s.thread("worker", [=] { given.worker->end(); });
    s.thread("client", [=] { given.client->finish(1); });
  });
}

// The word tells the client of REQUEUED, and nothing else of the attempt that was counted before.
TEST_CASE("a job that is cancelled after a crash shows its attempts") {
  searched({.preemptions = 3, .stale = 1, .steps = 1000}, [](Scenario& s) {
    const Given given(s, 3);
    given.worker->look();
    given.worker->start(0);
    s.thread("supervisor", [=] {
      recover_channel(given.house->view, given.worker->claimer().owner(), killed());
    });
    s.thread("client", [=] {
      while (!given.client->channel().cancel(given.job)) explore::yield();
      const auto ended = given.client->channel().reap(1);
      require(ended.size() == 1 && ended[0].outcome == Outcome::cancelled && ended[0].attempts == 1,
              "it was tried once and cancelled");
    });
  });
}

// The supervisor finds a waiting job by its word alone, not by the ring.
TEST_CASE("a job that the supervisor fails is not its client's any more") {
  searched({.preemptions = 3, .stale = 1}, [](Scenario& s) {
    const Given given(s);
    given.worker->look();
    given.worker->start(0);
    given.worker->end();
    s.thread("client", [=] {
      given.client->finish(1);
      given.client->channel().reap(1);  // its slot is free again
      given.client->put(1);
      given.client->channel().publish();
    });
    s.thread("supervisor", [=] { fail_waiting(given.house->view, "broken"); });
  });
}

// kill_request, then the word (Pool::kill_job()), against the word made RUNNING, then kill_request.
TEST_CASE("a job that is to be stopped is seen running or is not opened") {
  searched({.preemptions = 3, .stale = 1}, [](Scenario& s) {
    const Given given(s);
    given.worker->look();
    auto runs = std::make_shared<bool>(false), told = std::make_shared<bool>(false);
    s.thread("client and supervisor", [=] {
      given.client->channel().kill(given.job, kSignal);
      *told = given.house->view.slot(0).word(std::memory_order_seq_cst).is(SlotState::running);
    });
    s.thread("worker", [=] { *runs = given.worker->start(0); });
    s.at_end([=] { require(!*runs || *told, "it runs, and nobody was told"); });
  });
}

// closing, then the words (Pool::close_channel()), against the word made RUNNING, then closing.
TEST_CASE("a job of a client that is gone is seen running or is not opened") {
  searched({.preemptions = 3, .stale = 1}, [](Scenario& s) {
    const Given given(s);
    auto runs = std::make_shared<bool>(false), told = std::make_shared<bool>(false);
    s.thread("supervisor", [=] {
      given.house->view.header().closing.store(2, std::memory_order_seq_cst);
      cancel_waiting(given.house->view);
      for_each_slot(given.house->view, [=](std::uint32_t, StateWord word) {
        *told = *told || word.is(SlotState::running);
      });
    });
    s.thread("worker", [=] { *runs = given.worker->look() && given.worker->start(0); });
    s.at_end([=] {
      require(!*runs || *told, "it runs, and nobody was told");
      const StateWord word = given.house->view.slot(0).word();
      require(!word.is(SlotState::queued), "nothing waits any more");
    });
  });
}
