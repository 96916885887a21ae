// The product's channel under ThreadSanitizer: a client, workers and recovery as threads of one
// process over one mapping, with real atomics. It sees the races that happen to occur on this
// machine; the explorer sees those that may.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstring>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "daemon/recovery.hpp"
#include "tests/support/seed.hpp"
#include "tests/unit/heap_channel.hpp"

using namespace jobring;

namespace {

constexpr std::uint32_t kWorkers = 3, kSlotCount = 8;
constexpr std::uint32_t kJobs = 3'000;

struct Bell {
  int fd = eventfd(0, EFD_SEMAPHORE);
  ~Bell() { close(fd); }
  void ring() const {
    const std::uint64_t one = 1;
    CHECK(write(fd, &one, sizeof one) == sizeof one);
  }
  void wait() const {
    std::uint64_t count;
    CHECK(read(fd, &count, sizeof count) == sizeof count);
  }
};

struct Pool {
  test::HeapChannel channel{kSlotCount};
  std::unique_ptr<DoorbellPage> doorbell = std::make_unique<DoorbellPage>();
  std::unique_ptr<PoolPage> page = std::make_unique<PoolPage>();
  Bell bells[kWorkers], client_bell;
  std::atomic<bool> over{false};
  int running[kSlotCount] = {};  // plain: whoever runs the job in this slot writes it
};

// A worker that dies after so many steps: it just stops, wherever it is.
class MortalWorker {
 public:
  MortalWorker(Pool& pool, std::uint32_t index, std::uint32_t life)
      : pool_(pool),
        index_(index),
        life_(life),
        ring_(pool.channel.view.submission_consumer(0)),
        completions_(pool.channel.view.completion_producer()) {}

  void work() {
    while (alive() && !pool_.over.load()) {
      if (!turn()) rest();
    }
  }

 private:
  bool alive() { return life_ != 0; }
  bool step() { return life_ != 0 && --life_ != 0; }

  bool turn() {
    const ChannelView& view = pool_.channel.view;
    std::vector<std::pair<std::uint32_t, StateWord>> claims;
    if (view.header().retries.exchange(0) != 0) {
      for (std::uint32_t i = 0; i < kSlotCount; ++i) {
        const StateWord word = view.slot(i).word();
        const StateWord claimed = word.to(SlotState::claimed, index_ + 1);
        if (word.is(SlotState::requeued) && view.slot(i).move(word, claimed))
          claims.emplace_back(i, claimed);
      }
    }
    if (claims.empty()) {
      ring_.visit(
          2, 8,
          [&](SubmissionWord word) {
            const StateWord claimed = word.queued().to(SlotState::claimed, index_ + 1);
            if (!view.slot(word.index()).move(word.queued(), claimed)) return false;
            claims.emplace_back(word.index(), claimed);
            return true;
          },
          [](SubmissionWord) {});
    }
    for (const auto& [slot, word] : claims) {
      if (!step()) return true;
      run(slot, word);
      if (!alive()) return true;
    }
    completions_.move_tail();
    return !claims.empty();
  }

  void run(std::uint32_t index, StateWord claimed) {
    Slot& slot = pool_.channel.view.slot(index);
    const StateWord running = claimed.to(SlotState::running, index_ + 1);
    if (!slot.move(claimed, running, std::memory_order_seq_cst)) return;
    pool_.running[index] = int(index_);
    if (!step()) return;
    std::memcpy(slot.result, slot.payload, sizeof(std::uint64_t));
    slot.result_len.set(sizeof(std::uint64_t));
    slot.outcome.set(std::uint8_t(Outcome::ok));
    if (!step()) return;
    const StateWord done = running.to(SlotState::done);
    slot.state.store(done.raw(), std::memory_order_release);
    if (!step()) return;
    CHECK(completions_.publish(index, done.generation()));
    if (!step()) return;
    auto& waiting = pool_.channel.view.header().waiting;
    if (WaitingWord::reached(waiting.load(), completions_.position()) && waiting.exchange(0) != 0)
      pool_.client_bell.ring();
  }

  void rest() {
    pool_.doorbell->clear_ready(0, 0);                                       // W1
    if (ring_.backlog() != 0 || pool_.channel.view.header().retries.load())  // W2
      pool_.doorbell->set_ready(0, 0);
    auto& entry = pool_.page->worker(index_);
    entry.sleep_epoch.store(entry.sleep_epoch.load() + 1);
    pool_.page->sleeping[0].fetch_or(1u << index_);                               // W3
    if (!pool_.doorbell->any_ready() && !pool_.over) pool_.bells[index_].wait();  // W4, W5
    pool_.page->sleeping[0].fetch_and(~(std::uint64_t{1} << index_));
  }

