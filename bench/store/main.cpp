// What the store of durable jobs can do, next to bare SQLite in the same directory and run: in
// alternating rounds, medians. No process, channel or worker: the limit of what the keeper reaches.
//
//   jobring_bench_store [--dir DIR] [--rounds N] [--quick] [--deep N]
//
// Bare: a table of (id INTEGER PRIMARY KEY, pool INTEGER, payload BLOB of 64 bytes), WAL,
// synchronous=FULL, default settings otherwise, one prepared INSERT, in one transaction each 1,000
// rows; "single": one row each. Ours: jobs of the handler "echo" with 64 bytes, defaults.
#include <sqlite3.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "daemon/keeper/sqlite/sqlite_store.hpp"

using namespace jobring;
using namespace jobring::keeper;

namespace {

std::string directory = ".";
const std::string kPayload(64, 'x');

double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}
double processor_seconds() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return double(t.tv_sec) + 1e-9 * double(t.tv_nsec);
}
long resident_mib() {
  long size = 0, resident = 0;
  if (std::FILE* f = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(f, "%ld %ld", &size, &resident) != 2) resident = 0;
    std::fclose(f);
  }
  return resident * sysconf(_SC_PAGESIZE) / (1 << 20);
}

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  std::exit(1);
}

std::string fresh(const char* name) {
  const std::string path = directory + "/" + name;
  for (const char* suffix : {"", "-wal", "-shm", "-journal"})
    std::filesystem::remove(path + suffix);
  return path;
}

struct Rate {
  double per_second = 0;
  double processor_us = 0;  // of ours, each
};

Rate measured(long count, const std::function<void()>& body) {
  const double cpu = processor_seconds(), start = seconds();
  body();
  const double took = seconds() - start;
  return {double(count) / took, (processor_seconds() - cpu) / double(count) * 1e6};
}

Rate bare(long rows, long each) {
  const std::string path = fresh("bare.db");
  sqlite3* db = nullptr;
  const auto run = [&](const char* sql) {
    if (sqlite3_exec(db, sql, nullptr, nullptr, nullptr) != SQLITE_OK) give_up(sqlite3_errmsg(db));
  };
  if (sqlite3_open(path.c_str(), &db) != SQLITE_OK) give_up("bare: cannot open " + path);
  run("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
      "CREATE TABLE job(id INTEGER PRIMARY KEY, pool INTEGER, payload BLOB)");
  sqlite3_stmt* insert = nullptr;
  sqlite3_prepare_v2(db, "INSERT INTO job(pool, payload) VALUES(?, ?)", -1, &insert, nullptr);
  const Rate rate = measured(rows, [&] {
    for (long i = 0; i < rows; i += each) {
      run("BEGIN");
      for (long k = 0; k < each; ++k) {
        sqlite3_bind_int(insert, 1, 1);
        sqlite3_bind_blob(insert, 2, kPayload.data(), int(kPayload.size()), SQLITE_STATIC);
        if (sqlite3_step(insert) != SQLITE_DONE) give_up(sqlite3_errmsg(db));
        sqlite3_reset(insert);
      }
      run("COMMIT");
    }
  });
  sqlite3_finalize(insert);
  sqlite3_close(db);
  fresh("bare.db");
  return rate;
}

struct Keeper {
  std::unique_ptr<Store> store;
  Clock clock{1'700'000'000'000, 1'000'000};
  std::vector<JobSpec> specs;

