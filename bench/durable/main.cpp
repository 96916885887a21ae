// Durable jobs: what a client gets through the whole way (client, keeper, disk,
// workers), next to bare SQLite in the same directory and run, and to Redis and
// beanstalkd if bench/durable/run.sh has started them. Alternating rounds,
// medians; every rate is of jobs that were acknowledged after their sync.
//
//   jobring_bench_durable --dir DIR [--rounds N] [--seconds S] [--deep N]
//   [--redis SOCKET]
//                         [--beanstalkd SOCKET] [SUBJECT...]
//   subjects: pipelined batch single clients run deep start
#include <sqlite3.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <jobring/durable.hpp>

#include "bench/daemon.hpp"
#include "bench/measure.hpp"

using namespace jobring;
using bench::seconds;

namespace {

std::string directory, redis_socket, beanstalkd_socket;
int rounds = 5;
double duration = 2;
const std::string kPayload(64, 'x');

// ---- bare SQLite: a table of an integer key, a pool and 64 bytes; WAL, full
// sync

class Bare {
 public:
  Bare() {
    path_ = directory + "/bare.db";
    remove();
    if (sqlite3_open(path_.c_str(), &db_) != SQLITE_OK) throw std::runtime_error(path_);
    run("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
        "CREATE TABLE job(id INTEGER PRIMARY KEY, pool INTEGER, payload BLOB)");
    sqlite3_prepare_v2(db_, "INSERT INTO job(pool, payload) VALUES(1, ?)", -1, &insert_, nullptr);
  }
  ~Bare() {
    sqlite3_finalize(insert_);
    sqlite3_close(db_);
    remove();
  }
  double rate(long each) {
    const double start = seconds();
    long done = 0;
    while (seconds() - start < duration || done == 0) {
      run("BEGIN");
      for (long i = 0; i < each; ++i) {
        sqlite3_bind_blob(insert_, 1, kPayload.data(), int(kPayload.size()), SQLITE_STATIC);
        if (sqlite3_step(insert_) != SQLITE_DONE) throw std::runtime_error(sqlite3_errmsg(db_));
        sqlite3_reset(insert_);
      }
      run("COMMIT");
      done += each;
    }
    return double(done) / (seconds() - start);
  }

