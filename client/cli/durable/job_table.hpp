// Durable jobs as a table, a job a line. Pure.
#pragma once

#include <span>
#include <string>
#include <vector>

#include <jobring/durable.hpp>

#include "common/result.hpp"

namespace jobring::cli {

// The names of all columns, and those that are shown if nobody asks for others.
const std::vector<std::string>& job_columns();
const std::vector<std::string>& default_job_columns();
// "id,state,what"; "+tags,user" adds to the default ones. Error: usage, names the nearest one.
Result<std::vector<std::string>> parse_job_columns(const std::string& text);

struct TableStyle {
  bool color = false;
  std::size_t width = 0;  // lines are cut to so many columns; 0: not at all
};
std::string job_table(std::span<const DurableInfo> jobs, const std::vector<std::string>& columns,
                      WallTime now, const TableStyle& style);

// How many jobs there are in each pool, by state. Empty if there are no pools.
std::string pools_table(std::span<const PoolJobs> pools, bool color);

// Orders by a column, ascending; "-age" descending. Equal ones stay as they are.
Result<void> sort_jobs(std::vector<DurableInfo>& jobs, const std::string& by, WallTime now);

}  // namespace jobring::cli
