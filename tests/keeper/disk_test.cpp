// The power is cut, the disk is full, syncs fail.
#include <sqlite3.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "tests/keeper/house.hpp"
#include "tests/keeper/shim_vfs.hpp"
#include "tests/keeper/stream.hpp"
#include "tests/support/seed.hpp"

using namespace jobring;
using namespace jobring::test;

namespace {

std::unique_ptr<Store> open(const SqliteOptions& options) {
  auto opened = open_sqlite_store(options);
  REQUIRE_MESSAGE(opened.ok(), opened.error().line());
  return std::move(*opened);
}

void sound(Store& store) {
  const auto wrong = store.check();
  REQUIRE_MESSAGE(wrong.ok(), wrong.error().line());
  for (const std::string& what : *wrong) FAIL_CHECK(what);
}

SqliteOptions shimmed(const Directory& directory) {
  SqliteOptions options;
  options.path = directory.file("jobs.db");
  options.vfs = kShimVfs;
  options.wal_pages = 40;
  return options;
}

struct ShimReset {
  ShimReset() { shim().reset(); }
  ~ShimReset() { shim().reset(); }
};

}  // namespace

TEST_CASE("after a power cut at any change of the files all that was acknowledged is found") {
  const std::uint64_t seed = seed_of_test();
  CAPTURE(seed);
  const ShimReset guard;
  // Cuts behind each change; by default, behind the syncs and some of the others.
  const char* given = std::getenv("JOBRING_KEEPER_CUTS");
  const int cuts_each = given != nullptr ? std::atoi(given) : 0;
  constexpr std::uint64_t kTurns = 30;

  // One life, recorded from the first byte.
  std::vector<std::string> dumps;       // by turns done
  std::vector<std::size_t> begun;       // operations before each turn
  std::vector<std::size_t> ended;       // operations after the commit of each
  std::vector<std::size_t> safe(1, 0);  // operations after which so many turns are safe
  {
    Directory directory;
    shim().recording = true;
    const auto store = open(shimmed(directory));
    dumps.push_back(dump(*store));
    std::size_t unsafe = 0;
    for (std::uint64_t turn = 0; turn < kTurns; ++turn) {
      begun.push_back(shim().recorded.size());
      play(*store, seed, turn);
      REQUIRE(store->commit().ok());
      ended.push_back(shim().recorded.size());
      ++unsafe;
      if (turn % 9 == 5) REQUIRE(store->flush().ok());
      if (level_of_turn(seed, turn) == Durability::synced || turn % 9 == 5) {
        for (; unsafe > 0; --unsafe) safe.push_back(shim().recorded.size());
        CHECK_FALSE(store->unflushed());
      }
      dumps.push_back(dump(*store));
    }
  }
  const std::vector<DiskOp> ops = std::move(shim().recorded);
  shim().reset();
  REQUIRE(ops.size() > kTurns * 2);

  std::mt19937_64 random(seed);
  std::uint64_t lost = 0, cuts = 0;
  for (std::size_t at = 0; at <= ops.size(); ++at) {
    CAPTURE(at);
    const bool behind_sync = at > 0 && ops[at - 1].kind == DiskOp::Kind::sync;
    const bool before_sync = at < ops.size() && ops[at].kind == DiskOp::Kind::sync;
    const std::uint64_t some = 1 + ops.size() / 150;
    const int here =
        cuts_each > 0 ? cuts_each : int(behind_sync) + int(before_sync) + int(random() % some == 0);
    const auto least =
        std::size_t(std::upper_bound(safe.begin() + 1, safe.end(), at) - safe.begin()) - 1;
    const auto most = std::size_t(std::upper_bound(begun.begin(), begun.end(), at) - begun.begin());
    for (int i = 0; i < here; ++i) {
      Directory directory;
      for (const auto& [name, content] : after_power_cut(ops, at, random))
        std::ofstream(directory.file(name), std::ios::binary) << content;
      SqliteOptions options = shimmed(directory);
      options.vfs = nullptr;
      const auto store = open(options);
      sound(*store);
      const std::string found = dump(*store);
      std::size_t turns = least;
      while (turns <= most && turns < dumps.size() && dumps[turns] != found) ++turns;
      REQUIRE_MESSAGE(turns <= std::min(most, dumps.size() - 1), "of " << least << " to " << most
                                                                       << " turns none fits:\n"
                                                                       << found << "--- at least\n"
                                                                       << dumps[least]);
      const auto done =
          std::size_t(std::upper_bound(ended.begin(), ended.end(), at) - ended.begin());
      lost += turns < done ? 1 : 0;
      ++cuts;
    }
  }
  REQUIRE(cuts > kTurns);
  MESSAGE("cut " << cuts << " times in " << ops.size() << " changes, " << lost
                 << " times turns were lost that had not been flushed");
}

