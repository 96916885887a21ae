// What is measured, against what. Aims: see docs/benchmarks.md.
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <sstream>
#include <thread>

#include "bench/bare.hpp"
#include "bench/daemon.hpp"
#include "bench/work.hpp"
#include "common/exec_codec.hpp"

extern char** environ;

namespace bench {
namespace {

std::string workers(int n) {
  return "\"workers\": " + std::to_string(n);
}

double future_rate(jobring::Pool& pool, double duration) {
  std::uint64_t done = 0;
  const std::string payload(64, 'x');
  const double start = seconds();
  while (seconds() - start < duration) {
    std::vector<jobring::Future> futures;
    for (int i = 0; i < 1000; ++i) futures.push_back(pool.submit("echo", payload));
    for (const auto& f : futures) f.wait();
    done += futures.size();
  }
  return double(done) / (seconds() - start);
}

RoundTrip jobring_round_trip(const Daemon& daemon, double duration, int cpu_client,
                             int cpu_worker) {
  for (const pid_t pid : daemon.workers()) {
    if (cpu_worker < 0) continue;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu_worker, &set);
    sched_setaffinity(pid, sizeof set, &set);
  }
  auto* result = static_cast<RoundTrip*>(shared_memory(sizeof(RoundTrip)));
  const pid_t client = in_child([&] {
    pin(cpu_client);
    jobring::Client c = daemon.connect();
    jobring::Channel channel = c.channel();
    const auto echo = channel.handler("echo");
    const std::string payload(64, 'x');
    std::vector<double> samples;
    for (const double end = seconds() + duration; seconds() < end;) {
      const double start = seconds();
      channel.prepare(echo, payload, 0);
      channel.submit();
      do channel.wait();
      while (channel.reap().empty());
      samples.push_back(seconds() - start);
    }
    *result = {percentile(samples, 0.5) * 1e6, percentile(samples, 0.99) * 1e6};
  });
  wait_child(client);
  return *result;
}

long number_in(const std::string& path, const std::string& key) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  const std::size_t at = text.str().find(key);
  return at == std::string::npos ? 0 : std::atol(text.str().c_str() + at + key.size());
}

double milliseconds_of(const std::vector<std::string>& words, const std::vector<std::string>& env) {
  std::vector<char*> argv, envp;
  for (const auto& w : words) argv.push_back(const_cast<char*>(w.c_str()));
  argv.push_back(nullptr);
  for (char** e = environ; *e != nullptr; ++e) envp.push_back(*e);
  for (const auto& e : env) envp.push_back(const_cast<char*>(e.c_str()));
  envp.push_back(nullptr);
  const double start = seconds();
  pid_t pid;
  // Some print the number of the job.
  posix_spawn_file_actions_t quiet;
  posix_spawn_file_actions_init(&quiet);
  posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);
  const int failed = posix_spawn(&pid, argv[0], &quiet, nullptr, argv.data(), envp.data());
  posix_spawn_file_actions_destroy(&quiet);
  if (failed != 0) return 0;
  waitpid(pid, nullptr, 0);
  return (seconds() - start) * 1e3;
}

// One page more in the file, safe on disk.
double milliseconds_of_sync(int fd) {
  const std::string page(4096, 'x');
  const double start = seconds();
  if (write(fd, page.data(), page.size()) != ssize_t(page.size()) || fdatasync(fd) != 0) return 0;
  return (seconds() - start) * 1e3;
}

}  // namespace

std::vector<Row> throughput(const Settings& s) {
  std::vector<Row> rows;
  for (const int n : {1, 2}) {
    const Daemon daemon(s, workers(n));
    jobring::Client client = daemon.connect();
    jobring::Channel channel = client.channel();
    const auto ours = [&] { return echo_rate(channel, s.seconds, 1024); };
    const std::string name =
        "64 B echo, depth 1024, " + std::to_string(n) + (n == 1 ? " worker" : " workers");
    const auto blocking = [&] {
      return boost_message_queue(s.seconds, 1024, MessageQueueUse::blocking);
    };
    const auto polled = [&] {
      return boost_message_queue(s.seconds, 1024, MessageQueueUse::polled);
    };
    rows.push_back(compare(s, row(name, "jobs/s", "boost message_queue", 4), ours, blocking));
    rows.push_back(compare(s, row(name, "jobs/s", "boost message_queue, polled", 0), ours, polled));
    if (n == 1) {
      rows.push_back(compare(s, row(name, "jobs/s", "bare rings, batch 32", 0), ours,
                             [&] { return bare_rings(s.seconds, 1024, 32); }));
      rows.push_back(compare(s, row(name, "jobs/s", "bare rings, one by one", 0), ours,
                             [&] { return bare_rings(s.seconds, 1024, 1); }));
      jobring::Pool pool = client.pool();
      rows.push_back(compare(
          s, row("the same through Pool and Future", "jobs/s", "boost message_queue", 0),
          [&] { return future_rate(pool, s.seconds); }, blocking));
    }
  }
  // Threads of one process instead of two processes: the same protocol, so the same rate is the
  // aim.
  const Daemon daemon(s, "\"model\": \"thread\", \"threads\": 2"), processes(s, workers(2));
  jobring::Channel lanes = daemon.connect().channel();
  jobring::Channel channel = processes.connect().channel();
  rows.push_back(compare(
      s, row("64 B echo, depth 1024, 2 threads", "jobs/s", "2 workers", 0.95),
      [&] { return echo_rate(lanes, s.seconds, 1024); },
      [&] { return echo_rate(channel, s.seconds, 1024); }));
  return rows;
}

