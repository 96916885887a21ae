// Stores that cannot be opened: one line says why, to whoever asks, the daemon's other work goes
// on, and all is found again when the file is as it was.
#include <sqlite3.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <random>
#include <vector>

#include "daemon/keeper/sqlite/schema.hpp"
#include "tests/durable/house.hpp"
#include "tests/durable/small_disk.hpp"
#include "tests/support/seed.hpp"

using namespace jobring;
using namespace jobring::test;
using namespace std::chrono_literals;

namespace {

// Soon tried again.
constexpr const char* kRestart = R"(, "restart": {"backoff_min": "10ms", "backoff_max": "50ms"})";
constexpr const char* kPool = R"({"default": {"workers": 1}})";

// What makes a store one of this version again.
std::string our_version() {
  return "PRAGMA user_version=" + std::to_string(keeper::migrations().size());
}

// What the daemon says instead of an answer, as soon as that has the word in it.
std::string refusal(const DurableHouse& house, const std::string& word) {
  std::string line;
  const bool said = eventually([&] {
    try {
      Client client = house.daemon->connect();
      DurableJobs(client).counts();
      line.clear();
    } catch (const Exception& e) {
      line = e.what();
    }
    return line.find(word) != line.npos;
  });
  CHECK_MESSAGE(said, "instead of \"", word, "\" it says: ", line);
  return line;
}

// Attached jobs know nothing of all this.
void other_work_goes_on(const DurableHouse& house) {
  Client client = house.daemon->connect();
  CHECK(client.pool("default").submit("echo", "attached").get() == "attached");
}

void run_sql(const std::string& file, const std::string& text) {
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open(file.c_str(), &db) == SQLITE_OK);
  const int rc = sqlite3_exec(db, text.c_str(), nullptr, nullptr, nullptr);
  INFO(sqlite3_errmsg(db));
  CHECK(rc == SQLITE_OK);
  sqlite3_close(db);
}

std::vector<JobId> submit_held(const DurableHouse& house, std::size_t count) {
  Client client = house.daemon->connect();
  std::vector<DurableJob> batch;
  for (std::size_t i = 0; i < count; ++i)
    batch.push_back({"echo", "payload " + std::to_string(i), {.held = true}});
  std::vector<JobId> ids;
  for (const SubmitAnswer& answer : DurableJobs(client).submit_all(batch)) ids.push_back(answer.id);
  return ids;
}

}  // namespace

