// A store in a directory of its own, with a clock that tests turn.
#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "daemon/keeper/retry.hpp"
#include "daemon/keeper/sqlite/sqlite_store.hpp"
#include "tests/keeper/directory.hpp"

namespace jobring::test {

using namespace jobring::keeper;

class House {
 public:
  House() { open(); }
  explicit House(SqliteOptions given) : options(std::move(given)) { open(); }
  void open();
  void reopen() {
    store.reset();
    open();
  }
  Store* operator->() { return store.get(); }

  void begin(Durability level = Durability::synced) { store->begin(clock, level); }
  void commit();
  void pass(std::int64_t ms) { clock.real_ms += ms, clock.steady_ms += ms; }

  // A turn each.
  std::vector<Submitted> submit_all(const std::vector<JobSpec>& specs);
  Submitted offer(const JobSpec& spec) { return submit_all({spec})[0]; }
  JobId submit(const JobSpec& spec);  // it must be stored
  std::vector<JobId> take(const std::string& pool, std::uint32_t most = 1'000);
  void finish(JobId id, JobState next = JobState::succeeded, std::int64_t due_ms = 0);
  void wake();
  void clean();
  Applied apply(Verb verb, Selector which, Edit edit = {});
  Applied apply(Verb verb, JobId id, Edit edit = {}) {
    return apply(verb, Selector{.ids = {{id, id}}}, edit);
  }

  JobRecord show(JobId id);
  bool gone(JobId id);
  JobState state(JobId id) { return show(id).job.state; }
  std::vector<JobId> list(const Selector& which, std::uint32_t most = 1'000);
  std::uint64_t count(const std::string& pool, JobState state);
  // Everything is as it should be.
  void sound();

  Directory directory;
  SqliteOptions options;
  Clock clock{1'700'000'000'000, 1'000'000};
  std::unique_ptr<Store> store;
};

inline JobSpec job(std::string_view pool = "p") {
  JobSpec spec;
  spec.handler = "echo";
  spec.payload = "hello";
  spec.pool = pool;
  return spec;
}

}  // namespace jobring::test
