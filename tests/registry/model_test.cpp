// Random requests against a model that is simple enough to be believed: vectors, searched from the
// front. What is modelled is what is hard: lines, holders, deaths, time-outs, restarts.
#include <algorithm>
#include <deque>
#include <random>
#include <set>

#include "tests/registry/registry.hpp"
#include "tests/support/seed.hpp"

using namespace jobring;
using namespace jobring::test;

namespace {

constexpr std::int64_t kPermits = 3, kCapacity = 3;

struct Wanting {
  std::uint64_t id, session;
  std::int64_t n, deadline;
  std::string item;
};
using Line = std::deque<Wanting>;

// A lock (one permit), a bounded semaphore and a bounded queue with leases.
struct Model {
  struct Leased {
    std::uint64_t session;
    int number;
    std::string item;
    std::uint64_t get;
  };
  std::vector<std::pair<std::uint64_t, std::int64_t>> held[2];  // session, permits
  Line lines[2], getters, putters;
  std::vector<std::pair<int, std::string>> items;  // by number
  std::vector<Leased> leases;
  int next = 0;
  std::map<std::uint64_t, Status> replies;
  std::map<std::uint64_t, std::string> got;

  std::int64_t left(int which) const {
    std::int64_t all = which == 0 ? 1 : kPermits;
    for (const auto& h : held[which]) all -= h.second;
    return all;
  }
  std::int64_t held_by(int which, std::uint64_t session) const {
    for (const auto& h : held[which])
      if (h.first == session) return h.second;
    return 0;
  }
  void add_held(int which, std::uint64_t session, std::int64_t n) {
    auto& all = held[which];
    const auto at =
        std::find_if(all.begin(), all.end(), [&](auto& h) { return h.first == session; });
    if (at == all.end()) {
      all.emplace_back(session, n);
    } else if ((at->second += n) == 0) {
      all.erase(at);
    }
  }
  // Whoever is first gets what is there, until nothing moves.
  void settle() {
    for (int which : {0, 1}) {
      Line& line = lines[which];
      while (!line.empty() && line.front().n <= left(which)) {
        add_held(which, line.front().session, line.front().n);
        replies[line.front().id] = Status::ok;
        line.pop_front();
      }
    }
    for (bool moved = true; moved;) {
      moved = false;
      if (!getters.empty() && !items.empty()) {
        const Wanting w = getters.front();
        getters.pop_front();
        leases.push_back({w.session, items.front().first, items.front().second, w.id});
        got[w.id] = items.front().second;
        items.erase(items.begin());
        replies[w.id] = Status::ok;
        moved = true;
      }
      if (!putters.empty() && std::int64_t(items.size()) < kCapacity) {
        items.emplace_back(next++, putters.front().item);
        replies[putters.front().id] = Status::ok;
        putters.pop_front();
        moved = true;
      }
    }
  }
  void want(Line& line, Wanting w, std::int64_t now) {
    line.push_back(w);
    settle();
    if (w.deadline <= now)
      remove_if(
          line, [&](const Wanting& x) { return x.id == w.id; }, Status::timed_out);
  }
  template <class Predicate>
  void remove_if(Line& line, Predicate leaves, Status status) {
    for (auto at = line.begin(); at != line.end();) {
      if (!leaves(*at)) {
        ++at;
        continue;
      }
      if (status != Status::removed) replies[at->id] = status;  // removed: of the dead
      at = line.erase(at);
    }
  }
  template <class Predicate>
  void each_line(Predicate leaves, Status status) {
    for (Line* line : {&lines[0], &lines[1], &getters, &putters}) remove_if(*line, leaves, status);
    settle();
  }
  void die(std::uint64_t session) {
    each_line([&](const Wanting& w) { return w.session == session; }, Status::removed);
    for (int which : {0, 1})
      std::erase_if(held[which], [&](auto& h) { return h.first == session; });
    for (const Leased& l : leases)
      if (l.session == session) items.emplace_back(l.number, l.item);
    std::erase_if(leases, [&](const Leased& l) { return l.session == session; });
    std::sort(items.begin(), items.end());
    settle();
  }
  void restart() {
    for (Line* line : {&lines[0], &lines[1], &getters, &putters}) line->clear();
    for (auto& h : held) h.clear();
  }
};

}  // namespace

