// All that is known of one durable job, for a person. Pure.
#pragma once

#include <string>

#include <jobring/durable.hpp>

namespace jobring::cli {

std::string job_page(const DurableInfo& job, WallTime now, bool color);
// One line.
std::string group_text(const JobGroup& group);

}  // namespace jobring::cli
