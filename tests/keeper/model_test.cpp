// Random turns on a store and on its model: the same answers, the same order, the same jobs. The
// store is opened again in the middle, turns are abandoned, clocks jump.
//
// JOBRING_SEED replays a run; JOBRING_KEEPER_TURNS makes it longer.
#include <algorithm>
#include <random>

#include "tests/keeper/house.hpp"
#include "tests/keeper/model.hpp"
#include "tests/support/seed.hpp"

using namespace jobring;
using namespace jobring::test;

namespace {

constexpr std::int64_t kAgeing = 7;
constexpr std::uint64_t kKeep = 5'000;

std::string text(const std::vector<JobId>& ids) {
  std::string all;
  for (const JobId id : ids) all += std::to_string(id) + " ";
  return all;
}
std::string text(const Selector& which) {
  std::string all = "ids";
  for (const auto& [from, to] : which.ids)
    all += " " + std::to_string(from) + "-" + std::to_string(to);
  return all + " pool " + std::string(which.pool) + " states " + std::to_string(which.states) +
         " tag " + std::string(which.tag) + " group " + std::to_string(which.group);
}

class Game {
 public:
  explicit Game(std::uint64_t seed)
      : random_(seed), house_({.ageing = kAgeing, .keep_ms = kKeep}), model_(kAgeing, kKeep) {}

  void turn() {
    pass();
    const Model before = model_;
    house_.begin(chance(3) ? Durability::batched : Durability::synced);
    const int steps = 1 + int(below(5));
    for (int i = 0; i < steps; ++i) step();
    if (chance(10)) {
      house_->abandon();
      model_ = before;
    } else {
      house_.commit();
    }
    if (chance(15)) house_.reopen();
    if (chance(4)) compare();
  }
  void compare() {
    house_.sound();
    const auto pages = house_.list({}, 1'000'000);
    std::vector<JobId> ids;
    for (const auto& [id, j] : model_.jobs) ids.insert(ids.begin(), id);
    REQUIRE(text(pages) == text(ids));
    std::map<std::pair<std::string, JobState>, std::uint64_t> counts;
    for (const auto& [id, j] : model_.jobs) {
      CAPTURE(id);
      ++counts[{j.pool, j.state}];
      const JobRecord record = house_.show(id);
      REQUIRE(record.job.state == j.state);
      CHECK(record.job.spec.pool == j.pool);
      CHECK(record.job.spec.priority == j.priority);
      CHECK(record.job.attempts == j.tries + (j.state == JobState::running ? 1 : 0));
      CHECK(record.job.unmet == j.waits.size());
      if (j.state == JobState::delayed || j.state == JobState::failed)
        CHECK(record.job.due_ms == j.due);
      if (j.state == JobState::running) CHECK(record.job.stop_wanted == j.stop);
    }
    for (const char* pool : kPools)
      for (unsigned state = 0; state < kJobStates; ++state)
        CHECK(house_.count(pool, JobState(state)) == counts[{pool, JobState(state)}]);
    for (const auto& [id, g] : model_.groups) {
      const auto view = house_->group(id);
      REQUIRE(view.ok());
      REQUIRE(view->has_value());
      CHECK((*view)->size == std::uint64_t(g.size));
      CHECK((*view)->open == std::uint64_t(g.open));
      CHECK((*view)->bad == std::uint64_t(g.bad));
    }
    const Selector which = selector();
    std::erase_if(ids, [&](JobId id) { return !model_.fits(which, id); });
    CHECK_MESSAGE(text(house_.list(which, 1'000'000)) == text(ids), text(which));
  }

