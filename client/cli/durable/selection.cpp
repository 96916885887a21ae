#include "client/cli/durable/selection.hpp"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "client/cli/durable/texts.hpp"
#include "client/cli/durable/users.hpp"
#include "client/cli/durable/when.hpp"
#include "client/client_core.hpp"

namespace jobring::cli {
namespace {

constexpr JobId kMost = (JobId{1} << 48) - 1;

std::optional<JobId> parse_id(std::string_view text) {
  JobId id = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, id);
  if (text.empty() || error != std::errc() || stop != end || id == 0 || id > kMost) {
    return std::nullopt;
  }
  return id;
}

// The members of an array, if `id` is one; else `id` alone.
std::pair<JobId, JobId> members(DurableJobs& jobs, JobId id) {
  const auto first = jobs.show(id + 1);
  if (!first || !first->index || first->options.group != id) return {id, id};
  return {id + 1, id + std::max<std::uint64_t>(jobs.group(id).size, 1)};
}

}  // namespace

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

void Selection::add_to(Options& options, Default by_default, const char* pool_option) {
  options.section("Which jobs");
  if (by_default == Default::nothing) options.flag("--all", all_, "all jobs of yours");
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

JobFilter Selection::resolve(DurableJobs& jobs, bool own_only) const {
  JobFilter filter = filter_;
  filter.ids = ids_.ranges;
  // What is no job may be an array. One look for all.
  std::set<JobId> single;
  for (const auto& [first, last] : filter.ids) {
    if (first == last) single.insert(first);
  }
  if (!single.empty()) {
    JobFilter named;
    for (const JobId id : single) named.ids.emplace_back(id, id);
    for_each_job(jobs, named, [&](const DurableInfo& job) { return single.erase(job.id), true; });
    for (auto& range : filter.ids) {
      if (single.contains(range.first)) range = members(jobs, range.first);
    }
  }
  if (ids_.last) {
    const JobId last = last_job(jobs);
    filter.ids.emplace_back(last, last);
  }
  if (own_only && filter.ids.empty() && user_.empty()) filter.uid = getuid();
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
