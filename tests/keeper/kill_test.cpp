// A child works on a store and is killed: before every single change that it makes to a file, and
// at random moments. What the next one finds must be the state after exactly the turns that were
// acknowledged, or after those and the one under way.
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>

#include "tests/keeper/house.hpp"
#include "tests/keeper/shim_vfs.hpp"
#include "tests/keeper/stream.hpp"
#include "tests/support/seed.hpp"

using namespace jobring;
using namespace jobring::test;

namespace {

struct Shared {
  std::atomic<std::uint64_t> acknowledged{0};  // turns
  std::atomic<std::uint64_t> changes{0};
};
Shared* map_shared() {
  void* at =
      mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  REQUIRE(at != MAP_FAILED);
  return new (at) Shared{};
}

SqliteOptions options_for(const std::string& path) {
  SqliteOptions options;
  options.path = path;
  options.wal_pages = 60;  // so that the log is written back often
  return options;
}

std::unique_ptr<Store> open(const SqliteOptions& options) {
  auto opened = open_sqlite_store(options);
  REQUIRE_MESSAGE(opened.ok(), opened.error().line());
  return std::move(*opened);
}

// The child: goes on where the acknowledged turns end.
[[noreturn]] void work(SqliteOptions options, Shared* shared, std::uint64_t seed,
                       std::uint64_t until, std::uint64_t kill_at) {
  if (kill_at != 0) {
    options.vfs = kShimVfs;
    shim().before = [=](DiskOp::Kind) {
      if (++shared->changes == kill_at) kill(getpid(), SIGKILL);
      return 0;
    };
  }
  auto opened = open_sqlite_store(options);
  if (!opened.ok()) _exit(3);
  for (std::uint64_t turn = shared->acknowledged; turn < until; ++turn) {
    play(**opened, seed, turn);
    if (!(*opened)->commit().ok()) _exit(4);
    shared->acknowledged = turn + 1;
    if (turn % 7 == 0 && !(*opened)->flush().ok()) _exit(5);
  }
  _exit(0);
}

int wait_for(pid_t child) {
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return status;
}

// Never killed, a turn after the other.
class Reference {
 public:
  explicit Reference(std::uint64_t seed)
      : store_(open(options_for(directory_.file("reference.db")))), seed_(seed) {}
  const std::string& after(std::uint64_t turns) {
    while (dumps_.size() <= turns) {
      if (!dumps_.empty()) {
        play(*store_, seed_, dumps_.size() - 1);
        const auto done = store_->commit();
        REQUIRE_MESSAGE(done.ok(), done.error().line());
      }
      dumps_.push_back(dump(*store_));
    }
    return dumps_[turns];
  }

 private:
  Directory directory_;
  std::unique_ptr<Store> store_;
  std::uint64_t seed_;
  std::vector<std::string> dumps_;  // by turns done
};

// Returns how many turns are in the store.
std::uint64_t check(const SqliteOptions& options, Reference& reference,
                    std::uint64_t acknowledged) {
  const auto store = open(options);
  const auto wrong = store->check();
  REQUIRE_MESSAGE(wrong.ok(), wrong.error().line());
  for (const std::string& what : *wrong) FAIL_CHECK(what);
  const std::string found = dump(*store);
  if (found == reference.after(acknowledged)) return acknowledged;
  if (found != reference.after(acknowledged + 1)) {
    FAIL("after " << acknowledged << " turns\n--- found\n"
                  << found << "--- without the next one\n"
                  << reference.after(acknowledged) << "--- with it\n"
                  << reference.after(acknowledged + 1));
  }
  return acknowledged + 1;
}

}  // namespace

TEST_CASE("the store survives SIGKILL before every single change of its files") {
  const std::uint64_t seed = seed_of_test();
  CAPTURE(seed);
  Reference reference(seed);
  const char* given = std::getenv("JOBRING_KEEPER_KILL_TURNS");
  const std::uint64_t turns = given != nullptr ? std::strtoull(given, nullptr, 10) : 8;
  Shared* shared = map_shared();
  std::uint64_t between = 0;  // died between its commit and the acknowledgement
  std::uint64_t at = 1;
  for (;; ++at) {
    CAPTURE(at);
    Directory directory;
    const SqliteOptions options = options_for(directory.file("jobs.db"));
    shared->acknowledged = 0;
    shared->changes = 0;
    const pid_t child = fork();
    if (child == 0) work(options, shared, seed, turns, at);
    const int status = wait_for(child);
    if (WIFEXITED(status)) {
      REQUIRE(WEXITSTATUS(status) == 0);
      break;
    }
    REQUIRE(WTERMSIG(status) == SIGKILL);
    const std::uint64_t acknowledged = shared->acknowledged;
    between += check(options, reference, acknowledged) - acknowledged;
  }
  REQUIRE(at > turns);
  MESSAGE("killed before each of " << at - 1 << " changes in " << turns << " turns, " << between
                                   << " times between commit and acknowledgement");
  munmap(shared, sizeof(Shared));
}

TEST_CASE("the store survives SIGKILL at random moments again and again") {
  const std::uint64_t seed = seed_of_test();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  Reference reference(seed);
  const char* given = std::getenv("JOBRING_KEEPER_KILLS");
  const int kills = given != nullptr ? std::atoi(given) : 40;
  Shared* shared = map_shared();
  Directory directory;
  const SqliteOptions options = options_for(directory.file("jobs.db"));
  for (int k = 0; k < kills; ++k) {
    CAPTURE(k);
    const std::uint64_t before = shared->acknowledged;
    const pid_t child = fork();
    if (child == 0) work(options, shared, seed, UINT64_MAX, 0);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (shared->acknowledged == before) {
      REQUIRE(std::chrono::steady_clock::now() < deadline);
      sched_yield();
    }
    for (std::uint64_t spins = random() % 20'000; spins > 0; --spins) shared->changes.fetch_add(1);
    kill(child, SIGKILL);
    REQUIRE(WIFSIGNALED(wait_for(child)));
    shared->acknowledged = check(options, reference, shared->acknowledged);
  }
  MESSAGE("killed " << kills << " times in " << shared->acknowledged.load() << " turns");
  munmap(shared, sizeof(Shared));
}
