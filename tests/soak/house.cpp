#include "tests/soak/house.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <stdexcept>

#include "tests/soak/client.hpp"
#include "tests/soak/plan.hpp"

namespace jobring::soak {
namespace {

// How long what a killed daemon leaves may take to see it and go: they get SIGTERM from the kernel,
// and end their commands first.
constexpr std::uint64_t kVanishWithin = 10'000'000'000;

std::string model_of(const PoolPlan& pool) {
  const std::string at_once = std::to_string(pool.at_once);
  switch (pool.model) {
    case Model::process:
      break;
    case Model::thread:
      return R"(, "model": "thread", "threads": )" + at_once;
    case Model::async:
      return R"(, "model": "async", "max_in_flight": )" + at_once;
  }
  return "";
}

// kNoPool if it has not become a worker yet.
std::uint32_t pool_of(pid_t worker) {
  const std::string all = test::read_file("/proc/" + std::to_string(worker) + "/environ");
  constexpr std::string_view kName = "JOBRING_POOL=";
  const std::size_t at = all.find(kName);
  return at == std::string::npos ? kNoPool : pool_named(all.c_str() + at + kName.size());
}

std::string pools_config(const std::string& ledger) {
  std::string text;
  for (const PoolPlan& pool : kPools) {
    text += (text.empty() ? "{\"" : ", \"") + std::string(pool.name) +
            "\": {\"workers\": " + std::to_string(pool.workers) +
            ", \"slots\": " + std::to_string(pool.slots) +
            ", \"crash_limit\": " + std::to_string(pool.crash_limit) + ", \"max_payload\": \"" +
            std::to_string(kMaxPayload) + "B\", \"max_result\": \"" + std::to_string(kMaxResult) +
            "B\", \"extent_cache\": \"1MiB\", \"modules\": [\"" +
            test::test_module(pool.model == Model::async ? "soaked_async" : "soaked") + "\"]" +
            model_of(pool) + ", \"environment\": {\"" + kLedgerVariable + "\": \"" + ledger +
            "\"}" + pool.more + "}";
  }
  return text + "}";
}

pid_t parent_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  for (std::string word; file >> word;) {
    if (word != "PPid:") continue;
    pid_t parent = 0;
    file >> parent;
    return parent;
  }
  return 0;
}

std::vector<ProcessName> children_of(pid_t pid) {
  std::vector<ProcessName> names;
  std::ifstream file("/proc/" + std::to_string(pid) + "/task/" + std::to_string(pid) + "/children");
  for (pid_t child; file >> child;) {
    // It may have died since, and its pid be another's by now.
    if (const ProcessName name = name_process(child); name != 0 && parent_of(child) == pid)
      names.push_back(name);
  }
  return names;
}

std::string command_line(pid_t pid) {
  std::string line = test::read_file("/proc/" + std::to_string(pid) + "/cmdline");
  std::replace(line.begin(), line.end(), '\0', ' ');
  return line;
}

void descendants_of(pid_t pid, std::vector<ProcessName>& names) {
  for (const ProcessName child : children_of(pid)) {
    names.push_back(child);
    descendants_of(pid_of(child), names);
  }
}

}  // namespace

House::House(std::uint32_t clients, std::uint64_t seed) : socket_(dir_ / "socket"), random_(seed) {
  // What loses its parent comes to us: nothing of the house can hide.
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  ledger_fd_ = memfd_create("soak:ledger", MFD_CLOEXEC);
  if (ledger_fd_ < 0 || ftruncate(ledger_fd_, sizeof(Ledger)) != 0)
    throw std::runtime_error("memfd");
  ledger_ = map_ledger(ledger_fd_);
  if (ledger_ == nullptr) throw std::runtime_error("mmap");
  ledger_path_ = "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(ledger_fd_);
  // Workers die before they are ready, too, at this rate: that must not count as a pool that cannot
  // start.
  test::write_file(dir_ / "config.json",
                   "{\"socket\": \"" + socket_ +
                       "\", \"log\": {\"level\": \"warning\"}, \"kill_grace\": \"100ms\", " +
                       "\"restart\": {\"crash_loop_count\": 1000, \"backoff_min\": \"1ms\", "
                       "\"backoff_max\": \"20ms\"}, " +
                       "\"pools\": " + pools_config(ledger_path_) + "}");
  start_daemon();
  clients_.resize(clients, -1);
  for (std::uint32_t i = 0; i < clients; ++i) start_client(i);
}

House::~House() {
  for (const pid_t pid : clients_) {
    if (pid > 0) send_signal(pid, SIGKILL);
  }
  if (daemon_ > 0) send_signal(daemon_, SIGKILL);
  // What they leave behind comes to us.
  for (int tries = 0; tries < 2000; ++tries) {
    for (const ProcessName name : children_of(getpid())) send_signal(pid_of(name), SIGKILL);
    while (waitpid(-1, nullptr, WNOHANG) > 0) {
    }
    if (waitpid(-1, nullptr, WNOHANG) < 0) break;
    usleep(1000);
  }
  munmap(ledger_, sizeof(Ledger));
  ::close(ledger_fd_);
}

