// What `jobring bench` measured for one payload size and number of clients.
#pragma once

#include <cstdint>

namespace jobring::cli {

struct BenchRow {
  std::uint64_t payload = 0;  // bytes
  unsigned clients = 1;
  std::uint64_t depth = 0;  // jobs in flight per client, as it could be had
  double jobs_per_second = 0;
  // Round trips of one job at a time, ns.
  std::uint64_t p50 = 0, p90 = 0, p99 = 0, p999 = 0, max = 0;
  std::uint64_t failed = 0;  // jobs whose outcome was not ok
};

}  // namespace jobring::cli
