// Runs three kinds of job in pools of each model, and prints a table for docs/choosing.md:
//
//     jobring_bench_choosing > FILE.tsv
//
// One line for each kind and pool: jobs a second (median, least, most), and MiB of memory that the
// pool's workers have to themselves (PSS) when it is over.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <deque>
#include <exception>
#include <fstream>
#include <string>
#include <vector>

#include <jobring/jobring.hpp>

#include "bench/choosing/server.hpp"
#include "bench/daemon.hpp"
#include "bench/measure.hpp"

namespace {

using namespace bench;

struct Kind {
  const char* name;
  const char* handler;
};
constexpr Kind kKinds[] = {{"CPU-bound", "compute"}, {"blocking", "block"}, {"IO-bound", "ask"}};

struct Model {
  std::string name;
  std::string pool;  // members of the pool's configuration
};

std::vector<Model> models(const Settings& s) {
  const std::string blocking =
      R"("slots": 8192, "modules": [")" + s.modules + R"(/choosing_blocking.so"], )";
  const std::string async =
      R"("slots": 8192, "modules": [")" + s.modules + R"(/choosing_async.so"], )";
  const long n = sysconf(_SC_NPROCESSORS_ONLN);
  const std::string cores = std::to_string(n);
  return {
      {cores + " processes", blocking + R"("workers": )" + cores},
      {"1 process, " + cores + " threads",
       blocking + R"("model": "thread", "workers": 1, "threads": )" + cores},
      {"64 processes", blocking + R"("workers": 64)"},
      {"1 process, 64 threads", blocking + R"("model": "thread", "workers": 1, "threads": 64)"},
      {"1 process, async", async + R"("model": "async", "workers": 1, "max_in_flight": 4096)"},
      {cores + " processes, async",
       async + R"("model": "async", "workers": )" + cores + R"(, "max_in_flight": 4096)"},
  };
}

// Jobs a second, with `depth` of them under way all the time.
double rate(jobring::Pool& pool, const char* handler, const std::string& payload, std::size_t depth,
            double duration) {
  std::deque<jobring::Future> under_way;
  std::uint64_t done = 0;
  const auto finish = [&] {
    const jobring::Future first = std::move(under_way.front());
    under_way.pop_front();
    if (!first.result().ok()) throw std::runtime_error(first.result().text());
    ++done;
  };
  const double begin = seconds();
  while (seconds() - begin < duration) {
    while (under_way.size() < depth) under_way.push_back(pool.submit(handler, payload));
    finish();
  }
  while (!under_way.empty()) finish();
  return double(done) / (seconds() - begin);
}

// MiB: each page counts for its share among those that map it.
double memory(const Daemon& daemon) {
  double sum = 0;
  for (const pid_t pid : daemon.workers()) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/smaps_rollup");
    for (std::string word; file >> word;)
      if (double kib; word == "Pss:" && file >> kib) sum += kib / 1024;
  }
  return sum;
}

void print(const char* kind, const std::string& model, std::vector<double> rates, double mib) {
  const auto [low, high] = std::minmax_element(rates.begin(), rates.end());
  std::printf("%s\t%s\t%.0f\t%.0f\t%.0f\t%.1f\n", kind, model.c_str(), median(rates), *low, *high,
              mib);
  std::fflush(stdout);
}

void run(const Settings& settings, const choosing::Server& server) {
  std::printf("# kind\tpool\tjobs/s\tleast\tmost\tMiB\n");
  const std::string payload = std::to_string(server.port);
  for (const Kind& kind : kKinds) {
    for (const Model& model : models(settings)) {
      const Daemon daemon(settings, model.pool);
      jobring::Client client = daemon.connect();
      jobring::Pool pool = client.pool();
      // Enough for whoever takes many, and not so many that the last round's take long to end.
      const bool takes_many = model.name.ends_with("async") && kind.name == std::string("IO-bound");
      const std::size_t depth = takes_many ? 4096 : 128;
      rate(pool, kind.handler, payload, depth, 0.1);  // all workers are up
      std::vector<double> rates;
      for (int i = 0; i < settings.rounds; ++i)
        rates.push_back(rate(pool, kind.handler, payload, depth, settings.seconds));
      print(kind.name, model.name, rates, memory(daemon));
    }
  }
}

}  // namespace

int main() {
  Settings settings;
  settings.rounds = 3;
  settings.seconds = 1;
  settings.bin = JOBRING_BIN_DIR;
  settings.modules = JOBRING_MODULE_DIR;
  const choosing::Server server = choosing::start_server();
  int status = 0;
  try {
    run(settings, server);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "jobring_bench_choosing: %s\n", e.what());
    status = 1;
  }
  end_child(server.pid);
  return status;
}
