// Questions before a verb changes many jobs.
#pragma once

#include <string>

#include <jobring/durable.hpp>

namespace jobring::cli {

// "cancel 37 jobs (12 running, 25 ready)".
std::string many_text(const char* verb, const PoolJobs& by_state);

// Whether to go on: asks on the terminal that stdin is; a "y" or "yes" is a yes. Without a terminal
// it throws Exception(usage) that tells of --yes.
bool confirm(const std::string& what);

}  // namespace jobring::cli
