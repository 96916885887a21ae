#include "tests/soak/inspect.hpp"

#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <vector>

#include <nlohmann/json.hpp>

#include "common/channel_layout.hpp"
#include "tests/soak/jobs.hpp"
#include "tests/support/daemon.hpp"

namespace jobring::soak {
namespace {

bool all_sleep(Client& client) {
  const auto status = nlohmann::json::parse(client.status_json());
  for (const auto& pool : status["pools"]) {
    for (const auto& worker : pool["workers"]) {
      if (worker["state"] != "sleeping") return false;
    }
  }
  return true;
}

// With one worker, jobs of one channel and one priority begin in the order of their submission, and
// those of a higher priority before those of a lower one, but for one look in 32 that begins at the
// lowest. This holds for an async worker as well: it claims like any other, and takes each job of a
// batch to its first wait before it looks at the next. It does not for several lanes: each claims
// for itself, and steals.
void check_order(Ledger& ledger, Client& client, Random& random, const PoolPlan& plan) {
  Jobs jobs(ledger, ledger.clients[kClientsMax - 1], random);
  const std::uint32_t epoch = ledger.epoch.load();
  Channel channel = client.channel(plan.name);
  const HandlerId soak = channel.handler("soak");
  struct Ordered {
    Job job;
    std::uint64_t begin_ns = 0;
  };
  std::vector<Ordered> ordered;
  const auto submit = [&](Behaviour behaviour, std::uint32_t us) {
    Job job = jobs.draw(plan, epoch);
    if (job.record == nullptr) return;
    job.spec.behaviour = behaviour;
    job.spec.us = us;
    job.record->behaviour = std::uint8_t(behaviour);
    job.options.start_within = {};
    job.record->start_within = 0;
    if (channel.prepare(soak, jobs.payload(job), ordered.size(), job.options)) {
      jobs.accepted(job);
      ordered.push_back({job});
    } else {
      jobs.withdrawn(job);
    }
  };
  submit(Behaviour::spin, 20'000);  // while it runs, the others gather
  channel.submit();
  for (int i = 0; i < 30; ++i) submit(Behaviour::spin, 0);
  channel.submit();
  for (std::size_t left = ordered.size(); left > 0;) {
    channel.wait();
    for (const Completion& c : channel.reap()) {
      jobs.ended(ordered[c.tag].job, c.outcome, c.attempts, c.text());
      --left;
    }
  }
  const std::uint64_t lines = std::min<std::uint64_t>(ledger.run_count.load(), kRunsMax);
  for (Ordered& o : ordered) {
    for (std::uint64_t i = 0; i < lines; ++i) {
      if (ledger.runs_[i].job.load() == o.job.spec.id) o.begin_ns = ledger.runs_[i].begin_ns;
    }
    if (o.begin_ns == 0) return;  // the log was full
  }
  if (ordered.size() < 2) return;
  std::stable_sort(ordered.begin() + 1, ordered.end(),
                   [](const Ordered& a, const Ordered& b) { return a.begin_ns < b.begin_ns; });
  int descents = 0;
  std::uint64_t last[3] = {};
  for (std::size_t i = 1; i < ordered.size(); ++i) {
    const auto level = std::size_t(ordered[i].job.options.priority);
    if (ordered[i].job.spec.id < last[level])
      ledger.complain(
          "with one worker, job %llx began before an earlier one of its priority, pool %s",
          (unsigned long long)last[level], plan.name);
    last[level] = ordered[i].job.spec.id;
    if (i > 1 && level < std::size_t(ordered[i - 1].job.options.priority)) ++descents;
  }
  if (descents > 1)
    ledger.complain("with one worker, priorities were passed over %d times in 30 jobs", descents);
}

}  // namespace

void inspect(Ledger& ledger, std::uint64_t seed, const std::string& socket,
             std::uint64_t patience_ns) {
  Random random(seed);
  const std::uint64_t until = now_ns() + patience_ns;
  for (;;) {
    try {
      Client client = Client::connect(
          {.daemon = ConnectOptions::Daemon::existing, .socket = socket, .name = "inspector"});
      // A channel to each: so that a fresh daemon has made what an old one has, and every pool
      // works.
      for (const PoolPlan& pool : kPools) {
        if (client.pool(pool.name).call("echo", "x") != "x") ledger.complain("a wrong echo");
      }
      while (!all_sleep(client)) {
        if (now_ns() > until) {
          ledger.complain("not all workers sleep, though there is nothing to do");
          std::fprintf(stderr, "%s\n", client.status_json().c_str());
          return;
        }
        timespec t{0, 5'000'000};
        nanosleep(&t, nullptr);
      }
      for (const PoolPlan& pool : kPools) {
        if (pool.workers == 1) check_order(ledger, client, random, pool);
      }
      return;
    } catch (const Exception& e) {
      // A daemon that was just started.
      if (now_ns() > until) return ledger.complain("the inspector: %s", e.what());
      timespec t{0, 5'000'000};
      nanosleep(&t, nullptr);
    }
  }
}

Channels look_at_channels(pid_t daemon) {
  Channels found;
  const std::string directory = "/proc/" + std::to_string(daemon) + "/fd/";
  DIR* dir = opendir(directory.c_str());
  if (dir == nullptr) return found;
  while (const dirent* entry = readdir(dir)) {
    const std::string path = directory + entry->d_name;
    char target[256];
    const ssize_t n = readlink(path.c_str(), target, sizeof target - 1);
    if (n <= 0) continue;
    const std::string name(target, std::size_t(n));
    constexpr std::string_view kPrefix = "/memfd:jobring:channel:";
    if (!name.starts_with(kPrefix)) continue;
    ++found.count;
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat info;
    if (fd < 0 || fstat(fd, &info) != 0) continue;
    void* base = mmap(nullptr, std::size_t(info.st_size), PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    if (base == MAP_FAILED) continue;
    const std::uint32_t slots = static_cast<ChannelHeader*>(base)->slots.get();
    const ChannelView view(base, {slots, kMaxPayload, kMaxResult});
    for (std::uint32_t i = 0; i < slots; ++i) {
      const StateWord word = view.slot(i).word();
      if (word.is(SlotState::free)) continue;
      if (found.taken++ == 0) {
        found.first = name.substr(kPrefix.size()) + " slot " + std::to_string(i) + " is " +
                      to_string(word.state()) + " (owner " + std::to_string(word.owner()) + ")";
      }
    }
    munmap(base, std::size_t(info.st_size));
  }
  closedir(dir);
  return found;
}

}  // namespace jobring::soak