 private:
  void run(const char* sql) {
    if (sqlite3_exec(db_, sql, nullptr, nullptr, nullptr) != SQLITE_OK)
      throw std::runtime_error(sqlite3_errmsg(db_));
  }
  void remove() {
    for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(path_ + suffix);
  }
  std::string path_;
  sqlite3* db_ = nullptr;
  sqlite3_stmt* insert_ = nullptr;
};

// ---- peers over a unix socket: one line of answer a request, `depth` under
// way

class Peer {
 public:
  explicit Peer(const std::string& path) {
    fd_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    if (connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
      throw std::runtime_error("cannot connect to " + path);
  }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  ~Peer() { close(fd_); }

  double rate(const std::string& request, std::size_t depth) {
    std::string many;
    for (std::size_t i = 0; i < depth; ++i) many += request;
    const double start = seconds();
    long done = 0;
    while (seconds() - start < duration || done == 0) {
      send_all(many);
      await_lines(depth);
      done += long(depth);
    }
    return double(done) / (seconds() - start);
  }

 private:
  void send_all(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = write(fd_, bytes.data(), bytes.size());
      if (n <= 0) throw std::runtime_error("peer: write");
      bytes.remove_prefix(std::size_t(n));
    }
  }
  void await_lines(std::size_t lines) {
    char buffer[1 << 16];
    while (lines != 0) {
      const ssize_t n = read(fd_, buffer, sizeof buffer);
      if (n <= 0) throw std::runtime_error("peer: read");
      if (buffer[0] == '-')
        throw std::runtime_error("peer: " + std::string(buffer, std::size_t(n)));
      const auto got = std::size_t(std::count(buffer, buffer + n, '\n'));
      lines -= std::min(lines, got);
    }
  }
  int fd_ = -1;
};

std::string redis_push() {
  return "*3\r\n$5\r\nRPUSH\r\n$1\r\nq\r\n$64\r\n" + kPayload + "\r\n";
}
std::string beanstalkd_put() {
  return "put 0 0 60 64\r\n" + kPayload + "\r\n";
}

// `clients` processes, each with `body`; the sum of what they return.
double in_processes(int clients, const std::function<double()>& body) {
  auto* rates = static_cast<double*>(bench::shared_memory(sizeof(double) * std::size_t(clients)));
  std::vector<pid_t> children;
  for (int i = 0; i < clients; ++i) {
    children.push_back(bench::in_child([&, i] {
      rates[i] = body();
      _exit(0);
    }));
  }
  double sum = 0;
  for (int i = 0; i < clients; ++i) {
    bench::wait_child(children[std::size_t(i)]);
    if (rates[i] == 0) throw std::runtime_error("a client failed");
    sum += rates[i];
  }
  return sum;
}

// ---- ours

// Seconds of processor time that a process has used.
double processor_seconds(pid_t pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  std::getline(stat, line);
  unsigned long user = 0, system = 0;
  if (std::sscanf(line.c_str() + line.rfind(')') + 2,
                  "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
    throw std::runtime_error("there is no keeper");
  return double(user + system) / double(sysconf(_SC_CLK_TCK));
}

class Keeper {
 public:
  explicit Keeper(const std::string& name = "state", bool fresh = true)
      : state_(directory + "/" + name) {
    if (fresh) std::filesystem::remove_all(state_);
    bench::Settings settings;
    settings.bin = JOBRING_BIN_DIR;
    // A pool that is paused has a worker all the same: a daemon without would
    // be another one.
    daemon_ = std::make_unique<bench::Daemon>(settings,
                                              "\"workers\": 2}, \"idle\": {\"workers\": 1", state_);
  }
  Client connect() const { return daemon_->connect(); }
  const bench::Daemon& daemon() const { return *daemon_; }
  // It is started by who asks first, and takes its name only then.
  pid_t pid() const {
    for (int tries = 0; tries < 1000; ++tries) {
      for (const pid_t child : daemon_->workers()) {
        std::ifstream comm("/proc/" + std::to_string(child) + "/comm");
        std::string name;
        std::getline(comm, name);
        if (name == "jobring-keeper") return child;
      }
      usleep(10'000);
    }
    throw std::runtime_error("there is no keeper");
  }

 private:
  std::string state_;
  std::unique_ptr<bench::Daemon> daemon_;
};

DurableJob echo(const char* pool) {
  DurableJob job;
  job.handler = "echo";
  job.payload = kPayload;
  job.options.pool = pool;
  return job;
}

void require_stored(const Future& answer) {
  for (const SubmitAnswer& a : DurableJobs::answers(answer)) {
    if (a.status != SubmitAnswer::Status::stored) throw std::runtime_error(to_string(a.status));
  }
}

// One job a request, `depth` requests under way.
double pipelined(DurableJobs& jobs, const DurableJob& job, std::size_t depth) {
  std::deque<Future> under_way;
  long done = 0;
  const double start = seconds();
  while (seconds() - start < duration || done == 0) {
    for (int i = 0; i < 64; ++i) {
      under_way.push_back(jobs.start_submit({&job, 1}));
      if (under_way.size() < depth) continue;
      require_stored(under_way.front());
      under_way.pop_front();
      ++done;
    }
  }
  for (; !under_way.empty(); under_way.pop_front(), ++done) require_stored(under_way.front());
  return double(done) / (seconds() - start);
}

double batches(DurableJobs& jobs, const std::vector<DurableJob>& all) {
  long done = 0;
  const double start = seconds();
  while (seconds() - start < duration || done == 0) {
    for (const SubmitAnswer& a : jobs.submit_all(all)) {
      if (a.status != SubmitAnswer::Status::stored) throw std::runtime_error(to_string(a.status));
    }
    done += long(all.size());
  }
  return double(done) / (seconds() - start);
}

// Submitted, run by two workers, and its outcome on disk.
double executed(DurableJobs& jobs, long count) {
  const std::vector<DurableJob> all(1'000, echo("default"));
  const auto ended = [&] {
    std::uint64_t n = 0;
    for (const PoolJobs& pool : jobs.counts()) {
      if (pool.pool == "default") n += pool.jobs[std::size_t(JobState::succeeded)];
    }
    return n;
  };
  const std::uint64_t before = ended();
  const double start = seconds();
  std::deque<Future> under_way;
  for (long i = 0; i < count; i += long(all.size())) {
    under_way.push_back(jobs.start_submit(all));
    if (under_way.size() < 8) continue;
    require_stored(under_way.front());
    under_way.pop_front();
  }
  for (; !under_way.empty(); under_way.pop_front()) require_stored(under_way.front());
  while (ended() - before < std::uint64_t(count)) usleep(2'000);
  return double(count) / (seconds() - start);
}

void compare(const char* subject, double aim, const char* peer, const std::function<double()>& ours,
             const std::function<double()>& theirs) {
  std::vector<double> a, b;
  for (int round = 0; round < rounds; ++round) {
    a.push_back(ours());
    b.push_back(theirs());
  }
  const double ratio = bench::median(a) / bench::median(b);
  std::printf("%-44s %10.0f/s  %-34s %10.0f/s  %6.2f", subject, bench::median(a), peer,
              bench::median(b), ratio);
  if (aim > 0) std::printf("  (aim %.2f: %s)", aim, ratio >= aim ? "reached" : "MISSED");
  std::printf("\n");
  std::fflush(stdout);
}

// `rate()` is jobs a second and lasts about `duration`; what the keeper needs
// for each.
double with_cost(const Keeper& keeper, double& cost_us, const std::function<double()>& rate) {
  const double cpu = processor_seconds(keeper.pid()), start = seconds();
  const double result = rate();
  cost_us = (processor_seconds(keeper.pid()) - cpu) / (result * (seconds() - start)) * 1e6;
  return result;
}

void measure_pipelined() {
  const Keeper keeper;
  Client client = keeper.connect();
  DurableJobs jobs(client);
  jobs.pause("idle");
  std::vector<double> costs;
  const auto ours = [&] {
    return with_cost(keeper, costs.emplace_back(),
                     [&] { return pipelined(jobs, echo("idle"), 1024); });
  };
  compare("one job a request, depth 1024", 0.4, "bare SQLite, 1,000 a transaction", ours,
          [] { return Bare().rate(1'000); });
  if (!redis_socket.empty()) {
    compare("one job a request, depth 1024", 1, "Redis always, RPUSH, pipeline 1,000", ours,
            [] { return Peer(redis_socket).rate(redis_push(), 1'000); });
  }
  if (!beanstalkd_socket.empty()) {
    compare("one job a request, depth 1024", 20, "beanstalkd -f0, pipeline 1,000", ours,
            [] { return Peer(beanstalkd_socket).rate(beanstalkd_put(), 1'000); });
  }
  std::printf("%-44s %10.1f us of the keeper's processor time a job\n", "the same",
              bench::median(costs));
}

void measure_batch() {
  const Keeper keeper;
  Client client = keeper.connect();
  DurableJobs jobs(client);
  jobs.pause("idle");
  const std::vector<DurableJob> all(100'000, echo("idle"));
  compare(
      "batches of 100,000", 0.6, "bare SQLite, 1,000 a transaction",
      [&] { return batches(jobs, all); }, [] { return Bare().rate(1'000); });
}

void measure_single() {
  const Keeper keeper;
  Client client = keeper.connect();
  DurableJobs jobs(client);
  jobs.pause("idle");
  compare(
      "one at a time", 0.8, "bare SQLite, a row a transaction",
      [&] { return pipelined(jobs, echo("idle"), 1); }, [] { return Bare().rate(1); });
}

void measure_clients() {
  const Keeper keeper;
  Client client = keeper.connect();
  DurableJobs jobs(client);
  jobs.pause("idle");
  const auto ours = [&] {
    return in_processes(16, [&] {
      Client own = keeper.connect();
      DurableJobs mine(own);
      return pipelined(mine, echo("idle"), 1);
    });
  };
  if (redis_socket.empty()) {
    std::printf("16 clients, one at a time each %24.0f/s\n", ours());
    return;
  }
  compare("16 clients, one at a time each", 1, "Redis always, the same", ours,
          [] { return in_processes(16, [] { return Peer(redis_socket).rate(redis_push(), 1); }); });
}

void measure_run() {
  const Keeper keeper;
  Client client = keeper.connect();
  DurableJobs jobs(client);
  std::vector<double> rates, costs(std::size_t(rounds), 0);
  for (double& cost : costs)
    rates.push_back(with_cost(keeper, cost, [&] { return executed(jobs, 200'000); }));
  std::printf("%-44s %10.0f/s  (aim 100000: %s)  keeper %.1f us a job\n",
              "submitted, run by two workers, recorded", bench::median(rates),
              bench::median(rates) >= 100'000 ? "reached" : "MISSED", bench::median(costs));
}

double resident_mib(pid_t pid) {
  std::ifstream statm("/proc/" + std::to_string(pid) + "/statm");
  long size = 0, resident = 0;
  statm >> size >> resident;
  return double(resident) * double(sysconf(_SC_PAGESIZE)) / (1 << 20);
}

double milliseconds(const std::function<void()>& body) {
  const double start = seconds();
  body();
  return (seconds() - start) * 1e3;
}

// A million that wait: rates, memory, listing, starting.
void measure_deep(long deep) {
  {
    const Keeper keeper("deep");
    Client client = keeper.connect();
    DurableJobs jobs(client);
    jobs.pause("idle");
    const std::vector<DurableJob> all(10'000, echo("idle"));
    const auto fill = [&](long count) {
      for (long i = 0; i < count; i += long(all.size())) jobs.submit_all(all);
    };
    executed(jobs, 100'000);
    std::vector<double> at_few, at_many, run_few, run_many;
    fill(1'000);
    for (int round = 0; round < rounds; ++round) {
      at_few.push_back(pipelined(jobs, echo("idle"), 1024));
      run_few.push_back(executed(jobs, 200'000));
    }
    fill(deep);
    for (int round = 0; round < rounds; ++round) {
      at_many.push_back(pipelined(jobs, echo("idle"), 1024));
      run_many.push_back(executed(jobs, 200'000));
    }
    std::printf("with %ld that wait:\n", deep);
    std::printf("  submissions at depth 1024, of the rate with few  %6.2f  (aim 0.8)\n",
                bench::median(at_many) / bench::median(at_few));
    std::printf("  submitted, run and recorded, of the same         %6.2f  (aim 0.8)\n",
                bench::median(run_many) / bench::median(run_few));
    std::printf(
        "  keeper resident                                  %6.1f MiB "
        "(aim 64)\n",
        resident_mib(keeper.pid()));
    std::vector<double> lists;
    for (int i = 0; i < 20; ++i) lists.push_back(milliseconds([&] { (void)jobs.list(); }));
    std::printf(
        "  list of the newest 50                            %6.2f ms "
        "(aim 20)\n",
        bench::median(lists));
  }
  std::unique_ptr<Keeper> again;
  const double start = milliseconds([&] {
    again = std::make_unique<Keeper>("deep", false);
    Client client = again->connect();
    if (DurableJobs(client).list().jobs.size() != 50) throw std::runtime_error("jobs are missing");
  });
  std::printf(
      "  daemon started until its list is there           %6.0f ms "
      "(aim 1000)\n",
      start);
}

// `jobring submit -- true` next to `tsp true` and one fdatasync.
void measure_start() {
  const Keeper keeper;
  Client client = keeper.connect();
  DurableJobs(client).pause("default");
  setenv("JOBRING_SOCKET", keeper.daemon().socket().c_str(), 1);
  const std::string jobring = std::string(JOBRING_BIN_DIR) + "/jobring";
  const auto time_of = [](const std::function<void()>& command) {
    const double start = seconds();
    bench::wait_child(bench::in_child([&] {
      std::freopen("/dev/null", "w", stdout);
      command();
      _exit(127);
    }));
    return (seconds() - start) * 1e3;
  };
  std::vector<double> ours, start, theirs, sync;
  const std::string path = directory + "/sync";
  std::FILE* file = std::fopen(path.c_str(), "w");
  setenv("TS_SOCKET", (directory + "/tsp").c_str(), 1);
  const bool peer = std::system(
                        "command -v tsp >/dev/null && tsp true "
                        ">/dev/null && tsp -S 0 2>/dev/null; "
                        "command -v tsp >/dev/null") == 0;
  for (int i = 0; i < 200; ++i) {
    ours.push_back(
        time_of([&] { execl(jobring.c_str(), "jobring", "submit", "--", "true", nullptr); }));
    if (peer) theirs.push_back(time_of([] { execlp("tsp", "tsp", "-n", "true", nullptr); }));
    sync.push_back(milliseconds([&] {
      std::fwrite(kPayload.data(), 1, kPayload.size(), file);
      std::fflush(file);
      fdatasync(fileno(file));
    }));
  }
  for (int i = 0; i < 200; ++i)
    start.push_back(time_of([&] { execl(jobring.c_str(), "jobring", "--version", nullptr); }));
  std::fclose(file);
  std::remove(path.c_str());
  if (peer) (void)!std::system("tsp -K");
  const double limit = (peer ? bench::median(theirs) : 0) + bench::median(sync);
  std::printf(
      "jobring submit -- true %6.2f ms; tsp %.2f ms + fdatasync %.2f "
      "ms: %.2f of that "
      "(aim: at most 1)\n",
      bench::median(ours), peer ? bench::median(theirs) : 0, bench::median(sync),
      bench::median(ours) / limit);
  std::printf("%-44s %10.2f ms\n", "jobring --version", bench::median(start));
}

}  // namespace

int main(int argc, char** argv) {
  // Nothing of ours is to stand in a buffer when a child is made.
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  long deep = 1'000'000;
  std::vector<std::string> subjects;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const auto value = [&] { return std::string(i + 1 < argc ? argv[++i] : ""); };
    if (word == "--dir")
      directory = value();
    else if (word == "--rounds")
      rounds = std::max(1, std::atoi(value().c_str()));
    else if (word == "--seconds")
      duration = std::atof(value().c_str());
    else if (word == "--deep")
      deep = std::atol(value().c_str());
    else if (word == "--redis")
      redis_socket = value();
    else if (word == "--beanstalkd")
      beanstalkd_socket = value();
    else
      subjects.push_back(word);
  }
  if (directory.empty()) {
    std::fprintf(stderr,
                 "jobring_bench_durable: --dir DIR is missing; see "
                 "bench/durable/run.sh\n");
    return 64;
  }
  const auto wanted = [&](const char* name) {
    return subjects.empty() || std::count(subjects.begin(), subjects.end(), name) != 0;
  };
  if (wanted("pipelined")) measure_pipelined();
  if (wanted("batch")) measure_batch();
  if (wanted("single")) measure_single();
  if (wanted("clients")) measure_clients();
  if (wanted("run")) measure_run();
  if (wanted("deep")) measure_deep(deep);
  if (wanted("start")) measure_start();
  return 0;
}
