// The explorer itself: for each classic litmus test it must find exactly the outcomes that C++20
// allows. One that it missed would be a bug that it cannot find; one too many, a false alarm.
#include <doctest/doctest.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "atomic.hpp"
#include "explorer.hpp"

using explore::Atomic;
using explore::Data;
using explore::Ends;
using explore::Options;
using explore::Report;
using explore::Scenario;

namespace {

constexpr auto relaxed = std::memory_order_relaxed;
constexpr auto acquire = std::memory_order_acquire;
constexpr auto release = std::memory_order_release;
constexpr auto acq_rel = std::memory_order_acq_rel;
constexpr auto seq_cst = std::memory_order_seq_cst;

using Outcomes = std::set<std::string>;

struct Litmus {
  Scenario& s;
  Atomic<int>*x, *y;
  Data<int>* data;
  std::vector<int> r;  // what was read; -1: nothing
};

Options wide() {
  Options options;
  options.preemptions = 4;
  options.stale = 4;
  options.executions = 3'000'000;
  return options;
}

// All values of r, and of x and y at the end, that any execution shows.
template <class Body>
Outcomes outcomes(int results, Body body, bool with_memory = false) {
  Outcomes seen;
  const Report report = explore::explore(wide(), [&](Scenario& s) {
    auto litmus = std::make_shared<Litmus>(
        Litmus{s, s.make<Atomic<int>>(), s.make<Atomic<int>>(), s.make<Data<int>>(), {}});
    litmus->r.assign(std::size_t(results), -1);
    body(*litmus);
    s.at_end([litmus, with_memory, &seen] {
      std::string text;
      for (const int value : litmus->r) text += (text.empty() ? "" : " ") + std::to_string(value);
      if (with_memory)
        text += "; " + std::to_string(litmus->x->load()) + " " + std::to_string(litmus->y->load());
      seen.insert(text);
    });
  });
  CHECK_MESSAGE(report.ok(), report.failure);
  CHECK(report.complete);
  return seen;
}

Outcomes store_buffering(std::memory_order store, std::memory_order load) {
  return outcomes(2, [=](Litmus& l) {
    l.s.thread("A", [=, x = l.x, y = l.y, r = &l.r] {
      x->store(1, store);
      (*r)[0] = y->load(load);
    });
    l.s.thread("B", [=, x = l.x, y = l.y, r = &l.r] {
      y->store(1, store);
      (*r)[1] = x->load(load);
    });
  });
}

Outcomes message_passing(std::memory_order store, std::memory_order load) {
  return outcomes(2, [=](Litmus& l) {
    l.s.thread("A", [=, x = l.x, y = l.y] {
      x->store(1, relaxed);
      y->store(1, store);
    });
    l.s.thread("B", [=, x = l.x, y = l.y, r = &l.r] {
      (*r)[0] = y->load(load);
      (*r)[1] = x->load(relaxed);
    });
  });
}

Outcomes independent_reads(std::memory_order store, std::memory_order load) {
  return outcomes(4, [=](Litmus& l) {
    l.s.thread("A", [=, x = l.x] { x->store(1, store); });
    l.s.thread("B", [=, y = l.y] { y->store(1, store); });
    l.s.thread("C", [=, x = l.x, y = l.y, r = &l.r] {
      (*r)[0] = x->load(load);
      (*r)[1] = y->load(load);
    });
    l.s.thread("D", [=, x = l.x, y = l.y, r = &l.r] {
      (*r)[2] = y->load(load);
      (*r)[3] = x->load(load);
    });
  });
}

// A publishes data by y = 1; B makes y 2; C reads 2.
template <class Second>
Outcomes through_another(Second second) {
  return outcomes(1, [=](Litmus& l) {
    l.s.thread("A", [=, x = l.x, y = l.y] {
      x->store(1, relaxed);
      y->store(1, release);
      if constexpr (std::is_same_v<Second, std::memory_order>) y->store(2, second);
    });
    if constexpr (!std::is_same_v<Second, std::memory_order>) {
      l.s.thread("B", [=, y = l.y] { second(*y); });
    }
    l.s.thread("C", [=, x = l.x, y = l.y, r = &l.r] {
      if (y->load(acquire) == 2) (*r)[0] = x->load(relaxed);
    });
  });
}

const Outcomes kAllPairs{"0 0", "0 1", "1 0", "1 1"};

}  // namespace

