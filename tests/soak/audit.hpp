// The multiset checker: what went in against what ran and what came out.
#pragma once

#include <array>
#include <cstdint>
#include <set>
#include <string>

#include "tests/soak/audit_runs.hpp"
#include "tests/soak/ledger.hpp"

namespace jobring::soak {

// Who was killed in the round.
struct Deaths {
  std::set<ProcessName> clients, workers;
  std::string daemon_log;  // tells of workers that the daemon has ended
};

struct Audit {
  std::uint64_t jobs = 0;         // taken by the library
  std::uint64_t completions = 0;  // handed to clients
  std::uint64_t runs = 0;
  std::uint64_t duplicates = 0;  // runs beyond the first
  std::uint64_t lost = 0;        // of a living client, never completed
  std::array<std::uint64_t, 16> outcomes{};
  RunsByPool pools;

  void add(const Audit& other);
};

// Audits a round in which nothing is under way any more. Complains of every job whose story is not
// among those that its policy allows.
Audit audit(Ledger& ledger, const Deaths& deaths);

}  // namespace jobring::soak
