// How long a job stands still when its worker is killed.
#pragma once

#include <cstdint>

namespace jobring::soak {

// Kills a worker that runs a job, `kills` times in each situation, and prints the time from SIGKILL
// to the beginning of the job's second run. Returns the exit status: 0, or 1 if a p99 is above the
// aim.
int failover(std::uint32_t kills);

}  // namespace jobring::soak
