// The product's worker, client and recovery, in every order.
#include <doctest/doctest.h>

#include "tests/explore/bounds.hpp"
#include "tests/explore/house.hpp"

using namespace jobring;
using explore::explored;
using explore::House;
using explore::open_house;
using explore::require;
using explore::Scenario;

TEST_CASE("a worker and a client that sleep on each other are woken") {
  explored({.executions = 30'000, .preemptions = 2, .stale = 1}, [](Scenario& s) {
    open_house(s, {.workers = 1});
    s.thread("client", [] {
      House::Client client;
      for (int job = 0; job < 3; ++job) {
        client.put(job);
        client.channel().publish();
        client.finish(1);
      }
    });
  });
}

TEST_CASE("two workers share what a client submits, and the client sleeps until all is done") {
  explored({.executions = 20'000, .preemptions = 2, .stale = 1}, [](Scenario& s) {
    open_house(s, {.workers = 2});
    s.thread("client", [] {
      House::Client client;
      client.put(0);
      client.channel().publish();
      client.put(1);
      client.channel().publish();
      client.finish(2);
      client.put(2);
      client.channel().publish();
      client.finish(1);
    });
  });
}

TEST_CASE("a batch that its worker cannot get to is stolen, and each job runs once") {
  explored({.executions = 20'000, .preemptions = 2, .stale = 1}, [](Scenario& s) {
    auto house = open_house(s, {.workers = 2, .short_jobs = true});
    s.thread("client", [] {
      House::Client client;
      for (int job = 0; job < 4; ++job) client.put(job);
      client.channel().publish();
      client.finish(4);
    });
    s.at_end([house] {
      for (int job = 0; job < 4; ++job) require(house->jobs[job].runs == 1, "each job runs once");
    });
  });
}

// One worker can claim the three jobs that only end together: then both others must come and steal,
// though it rings but one of them for its list.
TEST_CASE("nobody sleeps while a job waits that a busy worker has claimed") {
  explored({.executions = 20'000, .preemptions = 3, .stale = 1, .steps = 8000}, [](Scenario& s) {
    // The first thread, so that it has published before a worker looks.
    s.thread("client", [] {
      House::Client client;
      for (int job = 0; job < 7; ++job) client.put(job);
      client.channel().publish();
      client.finish(7);
    });
    auto house = open_house(s, {.workers = 3, .slots = 8, .short_jobs = true, .together = 3});
    s.at_end([house] {
      for (int job = 0; job < 7; ++job) require(house->jobs[job].runs == 1, "each job runs once");
    });
  });
}

// (This one was once reported as a livelock, with JOBRING_SEED=1855968233: the client of the test
// took more completions than it had asked for, and then waited for them again. It says so now.)
TEST_CASE("a job is cancelled or run, never both") {
  explored({.executions = 20'000, .preemptions = 2, .stale = 2}, [](Scenario& s) {
    auto house = open_house(s, {.workers = 2});
    auto cancelled = std::make_shared<bool>(false);
    s.thread("client", [=] {
      House::Client client;
      const JobRef first = client.put(0);
      client.put(1);
      client.channel().publish();
      *cancelled = client.channel().cancel(first);
      client.finish(1);
      client.put(2);
      client.channel().publish();
      client.finish(2);
    });
    s.at_end([=] {
      require(house->jobs[0].runs == (*cancelled ? 0 : 1), "cancelled or run");
      require(house->jobs[1].runs == 1 && house->jobs[2].runs == 1, "the others run once");
    });
  });
}

TEST_CASE("whatever a killed worker leaves is made good, and its job runs again") {
  explored({.executions = 30'000, .preemptions = 1, .stale = 1, .kills = 1}, [](Scenario& s) {
    auto house = open_house(s, {.workers = 1, .mortal = true});
    s.thread("client", [] {
      House::Client client;
      client.put(0, 3);
      client.put(1, 3);
      client.channel().publish();
      client.finish(2);
      client.put(2, 3);
      client.channel().publish();
      client.finish(1);
    });
    s.at_end([house] {
      for (int job = 0; job < 3; ++job) {
        require(house->jobs[job].outcome == Outcome::ok, "a job with retries left ends well");
        require(house->jobs[job].runs <= 2, "a job runs again only because of a death");
      }
    });
  });
}

TEST_CASE("two workers, one of them killed, and jobs that may not run twice") {
  explored({.executions = 30'000, .preemptions = 2, .stale = 1, .kills = 2}, [](Scenario& s) {
    auto house = open_house(s, {.workers = 2, .mortal = true, .short_jobs = true});
    s.thread("client", [] {
      House::Client client;
      for (int job = 0; job < 3; ++job) client.put(job);
      client.channel().publish();
      client.finish(3);
    });
    s.at_end([house] {
      for (int job = 0; job < 3; ++job) {
        require(house->jobs[job].runs <= 1, "at most once");
        require(
            house->jobs[job].outcome == Outcome::ok || house->jobs[job].outcome == Outcome::crashed,
            "it ended, or its worker did");
      }
    });
  });
}

// Pool::kill_job() on the supervisor's side: it acts only on a job that it sees RUNNING.
TEST_CASE("a job that is to be stopped is either seen running or does not start") {
  explored({.executions = 60'000, .preemptions = 3, .stale = 2}, [](Scenario& s) {
    auto house = open_house(s, {.workers = 1});
    auto* asked = s.make<explore::Atomic<int>>();
    auto seen_running = std::make_shared<bool>(false);
    s.thread("client", [=] {
      House::Client client;
      const JobRef job = client.put(0);
      client.channel().publish();
      client.channel().kill(job, 15);
      asked->store(1, std::memory_order_release);
      client.finish(1);
    });
    s.thread("stopper", [=] {
      while (asked->load(std::memory_order_acquire) == 0) explore::yield();
      const StateWord word = house->view.slot(0).word(std::memory_order_seq_cst);
      *seen_running =
          word.is(SlotState::running) || word.is(SlotState::done) || word.is(SlotState::free);
      if (!word.is(SlotState::running)) return;
      const WorkerEntry& entry = house->page->worker(word.owner() - 1);
      require(entry.job_generation.get() >= word.generation(), "the worker says what it runs");
    });
    s.at_end(
        [=] { require(house->jobs[0].runs == 0 || *seen_running, "it ran, and nobody was told"); });
  });
}
