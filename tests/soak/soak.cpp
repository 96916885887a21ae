#include "tests/soak/soak.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <random>
#include <vector>

#include <jobring/types.hpp>

#include "tests/soak/audit.hpp"
#include "tests/soak/house.hpp"
#include "tests/soak/inspect.hpp"

namespace jobring::soak {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kKillsOfRound = 250;
constexpr std::uint64_t kRoundMost = 20 * kSecond;  // the ledger has room for so long
constexpr std::size_t kMemoryGrowthMax =
    4 << 20;  // bytes, of the daemon, between its second round and any later

std::size_t count_descriptors(pid_t pid) {
  std::error_code failed;
  const std::filesystem::directory_iterator files("/proc/" + std::to_string(pid) + "/fd", failed);
  return failed ? 0 : std::size_t(std::distance(begin(files), end(files)));
}

std::size_t resident_bytes(pid_t pid) {
  unsigned long size = 0, resident = 0;
  std::sscanf(test::read_file("/proc/" + std::to_string(pid) + "/statm").c_str(), "%lu %lu", &size,
              &resident);
  return resident * 4096;
}

class Soak {
 public:
  explicit Soak(const SoakOptions& options)
      : options_(options),
        random_(options.seed),
        house_(options.clients, random_()),
        ledger_(house_.ledger()) {}

  int run() {
    const std::uint64_t started = now_ns();
    bool good = true;
    while (good && (now_ns() - started < options_.seconds * kSecond ||
                    house_.toll().all() < options_.kills)) {
      house_.new_round();
      ++rounds_;
      const std::uint64_t begun = now_ns();
      const std::uint64_t kills_before = house_.toll().all();
      // Every third round spares the daemon's life no more: so there are daemons that live long
      // enough to show what they leak.
      kill_for_a_while(rounds_ % 3 == 0);
      killing_ns_ += now_ns() - begun;
      const Audit audited = ended_ ? Audit() : quiet();
      total_.add(audited);
      latency_ns_max_ = std::max(latency_ns_max_, ledger_.latency_ns_max.load());
      std::printf(
          "round %llu: %llu kills, %llu jobs, %llu runs, %llu duplicates, longest %.0f ms, %.1f "
          "s\n",
          (unsigned long long)rounds_, (unsigned long long)(house_.toll().all() - kills_before),
          (unsigned long long)audited.jobs, (unsigned long long)audited.runs,
          (unsigned long long)audited.duplicates, double(ledger_.latency_ns_max.load()) / 1e6,
          double(now_ns() - begun) / 1e9);
      std::fflush(stdout);
      good = ledger_.complaint_count == 0;
    }
    const std::uint64_t took = now_ns() - started;
    if (good) house_.close(30 * kSecond);
    for (std::size_t i = 0; i < kPools.size(); ++i) check_pool(i);
    report(took);
    return ledger_.complaint_count == 0 ? 0 : 1;
  }

 private:
  // Ends with the round's kills done, however long they take.
  void kill_for_a_while(bool daemons_too) {
    ledger_.phase = std::uint32_t(Phase::run);
    std::exponential_distribution<double> gap(options_.kills_per_second);
    std::uint64_t kills = 0, next = now_ns();
    const std::uint64_t until = now_ns() + kRoundMost;
    while (kills < kKillsOfRound && now_ns() < until && ledger_.job_count < kJobsMax && !ended_) {
      house_.tend();
      house_.continue_due();
      watch();
      if (now_ns() < next) {
        const timespec t{0, long(std::min<std::uint64_t>(1'000'000, next - now_ns()))};
        nanosleep(&t, nullptr);
        continue;
      }
      next = std::max(next, now_ns() - kSecond / 10) + std::uint64_t(gap(random_) * 1e9);
      const std::uint64_t dice = random_() % 1000;
      if (dice < 40) {
        house_.stop_one(1'000'000 + random_() % 200'000'000);
      } else if (dice < 170) {
        kills += house_.strike(Victim::client);
      } else if (dice < 185 && daemons_too) {
        kills += house_.strike(Victim::daemon);
      } else {
        kills += house_.strike(Victim::worker);
      }
    }
    house_.continue_due(true);
  }