  explicit Keeper(bool again = false) {
    auto opened = open_sqlite_store({.path = again ? directory + "/store.db" : fresh("store.db")});
    if (!opened) give_up(opened.error().line());
    store = std::move(*opened);
    JobSpec spec;
    spec.handler = "echo";
    spec.payload = kPayload;
    spec.pool = "default";
    specs.assign(1'000, spec);
  }
  void begin() {
    clock.real_ms += 1, clock.steady_ms += 1;
    store->begin(clock, Durability::synced);
  }
  void commit() {
    if (auto done = store->commit(); !done) give_up(done.error().line());
  }
  void fill(long jobs) {
    for (long i = 0; i < jobs; i += 1'000) {
      begin();
      store->submit(specs);
      commit();
    }
  }
};

// `each` in one transaction, all acknowledged after their sync.
Rate submissions(long jobs, long each) {
  Keeper keeper;
  keeper.specs.resize(std::size_t(each), keeper.specs[0]);
  return measured(jobs, [&] {
    for (long i = 0; i < jobs; i += each) {
      keeper.begin();
      keeper.store->submit(keeper.specs);
      keeper.commit();
    }
  });
}

// Turns of 1,000: the outcomes of the last turn's jobs, as many new jobs, the next jobs taken.
Rate cycle(long jobs, long depth) {
  Keeper keeper;
  keeper.fill(depth);
  std::vector<Ending> endings;
  return measured(jobs, [&] {
    for (long i = 0; i < jobs; i += 1'000) {
      keeper.begin();
      keeper.store->finish(endings);
      keeper.store->submit(keeper.specs);
      const TakenBatch batch = keeper.store->take("default", 1'000);
      keeper.commit();
      endings.resize(batch.jobs.size());
      for (std::size_t k = 0; k < endings.size(); ++k) {
        endings[k].id = batch.jobs[k].id;
        endings[k].attempt = {batch.jobs[k].attempt,
                              4711,
                              keeper.clock.real_ms,
                              keeper.clock.real_ms,
                              Outcome::ok,
                              0,
                              0,
                              5,
                              2,
                              0,
                              {}};
        endings[k].result = batch.jobs[k].spec.payload.substr(0, 8);
      }
    }
  });
}

double median(std::vector<double> all) {
  std::sort(all.begin(), all.end());
  return all[all.size() / 2];
}

void rounds(int count, const std::vector<std::pair<std::string, std::function<Rate()>>>& subjects) {
  std::map<std::string, std::vector<double>> rates, processor;
  for (int round = 0; round < count; ++round) {
    for (const auto& [name, body] : subjects) {
      const Rate rate = body();
      rates[name].push_back(rate.per_second);
      processor[name].push_back(rate.processor_us);
    }
  }
  const double base = median(rates[subjects[0].first]);
  for (const auto& [name, body] : subjects) {
    auto& all = rates[name];
    const double middle = median(all);
    std::printf("%-52s %9.0f /s (%.0f to %.0f)  %5.2f  %6.2f us cpu\n", name.c_str(), middle,
                *std::min_element(all.begin(), all.end()),
                *std::max_element(all.begin(), all.end()), middle / base, median(processor[name]));
    std::fflush(stdout);
  }
}

// A million jobs that wait: memory, opening, listing, counting.
void deep(long jobs) {
  const auto ms = [](const char* what, const std::function<void()>& body) {
    const double start = seconds();
    body();
    std::printf("%-52s %9.2f ms\n", what, (seconds() - start) * 1e3);
  };
  {
    Keeper keeper;
    keeper.fill(jobs);
    std::printf("%-52s %9ld MiB\n", "resident after submitting them", resident_mib());
  }
  std::printf("%-52s %9.1f MiB\n", "the file",
              double(std::filesystem::file_size(directory + "/store.db")) / (1 << 20));
  std::unique_ptr<Keeper> keeper;
  ms("opening", [&] { keeper = std::make_unique<Keeper>(true); });
  Store& store = *keeper->store;
  const auto list = [&](const Selector& which) {
    auto page = store.list(which, 0, 50);
    if (!page) give_up(page.error().line());
    return page->jobs.size();
  };
  std::size_t found = 0;
  ms("the newest 50", [&] { found = list({}); });
  ms("the newest 50 that are ready, of one pool",
     [&] { found = list({.pool = "default", .states = 1u << unsigned(JobState::ready)}); });
  ms("the newest 50 that are dead (there are none)",
     [&] { found = list({.states = 1u << unsigned(JobState::dead)}); });
  if (found != 0) give_up("there should be none");
  JobSpec tagged = keeper->specs[0];
  tagged.tags = {"rare"};
  keeper->begin();
  store.submit({&tagged, 1});
  keeper->commit();
  keeper->fill(20'000);
  ms("the newest 50 of a rare tag", [&] { found = list({.tag = "rare"}); });
  ms("counts by pool and state", [&] { found = store.counts().size(); });
  ms("take 1,000 and commit", [&] {
    keeper->begin();
    store.take("default", 1'000);
    keeper->commit();
  });
  ms("opening while 1,000 run", [&] {
    keeper.reset();
    keeper = std::make_unique<Keeper>(true);
  });
  std::printf("%-52s %9ld MiB\n", "resident at the end", resident_mib());
  keeper.reset();
  fresh("store.db");
}

}  // namespace

int main(int argc, char** argv) {
  int count = 5;
  long scale = 1, jobs = 1'000'000;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--quick") scale = 5;
    if (word == "--dir" && i + 1 < argc) directory = argv[++i];
    if (word == "--rounds" && i + 1 < argc) count = std::atoi(argv[++i]);
    if (word == "--deep" && i + 1 < argc) jobs = std::atol(argv[++i]);
  }
  count = std::max(count, 1);
  std::puts("batches of 1,000 and of 100,000");
  rounds(count,
         {{"bare SQLite, 1,000 a transaction", [&] { return bare(500'000 / scale, 1'000); }},
          {"store, 1,000 a turn", [&] { return submissions(500'000 / scale, 1'000); }},
          {"store, 100,000 in one turn", [&] { return submissions(500'000 / scale, 100'000); }}});
  std::puts("one at a time");
  rounds(count, {{"bare SQLite, a row a transaction", [&] { return bare(20'000 / scale, 1); }},
                 {"store, a job a turn", [&] { return submissions(20'000 / scale, 1); }}});
  std::puts("submitted, taken, finished: turns of 1,000 of each");
  rounds(count, {{"at 1,000 that wait", [&] { return cycle(300'000 / scale, 1'000); }},
                 {"at as many as --deep says", [&] { return cycle(300'000 / scale, jobs); }}});
  std::printf("%ld that wait\n", jobs);
  deep(jobs);
  return 0;
}
