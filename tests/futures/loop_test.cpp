// Event loops keep turning while thousands of things are awaited on them. No clock judges that:
// what is awaited comes only because a timer of a millisecond has ticked meanwhile, so that a loop
// that blocked anywhere would never end.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <jobring/asio.hpp>
#include <jobring/registry_asio.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "tests/futures/support.hpp"

using namespace jobring;
using namespace jobring::test;
using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

constexpr int kRounds = 30;
constexpr int kEach = 100;        // things awaited of each sort and round
constexpr int kTicksBetween = 3;  // rounds

// A sort of thing that is awaited. All rounds are begun at once; those of a round come after
// open().
class Sort {
 public:
  virtual ~Sort() = default;
  // Begins to await kEach of them; `came` is called as each comes.
  virtual void begin(asio::io_context& io, int round, const std::function<void()>& came) = 0;
  // Lets the round come. False: not yet, ask again. Never blocks.
  virtual bool open(int round) = 0;
};

// Gates that are opened by who must not wait for them.
class LoopGates {
 public:
  LoopGates(const Daemon& daemon, const std::string& name) {
    for (int round = 0; round < kRounds; ++round)
      gates_.emplace_back(daemon.dir(), name + std::to_string(round));
  }
  const std::string& path(int round) const { return gates_[std::size_t(round)].path(); }
  // False: no job stands at it yet.
  bool open(int round) const {
    const int fd = ::open(path(round).c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0) ::close(fd);
    return fd >= 0;
  }

 private:
  std::deque<Gate> gates_;
};

// Results of a pool of one worker, which runs the jobs of all rounds in their order: those of each
// round stand behind a job that waits at the round's gate.
class ResultsOfJobs : public Sort {
 public:
  ResultsOfJobs(const Daemon& daemon, asio::io_context& io)
      : pool_(io.get_executor(), daemon.connect().pool()), gates_(daemon, "results") {}
  void begin(asio::io_context& io, int round, const std::function<void()>& came) override {
    // A coroutine too: they all begin, and submit, in the order in which they were spawned.
    asio::co_spawn(
        io,
        [this, round]() -> asio::awaitable<void> {
          co_await pool_.async_call("wait_at_fifo", gates_.path(round), {}, asio::use_awaitable);
        },
        asio::detached);
    for (int i = 0; i < kEach; ++i) {
      asio::co_spawn(
          io,
          [this, came, i]() -> asio::awaitable<void> {
            const std::string text = std::to_string(i);
            const std::string echo =
                co_await pool_.async_call("echo", text, {}, asio::use_awaitable);
            CHECK(echo == text);
            came();
          },
          asio::detached);
    }
  }
  bool open(int round) override { return gates_.open(round); }

 private:
  AsyncPool pool_;
  LoopGates gates_;
};

// Locks, one a round: all of the round stand in line behind another process's session, which lets
// it go, and then behind each other.
class Locks : public Sort {
 public:
  Locks(const Registry& ours, const Registry& other, asio::io_context& io)
      : registry_(ours), async_(io.get_executor(), ours) {
    for (int round = 0; round < kRounds; ++round) {
      held_.emplace_back(other, name(round));
      held_.back().acquire();
    }
  }
  void begin(asio::io_context& io, int round, const std::function<void()>& came) override {
    for (int i = 0; i < kEach; ++i) {
      asio::co_spawn(
          io,
          [this, came, round]() -> asio::awaitable<void> {
            Lock lock(registry_, name(round));
            const Pending<Grant> acquires = lock.start_acquire();
            const Grant grant = co_await async_.wait(acquires, asio::use_awaitable);
            CHECK(grant);
            const Pending<void> releases = lock.start_release();
            co_await async_.wait(releases, asio::use_awaitable);
            came();
          },
          asio::detached);
    }
  }
  bool open(int round) override {
    opened_.push_back(held_[std::size_t(round)].start_release());
    return true;
  }

 private:
  static std::string name(int round) { return "round-" + std::to_string(round); }
  Registry registry_;
  AsyncRegistry async_;
  std::deque<Lock> held_;
  std::deque<Pending<void>> opened_;
};

// Items of queues, one a round, which another session fills.
class QueueItems : public Sort {
 public:
  QueueItems(const Registry& ours, const Registry& other, asio::io_context& io)
      : registry_(ours), other_(other), async_(io.get_executor(), ours) {}
  void begin(asio::io_context& io, int round, const std::function<void()>& came) override {
    for (int i = 0; i < kEach; ++i) {
      asio::co_spawn(
          io,
          [this, came, round]() -> asio::awaitable<void> {
            Queue queue(registry_, name(round));
            const Pending<std::optional<QueueItem>> gets = queue.start_get();
            const std::optional<QueueItem> item = co_await async_.wait(gets, asio::use_awaitable);
            CHECK(item);
            if (item) CHECK(item->value == name(round));
            came();
          },
          asio::detached);
    }
  }
  bool open(int round) override {
    Queue queue(other_, name(round));
    for (int i = 0; i < kEach; ++i) opened_.push_back(queue.start_put(name(round)));
    return true;
  }

 private:
  static std::string name(int round) { return "items-" + std::to_string(round); }
  Registry registry_, other_;
  AsyncRegistry async_;
  std::deque<Pending<bool>> opened_;
};

// What a loop's timer does at each tick, and what it has counted.
class Rounds {
 public:
  explicit Rounds(std::vector<Sort*> sorts) : sorts_(std::move(sorts)), open_(sorts_.size()) {}
  void came() { ++came_; }
  bool over() const { return came_ == expected(kRounds); }
  int opened() const { return opened_; }
  long ticks() const { return ticks_; }

