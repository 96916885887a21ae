#include "tests/keeper/stream.hpp"

#include <random>
#include <vector>

namespace jobring::test {

Clock clock_of_turn(std::uint64_t turn) {
  return {1'700'000'000'000 + std::int64_t(turn) * 300, 1'000 + std::int64_t(turn) * 300};
}

Durability level_of_turn(std::uint64_t seed, std::uint64_t turn) {
  return (seed + turn) % 4 == 0 ? Durability::batched : Durability::synced;
}

void play(Store& store, std::uint64_t seed, std::uint64_t turn) {
  std::mt19937_64 random(seed * 1'000'003 + turn);
  const auto below = [&](std::uint64_t n) { return random() % n; };
  const Clock now = clock_of_turn(turn);
  store.begin(now, level_of_turn(seed, turn));

  std::vector<Ending> endings;
  std::vector<JobId> back;
  for (const Running& r : store.running()) {
    if (below(4) == 0) continue;
    if (below(8) == 0) {
      back.push_back(r.id);
      continue;
    }
    Ending e;
    e.id = r.id;
    e.attempt.number = r.attempt;
    e.attempt.started_ms = r.taken_ms;
    e.attempt.ended_ms = now.real_ms;
    constexpr JobState kNext[] = {JobState::succeeded, JobState::succeeded, JobState::failed,
                                  JobState::dead};
    e.next = kNext[below(4)];
    e.due_ms = now.steady_ms + std::int64_t(below(1'000));
    endings.push_back(e);
  }
  const std::string long_result(1'500, 'r');
  for (Ending& e : endings)
    if (below(10) == 0) e.result = long_result;
  store.finish(endings);
  store.give_back(back);

  const std::string long_payload(6'000, char('a' + below(26)));
  std::vector<JobSpec> specs(1 + below(12));
  for (std::size_t i = 0; i < specs.size(); ++i) {
    JobSpec& s = specs[i];
    s.handler = "echo";
    s.payload = below(12) == 0 ? std::string_view(long_payload) : "short";
    s.pool = below(2) ? "p" : "q";
    s.priority = std::int32_t(below(3)) - 1;
    if (below(5) == 0) s.delay_ms = below(2'000);
    if (below(5) == 0) s.tags = {"tag"};
    if (below(6) == 0) s.concurrency_key = "k", s.concurrency_max = 2;
    if (below(6) == 0) s.unique = {"u", UniqueUntil(below(2)), 0, true};
    if (below(6) == 0 && i > 0) s.dependencies = {{below(i), After(below(2)), true}};
    if (below(15) == 0) s.array = Array{1, 5, 1, 0};
    if (s.array) s.unique = {};
    s.keep_ms = below(3) * 900;
  }
  store.submit(specs);
  store.wake(1'000);
  // Short ones that are remembered before jobs are taken go where others do not.
  const std::string record = std::to_string(turn) + std::string(below(3) == 0 ? 200 : 0, '.');
  const auto until = below(3) == 0 ? Store::Until::replaced : Store::Until::next_turn;
  const bool early = below(2) == 0;
  if (early) store.remember(record, until);
  store.take("p", std::uint32_t(below(8)));
  store.take("q", std::uint32_t(below(8)));
  if (!early && below(3) == 0) {
    Selector which;
    const JobId from = 1 + below(20 * turn + 1);
    which.ids = {{from, from + 5}};
    Edit edit;
    edit.priority = 2;
    store.apply(Verb(below(8)), which, edit, 0, 100);
  }
  if (below(4) == 0) store.clean(100);
  if (!early) store.remember(record, until);
}

std::string dump(Store& store) {
  std::string all;
  const auto say = [&](auto number) { all += std::to_string(number) + " "; };
  JobId below = 0;
  do {
    auto page = store.list({}, below, 100'000);
    if (!page) return page.error().line();
    for (const JobView& v : page->jobs) {
      say(v.id);
      all += std::string(to_string(v.state)) + " " + std::string(v.spec.pool) + " ";
      say(v.attempts), say(v.due_ms), say(v.unmet), say(v.spec.priority), say(v.spec.group);
      all += v.result_big ? "R" : "";
      all += v.payload_big ? "P" : "";
      all += v.last ? std::string(v.last->tail) : "-";
      all += "\n";
    }
    below = page->next;
  } while (below != 0);
  for (const Running& r : store.running()) {
    say(r.id), say(r.attempt), say(int(r.stop_wanted));
    all += "runs\n";
  }
  for (const Counts& c : store.counts()) {
    all += c.pool + ": ";
    for (const std::uint64_t n : c.jobs) say(n);
    all += "\n";
  }
  const auto remembered = store.remembered();
  return all + (remembered ? *remembered : remembered.error().line());
}

}  // namespace jobring::test