std::vector<Row> round_trip(const Settings& s) {
  std::vector<Row> rows;
  struct Case {
    const char* how;
    const char* spin;
    int a, b;
    const char* peer;
    RoundTrip (*bare)(double, int, int);
    double aim;
  };
  const char* slept = "bare eventfds";
  const char* yielded = "bare words, sched_yield after each look";
  const char* looked = "bare words, 2000 looks first";
  for (const Case& c :
       {Case{"sleeping, unpinned", "0us", -1, -1, slept, eventfd_ping_pong, 1.3},
        Case{"sleeping, across cores", "0us", 0, 1, slept, eventfd_ping_pong, 1.3},
        Case{"spinning, unpinned", "1ms", -1, -1, yielded, yielding_ping_pong, 1.3},
        Case{"spinning, across cores", "1ms", 0, 1, yielded, yielding_ping_pong, 1.3},
        Case{"spinning, across cores", "1ms", 0, 1, looked, spinning_ping_pong, 0}}) {
    if (c.a == 0 && sysconf(_SC_NPROCESSORS_ONLN) < 2) continue;
    const Daemon daemon(s, workers(1) + ", \"spin\": \"" + c.spin + "\"");
    rows.push_back(compare(
        s, row(std::string("round trip, ") + c.how, "us", c.peer, c.aim, false),
        [&] { return jobring_round_trip(daemon, s.seconds, c.a, c.b).p50; },
        [&] { return c.bare(s.seconds, c.a, c.b).p50; }));
  }
  return rows;
}

std::vector<Row> commands(const Settings& s) {
  const int parallel = 2;
  const Daemon daemon(s, workers(parallel));
  jobring::Client client = daemon.connect();
  jobring::Channel channel = client.channel();
  const auto exec = channel.handler("exec");
  const std::string tiny = s.bin + "/bench_tiny";
  jobring::Command command;
  command.argv = {tiny};
  for (char** e = environ; *e != nullptr; ++e) command.env.push_back(*e);
  command.env_replaces = true;
  const std::string payload = jobring::encode(command);
  // Short rounds: the scheduler of a small machine has moods that last longer than a measurement.
  Settings quick = s;
  quick.rounds = s.rounds * 5;
  return {compare(
      quick,
      row("tiny static command, 2 at a time, output captured", "commands/s", "posix_spawn loop",
          0.95),
      [&] {
        const double start = seconds();
        std::uint64_t done = 0;
        while (seconds() - start < s.seconds / 2) {
          while (channel.outstanding() < 64 && channel.prepare(exec, payload, 0)) {
          }
          channel.submit();
          channel.wait(std::chrono::nanoseconds::max(), 16);
          for (const auto& c : channel.reap()) {
            if (c.outcome != jobring::Outcome::ok) throw std::runtime_error("a command failed");
            ++done;
          }
        }
        const double took = seconds() - start;
        while (channel.outstanding() != 0) {
          channel.wait();
          channel.reap();
        }
        return double(done) / took;
      },
      [&] { return posix_spawn_loop(s.seconds / 2, tiny.c_str(), parallel); })};
}

std::vector<Row> payloads(const Settings& s) {
  const std::size_t size = 1 << 20;
  const Daemon daemon(s, workers(1) + ", \"spin\": \"1ms\", \"modules\": [\"" + s.modules +
                             "/bench_handlers.so\"]");
  jobring::Client client = daemon.connect();
  jobring::Channel channel = client.channel();
  const auto work = channel.handler("work");
  std::uint64_t seed = 0;
  return {compare(
      s, row("1 MiB in, 1 MiB out, worked in place", "B/s", "bare shared memory", 0.7),
      [&] {
        std::uint64_t done = 0;
        const double start = seconds();
        double now = start;
        while (now - start < s.seconds) {
          const auto room = channel.reserve(size);
          fill(reinterpret_cast<unsigned char*>(room.data()), size, ++seed);
          channel.prepare_reserved(work, size, 0);
          channel.submit();
          for (;;) {
            channel.wait();
            const auto completions = channel.reap();
            if (completions.empty()) continue;
            if (completions[0].result.size() != size) throw std::runtime_error("a wrong result");
            sink(sum(reinterpret_cast<const unsigned char*>(completions[0].result.data()), size));
            break;
          }
          ++done;
          now = seconds();
        }
        return double(done) * 2 * double(size) / (now - start);
      },
      [&] { return bare_memory_work(s.seconds, size); })};
}

