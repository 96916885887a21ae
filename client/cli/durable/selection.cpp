#include "client/cli/durable/selection.hpp"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <string_view>

#include "client/cli/durable/texts.hpp"
#include "client/cli/durable/users.hpp"
#include "client/cli/durable/when.hpp"
#include "client/client_core.hpp"

namespace jobring::cli {
namespace {

constexpr JobId kMost = (JobId{1} << 48) - 1;
constexpr std::size_t kRangesMost = 100'000;  // that a request may have

std::optional<JobId> parse_id(std::string_view text) {
  JobId id = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, id);
  if (text.empty() || error != std::errc() || stop != end || id == 0 || id > kMost) {
    return std::nullopt;
  }
  return id;
}

using Ranges = std::vector<std::pair<JobId, JobId>>;

std::optional<JobGroup> group_of(DurableJobs& jobs, JobId id) {
  try {
    return jobs.group(id);
  } catch (const DurableError& e) {
    if (std::string_view(e.kind()) != "not_found") throw;
  }
  return std::nullopt;
}

// True if what stands behind its id are its members and nobody else: an array, not a group that
// jobs join.
bool is_array(DurableJobs& jobs, const JobGroup& group) {
  const JobPage page = jobs.list({.group = group.id}, 1);
  return !page.jobs.empty() && page.jobs.front().index.has_value();
}

// The ids of those in a group, in ranges that hold no other job; empty if there is no such group,
// or nothing is left of it.
Ranges members_of(DurableJobs& jobs, JobId id) {
  const auto group = group_of(jobs, id);
  if (!group) return {};
  if (is_array(jobs, *group)) return {{id + 1, id + std::max<JobId>(group->size, 1)}};
  Ranges found;
  for_each_job(jobs, {.group = id}, [&](const DurableInfo& job) {
    if (!found.empty() && found.back().first == job.id + 1) {
      found.back().first = job.id;
    } else {
      found.emplace_back(job.id, job.id);
    }
    return true;
  });
  std::reverse(found.begin(), found.end());
  return found;
}

}  // namespace

bool is_group(DurableJobs& jobs, JobId id) {
  return group_of(jobs, id).has_value();
}

bool IdWords::counted() const {
  return std::all_of(ranges.begin(), ranges.end(),
                     [](const auto& r) { return r.first == r.second; });
}

Result<IdWords> parse_ids(const std::vector<std::string>& words) {
  IdWords ids;
  for (const std::string& word : words) {
    const auto parts = split_commas(word);
    const Error bad = {Errc::usage, "\"" + word + "\" is no job", "", "write 12, 5-9 or last"};
    if (parts.empty()) return bad;
    for (const std::string& part : parts) {
      if (part == "last") {
        ids.last = true;
        continue;
      }
      const std::size_t dash = part.find('-');
      const auto first = parse_id(std::string_view(part).substr(0, dash));
      const auto last =
          dash == std::string::npos ? first : parse_id(std::string_view(part).substr(dash + 1));
      if (!first || !last || *first > *last) return bad;
      ids.ranges.emplace_back(*first, *last);
    }
  }
  return ids;
}

void Selection::add_to(Options& options, const char* pool_option) {
  options.section("Which jobs");
  options.flag("--all", all_, "all jobs of yours");
  options.value(
      pool_option,
      [this](const std::string& text) -> Result<void> {
        filter_.pool = text;
        by_option_ = true;
        return {};
      },
      "NAME", "those of this pool");
  options.value(
      "--state",
      [this](const std::string& text) -> Result<void> {
        filter_.states.clear();
        for (const std::string& part : split_commas(text)) {
          const auto state = parse_state(part);
          if (!state) return state.error();
          filter_.states.push_back(*state);
        }
        by_option_ = true;
        return {};
      },
      "STATE[,STATE]", "in one of these states");
  options.value(
      "--tag",
      [this](const std::string& text) -> Result<void> {
        filter_.tag = text;
        by_option_ = true;
        return {};
      },
      "TAG", "with this tag");
  options.value(
      "--name",
      [this](const std::string& text) -> Result<void> {
        filter_.name = text;
        by_option_ = true;
        return {};
      },
      "NAME", "of this name");
  options.value(
      "--group",
      [this](const std::string& text) -> Result<void> {
        const auto id = parse_id(text);
        if (!id) return Error{Errc::usage, "\"" + text + "\" is no group", "", ""};
        group_ = *id;
        by_option_ = true;
        return {};
      },
      "ID", "in this group or array");
  options.value(
      "--older-than",
      [this](const std::string& text) -> Result<void> {
        const auto time = parse_past(text, std::chrono::system_clock::now());
        if (!time) return time.error();
        filter_.ended_before = *time;
        by_option_ = true;
        return {};
      },
      "AGE|WHEN", "ended so long ago or before: 7d, 2026-11-01");
  options.value(
      "--user",
      [this](const std::string& text) -> Result<void> {
        any_user_ = text == "all";
        if (!any_user_) {
          const auto uid = uid_of(text);
          if (!uid) return Error{Errc::usage, "no user \"" + text + "\" is known", "", ""};
          filter_.uid = *uid;
        }
        by_option_ = true;
        user_ = text;
        return {};
      },
      "NAME|UID|all", "of this user; only root and the daemon's own user see others");
  options.section("Options");
}