TEST_CASE("random requests, deaths, time-outs and restarts end as in the model") {
  const std::uint64_t seed = seed_of_test();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  Registry r;
  Model model;
  std::uint64_t epoch_of_session = 0;  // the dead are never seen again
  const auto lock = [](Op op) { return on(op, "lock"); };
  const auto semaphore = [](Op op) {
    return typed(sized(on(op, "sem"), kPermits), ObjectType::bounded_semaphore);
  };
  const auto queue = [](Op op) { return sized(on(op, "queue"), kCapacity); };
  std::vector<std::uint64_t> sessions;
  std::uint64_t last_token = 0;

  for (int i = 0; i < 30'000; ++i) {
    CAPTURE(i);
    while (sessions.size() < 5) sessions.push_back(++epoch_of_session);
    const std::uint64_t session = sessions[random() % sessions.size()];
    const std::int64_t deadline = random() % 3 == 0   ? 0
                                  : random() % 3 == 0 ? kNoDeadline
                                                      : r.now + std::int64_t(random() % 50);
    const std::int64_t n = 1 + std::int64_t(random() % std::uint64_t(kPermits));
    const std::uint64_t id = r.last_id + 1;
    switch (random() % 16) {
      case 0:
      case 1:
        r.send(session, until(lock(Op::lock_acquire), deadline));
        model.want(model.lines[0], {id, session, 1, deadline, {}}, r.now);
        break;
      case 2:
      case 3:
      case 4: {
        r.send(session, lock(Op::lock_release));
        const bool holds = model.held_by(0, session) != 0;
        if (holds) model.add_held(0, session, -1);
        // After a restart it may be `lost`; both are refusals.
        model.replies[id] = holds                          ? Status::ok
                            : r.status(id) == Status::lost ? Status::lost
                                                           : Status::not_holder;
        model.settle();
        break;
      }
      case 5:
      case 6:
        r.send(session, with(until(semaphore(Op::semaphore_acquire), deadline), n));
        model.want(model.lines[1], {id, session, n, deadline, {}}, r.now);
        break;
      case 7:
      case 8: {
        r.send(session, with(semaphore(Op::semaphore_release), n));
        const bool holds = model.held_by(1, session) >= n;
        if (holds) model.add_held(1, session, -n);
        model.replies[id] = holds                          ? Status::ok
                            : r.status(id) == Status::lost ? Status::lost
                                                           : Status::over_release;
        model.settle();
        break;
      }
      case 9:
      case 10: {
        const std::string item = "item " + std::to_string(i);
        r.send(session, until(valued(queue(Op::queue_put), item), deadline), id);
        model.want(model.putters, {id, session, 1, deadline, item}, r.now);
        break;
      }
      case 11:
      case 12:
        r.send(session, until(flagged(queue(Op::queue_get), kLease), deadline), id);
        model.want(model.getters, {id, session, 1, deadline, {}}, r.now);
        break;
      case 13:
        if (!model.leases.empty()) {
          const auto at = model.leases.begin() + std::ptrdiff_t(random() % model.leases.size());
          // A lease outlives a restart, and its token is in its reply.
          r.send(at->session, token(queue(Op::queue_task_done), r.replies.at(at->get).token), id);
          model.leases.erase(at);
          model.replies[id] = Status::ok;
        }
        break;
      case 14:
        if (random() % 8 == 0) {
          r.end(session);
          model.die(session);
          std::erase(sessions, session);
        } else if (random() % 40 == 0) {
          r.restart();
          model.restart();
        }
        break;
      default: {
        const std::int64_t to = r.now + std::int64_t(random() % 30);
        // In the order of the deadlines, as a clock that ticks finely would do it.
        for (std::int64_t t = r.now; t <= to; ++t) {
          r.tick(t);
          model.each_line([&](const Wanting& w) { return w.deadline <= t; }, Status::timed_out);
        }
      }
    }
    for (const auto& [request, status] : model.replies) {
      const auto found = r.replies.find(request);
      REQUIRE_MESSAGE(found != r.replies.end(), "no reply to request " << request);
      REQUIRE(found->second.status == status);
      if (model.got.count(request) != 0) REQUIRE(found->second.payload == model.got[request]);
      if (found->second.status == Status::ok && found->second.token > last_token)
        last_token = found->second.token;
    }
    for (const auto& [request, reply] : r.replies) {
      REQUIRE_MESSAGE(model.replies.count(request) == 1,
                      "request " << request << " was answered: "
                                 << std::string(to_string(reply.status)) << ' ' << reply.payload);
    }
    // Answers to leases are kept for their tokens, the rest is done with.
    if (i % 16 == 0) {
      std::set<std::uint64_t> needed;
      for (const auto& lease : model.leases) needed.insert(lease.get);
      const auto done = [&](const auto& e) { return needed.count(e.first) == 0; };
      std::erase_if(model.replies, done);
      std::erase_if(r.replies, done);
      std::erase_if(model.got, done);
    }
  }
  CHECK(last_token > kFirstToken);
}
