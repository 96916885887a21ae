#include "client/cli/durable/pick.hpp"

#include <algorithm>
#include <cstdio>
#include <map>
#include <string_view>

#include "client/cli/durable/job_text.hpp"
#include "client/client_core.hpp"

namespace jobring::cli {
namespace {

// The newest that fit, the oldest of them first, behind what is there.
void add_newest(DurableJobs& jobs, const JobFilter& filter, std::uint64_t limit, Picked& picked) {
  const std::size_t before = picked.jobs.size();
  const std::size_t most = limit == 0 ? SIZE_MAX - before : limit;
  const auto add = [&](const DurableInfo& job) {
    if (picked.jobs.size() - before == most) {
      picked.more = true;
      return false;
    }
    picked.jobs.push_back({job.id, what_text(job)});
    return true;
  };
  for_each_job(jobs, filter, add, std::min<std::size_t>(most, 499) + 1);
  std::reverse(picked.jobs.begin() + std::ptrdiff_t(before), picked.jobs.end());
}

}  // namespace

std::map<JobId, std::string> Picked::names() const {
  std::map<JobId, std::string> names;
  if (jobs.size() > 1)
    for (const Job& job : jobs) names.emplace(job.id, job.what);
  return names;
}

void Pick::add_to(Options& options) {
  selection_.add_to(options);
  options.number("-n,--limit", limit_, 0, UINT32_MAX, "N",
                 "of those that are not named one by one at most the newest N; 0: all; default 50");
}

std::optional<int> Pick::take(const Options& options, const std::vector<std::string>& words) {
  if (const auto taken = selection_.take(words); !taken)
    return options.usage_error(taken.error().line());
  if (selection_.empty())
    return options.usage_error("which job? Ids, --pool, --state, --tag, --name, or --all");
  return std::nullopt;
}

Picked Pick::named(DurableJobs& jobs, Groups groups) const {
  const std::vector<JobId> ids = selection_.named(jobs);
  JobFilter filter;
  for (const JobId id : ids) filter.ids.emplace_back(id, id);
  std::map<JobId, std::string> found;
  for_each_job(jobs, filter, [&](const DurableInfo& job) {
    found[job.id] = what_text(job);
    return true;
  });
  Picked picked;
  for (const JobId id : ids) {
    const auto job = found.find(id);
    if (job != found.end()) {
      picked.jobs.push_back({id, job->second});
      continue;
    }
    const std::size_t before = picked.jobs.size();
    if (groups == Groups::members && is_group(jobs, id))
      add_newest(jobs, {.group = id}, limit_, picked);
    if (picked.jobs.size() == before) picked.jobs.push_back({id, ""});
  }
  return picked;
}

Picked Pick::find(DurableJobs& jobs, Groups groups) const {
  if (selection_.counted()) return named(jobs, groups);
  Picked picked;
  add_newest(jobs, selection_.resolve(jobs, false), limit_, picked);
  if (picked.jobs.empty() && selection_.has_ids()) {
    detail::throw_error({Errc::bad_input, "there is no such job", "", "see `jobring list`"});
  }
  return picked;
}

void Pick::tell(const char* verb, const Picked& picked) const {
  if (!picked.more) return;
  std::fflush(stdout);
  std::fprintf(stderr, "jobring %s: there are more than these %zu, the newest; -n 0 takes all\n",
               verb, picked.jobs.size());
}

int for_each_picked(const char* verb, const Picked& picked,
                    const std::function<void(JobId)>& visit) {
  if (picked.jobs.size() == 1) return visit(picked.jobs.front().id), 0;
  int status = 0;
  for (const Picked::Job& job : picked.jobs) {
    try {
      visit(job.id);
    } catch (const Exception& e) {
      if (std::string_view(e.kind()) == to_string(Errc::no_daemon)) throw;
      std::fflush(stdout);
      std::fprintf(stderr, "jobring %s: %s\n", verb, e.what());
      if (status == 0) status = e.exit_status();
    }
  }
  return status;
}

}  // namespace jobring::cli
