// Which durable jobs a verb means, as the command line says it: ids, ranges and `last` as words,
// the rest as options. Jobs fit if they are among the words and fit all options.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <jobring/durable.hpp>

#include "client/cli/options.hpp"
#include "common/result.hpp"

namespace jobring::cli {

// "12", "5-9", "1,4,7-9", "last" (of this user's jobs the newest).
struct IdWords {
  std::vector<std::pair<JobId, JobId>> ranges;
  bool last = false;
  // One id for each word or part of one, so whoever wrote it knows how many jobs it means.
  bool counted() const;
};
Result<IdWords> parse_ids(const std::vector<std::string>& words);

class Selection {
 public:
  // `pool_option`: what --pool is called, for verbs that have another use for it.
  void add_to(Options& options, const char* pool_option = "--pool");
  // What is not an option of the command line: ids. Error: usage.
  Result<void> take(const std::vector<std::string>& words);

  bool empty() const;  // neither ids nor options
  bool all() const { return all_; }
  bool has_ids() const { return !ids_.ranges.empty() || ids_.last; }
  std::size_t words() const { return ids_.ranges.size() + (ids_.last ? 1 : 0); }
  bool has_age() const { return filter_.ended_before.has_value(); }
  // Ids one by one and nothing else: no question needs to be asked about how many these are.
  bool counted() const;
  // Of a counted() one, the ids as they were written, `last` behind them. Throws as resolve().
  std::vector<JobId> named(DurableJobs& jobs) const;

  // The jobs. `last` and groups are looked up: the id of a group or array means all that are in it.
  // `own_only`, and --all: without ids, --group and --user, of this user alone, so that root's
  // `cancel --all` spares everybody else's. Throws Exception: bad_input if there is no last job or
  // no such group.
  JobFilter resolve(DurableJobs& jobs, bool own_only) const;

 private:
  std::set<JobId> no_jobs(DurableJobs& jobs) const;
  std::vector<std::pair<JobId, JobId>> ranges(DurableJobs& jobs,
                                              const std::set<JobId>& no_jobs) const;

  IdWords ids_;
  bool all_ = false;
  JobFilter filter_;
  std::string user_;
  bool any_user_ = false;
  JobId group_ = 0;
  bool by_option_ = false;
};

// One id, or `last`. Throws Exception(usage), or bad_input if there is no last job.
JobId parse_one_id(DurableJobs& jobs, const std::string& word);
bool is_group(DurableJobs& jobs, JobId id);
// All jobs that fit, newest first, a page at a time; `visit` returns false to stop.
void for_each_job(DurableJobs& jobs, const JobFilter& filter,
                  const std::function<bool(DurableInfo&)>& visit, std::size_t page_size = 500);
// The newest job of this user. Throws Exception(bad_input).
JobId last_job(DurableJobs& jobs);

}  // namespace jobring::cli
