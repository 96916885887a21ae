#include "tests/soak/client.hpp"

#include <poll.h>
#include <sys/prctl.h>
#include <time.h>

#include <algorithm>
#include <csignal>
#include <optional>
#include <unordered_map>
#include <vector>

#include "tests/soak/jobs.hpp"

namespace jobring::soak {
namespace {

enum class Doing : std::uint32_t {
  idle,
  connecting,
  opening,
  channel_stint,
  pool_stint,
  mapping,
  draining,
  closing
};

class SoakClient {
 public:
  SoakClient(Ledger& ledger, std::uint32_t index, std::uint64_t seed, std::string socket)
      : ledger_(ledger),
        cell_(ledger.clients[index]),
        random_(seed),
        jobs_(ledger, cell_, random_),
        socket_(std::move(socket)) {}

  [[noreturn]] void live() {
    for (;;) {
      if (ledger_.now() == Phase::run) {
        cell_.done = 0;
        try {
          session();
        } catch (const Exception& e) {
          // The daemon is gone, or going. Every other reason is a defect, which shows as jobs that
          // never complete; but some can be told here and now.
          if (!gone(e)) ledger_.complain("client %d: %s", int(getpid()), e.what());
        }
        continue;
      }
      cell_.done = 1 + std::uint32_t(ledger_.now());
      moment();
    }
  }

 private:
  // One lane: a channel and what is under way in it.
  struct Lane {
    Lane(Channel c, const PoolPlan& p)
        : channel(std::move(c)),
          pool(&p),
          soak(channel.handler("soak")),
          exec(channel.handler("exec")) {}
    Channel channel;
    const PoolPlan* pool;
    HandlerId soak, exec;
    struct Open {
      Job job;
      JobRef ref;
    };
    std::unordered_map<std::uint64_t, Open> open;  // by tag
  };
  enum class Style { spin, sleep, sleep_for_many, event_loop };