  Pool& pool_;
  std::uint32_t index_, life_;
  SubmissionConsumer<> ring_;
  CompletionProducer<> completions_;
};

// One worker after the other in one place; recovery in between, as Pool::settle() does.
void keep_alive(Pool& pool, std::uint32_t index, std::uint64_t seed, std::atomic<int>& deaths) {
  std::mt19937_64 dice(seed + index);
  while (!pool.over) {
    std::thread worker([&] { MortalWorker(pool, index, 200 + dice() % 2000).work(); });
    worker.join();
    if (pool.over) return;
    ++deaths;
    Death death;
    death.worker = std::uint16_t(index);
    recover_channel(pool.channel.view, index + 1, death);
    clear_worker(*pool.page, index);
    rearm(*pool.doorbell, 0);
    pool.client_bell.ring();
    for (const Bell& bell : pool.bells) bell.ring();
  }
}

struct Client {
  explicit Client(Pool& p)
      : pool(p),
        producer(p.channel.view.submission_producer(0)),
        consumer(p.channel.view.completion_consumer()) {
    for (std::uint32_t i = 0; i < kSlotCount; ++i) free.push_back(i);
  }

  bool submit(std::uint64_t job) {
    if (producer.full()) {
      producer.skip_dead([&](SubmissionWord word) {
        return pool.channel.view.slot(word.index()).word() == word.queued();
      });
    }
    if (free.empty() || producer.full()) return false;
    const std::uint32_t index = free.back();
    free.pop_back();
    Slot& slot = pool.channel.view.slot(index);
    std::memcpy(slot.payload, &job, sizeof job);
    pool.running[index] = -1;
    slot.crash_retries.set(200);
    slot.attempts.reset();
    const StateWord queued = slot.word(std::memory_order_relaxed).to(SlotState::queued);
    slot.state.store(queued.raw(), std::memory_order_release);
    producer.put(SubmissionWord(index, queued.generation()));
    producer.publish();                                    // S1
    pool.doorbell->set_ready(0, 0);                        // S2
    const int sleeper = wakes.pick(*pool.page, kWorkers);  // S3
    if (sleeper >= 0) pool.bells[sleeper].ring();
    jobs[index] = job;
    return true;
  }
  void end(std::uint32_t index) {
    Slot& slot = pool.channel.view.slot(index);
    std::uint64_t answer = 0;
    std::memcpy(&answer, slot.result, sizeof answer);
    CHECK(answer == jobs[index]);
    CHECK(slot.result_len.get() == sizeof answer);
    pool.running[index] = -1;
    slot.state.store(slot.word(std::memory_order_relaxed).to(SlotState::free).raw(),
                     std::memory_order_relaxed);
    free.push_back(index);
    ++ended;
  }
  bool reap() {
    const std::uint32_t before = ended;
    const ChannelView& view = pool.channel.view;
    CompletionWord word(0);
    while (consumer.take(word)) {
      if (word.announces(view.slot(word.index()).word())) end(word.index());
    }
    consumer.publish_head();
    if (view.header().rescan.exchange(0) != 0 && !consumer.ready()) {
      for (std::uint32_t i = 0; i < kSlotCount; ++i) {
        if (view.slot(i).word().is(SlotState::done)) end(i);
      }
    } else if (consumer.ready()) {
      view.header().rescan.store(1);
    }
    return ended != before;
  }
  void wait() {
    auto& header = pool.channel.view.header();
    header.waiting.store(WaitingWord::until(consumer.position() + 1));
    if (!consumer.ready() && header.rescan.load() == 0) pool.client_bell.wait();
    header.waiting.store(0, std::memory_order_relaxed);
  }

  Pool& pool;
  SubmissionProducer<> producer;
  CompletionConsumer<> consumer;
  WakeMemory wakes;
  std::vector<std::uint32_t> free;
  std::uint64_t jobs[kSlotCount] = {};
  std::uint32_t ended = 0;
};

}  // namespace

TEST_CASE("client, mortal workers and recovery share a channel without a race") {
  const std::uint64_t seed = test::seed_of_test();
  CAPTURE(seed);
  Pool pool;
  std::atomic<int> deaths{0};
  std::vector<std::thread> keepers;
  for (std::uint32_t w = 0; w < kWorkers; ++w)
    keepers.emplace_back([&, w] { keep_alive(pool, w, seed, deaths); });
  Client client(pool);
  std::uint32_t submitted = 0;
  while (client.ended < kJobs || deaths < 20) {
    if (client.submit(submitted + 1)) {
      ++submitted;
    } else if (!client.reap()) {
      client.wait();
    }
  }
  pool.over = true;
  for (const Bell& bell : pool.bells) bell.ring();
  for (auto& keeper : keepers) keeper.join();
  std::printf("%u jobs, %d deaths\n", client.ended, deaths.load());
}