  // All is drained, looked at, closed, looked at again, audited.
  Audit quiet() {
    ledger_.phase = std::uint32_t(Phase::drain);
    if (!reached(Phase::drain)) return {};
    Channels channels;
    await("every slot is FREE",
          [&] { return (channels = look_at_channels(house_.daemon())).taken == 0; });
    if (channels.taken != 0)
      ledger_.complain("%u slots are not FREE: %s", channels.taken, channels.first.c_str());
    ledger_.phase = std::uint32_t(Phase::close);
    if (!reached(Phase::close)) return {};
    const std::uint64_t seed = random_();
    if (!house_.in_child([&] { inspect(ledger_, seed, house_.socket(), 10 * kSecond); },
                         options_.patience_seconds * kSecond)) {
      ledger_.complain("the inspector stands still");
      house_.describe();
    }
    await("no command is left", [&] { return house_.children_of_workers() == 0; });
    await("every channel is gone", [&] { return look_at_channels(house_.daemon()).count == 0; });
    check_growth();
    return audit(ledger_, house_.deaths());
  }

  // Waits until all clients are through with a phase; false if one stands still.
  bool reached(Phase phase) {
    for (;;) {
      house_.tend();
      watch();
      if (ended_) return false;
      bool all = true;
      for (std::size_t i = 0; i < house_.clients().size(); ++i)
        all = all && ledger_.clients[i].done.load() >= 1 + std::uint32_t(phase);
      if (all) return true;
      usleep(500);
    }
  }

  template <class Condition>
  void await(const char* what, Condition condition) {
    const std::uint64_t until = now_ns() + 10 * kSecond;
    while (!condition()) {
      house_.tend();
      if (now_ns() > until) {
        ledger_.complain("not true within 10 s: %s", what);
        house_.describe();
        return;
      }
      usleep(1000);
    }
  }

  // No client stands still for longer than the patience; none waits for longer than that.
  void watch() {
    const std::uint64_t now = now_ns();
    seen_.resize(house_.clients().size());
    for (std::size_t i = 0; i < seen_.size(); ++i) {
      const std::uint64_t beat = ledger_.clients[i].heartbeat.load();
      const bool resting =
          ledger_.now() != Phase::run && ledger_.clients[i].done.load() >= 1 + ledger_.phase.load();
      if (beat != seen_[i].beat || seen_[i].since == 0 || resting) {
        seen_[i] = {beat, now};
      } else if (now - seen_[i].since > options_.patience_seconds * kSecond && !ended_) {
        ended_ = true;
        ledger_.complain("client %d stands still", int(house_.clients()[i]));
        house_.describe();
      }
    }
    if (ledger_.complaint_count != 0) ended_ = true;
  }

  // A daemon without clients holds the same descriptors whatever it has been through, and no more
  // memory.
  void check_growth() {
    std::size_t descriptors = 0;
    const auto flat = [&] {
      descriptors = count_descriptors(house_.daemon());
      return descriptors_ == 0 || descriptors == descriptors_;
    };
    await("the daemon's descriptors are as many as before", flat);
    if (descriptors_ == 0) descriptors_ = descriptors;
    const std::size_t resident = resident_bytes(house_.daemon());
    if (house_.daemon_age() == 2 || memory_ == 0) memory_ = resident;
    memory_max_ = std::max(memory_max_, resident);
    if (options_.watch_memory && house_.daemon_age() > 2 && resident > memory_ + kMemoryGrowthMax) {
      ledger_.complain("the daemon's memory grew from %zu to %zu KiB", memory_ >> 10,
                       resident >> 10);
    }
  }

  std::uint64_t deaths_in(std::size_t pool) const {
    return house_.toll().workers[pool] + ledger_.self_crashes[pool].load() +
           total_.pools[pool].ended_by_daemon;
  }
  // From the deaths' side: a death has no more jobs run again than its process could run at once.
  // (The death of a daemon has none: its clients' jobs are lost.)
  void check_pool(std::size_t i) {
    const PoolRuns& pool = total_.pools[i];
    const std::uint64_t deaths = deaths_in(i);
    if (pool.duplicates > deaths * kPools[i].at_once)
      ledger_.complain("%llu duplicates with %llu deaths of workers of pool %s",
                       (unsigned long long)pool.duplicates, (unsigned long long)deaths,
                       kPools[i].name);
    // Or nothing is learned here about workers with several jobs.
    if (kPools[i].at_once > 1 && pool.most_at_once < 2)
      ledger_.complain("no worker of pool %s ever ran two jobs at once", kPools[i].name);
  }

