// Files that are old, new, foreign, broken, in use or out of reach.
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <random>
#include <sstream>

#include "daemon/keeper/sqlite/schema.hpp"
#include "tests/keeper/house.hpp"
#include "tests/support/seed.hpp"

using namespace jobring;
using namespace jobring::test;

namespace {

void sql(const std::string& path, const std::string& statements) {
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open(path.c_str(), &db) == SQLITE_OK);
  char* error = nullptr;
  sqlite3_exec(db, statements.c_str(), nullptr, nullptr, &error);
  const std::string what = error != nullptr ? error : "";
  sqlite3_free(error);
  sqlite3_close(db);
  REQUIRE(what == "");
}

std::string content(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  REQUIRE(in.good());
  std::stringstream all;
  all << in.rdbuf();
  return all.str();
}

// One line, with these words in it.
void refused(const SqliteOptions& options, Errc code, const std::string& words) {
  const auto opened = open_sqlite_store(options);
  REQUIRE_FALSE(opened.ok());
  const std::string line = opened.error().line();
  CAPTURE(line);
  CHECK(opened.error().code == code);
  CHECK(line.find(words) != std::string::npos);
  CHECK(line.find('\n') == std::string::npos);
  CHECK(line.find(options.path) != std::string::npos);
}

}  // namespace

