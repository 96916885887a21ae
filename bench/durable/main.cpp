// Durable jobs through real processes: submissions that are acknowledged, and jobs that are
// executed and recorded. `jobring_bench_durable [directory] [jobs]`: the directory is where the
// store is kept.
//
// One line a subject. Bare SQLite in the same run is measured by jobring_bench_store.
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <jobring/durable.hpp>
#include <jobring/jobring.hpp>

namespace {

using namespace jobring;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Seconds of processor time of a process, from /proc.
double cpu_of(pid_t pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  std::getline(in, line);
  line = line.substr(line.rfind(')') + 2);
  unsigned long user = 0, system = 0;
  std::sscanf(line.c_str(), "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system);
  return double(user + system) / double(sysconf(_SC_CLK_TCK));
}

long rss_kib(pid_t pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/status");
  std::string word;
  while (in >> word)
    if (word == "VmRSS:") {
      long kib = 0;
      in >> kib;
      return kib;
    }
  return 0;
}

pid_t child_named(pid_t parent, const std::string& name) {
  std::ifstream in("/proc/" + std::to_string(parent) + "/task/" + std::to_string(parent) +
                   "/children");
  pid_t pid = 0;
  while (in >> pid) {
    std::ifstream comm("/proc/" + std::to_string(pid) + "/comm");
    std::string text;
    std::getline(comm, text);
    if (text.starts_with(name)) return pid;
  }
  return 0;
}

struct Bench {
  std::string directory;
  pid_t daemon = 0, keeper = 0;

  void start() {
    const std::string config = directory + "/config.json";
    std::ofstream(config) << R"({"socket": ")" << directory
                          << R"(/socket", "keeper": {"state_dir": ")" << directory
                          << R"(/state"}, "pools": {"default": {"workers": 1}}})";
    daemon = fork();
    if (daemon == 0) {
      const std::string program = std::string(JOBRING_BIN_DIR) + "/jobringd";
      execl(program.c_str(), "jobringd", "--config", config.c_str(), nullptr);
      _exit(127);
    }
  }
  Client connect() const {
    for (int i = 0;; ++i) {
      try {
        ConnectOptions options;
        options.socket = directory + "/socket";
        return Client::connect(options);
      } catch (const Exception&) {
        if (i == 500) throw;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
      }
    }
  }
  void stop() const {
    kill(daemon, SIGTERM);
    waitpid(daemon, nullptr, 0);
  }
};

void say(const char* what, std::size_t jobs, double seconds, double cpu) {
  std::printf("%-44s %9.0f /s   keeper %5.2f us a job\n", what, double(jobs) / seconds,
              cpu * 1e6 / double(jobs));
  std::fflush(stdout);
}

std::uint64_t open_jobs(DurableJobs& jobs) {
  std::uint64_t open = 0;
  for (const PoolJobs& pool : jobs.counts())
    for (unsigned s = 0; s < 8; ++s)
      if (!has_ended(JobState(s))) open += pool.jobs[s];
  return open;
}

std::vector<DurableJob> no_ops(std::size_t count) {
  DurableOptions options;
  options.keep = std::chrono::hours(1);
  return std::vector<DurableJob>(count, DurableJob{"echo", std::string(64, 'x'), options});
}

}  // namespace

int main(int argc, char** argv) {
  Bench bench;
  bench.directory = argc > 1 ? argv[1] : "/tmp/jobring-bench-durable." + std::to_string(getpid());
  const std::size_t jobs_each = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 100'000;
  if (system(("mkdir -p " + bench.directory).c_str()) != 0) return 1;
  bench.start();
  {
    Client client = bench.connect();
    DurableJobs jobs(client);
    jobs.counts();
    bench.keeper = child_named(bench.daemon, "jobring-keeper");
    jobs.pause("default");
    const auto measured = [&](const char* what, std::size_t count, auto&& work) {
      const double cpu = cpu_of(bench.keeper);
      const auto start = Clock::now();
      work();
      say(what, count, seconds_since(start), cpu_of(bench.keeper) - cpu);
    };
    measured("submit, one at a time", 2'000, [&] {
      for (int i = 0; i < 2'000; ++i) jobs.submit("echo", std::string(64, 'x'));
    });
    measured("submit, depth 1024", jobs_each, [&] {
      const std::vector<DurableJob> one = no_ops(1);
      std::deque<Future> asked;
      for (std::size_t i = 0; i < jobs_each; ++i) {
        if (asked.size() == 1'000) {
          DurableJobs::answers(asked.front());
          asked.pop_front();
        }
        asked.push_back(jobs.start_submit(one));
      }
      while (!asked.empty()) {
        DurableJobs::answers(asked.front());
        asked.pop_front();
      }
    });
    const std::vector<DurableJob> batch = no_ops(jobs_each);
    measured("submit, all in one batch", jobs_each, [&] { jobs.submit_all(batch); });
    const std::uint64_t waiting = open_jobs(jobs);
    measured("execute and record no-ops", waiting, [&] {
      jobs.resume("default");
      while (open_jobs(jobs) != 0) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    });
    std::printf("%-44s %9ld KiB\n", "keeper resident", rss_kib(bench.keeper));
  }
  bench.stop();
  return system(("rm -rf " + bench.directory).c_str()) == 0 ? 0 : 1;
}
