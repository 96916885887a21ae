// The runs of a round, by job and by worker process.
//
// What a death may do follows from how many jobs its process can have RUNNING at once (`at_once` of
// its pool: one, its lanes, or max_in_flight):
//
// - A run is noted within the time in which its slot is RUNNING. So at no moment are more runs open
//   in a process than it may have at once. A run of a function that has no end was cut off by the
//   death of its process, and counts as open until then.
// - A job runs again only because the process of its last run died while the slot was RUNNING. So
//   each death has at most `at_once` jobs run again, also of those whose handler had ended and
//   whose result was not published yet; and the process is one that the harness killed, that
//   crashed of its own accord, or that the daemon ended over a job that did not stop, and said so.
#pragma once

#include <array>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "tests/soak/ledger.hpp"
#include "tests/soak/plan.hpp"

namespace jobring::soak {

struct PoolRuns {
  std::uint64_t runs = 0;
  std::uint64_t duplicates = 0;       // runs beyond a job's first
  std::uint64_t ended_by_daemon = 0;  // workers
  std::uint32_t most_at_once = 0;     // open runs of one process
  std::uint32_t most_of_a_death = 0;  // jobs that ran again because of one

  void add(const PoolRuns& other);
};
using RunsByPool = std::array<PoolRuns, kPools.size()>;

// Complains of what breaks these rules. `struck`: workers that the harness has killed. Sets
// `finished` for the jobs of which some run came to its end.
RunsByPool audit_runs(Ledger& ledger, const std::set<ProcessName>& struck,
                      const std::string& daemon_log, std::vector<bool>& finished);

}  // namespace jobring::soak
