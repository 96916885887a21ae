#include "tests/soak/failover.hpp"

#include <dirent.h>

#include <algorithm>
#include <bit>
#include <cstdio>
#include <optional>
#include <stdexcept>
#include <vector>

#include "common/pool_page.hpp"
#include "common/segment.hpp"
#include "tests/soak/jobs.hpp"
#include "tests/support/daemon.hpp"

namespace jobring::soak {
namespace {

constexpr double kAim = 5.0;  // milliseconds, p99
constexpr std::uint64_t kPatience = 30'000'000'000;

struct Situation {
  const char* name;
  std::uint32_t workers;
  bool others_busy;          // with a job that takes for ever
  std::uint32_t bystanders;  // channels whose every slot has been used
};

void moment() {
  const timespec t{0, 100'000};
  nanosleep(&t, nullptr);
}

template <class Condition>
void until(const char* what, Condition condition) {
  const std::uint64_t end = now_ns() + kPatience;
  while (!condition()) {
    if (now_ns() > end) throw std::runtime_error(std::string("waited in vain: ") + what);
    moment();
  }
}

// The pool's own page, read through the daemon's descriptor.
Mapping map_pool_page(pid_t daemon) {
  const std::string directory = "/proc/" + std::to_string(daemon) + "/fd/";
  DIR* dir = opendir(directory.c_str());
  Mapping page;
  while (const dirent* entry = dir != nullptr ? readdir(dir) : nullptr) {
    const std::string path = directory + entry->d_name;
    char target[256];
    const ssize_t n = readlink(path.c_str(), target, sizeof target);
    if (n <= 0 || !std::string_view(target, std::size_t(n)).starts_with("/memfd:jobring:pool:"))
      continue;
    const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    auto mapping = Mapping::map(fd.get(), sizeof(PoolPage), Mapping::Access::read_only);
    if (mapping) page = std::move(*mapping);
  }
  if (dir != nullptr) closedir(dir);
  if (page.base() == nullptr) throw std::runtime_error("the daemon has no pool page");
  return page;
}

class Failover {
 public:
  Failover(const Situation& situation, Ledger& ledger, const std::string& ledger_path)
      : situation_(situation),
        ledger_(ledger),
        daemon_(R"({"default": {"workers": )" + std::to_string(situation.workers) +
                R"(, "modules": [")" + test::test_module("soaked") + R"("], "environment": {")" +
                kLedgerVariable + "\": \"" + ledger_path + "\"}}}"),
        page_(map_pool_page(daemon_.pid())),
        jobs_(ledger, ledger.clients[0], random_),
        client_(daemon_.connect("failover")),
        channel_(client_.channel()),
        soak_(channel_.handler("soak")) {
    for (std::uint32_t i = 0; i < situation.bystanders; ++i) add_bystander();
    if (situation.others_busy) {
      blocker_ = submit(0);
      until("the other worker is busy", [&] { return blocker_->record->runs.load() == 1; });
    }
  }

  std::vector<double> run(std::uint32_t kills) {
    std::vector<double> times;
    for (std::uint32_t i = 0; i < kills; ++i) times.push_back(once());
    return times;
  }

 private:
  // The job runs until it is killed, and in its second run ends at once.
  Job submit(std::uint8_t retries) {
    ledger_.job_count = next_job_++ % 1000;
    Job job = jobs_.draw({"default", Model::process, 0, 1, 0, 5, 0, ""}, 0);
    new (job.record) JobRecord{};
    job.record->pool = kNoPool;
    job.spec.behaviour = Behaviour::hold;
    job.spec.payload_size = sizeof(JobSpec);
    job.spec.result_size = 0;
    job.options = {};
    job.options.crash_retries = retries;
    job.record->id.store(job.spec.id);
    if (!channel_.prepare(soak_, jobs_.payload(job), job.spec.id, job.options))
      throw std::runtime_error("no slot is free");
    channel_.submit();
    return job;
  }

  double once() {
    const std::uint64_t busy = situation_.others_busy ? 1 : 0;
    until("all workers are up and asleep", [&] {
      return std::popcount(page_.as<PoolPage>()->sleeping[0].load()) ==
             int(situation_.workers - busy);
    });
    Run& first = ledger_.runs_[0];
    Run& second = ledger_.runs_[1];
    first.job = second.job = 0;
    ledger_.run_count = 0;
    const Job job = submit(1);
    until("the job runs", [&] { return first.job.load() == job.spec.id; });
    moment();  // its worker and we are at rest
    const std::uint64_t killed = now_ns();
    send_signal(pid_of(job.record->runner), SIGKILL);
    const std::uint64_t end = killed + kPatience;
    while (channel_.outstanding() > busy) {
      channel_.wait(std::chrono::seconds(1));
      for (const Completion& c : channel_.reap()) {
        if (c.outcome != Outcome::ok || c.attempts != 1)
          throw std::runtime_error("a job did not survive its worker");
      }
      if (now_ns() > end) throw std::runtime_error("the job does not come back");
    }
    channel_.reap();
    if (second.job != job.spec.id) throw std::runtime_error("no second run is noted");
    return double(second.begin_ns - killed) / 1e6;
  }

  void add_bystander() {
    bystanders_.push_back(client_.channel("default"));
    Channel& channel = bystanders_.back();
    const HandlerId echo = channel.handler("echo");
    for (std::size_t submitted = 0; submitted < channel.slots();) {
      while (submitted < channel.slots() && channel.prepare(echo, "", 0)) ++submitted;
      channel.submit();
    }
    while (channel.outstanding() != 0) {
      channel.wait();
      channel.reap();
    }
  }

  Situation situation_;
  Ledger& ledger_;
  Random random_{1};
  test::Daemon daemon_;
  Mapping page_;
  Jobs jobs_;
  Client client_;
  Channel channel_;
  HandlerId soak_;
  std::vector<Channel> bystanders_;
  std::optional<Job> blocker_;
  std::uint64_t next_job_ = 0;
};

}  // namespace

int failover(std::uint32_t kills) {
  const int fd = memfd_create("soak:ledger", MFD_CLOEXEC);
  if (fd < 0 || ftruncate(fd, sizeof(Ledger)) != 0) throw std::runtime_error("memfd");
  Ledger& ledger = *map_ledger(fd);
  ledger.round = 1;
  const std::string path = "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(fd);
  constexpr Situation kSituations[] = {
      {"another worker sleeps", 2, false, 0},
      {"another sleeps, 15 channels of 4096 used slots", 2, false, 15},
      {"all others are busy: a restart", 2, true, 0},
      {"the only worker: a restart", 1, false, 0}};
  bool reached = true;
  for (const Situation& situation : kSituations) {
    std::vector<double> times = Failover(situation, ledger, path).run(kills);
    std::sort(times.begin(), times.end());
    const double p99 = times[times.size() * 99 / 100];
    reached = reached && p99 <= kAim;
    std::printf("%-48s %u kills: p50 %.2f ms, p99 %.2f ms, longest %.2f ms\n", situation.name,
                kills, times[times.size() / 2], p99, times.back());
    std::fflush(stdout);
  }
  return reached ? 0 : 1;
}

}  // namespace jobring::soak