TEST_CASE("a turn that any change of the files fails is not kept and the next one works") {
  const std::uint64_t seed = seed_of_test();
  CAPTURE(seed);
  const ShimReset guard;
  for (const int failure : {SQLITE_FULL, SQLITE_IOERR_WRITE, SQLITE_IOERR_FSYNC}) {
    CAPTURE(failure);
    Directory directory;
    auto store = open(shimmed(directory));
    std::uint64_t turn = 0, failures = 0;
    // Turn by turn, the first change of each fails, then the second, ... until it goes through.
    for (; turn < 12; ++turn) {
      CAPTURE(turn);
      const std::string before = dump(*store);
      bool kept = false;
      for (int nth = 1; !kept; ++nth) {
        CAPTURE(nth);
        int left = nth;
        bool failed = false;
        shim().before = [&](DiskOp::Kind kind) {
          if ((kind == DiskOp::Kind::sync) != (failure == SQLITE_IOERR_FSYNC)) return SQLITE_OK;
          if (--left > 0 && !failed) return SQLITE_OK;
          failed = true;  // and all after it
          return failure;
        };
        play(*store, seed, turn);
        const auto done = store->commit();
        shim().before = nullptr;
        kept = done.ok();
        if (kept) break;
        ++failures;
        REQUIRE(failed);
        CHECK(done.error().code == (failure == SQLITE_FULL ? Errc::full : Errc::system));
        CHECK(dump(*store) == before);
      }
    }
    sound(*store);
    CHECK(failures >= turn / 2);
    // And over the files as they are.
    const std::string last = dump(*store);
    const auto again = [&] {
      SqliteOptions copy = shimmed(directory);
      copy.vfs = nullptr;
      return copy;
    }();
    store.reset();
    const auto reopened = open(again);
    sound(*reopened);
    CHECK(dump(*reopened) == last);
  }
}

TEST_CASE("a full disk is told in one line and work goes on when there is room") {
  const ShimReset guard;
  Directory directory;
  const auto store = open(shimmed(directory));
  JobSpec spec = job();
  std::int64_t room = 200'000;
  shim().before = [&](DiskOp::Kind kind) {
    return kind == DiskOp::Kind::write && (room -= 4'096) < 0 ? SQLITE_FULL : SQLITE_OK;
  };
  Clock now = clock_of_turn(0);
  std::uint64_t kept = 0;
  const std::vector<JobSpec> many(50, spec);
  for (;; ++kept) {
    store->begin(now, Durability::synced);
    store->submit(many);
    const auto done = store->commit();
    if (done.ok()) continue;
    CHECK(done.error().code == Errc::full);
    CHECK(done.error().line().find('\n') == std::string::npos);
    CHECK(done.error().line().find("database or disk is full") != std::string::npos);
    break;
  }
  REQUIRE(kept > 2);
  CHECK(store->counts()[0].jobs[std::size_t(JobState::ready)] == kept * 50);
  // Reading goes on meanwhile.
  CHECK(store->list({}, 0, 10)->jobs.size() == 10);
  room = 1ll << 40;
  store->begin(now, Durability::synced);
  store->submit(many);
  CHECK(store->commit().ok());
  CHECK(store->counts()[0].jobs[std::size_t(JobState::ready)] == (kept + 1) * 50);
  sound(*store);
}

TEST_CASE("a log that fills the disk does not stand in the way when there is some room again") {
  const ShimReset guard;
  Directory directory;
  SqliteOptions options = shimmed(directory);
  options.wal_pages = 10'000;  // it is not written back for its length
  options.disk_left = [] { return std::uint64_t(shim().room); };
  const auto store = open(options);
  const Clock now = clock_of_turn(0);
  shim().room = 3'000'000;
  // A page or two each, and more of the log: it is the log that fills the disk.
  JobSpec spec = job();
  const std::string large(4'000, 'x');
  spec.payload = large;
  std::uint64_t kept = 0;
  for (;; ++kept) {
    store->begin(now, Durability::synced);
    store->submit({&spec, 1});
    if (!store->commit().ok()) break;
  }
  CHECK(kept > 100);
  // Far less than the log would have had by then.
  shim().room = 600'000;
  std::uint64_t ended = 0;
  while (ended < 50) {
    int tries = 0;
    TakenBatch batch;
    do {
      REQUIRE(++tries <= 3);
      store->begin(now, Durability::synced);
      batch = store->take("p", 1);
    } while (!store->commit().ok());
    REQUIRE(batch.jobs.size() == 1);
    Ending ending;
    ending.id = batch.jobs[0].id;
    ending.attempt.number = 1;
    do {
      REQUIRE(++tries <= 4);
      store->begin(now, Durability::synced);
      store->finish({&ending, 1});
    } while (!store->commit().ok());
    ++ended;
  }
  const std::vector<Counts> counts = store->counts();
  const auto& jobs = counts[0].jobs;
  CHECK(jobs[std::size_t(JobState::succeeded)] == ended);
  CHECK(jobs[std::size_t(JobState::ready)] == kept - ended);
  sound(*store);
}

TEST_CASE("after a failed flush nothing is accepted until the pages are safe in the file itself") {
  const ShimReset guard;
  Directory directory;
  const auto store = open(shimmed(directory));
  const JobSpec spec = job();
  store->begin(clock_of_turn(0), Durability::batched);
  store->submit({&spec, 1});
  REQUIRE(store->commit().ok());
  CHECK(store->unflushed());
  bool failing = true;
  shim().before = [&](DiskOp::Kind kind) {
    return failing && kind == DiskOp::Kind::sync ? SQLITE_IOERR_FSYNC : SQLITE_OK;
  };
  CHECK_FALSE(store->flush().ok());
  CHECK(store->unflushed());
  store->begin(clock_of_turn(1), Durability::batched);
  CHECK(store->submit({&spec, 1}).empty());
  CHECK_FALSE(store->commit().ok());
  CHECK(dump(*store).find("1 ready") == 0);
  failing = false;
  store->begin(clock_of_turn(2), Durability::batched);
  CHECK(store->submit({&spec, 1}).size() == 1);
  CHECK(store->commit().ok());
  CHECK(store->flush().ok());
  sound(*store);
}