void House::start_daemon() {
  daemon_ =
      test::spawn({test::program("jobringd"), "--config", dir_ / "config.json"}, dir_ / "log");
  daemon_started_ns_ = now_ns();
  daemon_struck_ = false;
  daemon_age_ = 0;
}

void House::start_client(std::uint32_t index) {
  const std::uint64_t seed = random_();
  const pid_t pid = fork();
  if (pid < 0) throw std::runtime_error("fork");
  if (pid == 0) be_client(*ledger_, index, seed, socket_);
  clients_[index] = pid;
}

std::vector<ProcessName> House::workers() const {
  return children_of(daemon_);
}

std::size_t House::children_of_workers() const {
  std::vector<ProcessName> all;
  descendants_of(daemon_, all);
  const std::size_t daemons = workers().size();
  return all.size() > daemons ? all.size() - daemons : 0;
}

bool House::strike(Victim kind) {
  if (kind == Victim::daemon) {
    if (daemon_ < 0 || name_process(daemon_) == 0) return false;
    std::vector<Doomed> left;
    for (const ProcessName worker : workers()) {
      std::vector<ProcessName> names{worker};
      descendants_of(pid_of(worker), names);
      // A command, or what one has left, is here because its worker is dead.
      const bool stray = command_line(pid_of(worker)).find(" --job ") != std::string::npos;
      for (const ProcessName name : names) left.push_back({name, stray ? 0 : worker, 0});
    }
    ++ledger_->epoch;
    daemon_struck_ = true;
    send_signal(daemon_, SIGKILL);
    for (Doomed& one : left) {
      one.until_ns = now_ns() + kVanishWithin;
      doomed_.push_back(one);
    }
  } else {
    std::vector<ProcessName> candidates;
    if (kind == Victim::worker) {
      candidates = workers();
    } else {
      for (const pid_t pid : clients_) {
        if (const ProcessName name = name_process(pid); name != 0) candidates.push_back(name);
      }
    }
    if (candidates.empty()) return false;
    const ProcessName victim = candidates[random_() % candidates.size()];
    if (!lives(victim)) return false;
    if (kind == Victim::client) {
      killed_clients_.insert(victim);
    } else {
      killed_workers_.insert(victim);
      // One that becomes a worker only now runs nothing yet.
      if (const std::uint32_t pool = pool_of(pid_of(victim)); pool < kNoPool) ++toll_.workers[pool];
    }
    send_signal(pid_of(victim), SIGKILL);
  }
  ++toll_.kills[std::size_t(kind)];
  return true;
}

bool House::stop_one(std::uint64_t for_ns) {
  std::vector<ProcessName> candidates = workers();
  for (const pid_t pid : clients_) candidates.push_back(name_process(pid));
  if (random_() % 8 == 0) candidates = {name_process(daemon_)};
  const ProcessName victim = candidates[random_() % candidates.size()];
  if (!lives(victim)) return false;
  send_signal(pid_of(victim), SIGSTOP);
  stopped_.push_back({victim, now_ns() + for_ns});
  ++toll_.stops;
  return true;
}

void House::continue_due(bool all) {
  std::erase_if(stopped_, [&](const Stopped& s) {
    if (!all && now_ns() < s.until_ns) return false;
    if (lives(s.name)) send_signal(pid_of(s.name), SIGCONT);
    return true;
  });
}

void House::tend() {
  int status = 0;
  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
    if (pid == daemon_) {
      const bool struck = daemon_struck_;
      daemon_ = -1;
      // A worker that its predecessor had forked and that had not yet become one may hold the lock
      // for a moment: whoever starts daemons tries again.
      const bool locked_out =
          WIFEXITED(status) && log().find("already listens") != std::string::npos;
      if (!struck && !locked_out)
        ledger_->complain("the daemon ended by itself, wait status %d", status);
      start_daemon();
      continue;
    }
    const auto client = std::find(clients_.begin(), clients_.end(), pid);
    if (client == clients_.end()) continue;  // what a dead one left behind
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
      ledger_->complain("client %d ended by itself, wait status %d", int(pid), status);
    start_client(std::uint32_t(client - clients_.begin()));
  }
  check_doomed();
}

void House::check_doomed() {
  const std::uint64_t now = now_ns();
  std::erase_if(doomed_, [&](const Doomed& d) {
    if (!lives(d.name)) return true;
    if (now < d.until_ns) return false;
    const int pid = int(pid_of(d.name));
    if (died_before(d.worker)) {
      // Its worker was dead when its daemon was killed, or dying: nobody is left that knows of it.
      ++orphans_;
    } else {
      ledger_->complain("process %d (%s) of worker %d, pool %u, outlives its daemon", pid,
                        command_line(pid).c_str(), int(pid_of(d.worker)), pool_of(pid));
    }
    send_signal(pid, SIGKILL);
    return true;
  });
}

