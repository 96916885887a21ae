#include "client/durable/spec.hpp"

#include "client/durable/core.hpp"

namespace jobring::detail {
namespace {

// Bytes of a specification beside its texts: each number has 10 at most.
constexpr std::size_t kRest = 512;
constexpr std::size_t kNumberBytes = 10;

std::uint64_t to_ms(std::chrono::milliseconds time, const char* what, const std::string& who) {
  if (time.count() < 0) bad_argument(who + what + " is negative");
  return std::uint64_t(time.count());
}

// Milliseconds since 1970, which was not midnight: 0 means none there.
std::int64_t to_real_ms(const std::optional<WallTime>& time, const char* what,
                        const std::string& who) {
  if (!time) return 0;
  const auto ms = std::chrono::floor<std::chrono::milliseconds>(*time).time_since_epoch().count();
  if (ms <= 0) bad_argument(who + what + " is before 1970");
  return ms;
}

}  // namespace

keeper::JobSpec to_keeper(std::string_view handler, std::string_view payload,
                          const DurableOptions& o, const std::string& who) {
  keeper::JobSpec s;
  s.handler = handler;
  s.payload = payload;
  s.pool = o.pool;
  s.name = o.name;
  s.tags.assign(o.tags.begin(), o.tags.end());
  s.priority = o.priority;
  s.durability = keeper::Durability(o.durability);
  s.held = o.held;
  s.delay_ms = to_ms(o.delay, "the delay", who);
  s.run_at_ms = to_real_ms(o.run_at, "run_at", who);
  s.deadline_ms = to_real_ms(o.deadline, "the deadline", who);
  s.timeout_ms = to_ms(o.timeout, "the time-out", who);
  s.retry.max = o.retry.max;
  s.retry.base_ms = to_ms(o.retry.base, "the pause between retries", who);
  s.retry.cap_ms = to_ms(o.retry.cap, "the longest pause between retries", who);
  if (o.retry.jitter_percent > 100) bad_argument(who + "the jitter is above 100 %");
  s.retry.jitter_percent = std::uint8_t(o.retry.jitter_percent);
  s.retry.exits.assign(o.retry.exits.begin(), o.retry.exits.end());
  for (const JobDependency& d : o.after) {
    if (!d.in_batch && (d.on == 0 || d.on > keeper::kJobIdMax))
      bad_argument(who + "it is after job " + std::to_string(d.on) + ", which is no job's number");
    s.dependencies.push_back({d.on, keeper::After(d.after), d.in_batch});
  }
  s.group = o.group;
  s.unique.key = o.unique.key;
  s.unique.until = keeper::UniqueUntil(o.unique.until);
  s.unique.for_ms = to_ms(o.unique.for_time, "the time of the unique key", who);
  s.unique.replace = o.unique.replace;
  s.concurrency_key = o.concurrency_key;
  s.concurrency_max = o.concurrency_max;
  if (o.keep) s.keep_ms = to_ms(*o.keep, "the time that it is kept for", who);
  s.output_max = o.output_max;
  if (o.array)
    s.array = keeper::Array{o.array->first, o.array->last, o.array->step, o.array->at_once};
  if (const std::string line = check_spec(s); !line.empty()) bad_argument(who + line);
  return s;
}

keeper::Selector to_keeper(const JobFilter& f) {
  keeper::Selector which;
  which.ids = f.ids;
  for (const auto& [first, last] : f.ids) {
    if (first > last) {
      bad_argument("the range of jobs " + std::to_string(first) + "-" + std::to_string(last) +
                   " is empty");
    }
  }
  which.pool = f.pool;
  for (const JobState state : f.states) {
    if (std::size_t(state) >= keeper::kJobStates) bad_argument("a state that is none");
    which.states |= 1u << unsigned(state);
  }
  which.tag = f.tag;
  which.name = f.name;
  which.uid = f.uid;
  which.ended_before_ms = to_real_ms(f.ended_before, "the time before which they ended", {});
  which.group = f.group;
  return which;
}

keeper::Edit to_keeper(const JobEdit& e) {
  keeper::Edit edit;
  edit.priority = e.priority;
  if (e.pool) edit.pool = *e.pool;
  if (e.delay) edit.delay_ms = to_ms(*e.delay, "the delay", {});
  return edit;
}

std::size_t bytes_at_most(const keeper::JobSpec& s) {
  std::size_t bytes = kRest + s.handler.size() + s.payload.size() + s.pool.size() + s.name.size() +
                      s.unique.key.size() + s.concurrency_key.size();
  for (const std::string_view tag : s.tags) bytes += tag.size() + kNumberBytes;
  bytes += (s.dependencies.size() + s.retry.exits.size()) * kNumberBytes;
  return bytes;
}

std::vector<keeper::JobSpec> specs_of(std::span<const DurableJob> jobs) {
  std::vector<keeper::JobSpec> specs;
  specs.reserve(jobs.size());
  for (const DurableJob& job : jobs) {
    const std::string who =
        jobs.size() == 1 ? "" : "job " + std::to_string(specs.size()) + " of the batch: ";
    specs.push_back(to_keeper(job.handler, job.payload, job.options, who));
    for (const keeper::Dependency& d : specs.back().dependencies) {
      if (d.in_batch && d.on >= specs.size() - 1)
        bad_argument(who + "it is after one that does not stand before it");
    }
  }
  return specs;
}

}  // namespace jobring::detail
