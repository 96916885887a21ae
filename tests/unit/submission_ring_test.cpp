#include <doctest/doctest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "common/submission_ring.hpp"
#include "tests/unit/heap_channel.hpp"

using namespace jobring;
using test::HeapChannel;

namespace {

// What a worker does with a cell: claim the slot if nobody has.
auto taker(HeapChannel& channel, std::uint32_t owner, std::vector<std::uint32_t>& won) {
  return [&channel, owner, &won](SubmissionWord word) {
    if (!channel.view.slot(word.index())
             .move(word.queued(), word.queued().to(SlotState::claimed, owner)))
      return false;
    won.push_back(word.index());
    return true;
  };
}
constexpr auto kNoPrefetch = [](SubmissionWord) {};

}  // namespace

TEST_CASE("jobs are claimed in the order in which they were submitted") {
  HeapChannel channel(8);
  auto producer = channel.view.submission_producer(1);
  auto consumer = channel.view.submission_consumer(1);
  for (const std::uint32_t i : {3u, 1u, 5u}) producer.put(channel.queue(i));
  std::vector<std::uint32_t> won;
  CHECK(consumer.visit(8, 8, taker(channel, 1, won), kNoPrefetch).claimed ==
        0);  // not yet published
  producer.publish();
  const auto seen = consumer.visit(2, 8, taker(channel, 1, won), kNoPrefetch);
  CHECK(seen.claimed == 2);
  CHECK(seen.left == 1);
  consumer.visit(8, 8, taker(channel, 1, won), kNoPrefetch);
  CHECK(won == std::vector<std::uint32_t>{3, 1, 5});
  CHECK(consumer.backlog() == 0);
}

TEST_CASE("a worker that died after its claim and before it moved the head strands nothing") {
  HeapChannel channel(4);
  auto producer = channel.view.submission_producer(0);
  auto consumer = channel.view.submission_consumer(0);
  const auto first = channel.queue(0);
  const auto second = channel.queue(1);
  producer.put(first);
  producer.put(second);
  producer.publish();
  // The dead worker's last instruction was the CAS of slot 0.
  REQUIRE(channel.view.slot(0).move(first.queued(), first.queued().to(SlotState::claimed, 9)));
  std::vector<std::uint32_t> won;
  consumer.visit(4, 4, taker(channel, 2, won), kNoPrefetch);
  CHECK(won == std::vector<std::uint32_t>{1});
  CHECK(channel.word(0).owned_by(9));
  CHECK(consumer.backlog() == 0);
}

TEST_CASE("a full ring is full, and its client can free it of cancelled jobs itself") {
  HeapChannel channel(4);
  auto producer = channel.view.submission_producer(0);
  std::vector<SubmissionWord> words;
  for (std::uint32_t i = 0; i < 4; ++i) {
    words.push_back(channel.queue(i));
    producer.put(words.back());
  }
  producer.publish();
  CHECK(producer.full());
  // Cancelled by the client: no longer QUEUED with the cell's generation.
  for (const std::uint32_t i : {0u, 1u, 3u}) channel.set(i, SlotState::free, 0);
  producer.skip_dead([&](SubmissionWord w) { return channel.word(w.index()) == w.queued(); });
  CHECK_FALSE(producer.full());
  std::vector<std::uint32_t> won;
  auto consumer = channel.view.submission_consumer(0);
  CHECK(consumer.backlog() == 2);  // the living one, and the dead one behind it
  consumer.visit(4, 4, taker(channel, 1, won), kNoPrefetch);
  CHECK(won == std::vector<std::uint32_t>{2});
}

TEST_CASE("a tail that a client scribbled over is told from a backlog") {
  HeapChannel channel(4);
  auto consumer = channel.view.submission_consumer(0);
  channel.view.header().submission[0].tail.store(1'000'000);
  std::vector<std::uint32_t> won;
  CHECK(consumer.visit(4, 4, taker(channel, 1, won), kNoPrefetch).broken);
  CHECK(won.empty());
}

TEST_CASE("one visit looks at no more cells than it is allowed") {
  HeapChannel channel(8);
  auto producer = channel.view.submission_producer(0);
  for (std::uint32_t i = 0; i < 8; ++i) producer.put(channel.queue(i));
  producer.publish();
  for (std::uint32_t i = 0; i < 8; ++i) channel.set(i, SlotState::free, 0);
  std::vector<std::uint32_t> won;
  auto consumer = channel.view.submission_consumer(0);
  CHECK(consumer.visit(4, 3, taker(channel, 1, won), kNoPrefetch).left == 5);
}

TEST_CASE("many workers over one ring: each job is claimed exactly once") {
  constexpr std::uint32_t kSlots = 64;
  constexpr std::uint64_t kJobs = 200'000;
  constexpr std::uint32_t kWorkers = 3;
  HeapChannel channel(kSlots);
  std::atomic<std::uint64_t> claimed{0};
  std::vector<std::thread> workers;
  for (std::uint32_t w = 1; w <= kWorkers; ++w) {
    workers.emplace_back([&, w] {
      auto consumer = channel.view.submission_consumer(0);
      while (claimed.load() < kJobs) {
        const auto seen = consumer.visit(
            4, 64,
            [&](SubmissionWord word) {
              Slot& slot = channel.view.slot(word.index());
              const StateWord taken = word.queued().to(SlotState::claimed, w);
              if (!slot.move(word.queued(), taken)) return false;
              slot.state.store(taken.to(SlotState::done).raw(), std::memory_order_release);
              claimed.fetch_add(1);
              return true;
            },
            kNoPrefetch);
        if (seen.claimed == 0) std::this_thread::yield();
      }
    });
  }
  auto producer = channel.view.submission_producer(0);
  std::uint64_t submitted = 0;
  while (submitted < kJobs) {
    for (std::uint32_t i = 0; i < kSlots && submitted < kJobs; ++i) {
      const StateWord word = channel.word(i);
      if (!word.is(SlotState::free) && !word.is(SlotState::done)) continue;
      if (producer.full()) break;
      producer.put(channel.queue(i));
      ++submitted;
    }
    producer.publish();
    std::this_thread::yield();
  }
  for (auto& worker : workers) worker.join();
  CHECK(claimed.load() == kJobs);
  CHECK(channel.view.submission_consumer(0).backlog() == 0);
}
