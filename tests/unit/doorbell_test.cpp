#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <thread>

#include "common/doorbell.hpp"

using namespace jobring;

TEST_CASE("a sleeper is rung once per sleep, and another one next") {
  auto page = std::make_unique<PoolPage>();
  page->sleeping[0].store(0b101);
  for (const std::uint32_t w : {0u, 2u}) page->worker(w).sleep_epoch.store(1);  // raised before the bit is set
  WakeMemory memory;
  CHECK(memory.pick(*page, 4) == 0);
  CHECK(memory.pick(*page, 4) == 2);
  CHECK(memory.pick(*page, 4) == -1);
  page->worker(0).sleep_epoch.store(2);  // it slept again
  CHECK(memory.pick(*page, 4) == 0);
}

TEST_CASE("nobody rings itself, nor a worker that the pool does not have") {
  auto page = std::make_unique<PoolPage>();
  page->sleeping[0].store(1u << 3);
  page->sleeping[1].store(1);
  for (const std::uint32_t w : {3u, 64u}) page->worker(w).sleep_epoch.store(1);
  WakeMemory memory;
  CHECK(memory.pick(*page, 128, 3) == 64);
  WakeMemory other;
  CHECK(other.pick(*page, 3) == -1);
}

TEST_CASE("ready bits are set once and cleared one by one") {
  auto page = std::make_unique<DoorbellPage>();
  CHECK(page->set_ready(1, 200));
  CHECK_FALSE(page->set_ready(1, 200));
  CHECK(page->set_ready(1, 201));
  page->clear_ready(1, 200);
  CHECK(page->any_ready());
  page->clear_ready(1, 201);
  CHECK_FALSE(page->any_ready());
}

// The protocol of doorbell.hpp, with a flag in place of the sleep: no job may be left while the
// worker sleeps unrung.
TEST_CASE("no wake-up is lost between a submitter and a worker that lies down") {
  auto page = std::make_unique<DoorbellPage>();
  auto pool = std::make_unique<PoolPage>();
  std::atomic<std::uint64_t> tail{0};
  std::atomic<std::uint64_t> rung{0};
  constexpr std::uint64_t kJobs = 100'000;
  std::thread worker([&] {
    std::uint64_t head = 0, heard = 0;
    while (head < kJobs) {
      while (tail.load() > head) ++head;
      page->clear_ready(0, 5);                        // W1
      if (tail.load() > head) page->set_ready(0, 5);  // W2
      pool->worker(0).sleep_epoch.fetch_add(1, std::memory_order_relaxed);
      pool->sleeping[0].fetch_or(1);             // W3
      if (!page->any_ready() && head < kJobs) {  // W4
        while (rung.load() == heard) std::this_thread::yield();
        heard = rung.load();
      }
      pool->sleeping[0].fetch_and(0);
    }
  });
  WakeMemory memory;
  for (std::uint64_t i = 1; i <= kJobs; ++i) {
    tail.store(i);                                      // S1
    page->set_ready(0, 5);                              // S2
    if (memory.pick(*pool, 1) == 0) rung.fetch_add(1);  // S3
  }
  worker.join();  // hangs, and is ended by ctest, if a wake-up was lost
  CHECK(tail.load() == kJobs);
}
