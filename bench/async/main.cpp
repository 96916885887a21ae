// The client of bench/async/run.sh: a private daemon with one async worker.
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include <jobring/http.hpp>
#include <jobring/jobring.hpp>

namespace {

using Clock = std::chrono::steady_clock;

jobring::Client connect() {
  char path[] = "/tmp/jobring-bench-XXXXXX";
  const int fd = mkstemp(path);
  if (fd < 0) std::exit(1);
  std::ofstream(path) << R"({"pools": {"default": {"model": "async", "workers": 1,
    "max_in_flight": 10000, "slots": 16384}}})";
  jobring::ConnectOptions options;
  options.daemon = jobring::ConnectOptions::Daemon::own;
  options.config_file = path;
  options.daemon_path = std::string(JOBRING_BIN_DIR) + "/jobringd";
  jobring::Client client = jobring::Client::connect(options);
  client.pool().call("echo", "");  // its worker is there
  std::remove(path);
  return client;
}

// Processor time of a single-threaded process so far, in microseconds.
double processor_us(int pid) {
  double ns = 0;
  std::ifstream("/proc/" + std::to_string(pid) + "/schedstat") >> ns;
  return ns / 1000;
}

// The one child of a process, 0 if it has none: the daemon's is its worker.
int child_of(int pid) {
  const std::string id = std::to_string(pid);
  int child = 0;
  std::ifstream("/proc/" + id + "/task/" + id + "/children") >> child;
  return child;
}

struct Measured {
  double seconds = 0;    // until all jobs have succeeded
  double client_us = 0;  // processor time
  double worker_us = 0;
};

// Runs `count` jobs; all must succeed.
Measured run(const char* handler, const std::string& payload, int count) {
  const jobring::Client client = connect();
  jobring::Pool pool = jobring::Client(client).pool();
  std::vector<jobring::Future> all;
  all.reserve(std::size_t(count));
  const int worker = child_of(child_of(getpid()));
  const double client_before = processor_us(getpid());
  const double worker_before = processor_us(worker);
  const auto begin = Clock::now();
  for (int i = 0; i < count; ++i) all.push_back(pool.submit(handler, payload));
  jobring::wait(all);  // woken once for many, as a caller who wants them all would be
  for (const jobring::Future& f : all) {
    if (f.result().ok()) continue;
    std::fprintf(stderr, "%s\n", f.result().text().c_str());
    std::exit(1);
  }
  return {std::chrono::duration<double>(Clock::now() - begin).count(),
          processor_us(getpid()) - client_before, processor_us(worker) - worker_before};
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  if (what == "sleep" && argc == 2) {
    for (int round = 1; round <= 3; ++round) {
      const double seconds = run("sleep", "2s", 10'000).seconds;
      std::printf("10000 jobs that sleep 2 s, one worker, round %d: %.3f s (promised 2.1 s)\n",
                  round, seconds);
    }
    return 0;
  }
  if (what == "pages" && argc == 4) {
    jobring::HttpRequest request;
    request.url = argv[2];
    const int pages = std::atoi(argv[3]);
    const Measured all = run("http", jobring::http_payload(request), pages);
    // Pages a second; processor time of a page in worker and client, microseconds.
    std::printf("%.0f %.1f %.1f\n", pages / all.seconds, all.worker_us / pages,
                all.client_us / pages);
    return 0;
  }
  std::fprintf(stderr, "usage: jobring_bench_async sleep | pages URL COUNT\n");
  return 64;
}