  void at(Doing doing) {
    cell_.doing = std::uint32_t(doing);
    jobs_.beat();
  }
  static void moment() {
    const timespec t{0, 500'000};
    nanosleep(&t, nullptr);
  }
  static bool gone(const Exception& e) { return std::string_view(e.kind()) == "no_daemon"; }
  bool running() const { return ledger_.now() == Phase::run; }

  void session() {
    at(Doing::connecting);
    const std::uint32_t epoch = ledger_.epoch.load();
    std::optional<Client> client;
    while (running() && !client) {
      try {
        client.emplace(Client::connect(
            {.daemon = ConnectOptions::Daemon::existing, .socket = socket_, .name = "soak"}));
        client->ping();
      } catch (const Exception& e) {
        client.reset();
        if (!gone(e)) throw;
        moment();
      }
      jobs_.beat();
    }
    if (!client) return;
    std::vector<Lane> lanes;
    try {
      for (auto left = 1 + jobs_.below(12); left > 0 && running(); --left) {
        const PoolPlan& pool = kPools[jobs_.below(kPools.size())];
        switch (jobs_.below(4)) {
          case 0:
            pool_stint(*client, pool, epoch);
            break;
          default: {
            if (lanes.size() < 3) {
              at(Doing::opening);
              lanes.emplace_back(client->channel(pool.name), pool);
            }
            const std::size_t n = jobs_.below(lanes.size());
            channel_stint(lanes[n], epoch);
            // Closed in the middle of its jobs, or when they are done; or left as it is until its
            // next turn.
            const auto end = jobs_.below(6);
            if (end == 0) abandon(lanes, n);
            if (end >= 3) finish(lanes[n]);
            if (end == 5 && lanes[n].open.empty()) lanes.erase(lanes.begin() + long(n));
          }
        }
      }
    } catch (const Exception& e) {
      if (!gone(e)) ledger_.complain("client %d: %s", int(getpid()), e.what());
    }
    for (Lane& lane : lanes) finish(lane);
    // Drained: the channels stay, so that the harness can look at their slots.
    while (ledger_.now() == Phase::drain) {
      cell_.done = 1 + std::uint32_t(Phase::drain);
      moment();
    }
    at(Doing::closing);
  }

  // ---- by channel

  void channel_stint(Lane& lane, std::uint32_t epoch) {
    at(Doing::channel_stint);
    const Style style = Style(jobs_.below(4));
    const std::uint64_t until = now_ns() + jobs_.below(150'000'000);
    const std::size_t most = 1 + jobs_.below(jobs_.one_in(4) ? lane.channel.slots() : 32);
    while (running() && now_ns() < until) {
      std::size_t prepared = 0;
      for (auto burst = 1 + jobs_.below(32); burst > 0 && lane.open.size() < most; --burst) {
        if (!prepare(lane, epoch)) break;
        ++prepared;
      }
      // One in a few batches rests before it is published.
      if (jobs_.one_in(20)) moment();
      lane.channel.submit();
      disturb(lane);
      if (lane.open.size() >= most || prepared == 0 || jobs_.one_in(2)) reap_some(lane, style);
      if (jobs_.one_in(30)) moment();
      jobs_.beat();
      if (ledger_.job_count.load() >= kJobsMax) return moment();
    }
  }

  bool prepare(Lane& lane, std::uint32_t epoch) {
    Job job = jobs_.draw(*lane.pool, epoch);
    if (job.record == nullptr) return false;
    const std::string payload = jobs_.payload(job);
    JobRef ref{};
    bool taken = false;
    try {
      const HandlerId id = job.kind == Kind::command ? lane.exec : lane.soak;
      taken = lane.channel.prepare(id, payload, job.spec.id, job.options, &ref);
    } catch (const Exception&) {
      jobs_.withdrawn(job);
      throw;
    }
    if (!taken) {
      jobs_.withdrawn(job);
      return false;
    }
    jobs_.accepted(job);
    lane.open.emplace(job.spec.id, Lane::Open{job, ref});
    return true;
  }

  // Cancels or kills one of the lane's jobs, now and then.
  void disturb(Lane& lane) {
    if (lane.open.empty() || !jobs_.one_in(12)) return;
    if (jobs_.one_in(200)) {
      for (auto& [id, open] : lane.open) open.job.record->flags |= kCancelAsked;
      lane.channel.cancel_all();
      return;
    }
    // The oldest is the one that most likely runs.
    const bool stop = jobs_.one_in(2);
    const auto victim =
        stop ? std::min_element(lane.open.begin(), lane.open.end(),
                                [](const auto& a, const auto& b) { return a.first < b.first; })
             : lane.open.begin();
    victim->second.job.record->flags |= stop ? kCancelAsked | kKillAsked : kCancelAsked;
    if (stop) {
      lane.channel.kill(victim->second.ref, jobs_.one_in(2) ? SIGTERM : SIGKILL);
    } else {
      lane.channel.cancel(victim->second.ref);
    }
  }

  void reap_some(Lane& lane, Style style) {
    switch (style) {
      case Style::spin:
        break;
      // Without a time-out: a wake-up that is lost shall be seen, by the watchdog.
      case Style::sleep:
        if (!lane.open.empty()) lane.channel.wait();
        break;
      case Style::sleep_for_many:
        if (!lane.open.empty())
          lane.channel.wait(std::chrono::nanoseconds::max(), 1 + jobs_.below(lane.open.size()));
        break;
      case Style::event_loop:
        // Armed, then reaped, and only then waited for.
        const int fd = lane.channel.fd();
        lane.channel.arm();
        if (reap_all(lane) == 0 && !lane.open.empty()) {
          pollfd ready{fd, POLLIN, 0};
          poll(&ready, 1, -1);
        }
        break;
    }
    reap_all(lane);
  }

  std::size_t reap_all(Lane& lane) {
    for (std::size_t count = 0;;) {
      const auto completions = lane.channel.reap(1 + jobs_.below(256));
      if (completions.empty()) return count;
      count += completions.size();
      for (const Completion& c : completions) {
        const auto found = lane.open.find(c.tag);
        if (found == lane.open.end()) {
          ledger_.complain("client %d is handed job %llx, which it does not wait for",
                           int(getpid()), (unsigned long long)c.tag);
          continue;
        }
        jobs_.ended(found->second.job, c.outcome, c.attempts, c.text());
        lane.open.erase(found);
      }
    }
  }

  void finish(Lane& lane) {
    at(Doing::draining);
    lane.channel.submit();
    while (!lane.open.empty()) reap_some(lane, Style::sleep);
    reap_some(lane, Style::spin);  // gives the last slots back
    if (lane.channel.outstanding() != 0)
      ledger_.complain("client %d: %zu jobs are outstanding that it did not submit", int(getpid()),
                       lane.channel.outstanding());
  }

  void abandon(std::vector<Lane>& lanes, std::size_t n) {
    for (auto& [id, open] : lanes[n].open) jobs_.abandoned(open.job);
    lanes.erase(lanes.begin() + long(n));
  }

  // ---- by pool and future

  struct Promised {
    Job job;
    Future future;
  };

  void pool_stint(Client& client, const PoolPlan& plan, std::uint32_t epoch) {
    at(Doing::pool_stint);
    Pool pool = client.pool(plan.name);
    std::vector<Promised> all;
    const auto submit = [&] {
      Job job = jobs_.draw(plan, epoch);
      if (job.record == nullptr) return false;
      try {
        Future f = pool.submit(jobs_.handler(job), jobs_.payload(job), job.options);
        jobs_.accepted(job);
        all.push_back({job, std::move(f)});
      } catch (const Exception&) {
        jobs_.withdrawn(job);
        throw;
      }
      return true;
    };
    const auto take = [&](Promised& p) {
      const JobResult& r = p.future.result();
      jobs_.ended(p.job, r.outcome, r.attempts, r.bytes);
      p.job.record = nullptr;
    };
    try {
      for (auto left = 1 + jobs_.below(plan.commands > 50 ? 8 : 100); left > 0 && running();
           --left) {
        if (!submit()) break;
        if (jobs_.one_in(30)) {
          Promised& victim = all[jobs_.below(all.size())];
          victim.job.record->flags |= kCancelAsked;
          if (jobs_.one_in(2)) {
            victim.future.cancel();
          } else {
            victim.job.record->flags |= kKillAsked;
            victim.future.kill();
          }
        }
      }
    } catch (const Exception& e) {
      if (!gone(e)) ledger_.complain("client %d: %s", int(getpid()), e.what());
    }
    at(Doing::draining);
    if (jobs_.one_in(2)) {
      std::vector<Future> futures;
      for (const Promised& p : all) futures.push_back(p.future);
      std::size_t count = 0;
      for (AsCompleted done(std::move(futures)); done.next();) {
        ++count;
        jobs_.beat();
      }
      if (count != all.size())
        ledger_.complain("client %d: as_completed gave %zu of %zu", int(getpid()), count,
                         all.size());
    }
    for (Promised& p : all) take(p);
    if (jobs_.one_in(4)) map(pool, plan, epoch);
  }

  void map(Pool& pool, PoolPlan plan, std::uint32_t epoch) {
    plan.commands = 0;
    at(Doing::mapping);
    std::vector<Job> mapped;
    std::vector<std::string> inputs;
    JobOptions options;
    options.crash_retries = std::uint8_t(jobs_.below(4));
    for (auto left = 1 + jobs_.below(60); left > 0; --left) {
      Job job = jobs_.draw(plan, epoch);
      if (job.record == nullptr) break;
      // The first failure is the map's: let most of them have none.
      if (!jobs_.one_in(200)) job.spec.behaviour = Behaviour::spin;
      job.record->behaviour = std::uint8_t(job.spec.behaviour);
      job.record->crash_retries = options.crash_retries;
      job.record->start_within = 0;
      mapped.push_back(job);
      inputs.push_back(jobs_.payload(job));
    }
    for (const Job& job : mapped) job.record->flags |= kMayFinish;
    try {
      const std::vector<std::string> results = pool.map("soak", inputs, options);
      if (results.size() != mapped.size())
        ledger_.complain("map gave %zu of %zu results", results.size(), mapped.size());
      for (std::size_t i = 0; i < std::min(results.size(), mapped.size()); ++i) {
        jobs_.check_result(mapped[i], results[i]);
        jobs_.beat();
      }
    } catch (const JobFailed&) {
      // One of them was to fail, or met a killer. Which of the others ran, a map does not tell.
    }
  }

  Ledger& ledger_;
  ClientCell& cell_;
  Random random_;
  Jobs jobs_;
  std::string socket_;
};

}  // namespace

void be_client(Ledger& ledger, std::uint32_t index, std::uint64_t seed, const std::string& socket) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  ledger.clients[index].outstanding = 0;
  ledger.clients[index].done = 0;
  SoakClient(ledger, index, seed, socket).live();
}

}  // namespace jobring::soak