Result<void> Selection::take(const std::vector<std::string>& words) {
  auto ids = parse_ids(words);
  if (!ids) return ids.error();
  ids_ = std::move(*ids);
  if (all_ && has_ids()) {
    return Error{Errc::usage, "--all and the numbers of jobs exclude each other", "", ""};
  }
  return {};
}

bool Selection::empty() const {
  return !has_ids() && !all_ && !by_option_;
}

bool Selection::counted() const {
  return has_ids() && !by_option_ && ids_.counted();
}

std::vector<JobId> Selection::named(DurableJobs& jobs) const {
  std::vector<JobId> ids;
  for (const auto& range : ids_.ranges) ids.push_back(range.first);
  if (ids_.last) ids.push_back(last_job(jobs));
  return ids;
}

// Those of the words that are one number and no job's. One look for all.
std::set<JobId> Selection::no_jobs(DurableJobs& jobs) const {
  std::set<JobId> left;
  for (const auto& [first, last] : ids_.ranges) {
    if (first == last) left.insert(first);
  }
  if (left.empty()) return left;
  JobFilter named;
  for (const JobId id : left) named.ids.emplace_back(id, id);
  for_each_job(jobs, named, [&](const DurableInfo& job) { return left.erase(job.id), true; });
  return left;
}

// What is no job may be a group.
Ranges Selection::ranges(DurableJobs& jobs, const std::set<JobId>& no_jobs) const {
  Ranges all;
  for (const auto& range : ids_.ranges) {
    const Ranges members = no_jobs.contains(range.first) ? members_of(jobs, range.first) : Ranges();
    if (members.empty()) {
      all.push_back(range);
    } else {
      all.insert(all.end(), members.begin(), members.end());
    }
  }
  if (ids_.last) {
    const JobId last = last_job(jobs);
    all.emplace_back(last, last);
  }
  return all;
}

JobFilter Selection::resolve(DurableJobs& jobs, bool own_only) const {
  JobFilter filter = filter_;
  const bool anyone = !own_only && !all_;
  if (!anyone && !has_ids() && group_ == 0 && user_.empty()) filter.uid = getuid();
  if (group_ != 0 && !is_group(jobs, group_))
    detail::throw_error({Errc::bad_input, "there is no group " + std::to_string(group_), "", ""});
  filter.group = group_;
  const std::set<JobId> others = no_jobs(jobs);
  if (group_ == 0 && words() == 1 && others.size() == 1 && is_group(jobs, *others.begin())) {
    filter.group = *others.begin();
  } else {
    filter.ids = ranges(jobs, others);
  }
  if (filter.ids.size() > kRangesMost) {
    detail::throw_error(
        {Errc::full,
         "these jobs are in more than " + std::to_string(kRangesMost) + " places among others", "",
         "say ranges of ids"});
  }
  return filter;
}

void for_each_job(DurableJobs& jobs, const JobFilter& filter,
                  const std::function<bool(DurableInfo&)>& visit, std::size_t page_size) {
  JobId below = 0;
  do {
    JobPage page = jobs.list(filter, page_size, below);
    for (DurableInfo& job : page.jobs) {
      if (!visit(job)) return;
    }
    below = page.next;
  } while (below != 0);
}

JobId last_job(DurableJobs& jobs) {
  const JobPage page = jobs.list({.uid = getuid()}, 1);
  if (page.jobs.empty()) {
    detail::throw_error({Errc::bad_input, "there is no last job: you have none", "", ""});
  }
  return page.jobs.front().id;
}

JobId parse_one_id(DurableJobs& jobs, const std::string& word) {
  const auto ids = parse_ids({word});
  if (!ids) detail::throw_error(ids.error());
  if (ids->last && ids->ranges.empty()) return last_job(jobs);
  if (ids->last || ids->ranges.size() != 1 || !ids->counted()) {
    detail::throw_error({Errc::usage, "\"" + word + "\" is not one job", "", "write 12 or last"});
  }
  return ids->ranges.front().first;
}

}  // namespace jobring::cli
