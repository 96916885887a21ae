// Named objects against what two processes pay for waking each other, and against Python's Manager.
#include <cstdio>
#include <deque>
#include <memory>
#include <stdexcept>

#include <jobring/registry.hpp>

#include "bench/bare.hpp"
#include "bench/daemon.hpp"

namespace bench {
namespace {

using namespace jobring;

// What the same program, in a process of its own, measures.
double in_client(const Daemon& daemon, const std::function<double(Registry&)>& body) {
  auto* result = static_cast<double*>(shared_memory(sizeof(double)));
  wait_child(in_child([&] {
    Client client = daemon.connect();
    Registry registry(client);
    *result = body(registry);
  }));
  return *result;
}

double pairs_per_second(double duration, const std::function<void()>& pair) {
  for (int i = 0; i < 100; ++i) pair();
  std::uint64_t done = 0;
  const double start = seconds();
  double now = start;
  for (; now - start < duration; now = seconds()) {
    for (int i = 0; i < 20; ++i) pair();
    done += 20;
  }
  return double(done) / (now - start);
}

double lock_pairs(Registry& registry, double duration) {
  Lock lock(registry, "bench");
  return pairs_per_second(duration, [&] {
    lock.acquire();
    lock.release();
  });
}

double dict_pairs(Registry& registry, double duration) {
  Dict dict(registry, "bench-dict");
  return pairs_per_second(duration, [&] {
    dict.set("key", "value");
    dict.get("key");
  });
}

// Items that go through the queue a second, `depth` operations under way.
double queue_items(Registry& registry, double duration, std::size_t depth) {
  Queue queue(registry, "bench-queue");
  const std::string item(64, 'x');
  std::deque<Pending<bool>> puts;
  std::deque<Pending<std::optional<QueueItem>>> gets;
  std::uint64_t done = 0;
  const double start = seconds();
  double now = start;
  for (; now - start < duration; now = seconds()) {
    for (int i = 0; i < 64; ++i) {
      puts.push_back(queue.start_put(item));
      gets.push_back(queue.start_get());
    }
    while (puts.size() > depth / 2) {
      puts.front().get();
      puts.pop_front();
      gets.front().get();
      gets.pop_front();
      ++done;
    }
  }
  for (; !puts.empty(); ++done) {
    puts.front().get();
    puts.pop_front();
    gets.front().get();
    gets.pop_front();
  }
  return double(done) / (seconds() - start);
}

double manager(const char* what, double duration) {
  const std::string command = std::string("python3 ") + JOBRING_BENCH_DIR + "/manager.py " + what +
                              " " + std::to_string(duration);
  FILE* output = popen(command.c_str(), "r");
  double rate = 0;
  if (output == nullptr || std::fscanf(output, "%lf", &rate) != 1)
    throw std::runtime_error("cannot run " + command);
  pclose(output);
  return rate;
}

}  // namespace

std::vector<Row> objects(const Settings& s) {
  std::vector<Row> rows;
  const Daemon daemon(s, "\"workers\": 1");
  const auto lock_rate = [&] {
    return in_client(daemon, [&](Registry& r) { return lock_pairs(r, s.seconds); });
  };
  rows.push_back(compare(
      s, row("lock and unlock, uncontended", "us", "bare wake-up round trip", 3, false),
      [&] { return 1e6 / lock_rate(); }, [&] { return eventfd_ping_pong(s.seconds, -1, -1).p50; }));
  rows.push_back(compare(s, row("lock and unlock, pairs", "/s", "Manager().Lock()", 20), lock_rate,
                         [&] { return manager("lock", s.seconds); }));
  rows.push_back(compare(
      s, row("dict set and get, pairs", "/s", "Manager().dict()", 10),
      [&] { return in_client(daemon, [&](Registry& r) { return dict_pairs(r, s.seconds); }); },
      [&] { return manager("dict", s.seconds); }));
  const auto items = [&] {
    return in_client(daemon, [&](Registry& r) { return queue_items(r, s.seconds, 1024); });
  };
  rows.push_back(compare(s, row("queue put and get, pipelined, items", "/s", "the aim", 1), items,
                         [] { return 500'000.0; }));
  rows.push_back(compare(s,
                         row("queue put and get, pipelined, items", "/s", "Manager().Queue()", 0),
                         items, [&] { return manager("queue", s.seconds); }));
  return rows;
}

}  // namespace bench
