// What the registry's engine alone can do, without processes around it: the limit of what the
// service can reach. One line per subject, best of five rounds.
//
//   jobring_registry_bench [ROUNDS]
#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>

#include "daemon/registry/engine.hpp"

using namespace jobring;
using namespace jobring::registry;

namespace {

constexpr std::size_t kSegment = std::size_t{256} << 20;
constexpr int kBatch = 32;  // requests per commit, as a worker claims them

double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

struct Bench {
  std::unique_ptr<Engine> engine;
  std::uint64_t requests = 0, refused = 0;

  explicit Bench(std::span<std::byte> segment) {
    RegistryConfig config;
    config.bytes_per_uid_max = kSegment;
    auto opened = Engine::open(segment, config, 0, 1);
    if (!opened.ok()) {
      std::fprintf(stderr, "%s\n", opened.error().line().c_str());
      std::exit(1);
    }
    engine = std::move(*opened);
  }
  void handle(const RegistryRequest& request, bool remembered) {
    Caller caller;
    caller.request_id = ++requests;
    caller.session = 1;
    caller.slot = std::uint32_t(requests % 64);
    caller.generation = remembered ? requests : 0;
    engine->handle(caller, request, 1);
    if (requests % kBatch == 0) commit();
  }
  void commit() {
    for (const Reply& r : engine->commit()) refused += r.reply.status != RegistryStatus::ok;
  }
};

void measure(const char* subject, int rounds, int count,
             const std::function<void(Bench&, int)>& body) {
  double best = 0;
  for (int round = 0; round < rounds; ++round) {
    void* at = mmap(nullptr, kSegment, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) std::exit(1);
    // The segment's pages are there, as in a registry that has run for a while.
    madvise(at, kSegment, MADV_POPULATE_WRITE);
    {
      Bench bench({static_cast<std::byte*>(at), kSegment});
      const double start = seconds();
      for (int i = 0; i < count; ++i) body(bench, i);
      bench.commit();
      best = std::max(best, count / (seconds() - start));
      if (bench.refused != 0) std::printf("%llu refused\n", (unsigned long long)bench.refused);
    }
    munmap(at, kSegment);
  }
  std::printf("%-44s %7.2f million/s\n", subject, best / 1e6);
}

RegistryRequest on(RegistryOp op, std::string_view name) {
  RegistryRequest r;
  r.op = op;
  r.name = name;
  r.flags = kCreateIfMissing;
  return r;
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 5;
  const auto acquire = on(RegistryOp::lock_acquire, "build/lock");
  const auto release = on(RegistryOp::lock_release, "build/lock");
  measure("lock and unlock, a pair", rounds, 1'000'000, [&](Bench& b, int) {
    b.handle(acquire, true);
    b.handle(release, true);
  });
  auto put = on(RegistryOp::queue_put, "queue");
  const auto get = on(RegistryOp::queue_get, "queue");
  const std::string item(64, 'x');
  put.value = item;
  measure("queue put, 64 bytes, journalled", rounds, 400'000,
          [&](Bench& b, int) { b.handle(put, true); });
  measure("queue put and get, a pair, journalled", rounds, 500'000, [&](Bench& b, int) {
    b.handle(put, true);
    b.handle(get, true);
  });
  auto increment = on(RegistryOp::dict_increment, "dict");
  increment.key = "hits";
  increment.a = 1;
  measure("dict increment, journalled", rounds, 1'000'000,
          [&](Bench& b, int) { b.handle(increment, true); });
  auto set = on(RegistryOp::dict_set, "dict");
  set.value = item;
  measure("dict set, 10,000 keys, 64 bytes, journalled", rounds, 1'000'000, [&](Bench& b, int i) {
    char key[16];
    set.key =
        std::string_view(key, std::size_t(std::snprintf(key, sizeof key, "key%d", i % 10'000)));
    b.handle(set, true);
  });
  auto read = on(RegistryOp::dict_get, "dict");
  read.key = "hits";
  measure("dict get", rounds, 1'000'000, [&](Bench& b, int i) {
    if (i == 0) b.handle(increment, true);
    b.handle(read, true);
  });
  auto add = on(RegistryOp::counter_add, "counter");
  add.a = 1;
  measure("counter add, journalled", rounds, 1'000'000,
          [&](Bench& b, int) { b.handle(add, true); });
  return 0;
}