TEST_CASE("litmus SB: both may read 0 unless all four accesses are seq_cst") {
  CHECK(store_buffering(relaxed, relaxed) == kAllPairs);
  CHECK(store_buffering(release, acquire) == kAllPairs);
  CHECK(store_buffering(seq_cst, acquire) == kAllPairs);
  CHECK(store_buffering(release, seq_cst) == kAllPairs);
  CHECK(store_buffering(seq_cst, seq_cst) == Outcomes{"0 1", "1 0", "1 1"});
}

TEST_CASE("litmus MP: the flag without the message only if either side is relaxed") {
  CHECK(message_passing(relaxed, relaxed) == kAllPairs);
  CHECK(message_passing(release, relaxed) == kAllPairs);
  CHECK(message_passing(relaxed, acquire) == kAllPairs);
  CHECK(message_passing(release, acquire) == Outcomes{"0 0", "0 1", "1 1"});
  CHECK(message_passing(seq_cst, seq_cst) == Outcomes{"0 0", "0 1", "1 1"});
}

TEST_CASE("litmus IRIW: two readers may disagree on the order of two writes unless it is seq_cst") {
  CHECK(independent_reads(release, acquire).contains("1 0 1 0"));
  CHECK(independent_reads(release, acquire).size() == 16);
  CHECK_FALSE(independent_reads(seq_cst, seq_cst).contains("1 0 1 0"));
  CHECK(independent_reads(seq_cst, seq_cst).size() == 15);
}

TEST_CASE("litmus CoRR: nobody sees one location go back") {
  const Outcomes seen = outcomes(2, [](Litmus& l) {
    l.s.thread("A", [x = l.x] {
      x->store(1, relaxed);
      x->store(2, relaxed);
    });
    l.s.thread("B", [x = l.x, r = &l.r] {
      (*r)[0] = x->load(relaxed);
      (*r)[1] = x->load(relaxed);
    });
  });
  CHECK(seen == Outcomes{"0 0", "0 1", "0 2", "1 1", "1 2", "2 2"});
}

TEST_CASE("litmus CoRR across threads: who was told by one that saw it sees it") {
  const Outcomes seen = outcomes(2, [](Litmus& l) {
    l.s.thread("A", [x = l.x] { x->store(1, relaxed); });
    l.s.thread("B", [x = l.x, y = l.y, r = &l.r] {
      (*r)[0] = x->load(relaxed);
      y->store(1, release);
    });
    l.s.thread("C", [x = l.x, y = l.y, r = &l.r] {
      if (y->load(acquire) == 1) (*r)[1] = x->load(relaxed);
    });
  });
  CHECK(seen == Outcomes{"0 -1", "0 0", "0 1", "1 -1", "1 1"});
}

TEST_CASE("litmus WRC: happens-before is transitive") {
  const auto run = [](std::memory_order store, std::memory_order load) {
    return outcomes(2, [=](Litmus& l) {
      l.s.thread("A", [=, x = l.x] { x->store(1, store); });
      l.s.thread("B", [=, x = l.x, y = l.y] {
        if (x->load(load) == 1) y->store(1, store);
      });
      l.s.thread("C", [=, x = l.x, y = l.y, r = &l.r] {
        (*r)[0] = y->load(load);
        (*r)[1] = x->load(relaxed);
      });
    });
  };
  CHECK(run(release, acquire) == Outcomes{"0 0", "0 1", "1 1"});
  CHECK(run(relaxed, relaxed) == kAllPairs);
}

TEST_CASE("litmus 2+2W: the two orders of writes may both end with the first ones") {
  const auto run = [](std::memory_order order) {
    return outcomes(
        0,
        [=](Litmus& l) {
          l.s.thread("A", [=, x = l.x, y = l.y] {
            x->store(1, order);
            y->store(2, order);
          });
          l.s.thread("B", [=, x = l.x, y = l.y] {
            y->store(1, order);
            x->store(2, order);
          });
        },
        true);
  };
  CHECK(run(relaxed) == Outcomes{"; 1 1", "; 1 2", "; 2 1", "; 2 2"});
  CHECK(run(release) == Outcomes{"; 1 1", "; 1 2", "; 2 1", "; 2 2"});
  CHECK(run(seq_cst) == Outcomes{"; 1 2", "; 2 1", "; 2 2"});
}