  void report(std::uint64_t took) {
    const Toll& toll = house_.toll();
    const double seconds = double(took) / 1e9;
    std::printf("seed %llu, %llu rounds, %.0f s\n", (unsigned long long)options_.seed,
                (unsigned long long)rounds_, seconds);
    std::printf(
        "kills: %llu (workers %llu, clients %llu, daemons %llu); %.0f an hour while killing, %.0f "
        "over all\n",
        (unsigned long long)toll.all(), (unsigned long long)toll.kills[0],
        (unsigned long long)toll.kills[1], (unsigned long long)toll.kills[2],
        double(toll.all()) * 3600e9 / double(killing_ns_), double(toll.all()) * 3600 / seconds);
    std::printf("stopped and continued: %llu; left by a worker and its daemon: %llu processes\n",
                (unsigned long long)toll.stops, (unsigned long long)house_.orphans());
    for (std::size_t i = 0; i < kPools.size(); ++i) {
      const PoolRuns& pool = total_.pools[i];
      std::printf(
          "pool %-8s %8llu runs, %5llu deaths of workers, %5llu duplicates, at most %u by one "
          "death; "
          "at most %u jobs at once of %u\n",
          kPools[i].name, (unsigned long long)pool.runs, (unsigned long long)deaths_in(i),
          (unsigned long long)pool.duplicates, pool.most_of_a_death, pool.most_at_once,
          kPools[i].at_once);
    }
    std::printf(
        "jobs: %llu (%.0f a second), completions %llu, runs %llu, duplicates %llu, lost %llu\n",
        (unsigned long long)total_.jobs, double(total_.jobs) / seconds,
        (unsigned long long)total_.completions, (unsigned long long)total_.runs,
        (unsigned long long)total_.duplicates, (unsigned long long)total_.lost);
    std::printf("outcomes:");
    for (std::uint8_t o = 0; o < kOutcomes; ++o) {
      if (total_.outcomes[o] != 0)
        std::printf(" %s %llu", to_string(Outcome(o)), (unsigned long long)total_.outcomes[o]);
    }
    std::uint64_t sum = 0, below = 0;
    for (const auto& bucket : ledger_.latency) sum += bucket.load();
    std::printf("\nsubmission to completion:");
    for (int i = 0; i < 64 && sum != 0; ++i) {
      const std::uint64_t before = below;
      below += ledger_.latency[i].load();
      for (const double p : {0.5, 0.99, 0.9999}) {
        if (double(before) < p * double(sum) && double(below) >= p * double(sum))
          std::printf(" p%g < %.3g ms,", p * 100, std::ldexp(1.0, i) / 1e6);
      }
    }
    std::printf(
        " longest %.0f ms\nlongest that a client waited and was handed nothing: %.0f ms; daemon's "
        "memory at most %zu KiB\n",
        double(latency_ns_max_) / 1e6, double(ledger_.stall_ns_max.load()) / 1e6,
        memory_max_ >> 10);
    const std::uint32_t complaints = ledger_.complaint_count;
    std::printf("complaints: %u\n", complaints);
    for (std::uint32_t i = 0; i < std::min(complaints, kComplaintsMax); ++i)
      std::printf("  %s\n", ledger_.complaints[i]);
    std::fflush(stdout);
  }

  struct Seen {
    std::uint64_t beat = 0, since = 0;
  };

  SoakOptions options_;
  std::mt19937_64 random_;
  House house_;
  Ledger& ledger_;
  std::vector<Seen> seen_;
  Audit total_;
  std::uint64_t rounds_ = 0, killing_ns_ = 0, latency_ns_max_ = 0;
  std::size_t descriptors_ = 0, memory_ = 0, memory_max_ = 0;
  bool ended_ = false;
};

}  // namespace

int soak(const SoakOptions& options) {
  std::printf("seed %llu\n", (unsigned long long)options.seed);
  std::fflush(stdout);
  return Soak(options).run();
}

}  // namespace jobring::soak
