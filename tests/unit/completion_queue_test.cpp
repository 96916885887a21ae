#include <doctest/doctest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "common/completion_queue.hpp"

using namespace jobring;

namespace {

struct Queue {
  explicit Queue(std::uint32_t capacity) : cells(capacity) {}
  CompletionProducer<> producer() { return {&lines, cells.data(), std::uint32_t(cells.size())}; }
  CompletionConsumer<> consumer() { return {&lines, cells.data(), std::uint32_t(cells.size())}; }
  CompletionLines<> lines{};
  std::vector<std::atomic<std::uint64_t>> cells;
};

}  // namespace

TEST_CASE("completions come out in the order in which they were published, lap after lap") {
  Queue queue(8);
  auto producer = queue.producer();
  auto consumer = queue.consumer();
  CompletionWord word(0);
  CHECK_FALSE(consumer.take(word));
  // More than 256 laps: the lap's eight bits wrap.
  for (std::uint32_t i = 0; i < 8 * 600; ++i) {
    REQUIRE(producer.publish(i & 0xffff, i));
    if (i % 3 == 0) producer.move_tail();
    REQUIRE(consumer.take(word));
    REQUIRE(word.index() == (i & 0xffff));
    REQUIRE_FALSE(consumer.ready());
  }
}

TEST_CASE("a worker that died between publishing and moving the tail is helped by the next") {
  Queue queue(8);
  auto dead = queue.producer();
  REQUIRE(dead.publish(1, 1));  // and never moves the tail
  auto alive = queue.producer();
  REQUIRE(alive.publish(2, 2));
  alive.move_tail();
  auto consumer = queue.consumer();
  CompletionWord word(0);
  REQUIRE(consumer.take(word));
  CHECK(word.index() == 1);
  REQUIRE(consumer.take(word));
  CHECK(word.index() == 2);
}

TEST_CASE("a worker that slept for many laps goes on where the queue is now") {
  Queue queue(8);
  auto sleepy = queue.producer();
  REQUIRE(sleepy.publish(0, 0));
  auto busy = queue.producer();
  auto consumer = queue.consumer();
  CompletionWord word(0);
  REQUIRE(consumer.take(word));
  for (std::uint32_t i = 1; i < 100; ++i) {
    REQUIRE(busy.publish(i, i));
    busy.move_tail();
    REQUIRE(consumer.take(word));
  }
  REQUIRE(sleepy.publish(1234, 5));
  REQUIRE(consumer.take(word));
  CHECK(word.index() == 1234);
}

TEST_CASE("the queue goes on if every worker for laps dies before it moves the tail") {
  Queue queue(8);
  auto consumer = queue.consumer();
  CompletionWord word(0);
  for (std::uint32_t i = 0; i < 100; ++i) {
    auto doomed = queue.producer();
    REQUIRE(doomed.publish(i, i));
    REQUIRE(consumer.take(word));
    REQUIRE(word.index() == i);
    consumer.publish_head();
  }
  CHECK(queue.lines.tail.load() == 0);
}

TEST_CASE("cells that a client scribbled over end publishing, not the worker") {
  Queue queue(8);
  for (auto& cell : queue.cells) cell.store(~std::uint64_t{0});
  auto producer = queue.producer();
  CHECK_FALSE(producer.publish(1, 1));
}

TEST_CASE("many workers over one queue: every word arrives exactly once") {
  constexpr std::uint32_t kWorkers = 3;
  constexpr std::uint64_t kEach = 60'000;
  Queue queue(256);
  std::atomic<std::uint64_t> consumed{0};
  std::vector<std::thread> workers;
  for (std::uint32_t w = 0; w < kWorkers; ++w) {
    workers.emplace_back([&, w] {
      auto producer = queue.producer();
      for (std::uint64_t i = 0; i < kEach; ++i) {
        // As in a channel, no more is outstanding than fits.
        while (i * kWorkers > consumed.load() + 128) std::this_thread::yield();
        if (!producer.publish(w, i)) std::abort();
        if (i % 7 == 0) producer.move_tail();
      }
      producer.move_tail();
    });
  }
  auto consumer = queue.consumer();
  std::vector<std::uint64_t> next(kWorkers);
  CompletionWord word(0);
  while (consumed.load() < kWorkers * kEach) {
    if (!consumer.take(word)) {
      std::this_thread::yield();
      continue;
    }
    consumed.fetch_add(1);
    REQUIRE(word.index() < kWorkers);
    REQUIRE((word.raw() & CompletionWord::kGenerationMask) == next[word.index()]++);
  }
  for (auto& worker : workers) worker.join();
  CHECK_FALSE(consumer.ready());
}
