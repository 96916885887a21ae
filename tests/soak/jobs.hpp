// Draws a client's jobs and notes what becomes of them.
#pragma once

#include <random>
#include <string>

#include <jobring/jobring.hpp>

#include "tests/soak/job_spec.hpp"
#include "tests/soak/ledger.hpp"
#include "tests/soak/plan.hpp"

namespace jobring::soak {

using Random = std::mt19937_64;

// A job that is announced in the ledger.
struct Job {
  JobRecord* record = nullptr;  // null: the round's room for jobs is used up
  JobSpec spec;
  JobOptions options;
  Kind kind = Kind::function;
  std::uint64_t submitted_ns = 0;
};

class Jobs {
 public:
  Jobs(Ledger& ledger, ClientCell& cell, Random& random);

  // `epoch`: read before the connection was made that the job goes through.
  Job draw(const PoolPlan& pool, std::uint32_t epoch);
  std::string handler(const Job& job) const;
  std::string payload(const Job& job) const;

  void accepted(const Job& job);
  void withdrawn(const Job& job);
  void abandoned(const Job& job);
  // A completion: counts it, and checks what it brings.
  void ended(const Job& job, Outcome outcome, std::uint8_t attempts, std::string_view result);
  // A result without its completion (map).
  void check_result(const Job& job, std::string_view result);
  void check_failure(const Job& job, std::string_view result);

  void beat() { cell_.heartbeat.fetch_add(1, std::memory_order_relaxed); }
  bool one_in(std::uint64_t n) { return random_() % n == 0; }
  std::uint64_t below(std::uint64_t n) { return random_() % n; }

 private:
  Ledger& ledger_;
  ClientCell& cell_;
  Random& random_;
  ProcessName self_;
  std::uint64_t handed_ns_ = 0;  // when it last was handed a completion, or began to wait for one
};

}  // namespace jobring::soak