 private:
  static constexpr const char* kPools[] = {"p", "q", "r"};
  const std::string kLong = std::string(2'000, 'x');
  static constexpr const char* kTags[] = {"red", "green"};
  static constexpr const char* kKeys[] = {"k1", "k2", "k3"};  // at most 1, 2, 3 at once

  std::uint64_t below(std::uint64_t n) { return random_() % n; }
  bool chance(std::uint64_t one_in) { return below(one_in) == 0; }
  JobId some_job() { return 1 + below(model_.next); }

  void pass() {
    house_.pass(std::int64_t(below(200)));
    // The real clock is set, forth and back.
    if (chance(30)) house_.clock.real_ms += 3'000;
    if (chance(30)) house_.clock.real_ms -= 3'000;
    model_.now = house_.clock;
  }

  JobSpec spec(std::size_t at) {
    JobSpec s = job(kPools[below(3)]);
    if (chance(2)) {  // a plain one, which goes into a pack
      if (chance(8)) s.payload = kLong;
      if (chance(10))
        s.array = Array{3, 3 + std::int64_t(below(chance(5) ? 300 : 8)), 2, 0};
      else if (chance(4))
        join(s);
      return s;
    }
    if (chance(3)) s.priority = std::int32_t(below(7)) - 3;
    if (chance(6)) s.delay_ms = below(1'000);
    if (chance(8)) s.run_at_ms = house_.clock.real_ms + std::int64_t(below(2'000)) - 500;
    if (chance(8)) s.deadline_ms = house_.clock.real_ms + std::int64_t(below(3'000)) + 1;
    if (chance(10)) s.held = true;
    if (chance(4)) s.tags = {kTags[below(2)]};
    if (chance(4)) {
      const std::size_t key = below(3);
      s.concurrency_key = kKeys[key];
      s.concurrency_max = std::uint32_t(key + 1);
    }
    if (chance(5)) {
      s.unique.key = kTags[below(2)];
      s.unique.until = UniqueUntil(below(3));
      s.unique.for_ms = 1 + below(2'000);
      s.unique.replace = chance(2);
    }
    if (chance(4))
      for (std::uint64_t n = 1 + below(3); n > 0; --n)
        s.dependencies.push_back({some_job(), After(below(2)), false});
    if (at > 0 && chance(6)) s.dependencies.push_back({below(at), After(below(2)), true});
    if (chance(6)) s.keep_ms = below(3) * 1'000;
    if (chance(8) && s.unique.key.empty()) {
      s.array = Array{3, 3 + std::int64_t(below(8)), 2, std::uint32_t(below(3))};
      if (s.array->at_once > 0) s.concurrency_key = {}, s.concurrency_max = 0;
    } else if (chance(5)) {
      join(s);
    }
    return s;
  }
  void join(JobSpec& s) { s.group = some_group(); }
  JobId some_group() {
    if (model_.groups.empty()) return 0;
    auto it = model_.groups.begin();
    std::advance(it, below(model_.groups.size()));
    return it->first;
  }

  Selector selector() {
    Selector which;
    if (chance(2)) {
      const JobId from = some_job();
      which.ids = {{from, from + below(20)}, {some_job(), some_job()}};
    }
    if (chance(3)) which.pool = kPools[below(3)];
    if (chance(3)) which.states = std::uint32_t(1 + below(255));
    if (chance(4)) which.tag = kTags[below(2)];
    if (chance(4)) which.group = some_group();
    return which;
  }

  void step() {
    switch (below(12)) {
      case 0:
      case 1:
      case 2:
        return submit();
      case 3:
      case 4:
      case 5:
        return take();
      case 6:
      case 7:
      case 8:
        return finish();
      case 9:
        return verb();
      case 10:
        return wake();
      default:
        return rest();
    }
  }

  void submit() {
    std::vector<JobSpec> specs;
    std::vector<Submitted> expected;
    const std::size_t n = 1 + below(chance(12) ? 150 : 6);  // also more than fit into a pack
    for (std::size_t i = 0; i < n; ++i) {
      JobSpec s = spec(i);
      // What is not stored has no number that others could wait for.
      std::erase_if(s.dependencies, [&](const Dependency& d) {
        return d.in_batch && expected[d.on].status != Submitted::Status::stored;
      });
      expected.push_back(model_.submit(s, expected));
      specs.push_back(std::move(s));
    }
    const auto answers = house_->submit(specs);
    REQUIRE(answers.size() == n);
    for (std::size_t i = 0; i < n; ++i) {
      CHECK(int(answers[i].status) == int(expected[i].status));
      CHECK(answers[i].id == expected[i].id);
      CHECK(answers[i].replaced == expected[i].replaced);
      if (expected[i].status == Submitted::Status::stored)
        CHECK(answers[i].count == expected[i].count);
    }
  }

  void take() {
    wake();  // so that deadlines and cascades are behind us, as they are in the model
    const std::string pool = kPools[below(3)];
    const auto most = std::uint32_t(1 + below(8));
    const auto expected = model_.take(pool, most);
    const TakenBatch batch = house_->take(pool, most);
    std::vector<JobId> ids, expected_ids;
    for (const auto& [id, attempt] : expected) expected_ids.push_back(id);
    for (const Taken& t : batch.jobs) ids.push_back(t.id);
    std::string about;
    for (const std::vector<JobId>* some : {&ids, &expected_ids})
      for (const JobId id : *some) {
        const ModelJob& j = model_.jobs[id];
        about += std::to_string(id) + " " + to_string(j.state) + " key " + j.key + " of " +
                 std::to_string(j.key_max) + " priority " + std::to_string(j.priority) + "; ";
      }
    CAPTURE(about);
    REQUIRE(text(ids) == text(expected_ids));
    for (std::size_t i = 0; i < ids.size(); ++i) CHECK(batch.jobs[i].attempt == expected[i].second);
  }

  void finish() {
    std::vector<JobId> running;
    for (const auto& [id, j] : model_.jobs)
      if (j.state == JobState::running) running.push_back(id);
    std::shuffle(running.begin(), running.end(), random_);
    running.resize(std::min<std::size_t>(running.size(), 1 + below(5)));
    std::vector<Ending> endings;
    std::uint32_t ignored = 0;
    for (const JobId id : running) {
      if (chance(8)) {
        model_.give_back(id);
        house_->give_back({&id, 1});
        continue;
      }
      Ending e;
      e.id = id;
      e.attempt.number = model_.jobs[id].tries + (chance(20) ? 2 : 1);
      constexpr JobState kNext[] = {JobState::succeeded, JobState::succeeded, JobState::failed,
                                    JobState::dead, JobState::ready};
      e.next = kNext[below(5)];
      e.due_ms = house_.clock.steady_ms + std::int64_t(below(800));
      e.attempt.outcome = e.next == JobState::succeeded ? Outcome::ok : Outcome::failed;
      ignored += model_.finish(id, e.attempt.number, e.next, e.due_ms) ? 0 : 1;
      endings.push_back(e);
    }
    CHECK(house_->finish(endings) == ignored);
  }

  void wake() {
    model_.wake();
    while (house_->wake(std::uint32_t(1 + below(20)))) {
    }
  }

  void verb() {
    wake();  // cascades are told in an order of their own
    const auto what = Verb(below(8));
    const Selector which = selector();
    Edit edit;
    if (chance(2)) edit.priority = std::int32_t(below(5)) - 2;
    if (chance(2)) edit.pool = kPools[below(3)];
    if (chance(3)) edit.delay_ms = below(500);
    std::vector<JobId> chosen;
    for (const auto& [id, j] : model_.jobs)
      if (model_.fits(which, id)) chosen.push_back(id);
    Applied expected, applied;
    for (const JobId id : chosen)
      (model_.apply(what, id, edit) ? expected.changed : expected.unfit) += 1;
    CAPTURE(int(what));
    CAPTURE(text(which));
    CAPTURE(text(chosen));
    JobId from = 0;
    do {
      const Applied some = house_->apply(what, which, edit, from, std::uint32_t(1 + below(50)));
      applied.changed += some.changed;
      applied.unfit += some.unfit;
      // A verb may move a job to where the selector finds it once more: only ids go on.
      REQUIRE((some.next == 0 || some.next > from));
      from = some.next;
    } while (from != 0);
    CHECK(applied.changed == expected.changed);
    CHECK(applied.unfit == expected.unfit);
  }

  void rest() {
    switch (below(3)) {
      case 0:
        model_.clean();
        while (house_->clean(std::uint32_t(1 + below(20)))) {
        }
        return;
      case 1: {
        const JobId id = house_->new_group(0);
        CHECK(id == model_.next);
        model_.groups[model_.next++] = {};
        return;
      }
      default:
        if (model_.groups.empty()) return;
        auto it = model_.groups.begin();
        std::advance(it, below(model_.groups.size()));
        const JobId id = it->first;
        model_.seal(id);
        house_->seal_group(id);
    }
  }

  std::mt19937_64 random_;
  House house_;
  Model model_;
};

}  // namespace

TEST_CASE("random turns do to the store what they do to its model") {
  const std::uint64_t seed = seed_of_test();
  CAPTURE(seed);
  const char* given = std::getenv("JOBRING_KEEPER_TURNS");
  const int turns = given != nullptr ? std::atoi(given) : 150;
  for (std::uint64_t round = 0; round < 8; ++round) {
    CAPTURE(round);
    Game game(seed + round);
    for (int i = 0; i < turns; ++i) {
      CAPTURE(i);
      game.turn();
    }
    game.compare();
  }
}