TEST_CASE("litmus S: a write is behind those that its thread was told of") {
  const auto run = [](std::memory_order store, std::memory_order load) {
    return outcomes(
        1,
        [=](Litmus& l) {
          l.s.thread("A", [=, x = l.x, y = l.y] {
            x->store(2, relaxed);
            y->store(1, store);
          });
          l.s.thread("B", [=, x = l.x, y = l.y, r = &l.r] {
            (*r)[0] = y->load(load);
            x->store(1, relaxed);
          });
        },
        true);
  };
  CHECK_FALSE(run(release, acquire).contains("1; 2 1"));
  CHECK(run(relaxed, acquire).contains("1; 2 1"));
  CHECK(run(release, relaxed).contains("1; 2 1"));
}

TEST_CASE("litmus R: a seq_cst read is not older than a seq_cst write that lost") {
  const auto run = [](std::memory_order order) {
    return outcomes(
        1,
        [=](Litmus& l) {
          l.s.thread("A", [=, x = l.x, y = l.y] {
            x->store(1, order);
            y->store(1, order);
          });
          l.s.thread("B", [=, x = l.x, y = l.y, r = &l.r] {
            y->store(2, order);
            (*r)[0] = x->load(order == release ? acquire : order);
          });
        },
        true);
  };
  CHECK_FALSE(run(seq_cst).contains("0; 1 2"));
  CHECK(run(release).contains("0; 1 2"));
}

TEST_CASE("litmus release sequence: RMWs continue it, whoever makes them") {
  CHECK(through_another([](Atomic<int>& y) { y.fetch_add(1, relaxed); }) == Outcomes{"-1", "1"});
  CHECK(through_another([](Atomic<int>& y) {
          int one = 1;
          y.compare_exchange_strong(one, 2, relaxed);
        }) == Outcomes{"-1", "1"});
}

TEST_CASE("litmus release sequence: plain stores end it, whoever makes them") {
  CHECK(through_another([](Atomic<int>& y) {
          if (y.load(relaxed) == 1) y.store(2, relaxed);
        }) == Outcomes{"-1", "0", "1"});
  CHECK(through_another(relaxed) == Outcomes{"-1", "0", "1"});  // not so before C++20
  CHECK(through_another(release) == Outcomes{"-1", "1"});
}

TEST_CASE("litmus RMW: two never read the same store") {
  const Outcomes seen = outcomes(
      2,
      [](Litmus& l) {
        for (int t : {0, 1}) {
          l.s.thread("T", [t, x = l.x, r = &l.r] {
            int zero = 0;
            (*r)[std::size_t(t)] = x->compare_exchange_strong(zero, t + 1, relaxed);
          });
        }
      },
      true);
  CHECK(seen == Outcomes{"0 1; 2 0", "1 0; 1 0"});
  const Outcomes sums = outcomes(
      0,
      [](Litmus& l) {
        for (int t = 0; t < 3; ++t) l.s.thread("T", [x = l.x] { x->fetch_add(1, relaxed); });
      },
      true);
  CHECK(sums == Outcomes{"; 3 0"});
}

TEST_CASE("litmus SB with exchanges: a seq_cst RMW is as good as store and load") {
  const auto run = [](std::memory_order order) {
    return outcomes(2, [=](Litmus& l) {
      l.s.thread("A", [=, x = l.x, y = l.y, r = &l.r] {
        x->exchange(1, order);
        (*r)[0] = y->load(order == acq_rel ? acquire : order);
      });
      l.s.thread("B", [=, x = l.x, y = l.y, r = &l.r] {
        y->exchange(1, order);
        (*r)[1] = x->load(order == acq_rel ? acquire : order);
      });
    });
  };
  CHECK(run(acq_rel) == kAllPairs);
  CHECK(run(seq_cst) == Outcomes{"0 1", "1 0", "1 1"});
}