TEST_CASE("a store of version 1 is opened with all that is in it") {
  Directory directory;
  SqliteOptions options{.path = directory.file("jobs.db")};
  sql(options.path,
      content(std::string(JOBRING_SOURCE_DIR) + "/tests/keeper/stores/version-1.sql"));
  House house(options);
  house.sound();
  CHECK(house.list({}).size() == 14);
  CHECK(house.show(1).job.result == "answer");
  CHECK(house.show(2).attempts.size() == 2);
  CHECK(house.state(2) == JobState::dead);
  CHECK(house.state(3) == JobState::delayed);
  CHECK(house.state(4) == JobState::held);
  CHECK(house.show(5).waits_for == std::vector<JobId>{7});
  CHECK(house.show(6).job.spec.payload == std::string(2'000, 'p'));
  CHECK(house.list({.tag = "red"}) == std::vector<JobId>{6});
  REQUIRE(house->running().size() == 2);
  CHECK(house->running()[0].id == 7);
  CHECK(house->running()[0].stop_wanted);
  CHECK(house.show(12).job.spec.index == 3);
  CHECK(house->cron()->size() == 1);
  CHECK(house->counts()[1].paused);
  CHECK(house
            .offer([] {
              JobSpec spec = job();
              spec.unique = {"key", UniqueUntil::ended, 0, false};
              return spec;
            }())
            .status == Submitted::Status::duplicate);
  house.clock = {1'700'000'000'000, 100'000'000};
  house.finish(7);
  house.wake();
  CHECK(house.state(5) == JobState::ready);
  CHECK(house.state(3) == JobState::ready);
  CHECK(house.submit(job()) == 16);
  house.sound();
}

TEST_CASE("a store of version 2 is opened with its packs and what its keeper remembered") {
  Directory directory;
  SqliteOptions options{.path = directory.file("jobs.db")};
  sql(options.path,
      content(std::string(JOBRING_SOURCE_DIR) + "/tests/keeper/stores/version-2.sql"));
  House house(options);
  house.sound();
  CHECK(house.list({}) == std::vector<JobId>{9, 7, 1});
  CHECK(*house->remembered() == "said");
  REQUIRE(house->running().size() == 1);
  CHECK(house->running()[0].id == 7);
  house.finish(7);
  CHECK(house.take("p") == std::vector<JobId>{9});
  CHECK(house.show(9).job.spec.payload == "hello");
  CHECK(house.submit(job()) == 10);
  house.sound();
}

TEST_CASE("migrations run one after the other and once") {
  Directory directory;
  const std::string path = directory.file("jobs.db");
  const Migration steps[] = {"CREATE TABLE a(x)", "CREATE TABLE b(x); INSERT INTO b VALUES(1)",
                             "INSERT INTO b SELECT x + 1 FROM b"};
  for (std::size_t known = 1; known <= 3; ++known) {
    for (int twice = 0; twice < 2; ++twice) {
      Database db;
      REQUIRE(db.open(path, nullptr).ok());
      REQUIRE(migrate(db, {steps, known}).ok());
      CHECK(db.number("PRAGMA user_version") == std::int64_t(known));
      if (known == 3) CHECK(db.number("SELECT count(*) FROM b") == 2);
    }
  }
}

TEST_CASE("a migration that fails leaves the version before it") {
  Directory directory;
  const std::string path = directory.file("jobs.db");
  const Migration good[] = {"CREATE TABLE a(x)"};
  const Migration bad[] = {"CREATE TABLE a(x)", "CREATE TABLE b(x); INSERT INTO nowhere VALUES(1)"};
  {
    Database db;
    REQUIRE(db.open(path, nullptr).ok());
    REQUIRE(migrate(db, good).ok());
    CHECK_FALSE(migrate(db, bad).ok());
  }
  Database db;
  REQUIRE(db.open(path, nullptr).ok());
  REQUIRE(migrate(db, good).ok());
  CHECK(db.number("PRAGMA user_version") == 1);
  CHECK(db.number("SELECT count(*) FROM sqlite_schema WHERE name = 'b'", -1) == 0);
}

TEST_CASE("a store of a newer version is refused and left as it is") {
  House house;
  house.submit(job());
  house.store.reset();
  sql(house.options.path, "PRAGMA user_version=99");
  const std::string before = content(house.options.path);
  refused(house.options, Errc::bad_input, "version 99");
  CHECK(content(house.options.path) == before);
}

TEST_CASE("a store whose version makes no sense is refused and left as it is") {
  House house;
  house.store.reset();
  sql(house.options.path, "PRAGMA user_version=-7");
  const std::string before = content(house.options.path);
  refused(house.options, Errc::bad_input, "version");
  CHECK(content(house.options.path) == before);
}

TEST_CASE("a file of another program is refused") {
  Directory directory;
  const SqliteOptions options{.path = directory.file("other.db")};
  sql(options.path, "CREATE TABLE theirs(x)");
  refused(options, Errc::bad_input, "another program");
}

TEST_CASE("a file that is no store is refused") {
  Directory directory;
  const SqliteOptions options{.path = directory.file("text")};
  std::ofstream(options.path) << std::string(10'000, 'x');
  refused(options, Errc::bad_input, "file is not a database");
}

TEST_CASE("a store that another process has open is refused") {
  House house;
  refused(house.options, Errc::system, "another process has it open");
}

TEST_CASE("a directory that is not there or not writable is refused with its name") {
  Directory directory;
  refused({.path = directory.file("not/there/jobs.db")}, Errc::system,
          "must be there and writable");
  REQUIRE(chmod(directory.path().c_str(), 0555) == 0);
  const SqliteOptions options{.path = directory.file("jobs.db")};
  // The superuser may write anywhere: somebody else has to try.
  const pid_t child = fork();
  if (child == 0) {
    if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0) _exit(9);
    const auto opened = open_sqlite_store(options);
    _exit(!opened.ok() && opened.error().line().find("writable") != std::string::npos ? 0 : 1);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  chmod(directory.path().c_str(), 0755);
}

TEST_CASE("only its owner may read the files of a store") {
  House house;
  house.submit(job());
  for (const char* suffix : {"", "-wal"}) {
    struct stat s {};
    REQUIRE(stat((house.options.path + suffix).c_str(), &s) == 0);
    CHECK((s.st_mode & 0777) == 0600);
  }
}

TEST_CASE("damaged bytes are refused or told and never believed or followed") {
  const std::uint64_t seed = seed_of_test();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  std::string good;
  {
    House house;
    JobSpec spec = job();
    spec.tags = {"t"};
    spec.retry.max = 3;
    for (int i = 0; i < 300; ++i) {
      spec.priority = i % 3;
      house.submit(spec);
    }
    for (const JobId id : house.take("p", 100)) {
      if (id % 3 != 0) house.finish(id, id % 5 == 0 ? JobState::failed : JobState::succeeded, 5);
    }
    const std::string path = house.options.path;
    house.store.reset();  // closing writes the log back
    good = content(path);
  }
  int refusals = 0;
  for (int i = 0; i < 150; ++i) {
    CAPTURE(i);
    Directory directory;
    SqliteOptions options{.path = directory.file("jobs.db")};
    std::string bad = good;
    for (std::uint64_t n = 1 + random() % 20; n > 0; --n)
      bad[random() % bad.size()] = char(random());
    std::ofstream(options.path, std::ios::binary) << bad;
    auto opened = open_sqlite_store(options);
    if (!opened.ok()) {
      ++refusals;
      CHECK_FALSE(opened.error().line().empty());
      continue;
    }
    Store& store = **opened;
    (void)store.check();
    (void)store.list({}, 0, 1'000);
    (void)store.list({.tag = "t"}, 0, 1'000);
    for (JobId id = 1; id < 310; ++id) (void)store.show(id);
    for (int turn = 0; turn < 3; ++turn) {
      store.begin({1'700'000'000'000, 2'000'000}, Durability::batched);
      std::vector<Ending> endings;
      for (const Running& r : store.running()) {
        Ending e;
        e.id = r.id;
        e.attempt.number = r.attempt;
        endings.push_back(e);
      }
      store.finish(endings);
      store.wake(1'000);
      const TakenBatch batch = store.take("p", 1'000);
      for (const Taken& t : batch.jobs) CHECK(t.spec.payload.size() < good.size());
      store.apply(Verb::remove, {}, {}, 0, 1'000);
      if (!store.commit().ok()) ++refusals;
    }
  }
  CHECK(refusals > 0);
}