// Was this worker of a killed daemon killed as well, or had it crashed?
bool House::died_before(ProcessName worker) const {
  if (worker == 0 || killed_workers_.contains(worker)) return true;
  const std::uint64_t lines = std::min<std::uint64_t>(ledger_->run_count.load(), kRunsMax);
  for (std::uint64_t i = 0; i < lines; ++i) {
    const Run& run = ledger_->runs_[i];
    if (run.worker == worker && run.self_made.load() != 0) return true;
  }
  return false;
}

void House::new_round() {
  ++daemon_age_;
  killed_clients_.clear();
  killed_workers_.clear();
  const std::uint32_t next = ledger_->round.load() + 1;
  const auto wipe = [&](const void* from, std::size_t size) {
    const auto offset =
        off_t(static_cast<const char*>(from) - reinterpret_cast<const char*>(ledger_));
    fallocate(ledger_fd_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, off_t(size));
  };
  wipe(ledger_->jobs, sizeof ledger_->jobs);
  wipe(ledger_->runs_, sizeof ledger_->runs_);
  ledger_->job_count = 0;
  ledger_->run_count = 0;
  ledger_->latency_ns_max = 0;
  ledger_->round = next;
  [[maybe_unused]] const int cut = truncate((dir_ / "log").c_str(), 0);
}

bool House::await(pid_t pid, std::uint64_t patience_ns) {
  const std::uint64_t until = now_ns() + patience_ns;
  int status = 0;
  while (waitpid(pid, &status, WNOHANG) == 0) {
    if (now_ns() > until) {
      send_signal(pid, SIGKILL);
      waitpid(pid, &status, 0);
      return false;
    }
    usleep(1000);
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void House::close(std::uint64_t patience_ns) {
  continue_due(true);
  for (pid_t& pid : clients_) {
    send_signal(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
    pid = -1;
  }
  send_signal(daemon_, SIGTERM);
  const pid_t ending = daemon_;
  daemon_ = -1;
  if (!await(ending, patience_ns)) ledger_->complain("the daemon did not end as asked");
  if (access(socket_.c_str(), F_OK) == 0) ledger_->complain("the socket is left behind");
  const std::uint64_t until = now_ns() + kVanishWithin;
  while (waitpid(-1, nullptr, WNOHANG) >= 0) {  // until there are no children
    if (now_ns() > until) {
      for (const ProcessName name : children_of(getpid())) {
        ledger_->complain("process %d (%s) is left behind", int(pid_of(name)),
                          command_line(pid_of(name)).c_str());
      }
      break;
    }
    usleep(1000);
  }
}

void House::describe() const {
  const auto show = [](const char* what, pid_t pid) {
    const std::string proc = "/proc/" + std::to_string(pid) + "/";
    std::string status = test::read_file(proc + "stat");
    status = status.substr(status.rfind(')') + 2, 1);
    std::fprintf(stderr, "  %s %d: %s, in %s, kernel stack:\n%s", what, int(pid), status.c_str(),
                 test::read_file(proc + "wchan").c_str(), test::read_file(proc + "stack").c_str());
  };
  show("daemon", daemon_);
  for (const ProcessName worker : workers()) show("worker", pid_of(worker));
  for (std::size_t i = 0; i < clients_.size(); ++i) {
    const ClientCell& cell = ledger_->clients[i];
    show("client", clients_[i]);
    std::fprintf(stderr, "    doing %u, outstanding %u, heartbeat %llu\n", cell.doing.load(),
                 cell.outstanding.load(), (unsigned long long)cell.heartbeat.load());
  }
  const std::uint64_t count = std::min<std::uint64_t>(ledger_->job_count.load(), kJobsMax);
  int shown = 0;
  for (std::uint64_t i = 0; i < count && shown < 20; ++i) {
    const JobRecord& job = ledger_->jobs[i];
    if (job.id == 0 || job.endings != 0 || (job.flags & kAccepted) == 0 ||
        (job.flags & kAbandoned) != 0 || !lives(job.client))
      continue;
    ++shown;
    std::fprintf(stderr,
                 "  job %llx of client %d: kind %d, behaviour %d, runs %u, flags %u, runner %d\n",
                 (unsigned long long)job.id.load(), int(pid_of(job.client)), int(job.kind),
                 int(job.behaviour), job.runs.load(), job.flags.load(), int(pid_of(job.runner)));
  }
  const std::string text = log();
  std::fprintf(stderr, "  end of the daemon's log:\n%s\n",
               text.substr(text.size() - std::min<std::size_t>(text.size(), 4000)).c_str());
}

}  // namespace jobring::soak