TEST_CASE("litmus CAS: the weak one fails without reason, the strong one does not") {
  const auto run = [](bool weak) {
    return outcomes(1, [=](Litmus& l) {
      l.s.thread("A", [=, x = l.x, r = &l.r] {
        int zero = 0;
        (*r)[0] = weak ? x->compare_exchange_weak(zero, 1) : x->compare_exchange_strong(zero, 1);
      });
    });
  };
  CHECK(run(true) == Outcomes{"0", "1"});
  CHECK(run(false) == Outcomes{"1"});
}

// A limit, not a promise: no execution reads from the future. docs/reliability.md says why that is
// enough for this product.
TEST_CASE("litmus LB: what is out of reach for the explorer is known") {
  const Outcomes seen = outcomes(2, [](Litmus& l) {
    l.s.thread("A", [x = l.x, y = l.y, r = &l.r] {
      (*r)[0] = x->load(relaxed);
      y->store(1, relaxed);
    });
    l.s.thread("B", [x = l.x, y = l.y, r = &l.r] {
      (*r)[1] = y->load(relaxed);
      x->store(1, relaxed);
    });
  });
  CHECK(seen == Outcomes{"0 0", "0 1", "1 0"});
}

TEST_CASE("a data race is a failure, and an ordered access is none") {
  const auto run = [](std::memory_order store) {
    return explore::explore(wide(), [=](Scenario& s) {
      auto* data = s.make<Data<int>>();
      auto* flag = s.make<Atomic<int>>();
      s.thread("A", [=] {
        data->set(7);
        flag->store(1, store);
      });
      s.thread("B", [=] {
        if (flag->load(acquire) == 1) explore::require(data->get() == 7, "the data is there");
      });
    });
  };
  CHECK(run(release).ok());
  CHECK(run(relaxed).failure.find("data race") == 0);
}

TEST_CASE("a deadlock, a livelock and a wait that is not rung are failures") {
  const Report lost = explore::explore(wide(), [](Scenario& s) {
    auto* bell = s.make<explore::Event>();
    auto* ready = s.make<Atomic<int>>();
    s.thread("sleeper", [=] {
      if (ready->load() == 0) bell->wait();  // looked before anybody could know that it sleeps
    });
    s.thread("waker", [=] { ready->store(1); });
  });
  CHECK(lost.failure.find("deadlock") == 0);
  Options few = wide();
  few.steps = 100;
  const Report round = explore::explore(few, [](Scenario& s) {
    auto* x = s.make<Atomic<int>>();
    s.thread("for ever", [=] {
      while (x->load() == 0) explore::yield();
    });
  });
  CHECK(round.failure.find("livelock") == 0);
}

TEST_CASE("a killed thread stops at any step, and what it did is known to who buries it") {
  std::set<int> seen;
  Options options = wide();
  options.kills = 1;
  const Report report = explore::explore(options, [&seen](Scenario& s) {
    auto* x = s.make<Atomic<int>>();
    s.thread(
        "victim",
        [=] {
          for (int i = 1; i <= 3; ++i) x->store(i, relaxed);
        },
        Ends::with_all, true);
    s.thread(
        "undertaker",
        [=, &seen] {
          explore::await_death();
          seen.insert(x->load(relaxed));
        },
        Ends::with_all);
    s.thread("other", [=] { x->load(relaxed); });
  });
  CHECK_MESSAGE(report.ok(), report.failure);
  CHECK(report.complete);
  CHECK(seen == std::set<int>{0, 1, 2});
}

TEST_CASE("the same seed draws the same executions") {
  const auto run = [](std::uint64_t seed) {
    Options options;
    options.seed = seed;
    options.executions = 50;
    std::string seen;
    explore::explore(options, [&seen](Scenario& s) {
      auto* x = s.make<Atomic<int>>();
      for (char name : {'a', 'b', 'c'})
        s.thread("T", [=, &seen] {
          x->fetch_add(1);
          seen += name;
          x->fetch_add(1);
          seen += name;
        });
    });
    return seen;
  };
  CHECK(run(1) == run(1));
  CHECK(run(1) != run(2));
}
