#include "tests/keeper/house.hpp"

#include <utility>

namespace jobring::test {

void House::open() {
  if (options.path.empty()) options.path = directory.file("jobs.db");
  auto opened = open_sqlite_store(options);
  REQUIRE_MESSAGE(opened.ok(), opened.error().line());
  store = std::move(*opened);
}

void House::commit() {
  const auto done = store->commit();
  REQUIRE_MESSAGE(done.ok(), done.error().line());
}

std::vector<Submitted> House::submit_all(const std::vector<JobSpec>& specs) {
  begin();
  const auto answers = store->submit(specs);
  std::vector<Submitted> all(answers.begin(), answers.end());
  commit();
  REQUIRE(all.size() == specs.size());
  return all;
}

JobId House::submit(const JobSpec& spec) {
  const Submitted answer = offer(spec);
  REQUIRE(answer.status == Submitted::Status::stored);
  return answer.id;
}

std::vector<JobId> House::take(const std::string& pool, std::uint32_t most) {
  begin();
  const TakenBatch batch = store->take(pool, most);
  commit();
  std::vector<JobId> ids;
  for (const Taken& taken : batch.jobs) ids.push_back(taken.id);
  return ids;
}

void House::finish(JobId id, JobState next, std::int64_t due_ms) {
  Ending ending;
  ending.id = id;
  for (const Running& r : store->running())
    if (r.id == id) ending.attempt.number = r.attempt;
  ending.attempt.started_ms = clock.real_ms - 5;
  ending.attempt.ended_ms = clock.real_ms;
  ending.attempt.outcome = next == JobState::succeeded ? Outcome::ok : Outcome::failed;
  ending.next = next;
  ending.due_ms = due_ms;
  begin();
  CHECK(store->finish({&ending, 1}) == 0);
  commit();
}

void House::wake() {
  bool more = true;
  while (more) {
    begin();
    more = store->wake(100);
    commit();
  }
}

void House::clean() {
  bool more = true;
  while (more) {
    begin();
    more = store->clean(100);
    commit();
  }
}

Applied House::apply(Verb verb, Selector which, Edit edit) {
  Applied all;
  JobId from = 0;
  do {
    begin();
    const Applied some = store->apply(verb, which, edit, from, 100);
    commit();
    all.changed += some.changed;
    all.unfit += some.unfit;
    all.stop.insert(all.stop.end(), some.stop.begin(), some.stop.end());
    from = some.next;
  } while (from != 0);
  return all;
}

JobRecord House::show(JobId id) {
  auto record = store->show(id);
  REQUIRE_MESSAGE(record.ok(), record.error().line());
  REQUIRE(record->has_value());
  return std::move(**record);
}

bool House::gone(JobId id) {
  auto record = store->show(id);
  REQUIRE_MESSAGE(record.ok(), record.error().line());
  return !record->has_value();
}

std::vector<JobId> House::list(const Selector& which, std::uint32_t most) {
  std::vector<JobId> ids;
  JobId below = 0;
  do {
    auto page = store->list(which, below, most - std::uint32_t(ids.size()));
    REQUIRE_MESSAGE(page.ok(), page.error().line());
    for (const JobView& view : page->jobs) ids.push_back(view.id);
    below = page->next;
  } while (below != 0 && ids.size() < most);
  return ids;
}

std::uint64_t House::count(const std::string& pool, JobState state) {
  for (const Counts& c : store->counts())
    if (c.pool == pool) return c.jobs[std::size_t(state)];
  return 0;
}

void House::sound() {
  auto wrong = store->check();
  REQUIRE_MESSAGE(wrong.ok(), wrong.error().line());
  for (const std::string& what : *wrong) FAIL_CHECK(what);
}

}  // namespace jobring::test