std::vector<Row> clients(const Settings& s) {
  const Daemon daemon(s, workers(2));
  auto* total = static_cast<std::atomic<std::uint64_t>*>(shared_memory(sizeof(std::uint64_t)));
  std::vector<Row> rows;
  const int counts[] = {1, 2, 4, 8, 16, 32, 64};
  for (const int n : counts) {
    rows.push_back(row("64 B echo from " + std::to_string(n) + (n == 1 ? " client" : " clients"),
                       "jobs/s", "the best number of clients", 0.7));
  }
  // All numbers in every round: a machine that is slow for a while is slow for all of them.
  for (int round = 0; round < s.rounds; ++round) {
    double best = 0;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      total->store(0);
      std::vector<pid_t> children;
      for (int c = 0; c < counts[i]; ++c) {
        children.push_back(in_child([&] {
          jobring::Client client = daemon.connect();
          jobring::Channel channel = client.channel();
          total->fetch_add(std::uint64_t(echo_rate(channel, s.seconds, 1024)));
        }));
      }
      for (const pid_t child : children) wait_child(child);
      rows[i].ours.push_back(double(total->load()));
      best = std::max(best, rows[i].ours.back());
    }
    for (Row& r : rows) r.theirs.push_back(best);
  }
  return rows;
}

std::vector<Row> idle(const Settings& s) {
  const Daemon daemon(s, workers(2));
  jobring::Client client = daemon.connect();
  client.pool().call("echo", "x");
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  std::vector<pid_t> all = daemon.workers();
  all.push_back(daemon.pid());
  const auto switches = [&] {
    long sum = 0;
    for (const pid_t pid : all)
      sum += number_in("/proc/" + std::to_string(pid) + "/status", "\nvoluntary_ctxt_switches:");
    return sum;
  };
  Row wakes = row("wake-ups of daemon and 2 idle workers in 3 s", "", "", 0.5, false);
  const long before = switches();
  std::this_thread::sleep_for(std::chrono::seconds(3));
  wakes.ours = {double(switches() - before)};
  Row daemon_rss = row("resident memory of the idle daemon", "MiB", "", 8, false);
  daemon_rss.ours = {
      double(number_in("/proc/" + std::to_string(daemon.pid()) + "/status", "VmRSS:")) / 1024};
  Row worker_rss = row("resident memory of an idle worker", "MiB", "", 8, false);
  for (const pid_t pid : daemon.workers())
    worker_rss.ours.push_back(
        double(number_in("/proc/" + std::to_string(pid) + "/status", "VmRSS:")) / 1024);
  return {wakes, daemon_rss, worker_rss};
}

std::vector<Row> command_line(const Settings& s) {
  const Daemon daemon(s, workers(2));
  const std::string jobring = s.bin + "/jobring", tsp = "/usr/bin/tsp";
  const std::vector<std::string> env{"JOBRING_SOCKET=" + daemon.socket(),
                                     "TS_SOCKET=" + daemon.socket() + ".tsp", "TS_SLOTS=2"};
  Settings many = s;
  many.rounds = s.rounds * 60;
  std::vector<Row> rows;
  if (access(tsp.c_str(), X_OK) == 0) {
    rows.push_back(compare(
        many, row("jobring run -- true", "ms", "tsp -nf true", 1, false),
        [&] {
          return milliseconds_of({jobring, "run", "--", "true"}, env);
        },
        [&] {
          return milliseconds_of({tsp, "-nf", "true"}, env);
        }));
    // What it promises, task-spooler does not: so its side is given the sync that it leaves out.
    const int file =
        open((daemon.socket() + ".sync").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    milliseconds_of({jobring, "submit", "--", "true"}, env);  // starts the keeper
    rows.push_back(compare(
        many, row("jobring submit -- true", "ms", "tsp true, and an fdatasync", 1, false),
        [&] {
          return milliseconds_of({jobring, "submit", "--", "true"}, env);
        },
        [&] {
          return milliseconds_of({tsp, "true"}, env) + milliseconds_of_sync(file);
        }));
    close(file);
    milliseconds_of({tsp, "-K"}, env);
  }
  rows.push_back(compare(
      many, row("jobring run -- true", "ms", "/bin/true by itself", 0, false),
      [&] {
        return milliseconds_of({jobring, "run", "--", "true"}, env);
      },
      [&] { return milliseconds_of({"/bin/true"}, env); }));
  return rows;
}

}  // namespace bench