TEST_CASE("a file that is no store is refused with one line") {
  DurableHouse house;
  house.kill_daemon();
  write_file(house.state / "jobs.db", std::string(5'000, 'x'));
  house.start();
  const std::string line = refusal(house, "jobs.db");
  CHECK(line.find('\n') == line.npos);
  other_work_goes_on(house);
  // Nobody waits for a keeper that cannot start until drain_timeout is over.
  house.stop_daemon();
}

TEST_CASE("a store of a newer version is refused with one line and not touched") {
  DurableHouse house(kPool, "", nullptr, kRestart);
  const std::vector<JobId> ids = submit_held(house, 3);
  house.stop_daemon();
  const std::string file = house.state / "jobs.db";
  run_sql(file, "PRAGMA user_version=4711; PRAGMA wal_checkpoint(TRUNCATE)");
  const std::string before = read_file(file);
  house.start();
  const std::string line = refusal(house, "version 4711");
  CHECK(line.find("jobs.db") != line.npos);
  CHECK(line.find('\n') == line.npos);
  other_work_goes_on(house);
  CHECK(alive(house.daemon->pid()));
  house.stop_daemon();
  CHECK(read_file(file) == before);
  run_sql(file, our_version());
  house.start();
  Client client = house.daemon->connect();
  for (const JobId id : ids) CHECK(DurableJobs(client).show(id)->state == JobState::held);
}

TEST_CASE("a store that is refused is opened as soon as it is in order again") {
  DurableHouse house(kPool, "", nullptr, kRestart);
  const std::vector<JobId> ids = submit_held(house, 3);
  house.stop_daemon();
  run_sql(house.state / "jobs.db", "PRAGMA user_version=4711");
  house.start();
  refusal(house, "version 4711");
  // A keeper that looks at it just now has it to itself.
  REQUIRE(eventually([&] {
    sqlite3* db = nullptr;
    const bool set = sqlite3_open((house.state / "jobs.db").c_str(), &db) == SQLITE_OK &&
                     sqlite3_exec(db, our_version().c_str(), nullptr, nullptr, nullptr) == 0;
    sqlite3_close(db);
    return set;
  }));
  REQUIRE(eventually(
      [&] {
        try {
          Client client = house.daemon->connect();
          return DurableJobs(client).show(ids[0])->state == JobState::held;
        } catch (const Exception&) {
          return false;
        }
      },
      60s));
}

TEST_CASE("damage in a store is told and neither followed nor fatal to anything else") {
  const std::uint64_t seed = seed_of_test();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  DurableHouse house(kPool, "", nullptr, kRestart);
  const std::vector<JobId> ids = submit_held(house, 2'000);
  house.stop_daemon();
  const std::string file = house.state / "jobs.db";
  run_sql(file, "PRAGMA wal_checkpoint(TRUNCATE)");
  const std::string whole = read_file(file);
  constexpr std::size_t kPage = 4'096;
  const std::size_t pages = whole.size() / kPage;
  REQUIRE(pages > 10);
  int refused = 0, told = 0;
  for (int damage = 0; damage < 12; ++damage) {
    CAPTURE(damage);
    // Of the first page (the header, the schema), of all others, of some, of a single one.
    std::string bytes = whole;
    const std::size_t one = 1 + random() % (pages - 1);
    for (std::size_t page = 0; page < pages; ++page) {
      const bool hit = damage == 0   ? page == 0
                       : damage == 1 ? page > 0
                       : damage < 4  ? page > 0 && random() % 4 == 0
                                     : page == one;
      if (!hit) continue;
      for (std::size_t i = page == 0 ? 100 : 0; i < kPage; ++i)
        bytes[page * kPage + i] = damage % 2 == 0 ? char(random()) : '\0';
      if (page > 0) bytes[page * kPage] = '\xff';  // no such kind of page
    }
    std::filesystem::remove(file + "-wal");
    std::filesystem::remove(file + "-shm");
    write_file(file, bytes);
    house.start();
    bool opened = true;
    try {
      Client client = house.daemon->connect();
      DurableJobs jobs(client);
      for (std::size_t i = 0; i < ids.size(); i += 10) {
        try {
          const auto info = jobs.show(ids[i]);
          // Never something else.
          if (info) CHECK(info->payload == "payload " + std::to_string(i));
          if (!info) ++told;
        } catch (const DurableError& e) {
          // Its keeper cannot start.
          if (std::string(e.kind()) == "lost") throw;
          CHECK(std::string(e.kind()) == "store_failed");
          CHECK(std::string(e.what()).find('\n') == std::string::npos);
          ++told;
        }
      }
    } catch (const Exception& e) {
      opened = false;
      const std::string line = e.what();
      CHECK(line.find('\n') == line.npos);
      CHECK_MESSAGE(line.find("jobs.db") != line.npos, line);
    }
    refused += !opened;
    other_work_goes_on(house);
    CHECK(house.daemon->log().find("signal") == std::string::npos);
    house.kill_daemon();
  }
  CHECK(refused + told > 0);
  MESSAGE(refused << " damaged stores were refused, " << told << " looks at jobs were");
  std::filesystem::remove(file + "-wal");
  write_file(file, whole);
  house.start();
  Client client = house.daemon->connect();
  for (std::size_t i = 0; i < ids.size(); i += 100)
    CHECK(DurableJobs(client).show(ids[i])->payload == "payload " + std::to_string(i));
}

TEST_CASE("a state directory that is read-only is refused with one line that names it") {
  DurableHouse house;
  house.kill_daemon();
  SmallDisk disk(house.state.path(), "8m");
  if (!disk.mounted()) {
    MESSAGE("cannot mount a small file system here: only root can");
    return;
  }
  chmod(house.state.path().c_str(), 0700);
  house.start();
  JobId id = 0;
  {
    Client client = house.daemon->connect();
    id = DurableJobs(client).submit("echo", "kept", {.held = true}).id();
  }
  house.kill_daemon();
  const char* path = house.state.path().c_str();
  // As soon as nobody of the dead daemon has a file open any more.
  REQUIRE(eventually(
      [&] { return mount(nullptr, path, nullptr, MS_REMOUNT | MS_RDONLY, nullptr) == 0; }));
  house.start();
  const std::string line = refusal(house, "Read-only");
  CHECK_MESSAGE(line.find(path) != line.npos, line);
  CHECK(line.find('\n') == line.npos);
  other_work_goes_on(house);
  house.kill_daemon();
  REQUIRE(mount(nullptr, path, nullptr, MS_REMOUNT, nullptr) == 0);
  house.start();
  Client client = house.daemon->connect();
  CHECK(DurableJobs(client).show(id)->state == JobState::held);
}
