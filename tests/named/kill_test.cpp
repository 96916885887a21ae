// The registry killed at random moments under load: nobody hangs, and each change that was
// acknowledged is there exactly once.
#include <atomic>
#include <map>
#include <random>
#include <sstream>
#include <thread>

#include "tests/named/support.hpp"
#include "tests/support/seed.hpp"

using namespace jobring;
using namespace jobring::test;

namespace {

// What a process has done, told by its exit: a client that adds to a counter, a dict and a list,
// and puts and gets items, as fast as it can, until it is told to stop.
int change_things(const Daemon& daemon, Child& self, int number) {
  Client client = daemon.connect();
  Registry registry(client);
  Counter counter(registry, "counter");
  Dict dict(registry, "dict");
  List list(registry, "list");
  Queue queue(registry, "queue");
  Lock lock(registry, "lock");
  const std::string name = std::to_string(number);
  long done = 0, got = 0, lost = 0, locked = 0;
  std::atomic<bool> over{false};
  std::thread listener([&] {
    self.listen();
    over = true;
  });
  std::vector<std::string> items;
  while (!over) {
    counter.add(1);
    dict.increment(name);
    list.append(name);
    queue.put(name + "." + std::to_string(done));
    ++done;
    if (done % 2 == 0) {
      if (const auto item = queue.get(0ns)) {
        items.push_back(item->value);
        ++got;
      }
    }
    try {
      if (lock.acquire()) {
        ++locked;
        lock.release();
      }
    } catch (const ObjectLost&) {
      ++lost;
    }
  }
  listener.join();
  // Told at the end, through the registry itself: a pipe would be too small.
  List told(registry, "got" + name);
  for (const std::string& item : items) told.start_append(item);
  told.size();
  self.say(std::to_string(done) + " " + std::to_string(locked) + " " + std::to_string(lost));
  return 0;
}

}  // namespace

TEST_CASE("a registry killed at random moments loses and repeats no acknowledged change") {
  const std::uint64_t seed = seed_of_test();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  const char* asked = std::getenv("JOBRING_REGISTRY_SERVICE_KILLS");
  const int kills = asked != nullptr ? std::atoi(asked) : 25;
  Daemon daemon(R"({"default": {"workers": 1}})",
                R"(, "registry": {"memory": "1GiB", "memory_per_user": "256MiB"})");
  constexpr int kClients = 3;
  Client client = daemon.connect();
  Registry registry(client);
  Counter(registry, "counter").get();
  std::vector<std::unique_ptr<Child>> children;
  for (int i = 0; i < kClients; ++i) {
    children.push_back(
        std::make_unique<Child>([&, i](Child& self) { return change_things(daemon, self, i); }));
  }
  Counter counter(registry, "counter");
  std::int64_t before = 0;
  for (int i = 0; i < kills; ++i) {
    // Work has been done since the last death.
    REQUIRE(eventually([&] { return counter.get() > before; }, 60s));
    before = counter.get();
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 20'000));
    kill(registry_pid(daemon), SIGKILL);
  }
  for (auto& child : children) child->tell("stop");
  long total = 0;
  std::map<std::string, int> items;
  for (int i = 0; i < kClients; ++i) {
    std::istringstream words(children[std::size_t(i)]->hear(60s));
    long done = -1, locked = 0, lost = 0;
    words >> done >> locked >> lost;
    REQUIRE(done > 0);
    CHECK(locked > 0);
    CHECK_EQ(children[std::size_t(i)]->wait(), 0);
    Dict dict(registry, "dict");
    CHECK_EQ(dict.get(std::to_string(i)), std::to_string(done));
    for (const std::string& item : List(registry, "got" + std::to_string(i)).all()) ++items[item];
    for (long n = 0; n < done; ++n)
      items.try_emplace(std::to_string(i) + "." + std::to_string(n), 0);
    total += done;
  }
  CHECK_EQ(counter.get(), total);
  CHECK_EQ(List(registry, "list").size(), total);
  Queue queue(registry, "queue");
  while (const auto item = queue.get(0ns)) ++items[item->value];
  CHECK_EQ(long(items.size()), total);
  long wrong = 0;
  for (const auto& [item, count] : items) wrong += count != 1;
  CHECK_EQ(wrong, 0);
  MESSAGE("kills: " << kills << ", changes: " << total * 4);
}
