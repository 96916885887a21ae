// Plain jobs, which share rows (daemon/keeper/sqlite/packs.hpp): what is in them, what leaves them,
// what a restart finds, and what is said when they are damaged. model_test.cpp plays with them at
// random.
#include <algorithm>
#include <filesystem>
#include <numeric>

#include "daemon/keeper/sqlite/database.hpp"
#include "tests/keeper/house.hpp"

using namespace jobring;
using namespace jobring::test;

namespace {

std::int64_t number(House& house, const char* sql) {
  house.store.reset();
  Database db;
  REQUIRE(db.open(house.options.path, nullptr).ok());
  const std::int64_t found = db.number(sql);
  REQUIRE(db.ok());
  return found;
}
std::int64_t rows(House& house, const std::string& table) {
  return number(house, ("SELECT count(*) FROM " + table).c_str());
}
std::vector<JobId> from_to(JobId from, JobId to) {
  std::vector<JobId> ids(to - from + 1);
  std::iota(ids.begin(), ids.end(), from);
  return ids;
}

}  // namespace

TEST_CASE("a thousand plain jobs are sixteen rows") {
  House house;
  const auto answers = house.submit_all(std::vector<JobSpec>(1'000, job()));
  CHECK(answers.back().id == 1'000);
  house.sound();
  CHECK(rows(house, "pack") == 16);
  CHECK(rows(house, "job") == 0);
  house.open();
  house.sound();
  CHECK(house.count("p", JobState::ready) == 1'000);
  CHECK(house.take("p", 2'000) == from_to(1, 1'000));
}

TEST_CASE("jobs submitted one by one in one turn share rows too") {
  House house;
  house.begin();
  const JobSpec spec = job();
  for (int i = 0; i < 130; ++i) house->submit({&spec, 1});
  house.commit();
  house.sound();
  CHECK(rows(house, "pack") == 3);
}

TEST_CASE("long payloads make packs of fewer jobs") {
  House house;
  const std::string kilobyte(1'024, 'x'), longer(1'025, 'x');
  JobSpec spec = job();
  spec.payload = kilobyte;
  house.submit_all(std::vector<JobSpec>(6, spec));
  house.sound();
  CHECK(rows(house, "pack") == 2);
  house.open();
  // Still longer ones have rows of their own, their jobs do not.
  spec.payload = longer;
  house.submit_all({spec, spec, spec});
  JobSpec briefly = spec;
  briefly.keep_ms = 0;
  house.submit(briefly);
  house.sound();
  CHECK(house.show(6).job.spec.payload == kilobyte);
  CHECK(house.show(7).job.spec.payload == longer);
  CHECK(rows(house, "pack") == 4);
  CHECK(rows(house, "job") == 0);
  CHECK(rows(house, "big") == 4);
  house.open();
  house.begin();
  const TakenBatch batch = house->take("p", 20);
  house.commit();
  REQUIRE(batch.jobs.size() == 10);
  CHECK(batch.jobs[5].spec.payload == kilobyte);
  CHECK(batch.jobs[6].spec.payload == longer);
  for (const JobId id : from_to(1, 10)) house.finish(id);
  house.sound();
  CHECK(house.show(7).job.spec.payload == longer);
  CHECK(house.gone(10));
  CHECK(rows(house, "pack") == 0);
  CHECK(rows(house, "big") == 3);
}

TEST_CASE("jobs of pools that take turns go into packs of their own pools") {
  House house;
  std::vector<JobSpec> specs;
  for (int i = 0; i < 128; ++i) specs.push_back(job(i % 2 == 0 ? "p" : "q"));
  house.submit_all(specs);
  house.sound();
  CHECK(rows(house, "pack") == 4);
  house.open();
  CHECK(house.list({}) == [] {
    auto ids = from_to(1, 128);
    std::reverse(ids.begin(), ids.end());
    return ids;
  }());
  CHECK(house.list({.pool = "q"}, 3) == std::vector<JobId>{128, 126, 124});
  CHECK(house.take("q", 2) == std::vector<JobId>{2, 4});
  CHECK(house.take("p", 2) == std::vector<JobId>{1, 3});
  house.sound();
}

TEST_CASE("members of arrays and groups share rows too and know whose they are") {
  House house;
  house.begin();
  const JobId group = house->new_group(0);
  house.commit();
  JobSpec array = job(), member = job();
  array.array = Array{10, 208, 2, 0};
  member.group = group;
  const auto answers = house.submit_all({array, member, job(), member});
  CHECK(answers[0].count == 100);
  CHECK(answers[0].id == 2);
  CHECK(answers[1].id == 103);
  house.begin();
  CHECK(house->submit({&array, 1}).size() == 1);
  CHECK(house->changes().size() == 1);
  CHECK(house->changes()[0].id == 107);
  CHECK(house->changes()[0].count == 100);
  house->abandon();
  house.sound();
  CHECK(rows(house, "pack") == 5);
  CHECK(rows(house, "job") == 0);
  house.open();
  house.sound();
  CHECK(house.show(3).job.spec.index == 10);
  CHECK(house.show(102).job.spec.index == 208);
  CHECK(house.show(102).job.spec.group == 2);
  CHECK(house.show(103).job.spec.group == group);
  CHECK(house.show(104).job.spec.group == 0);
  house.begin();
  TakenBatch batch = house->take("p", 2);
  house.commit();
  REQUIRE(batch.jobs.size() == 2);
  CHECK(batch.jobs[1].id == 4);
  CHECK(batch.jobs[1].spec.index == 12);
  CHECK(batch.jobs[1].spec.payload == "hello");
  house.finish(3);
  house.finish(4, JobState::failed, house.clock.steady_ms + 10);
  house.sound();
  CHECK((*house->group(2))->open == 99);
  house.apply(Verb::cancel, 103);
  CHECK((*house->group(group))->bad == 1);
  house.sound();
  CHECK(house.show(3).job.spec.index == 10);
}

TEST_CASE("packed jobs and others of a pool are taken in the order of their ranks") {
  House house;
  JobSpec tagged = job(), urgent = job(), late = job();
  tagged.tags = {"red"};
  urgent.priority = 1;
  late.priority = -1;
  house.submit_all({job(), late, tagged, job(), urgent, tagged, job()});
  CHECK(house.take("p") == std::vector<JobId>{5, 1, 3, 4, 6, 7, 2});
  house.sound();
}

TEST_CASE("a job leaves its pack when there is more to say of it") {
  House house;
  house.submit_all(std::vector<JobSpec>(10, job()));
  std::int64_t own = 1;
  const auto now_at = [&](JobState state) {
    house.sound();
    CHECK(rows(house, "job") == own);
    CHECK(rows(house, "pack") == 1);
    house.open();
    house.sound();
    CHECK(house.state(own == 1 ? 5 : 1) == state);
  };
  SUBCASE("held and released") {
    house.apply(Verb::hold, 5);
    now_at(JobState::held);
    house.apply(Verb::release, 5);
    now_at(JobState::ready);
    CHECK(house.take("p") == from_to(1, 10));
  }
  SUBCASE("cancelled") {
    house.apply(Verb::cancel, 5);
    now_at(JobState::cancelled);
    CHECK(house.count("p", JobState::ready) == 9);
  }
  SUBCASE("moved to another pool") {
    Edit edit;
    edit.pool = "q";
    house.apply(Verb::edit, 5, edit);
    now_at(JobState::ready);
    CHECK(house.take("q") == std::vector<JobId>{5});
    CHECK(house.take("p").size() == 9);
  }
  SUBCASE("tried again") {
    CHECK(house.take("p", 5).size() == 5);
    house.finish(5, JobState::failed, house.clock.steady_ms + 10);
    now_at(JobState::failed);
    CHECK(house->running().size() == 4);
    house.pass(10);
    house.wake();
    CHECK(house.take("p", 2) == std::vector<JobId>{5, 6});
    CHECK(house.show(5).attempts.size() == 1);
  }
  SUBCASE("reporting progress") {
    CHECK(house.take("p", 5).size() == 5);
    house.begin();
    const Progress progress{5, 1, 2, "half"};
    house->progress({&progress, 1});
    house.commit();
    now_at(JobState::running);
    CHECK(house.show(5).progress->text == "half");
    house.finish(5);
    now_at(JobState::succeeded);
    CHECK(house.show(5).progress->text == "half");
  }
  SUBCASE("ended") {
    CHECK(house.take("p", 5).size() == 5);
    house.finish(5);
    now_at(JobState::succeeded);
    for (const JobId id : from_to(1, 4)) house.finish(id);
    own = 5;
    now_at(JobState::succeeded);
    CHECK(house.show(5).job.spec.payload == "hello");
    house.take("p");
    for (const JobId id : from_to(6, 10)) house.finish(id);
    house.sound();
    CHECK(rows(house, "pack") == 0);
  }
}

TEST_CASE("what runs of a pack is known after a restart and what was given back is next") {
  House house;
  house.submit_all(std::vector<JobSpec>(100, job()));
  CHECK(house.take("p", 70) == from_to(1, 70));
  house.finish(2);
  house.finish(66);
  house.begin();
  const JobId back[] = {3, 64};
  house->give_back(back);
  house.commit();
  house.sound();
  for (int i = 0; i < 2; ++i) {
    CHECK(house->running().size() == 66);
    CHECK(house.count("p", JobState::ready) == 32);
    CHECK(house.state(3) == JobState::ready);
    CHECK(house.state(4) == JobState::running);
    house.reopen();
    house.sound();
  }
  CHECK(house.take("p", 3) == std::vector<JobId>{3, 64, 71});
  CHECK(house.submit(job()) == 101);
}

TEST_CASE("a turn that is abandoned leaves packs as they were") {
  House house;
  house.submit_all(std::vector<JobSpec>(10, job()));
  CHECK(house.take("p", 2) == from_to(1, 2));
  house.begin();
  const std::vector<JobSpec> more(100, job());
  house->submit(more);
  CHECK(house->take("p", 5).jobs.size() == 5);
  Ending ending;
  ending.id = 1;
  ending.attempt.number = 1;
  CHECK(house->finish({&ending, 1}) == 0);
  house->abandon();
  house.sound();
  CHECK(house.state(1) == JobState::running);
  CHECK(house.take("p") == from_to(3, 10));
}

TEST_CASE("a job that is forgotten at once leaves nothing and its number is not used again") {
  House house;
  JobSpec spec = job();
  spec.keep_ms = 0;
  house.submit_all({spec, spec});
  house.take("p");
  house.finish(1);
  house.finish(2);
  CHECK(house.gone(1));
  house.sound();
  CHECK(rows(house, "pack") == 0);
  CHECK(rows(house, "job") == 0);
  house.open();
  CHECK(house.submit(spec) == 3);
}

TEST_CASE("jobs in a pack can be waited for") {
  House house;
  JobSpec child = job();
  child.dependencies = {{0, After::success, true}, {1, After::any, true}};
  const auto answers = house.submit_all({job(), job(), child});
  CHECK(answers[2].id == 3);
  CHECK(house.show(3).waits_for == std::vector<JobId>{1, 2});
  house.take("p");
  house.finish(1);
  house.finish(2, JobState::dead);
  house.wake();
  CHECK(house.state(3) == JobState::ready);
  house.sound();
}

TEST_CASE("damaged packs are refused or told of in one line") {
  House house;
  house.submit_all(std::vector<JobSpec>(100, job()));
  const std::pair<const char*, bool> damages[] = {
      {"UPDATE pack SET specs = x'ff'", false},
      {"UPDATE pack SET live = zeroblob(8)", false},
      {"UPDATE pack SET live = x'01'", false},
      {"UPDATE pack SET specs = zeroblob(80)", false},
      {"UPDATE pack SET k = k + (9 << 48)", true},
      {"UPDATE pack SET k = (k | 1) - 60 WHERE k & 1023 > 60", true},
      {"INSERT INTO job(id, state, pool, spec) VALUES(7, 1, 1, x'00')", true},
  };
  for (const auto& [sql, opens] : damages) {
    CAPTURE(sql);
    house.store.reset();
    const std::string copy = house.directory.file("damaged.db");
    std::filesystem::copy_file(house.options.path, copy,
                               std::filesystem::copy_options::overwrite_existing);
    {
      Database db;
      REQUIRE(db.open(copy, nullptr).ok());
      REQUIRE(db.exec(sql));
    }
    SqliteOptions options = house.options;
    options.path = copy;
    auto opened = open_sqlite_store(options);
    CHECK(opened.ok() == opens);
    if (!opened.ok()) {
      const std::string line = opened.error().line();
      CHECK(line.find("pack") != std::string::npos);
      CHECK(line.find('\n') == std::string::npos);
    } else {
      const auto wrong = (*opened)->check();
      REQUIRE(wrong.ok());
      CHECK_FALSE(wrong->empty());
    }
    house.open();
  }
  house.sound();
}