  void tick() {
    ++ticks_;
    // Between two rounds, and before the first, everything that is left is awaited and nothing
    // comes.
    if (opened_ == kRounds || came_ != expected(opened_)) return;
    if (++idle_ticks_ < kTicksBetween) return;
    bool all = true;
    for (std::size_t i = 0; i < sorts_.size(); ++i) {
      if (!open_[i]) open_[i] = sorts_[i]->open(opened_);
      all = all && open_[i];
    }
    if (!all) return;
    open_.assign(sorts_.size(), false);
    ++opened_;
    idle_ticks_ = 0;
  }

 private:
  long expected(int rounds) const { return long(sorts_.size()) * rounds * kEach; }
  std::vector<Sort*> sorts_;
  std::vector<bool> open_;
  long came_ = 0;
  long ticks_ = 0;
  int opened_ = 0;
  int idle_ticks_ = 0;
};

}  // namespace

TEST_CASE(
    "a timer of a millisecond ticks while thousands of results and locks and queue items are "
    "awaited") {
  Daemon daemon(futures_pool(1), R"(, "registry": {"slots": 16384})");
  Client client = daemon.connect(), other_client = daemon.connect();
  const Registry registry(client), other(other_client);
  asio::io_context io;
  ResultsOfJobs results(daemon, io);
  Locks locks(registry, other, io);
  QueueItems items(registry, other, io);
  const std::vector<Sort*> sorts{&results, &locks, &items};
  Rounds rounds(sorts);
  for (int round = 0; round < kRounds; ++round) {
    for (Sort* sort : sorts) sort->begin(io, round, [&] { rounds.came(); });
  }
  asio::steady_timer timer(io);
  std::function<void()> again = [&] {
    timer.expires_after(1ms);
    timer.async_wait([&](const boost::system::error_code&) {
      rounds.tick();
      if (!rounds.over()) again();
    });
  };
  again();
  io.run();
  CHECK(rounds.over());
  CHECK(rounds.opened() == kRounds);
  CHECK(rounds.ticks() >= kRounds * kTicksBetween);
}

TEST_CASE("a flood of results lets a due timer through between any two turns") {
  Daemon daemon(futures_pool(2));
  constexpr int kCoroutines = 200, kJobs = 50;
  asio::io_context io;
  AsyncPool pool(io.get_executor(), daemon.connect().pool());
  asio::steady_timer timer(io);
  long left = kCoroutines * kJobs, overdue = 0, most_overdue = 0, ticks = 0;
  std::function<void()> again = [&] {
    timer.expires_after(1ms);
    timer.async_wait([&](const boost::system::error_code&) {
      ++ticks;
      most_overdue = std::max(most_overdue, std::exchange(overdue, 0));
      if (left != 0) again();
    });
  };
  again();
  for (int c = 0; c < kCoroutines; ++c) {
    asio::co_spawn(
        io,
        [&]() -> asio::awaitable<void> {
          for (int i = 0; i < kJobs; ++i) {
            co_await pool.async_call("echo", "x", {}, asio::use_awaitable);
            --left;
            if (std::chrono::steady_clock::now() >= timer.expiry()) ++overdue;
          }
        },
        asio::detached);
  }
  io.run();
  CHECK(left == 0);
  CHECK(ticks > 0);
  MESSAGE("results that passed a due timer, at most: " << most_overdue);
  // Those that stood before it in the loop's queue when it fell due, and before the loop looked at
  // its timers: each coroutine awaits one at a time.
  CHECK(most_overdue <= 3 * kCoroutines);
}

TEST_CASE("a plain epoll loop with a timer awaits thousands of results") {
  Daemon daemon(futures_pool(1, R"(, "slots": 4096)"));
  Pool pool = daemon.connect().pool();
  const LoopGates gates(daemon, "gate");
  const int loop = epoll_create1(EPOLL_CLOEXEC);
  const int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  const itimerspec every{{0, 1'000'000}, {0, 1'000'000}};
  timerfd_settime(timer, 0, &every, nullptr);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = timer;
  epoll_ctl(loop, EPOLL_CTL_ADD, timer, &event);
  event.data.fd = pool.fd();
  epoll_ctl(loop, EPOLL_CTL_ADD, pool.fd(), &event);

  int came = 0, opened = 0, ticks = 0, idle_ticks = 0;
  for (int round = 0; round < kRounds; ++round) {
    pool.submit("wait_at_fifo", gates.path(round));
    for (int i = 0; i < kEach; ++i)
      pool.submit("echo", "x").on_ready([&](const Future&) { ++came; });
  }
  pool.poll();
  while (came < kRounds * kEach) {
    epoll_event events[2];
    const int count = epoll_wait(loop, events, 2, -1);
    for (int i = 0; i < count; ++i) {
      if (events[i].data.fd != timer) {
        pool.poll();
        continue;
      }
      std::uint64_t times = 0;
      if (read(timer, &times, sizeof times) != sizeof times) continue;
      ++ticks;
      if (opened < kRounds && came == opened * kEach && ++idle_ticks >= kTicksBetween &&
          gates.open(opened)) {
        ++opened;
        idle_ticks = 0;
      }
    }
  }
  CHECK(opened == kRounds);
  CHECK(ticks >= kRounds * kTicksBetween);
  close(loop);
  close(timer);
}
