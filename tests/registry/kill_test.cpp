// A child works on a journal in shared memory and is killed: at every single store, and at random
// moments. What the next registry finds must be the state after exactly the operations that were
// acknowledged, or after those and the one that was under way; and when that one is sent again it
// must be answered as if nothing had happened.
#include <doctest/doctest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>

#include "tests/registry/registry.hpp"
#include "tests/support/seed.hpp"

using namespace jobring;
using namespace jobring::test;

namespace {

constexpr std::size_t kSegment = 32 * 1024;  // small: a snapshot every hundred operations

// The user's limit is reached before the segment's, so that the reference, which has a larger
// segment, is full at the same operation.
RegistryConfig config() {
  RegistryConfig c;
  c.bytes_per_uid_max = 9'000;
  return c;
}

// Shared between the parent and its children.
struct Shared {
  std::atomic<std::uint64_t> acknowledged;  // operations whose replies were handed out
  std::atomic<std::uint64_t> stores;
  std::atomic<std::uint64_t> snapshots;
  std::uint64_t kill_at;  // 0: never
  alignas(64) std::byte segment[kSegment];
};
Shared* shared = nullptr;

Shared* map_shared() {
  void* at =
      mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  REQUIRE(at != MAP_FAILED);
  return new (at) Shared{};
}

void count_store() {
  const std::uint64_t store = shared->stores.fetch_add(1) + 1;
  if (store == shared->kill_at) kill(getpid(), SIGKILL);
}

// Operation number `i` of the stream; it depends on nothing else.
struct Step {
  RegistryRequest request;
  std::uint64_t session, generation;
  std::uint32_t slot;
  std::string key, value;
  bool ends = false;  // instead: the session ends
};
Step step(std::uint64_t seed, std::uint64_t i) {
  std::mt19937_64 random(seed * 1'000'003 + i);
  Step s;
  s.session = 1 + random() % 3;
  s.slot = std::uint32_t(random() % 4);
  s.generation = i + 1;
  s.key = "key " + std::to_string(random() % 6);
  s.value = std::string(random() % 60, char('a' + random() % 26));
  switch (random() % 20) {
    case 0:
    case 1:
      s.request = keyed(on(Op::dict_set, "d"), s.key, s.value);
      break;
    case 2:
      s.request = keyed(on(Op::dict_remove, "d"), s.key);
      break;
    case 3:
      s.request = with(keyed(on(Op::dict_increment, "n"), s.key), 1 + std::int64_t(random() % 9));
      break;
    case 4:
      s.request =
          with(keyed(on(Op::dict_set, "t"), s.key, s.value), 0, 1 + std::int64_t(random() % 20));
      break;
    case 5:
      s.request = until(
          valued(with(sized(on(Op::queue_put, "q"), 8), std::int64_t(random() % 3)), s.value), 0);
      s.request.order = QueueOrder::priority;
      break;
    case 6:
    case 7:
      s.request = until(
          flagged(sized(on(Op::queue_get, "q"), 8), random() % 2 == 0 ? unsigned(kLease) : 0u), 0);
      s.request.order = QueueOrder::priority;
      break;
    case 8:
    case 9:
      s.request = until(valued(sized(on(Op::queue_put, "f"), 6), s.value), 0);
      break;
    case 10:
      s.request = until(sized(on(Op::queue_get, "f"), 6), 0);
      break;
    case 11:
      s.request = sized(on(Op::queue_task_done, "f"), 6);
      break;
    case 12:
      s.request = random() % 5 == 0
                      ? on(Op::list_clear, "l")
                      : with(valued(on(Op::list_insert, "l"), s.value), std::int64_t(random() % 5));
      break;
    case 13:
      s.request = on(Op::list_pop, "l");
      break;
    case 14:
      s.request = with(on(Op::counter_add, "c"), std::int64_t(random() % 100));
      break;
    case 15:
      s.request = on(random() % 2 == 0 ? Op::event_set : Op::event_clear, "e");
      break;
    case 16:
      s.request = flagged(valued(on(Op::list_append, "ephemeral"), s.value), kEphemeral);
      break;
    case 17:
      s.request = on(Op::remove, random() % 2 == 0 ? "d" : "q");
      break;
    case 18:
      s.request = sized(on(Op::semaphore_release, "s"), 1);
      break;
    default:
      s.ends = random() % 3 == 0;
      s.request = on(Op::counter_get, "c");
  }
  return s;
}

// Returns the reply; a session's end has none.
RegistryReply play(Engine& engine, std::uint64_t seed, std::uint64_t i) {
  const Step s = step(seed, i);
  // The texts of the request are views of this step's: short ones move with it.
  RegistryRequest r = s.request;
  if (!r.key.empty()) r.key = s.key;
  if (!r.value.empty()) r.value = s.value;
  const auto now = std::int64_t(1'000 + i);
  if (s.ends) {
    engine.session_ended(s.session, now);
    engine.commit();
    return {};
  }
  Caller caller;
  caller.request_id = i + 1;
  caller.session = s.session;
  caller.slot = s.slot;
  caller.generation = s.generation;
  caller.uid = 1000;
  engine.handle(caller, r, now);
  const auto replies = engine.commit();
  return replies.empty() ? RegistryReply{} : replies[0].reply;
}

std::unique_ptr<Engine> open(std::span<std::byte> segment) {
  auto opened = Engine::open(segment, config(), 0, 1);
  REQUIRE_MESSAGE(opened.ok(), opened.error().line());
  return std::move(*opened);
}

// A registry that is never killed, one operation after the other. Its segment is large: so it has
// other snapshots, and what may depend on them shows.
class Reference {
 public:
  explicit Reference(std::uint64_t seed) : engine_(open(segment_.bytes())), seed_(seed) {}
  // Goes on until `count` operations are done; before and after are the states around the last.
  void to(std::uint64_t count) {
    REQUIRE(count >= done_);
    while (done_ < count) {
      if (done_ + 1 == count) before = engine_->dump();
      reply = play(*engine_, seed_, done_++);
      if (done_ == count) after = engine_->dump();
    }
  }
  std::string before, after;
  RegistryReply reply;  // to the last

 private:
  Segment segment_{1 << 20};
  std::unique_ptr<Engine> engine_;
  std::uint64_t done_ = 0;
  std::uint64_t seed_;
};

// The child: goes on where the acknowledged operations end, until it is killed or has done `until`.
[[noreturn]] void work(std::uint64_t seed, std::uint64_t until, bool hooked) {
  auto opened = Engine::open(shared->segment, config(), 0, 1);
  if (!opened.ok()) _exit(3);
  if (hooked) (*opened)->journal().on_store(count_store);
  for (std::uint64_t i = shared->acknowledged.load(); i < until; ++i) {
    const std::size_t used = (*opened)->journal().used();
    play(**opened, seed, i);
    if ((*opened)->journal().used() < used) ++shared->snapshots;
    if (hooked) count_store();  // between the commit and the acknowledgement
    shared->acknowledged.store(i + 1);
  }
  _exit(0);
}

int wait_for(pid_t child) {
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return status;
}

// What the parent finds in the segment, compared with the reference. True: the operation that was
// under way is part of it.
bool check(Reference& reference, std::uint64_t seed) {
  const std::uint64_t acknowledged = shared->acknowledged.load();
  Segment copy(kSegment);
  std::copy(std::begin(shared->segment), std::end(shared->segment), copy.bytes().begin());
  auto found = open(copy.bytes());
  reference.to(acknowledged + 1);
  const std::string state = found->dump();
  if (state != reference.before && state != reference.after) {
    FAIL_CHECK("after " << acknowledged << " operations\n--- found\n"
                        << state << "--- without the next one\n"
                        << reference.before << "--- with it\n"
                        << reference.after);
  }
  // Sent again, the one under way is answered alike, and done once.
  const RegistryReply again = play(*found, seed, acknowledged);
  CHECK(again.status == reference.reply.status);
  CHECK(again.number == reference.reply.number);
  if (again.status == Status::ok) CHECK(again.payload == reference.reply.payload);
  CHECK(found->dump() == reference.after);
  return state == reference.after && state != reference.before;
}

}  // namespace

TEST_CASE("the registry survives SIGKILL at every store of append, commit, snapshot and switch") {
  const std::uint64_t seed = seed_of_test();
  CAPTURE(seed);
  shared = map_shared();
  // JOBRING_REGISTRY_KILL_OPS: how long the stream is; its stores, thus the kills, grow with it.
  const char* given = std::getenv("JOBRING_REGISTRY_KILL_OPS");
  std::uint64_t operations = given != nullptr ? std::strtoull(given, nullptr, 10) : 300;
  pid_t child = -1;
  // Long enough for the log to be full once: that depends on what is drawn.
  for (;; operations += operations / 2) {
    child = fork();
    if (child == 0) work(seed, operations, true);
    REQUIRE(wait_for(child) == 0);
    if (shared->snapshots.load() > 0) break;
    REQUIRE(operations < 100'000);
    std::memset(shared->segment, 0, kSegment);
    shared->acknowledged = 0;
    shared->stores = 0;
  }
  const std::uint64_t stores = shared->stores.load();
  REQUIRE(stores > operations);

  std::uint64_t survived = 0;
  Reference reference(seed);
  for (std::uint64_t at = 1; at <= stores; ++at) {
    CAPTURE(at);
    std::memset(shared->segment, 0, kSegment);
    shared->acknowledged = 0;
    shared->stores = 0;
    shared->kill_at = at;
    child = fork();
    if (child == 0) work(seed, operations, true);
    REQUIRE(WIFSIGNALED(wait_for(child)));
    survived += check(reference, seed);
  }
  MESSAGE("killed at each of " << stores << " stores of " << operations << " operations");
  CHECK(survived > 0);
  munmap(shared, sizeof(Shared));
}

TEST_CASE("the registry survives SIGKILL at random moments, again and again") {
  const std::uint64_t seed = seed_of_test();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  shared = map_shared();
  const char* given = std::getenv("JOBRING_REGISTRY_KILLS");
  const int kills = given != nullptr ? std::atoi(given) : 300;
  Reference reference(seed);
  int survived = 0;
  for (int k = 0; k < kills; ++k) {
    const std::uint64_t before = shared->acknowledged.load();
    const pid_t child = fork();
    if (child == 0) work(seed, UINT64_MAX, false);
    // At some moment after it has begun to work.
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (shared->acknowledged.load() == before) {
      REQUIRE(std::chrono::steady_clock::now() < deadline);
      sched_yield();
    }
    for (std::uint64_t spins = random() % 20'000; spins > 0; --spins) shared->stores.fetch_add(1);
    kill(child, SIGKILL);
    REQUIRE(WIFSIGNALED(wait_for(child)));
    survived += check(reference, seed);
  }
  MESSAGE("killed " << kills << " times in " << shared->acknowledged.load() << " operations, "
                    << survived << " times between commit and acknowledgement");
  munmap(shared, sizeof(Shared));
}
