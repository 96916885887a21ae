// A keeper without a store: the handler "keeper" of an async pool, with one worker, that holds jobs
// which nobody runs, and ends them when a test says so. So a test decides when and how, and can see
// what was asked for.
//
//   submit    a job named "bad" is refused as Submitted::Status::bad, one with a unique key that is
//             known as a duplicate; else it is stored. A batch with one named "full" is refused as
//             a whole
//   apply     release: ends as succeeded, its result is its payload; bury: ends as dead, after an
//             attempt that failed; cancel; remove; the others change nothing
//   wait      and wait_any: as the protocol says
//   show      and list, bytes, group, new_group, seal_group
//   counts    one "pool", whose numbers are: jobs; waits now; waits at once at most so far; single
//             waits and sets that were asked for so far, in all; jobs in all those sets
//   explain   of job n: answers with keeper::Status(n), "status n"
//   kill      as bytes that are no answer
#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <jobring/async_handler.hpp>

#include "common/keeper/messages.hpp"

namespace asio = boost::asio;
using namespace jobring::keeper;
using jobring::Outcome;

namespace {

struct FakeJob {
  std::string handler, payload, pool, name;
  JobState state = JobState::ready;
  JobId group = 0;
};

std::map<JobId, FakeJob> jobs;
std::map<JobId, GroupView> groups;
std::map<std::string, JobId, std::less<>> keys;
JobId last_id = 0;
std::set<asio::steady_timer*> sleepers;
std::uint64_t waits = 0, most_waits = 0, single_waits = 0, sets = 0, jobs_in_sets = 0;
constexpr std::size_t kShort = 1024, kMostInAnswer = 64 * 1024;

struct Sleeper {
  explicit Sleeper(asio::steady_timer& timer) : timer_(timer) { sleepers.insert(&timer_); }
  ~Sleeper() { sleepers.erase(&timer_); }
  Sleeper(const Sleeper&) = delete;
  Sleeper& operator=(const Sleeper&) = delete;

 private:
  asio::steady_timer& timer_;
};
struct Wait {
  Wait() { most_waits = std::max(most_waits, ++waits); }
  ~Wait() { --waits; }
  Wait(const Wait&) = delete;
  Wait& operator=(const Wait&) = delete;
};

template <class Each>
void for_each(const Selector& which, const Each& each) {
  for (auto& [id, job] : jobs) {
    const bool named =
        which.ids.empty() ||
        std::any_of(which.ids.begin(), which.ids.end(), [id = id](const auto& range) {
          return range.first <= id && id <= range.second;
        });
    if (named && (which.name.empty() || which.name == job.name) &&
        (which.group == 0 || which.group == job.group))
      each(id, job);
  }
}

// The request's flags say what of the long ones is to be in it.
JobView view_of(JobId id, const FakeJob& job, std::uint16_t flags) {
  JobView view;
  view.id = id;
  view.state = job.state;
  view.spec.handler = job.handler;
  view.spec.pool = job.pool;
  view.spec.name = job.name;
  const bool fits = job.payload.size() <= kMostInAnswer;
  const bool short_one = job.payload.size() <= kShort;
  if (short_one || (fits && (flags & kComplete) != 0)) {
    view.spec.payload = job.payload;
  } else {
    view.payload_big = true;
  }
  if (job.state == JobState::succeeded) {
    if (short_one || (fits && (flags & (kComplete | kResult)) != 0)) {
      view.result = job.payload;
    } else {
      view.result_big = true;
    }
  }
  if (job.state == JobState::dead) {
    view.last.emplace();
    view.last->number = view.attempts = 2;
    view.last->outcome = Outcome::failed;
    view.last->exit_code = 3;
    view.last->tail = "it went wrong";
  }
  return view;
}

void end(FakeJob& job, JobState state) {
  if (is_ended(job.state)) return;
  job.state = state;
  if (const auto group = groups.find(job.group); group != groups.end()) {
    --group->second.open;
    if (state != JobState::succeeded) ++group->second.bad;
  }
  for (asio::steady_timer* one : sleepers) one->cancel();
}

Submitted submit(const JobSpec& spec) {
  if (spec.name == "bad") return {Submitted::Status::bad, 0, 0, 0};
  if (!spec.unique.key.empty()) {
    const auto known = keys.find(spec.unique.key);
    if (known != keys.end()) return {Submitted::Status::duplicate, known->second, 0, 0};
  }
  FakeJob job{std::string(spec.handler), std::string(spec.payload), std::string(spec.pool),
              std::string(spec.name),    JobState::ready,           spec.group};
  if (spec.array) {
    const JobId group = ++last_id;
    const auto count = std::uint64_t((spec.array->last - spec.array->first) / spec.array->step + 1);
    groups[group] = {group, count, count, 0, true};
    job.group = group;
    for (std::uint64_t i = 0; i < count; ++i) jobs[++last_id] = job;
    return {Submitted::Status::stored, group, std::uint32_t(count), 0};
  }
  if (const auto group = groups.find(job.group); group != groups.end()) {
    ++group->second.size;
    ++group->second.open;
  }
  jobs[++last_id] = std::move(job);
  if (!spec.unique.key.empty()) keys[std::string(spec.unique.key)] = last_id;
  return {Submitted::Status::stored, last_id, 1, 0};
}

Reply apply(const Request& r) {
  Reply reply;
  std::vector<JobId> removed;
  for_each(r.which, [&](JobId id, FakeJob& job) {
    ++reply.number;
    if ((r.flags & kDryRun) != 0) return;
    if (r.verb == Verb::release) end(job, JobState::succeeded);
    if (r.verb == Verb::bury) end(job, JobState::dead);
    if (r.verb == Verb::cancel) end(job, JobState::cancelled);
    if (r.verb == Verb::remove) removed.push_back(id);
  });
  for (const JobId id : removed) jobs.erase(id);
  if (!removed.empty()) {
    for (asio::steady_timer* one : sleepers) one->cancel();
  }
  return reply;
}

// Null: it has not ended.
std::optional<Reply> look(const Request& r) {
  Reply reply;
  if (r.op == Op::wait_any) {
    std::vector<JobId> ended;
    for (const auto& [first, last] : r.which.ids) {
      for (JobId id = first; id <= last; ++id) {
        const auto job = jobs.find(id);
        if (job == jobs.end() || is_ended(job->second.state)) ended.push_back(id);
      }
    }
    if (ended.empty()) return std::nullopt;
    ended.resize(std::min<std::size_t>(ended.size(), 1000));
    reply.payload = encode_ids(ended);
    return reply;
  }
  if (const auto group = groups.find(r.id); group != groups.end()) {
    if (group->second.open != 0 || !group->second.sealed) return std::nullopt;
    reply.flags = kIsGroup;
    reply.payload = encode_group(group->second);
    return reply;
  }
  const auto job = jobs.find(r.id);
  if (job == jobs.end()) {
    reply.status = Status::not_found;
    reply.payload = "there is no job " + std::to_string(r.id);
    return reply;
  }
  if (!is_ended(job->second.state)) return std::nullopt;
  encode_view(reply.payload, view_of(r.id, job->second, r.flags));
  return reply;
}

Reply answer(const Request& r) {
  Reply reply;
  const auto found = jobs.find(r.id);
  switch (r.op) {
    case Op::submit: {
      std::vector<Submitted> answers;
      for (const JobSpec& spec : r.jobs) {
        if (spec.name == "full") return {Status::full, 0, 0, 0, "there are too many jobs"};
      }
      for (const JobSpec& spec : r.jobs) answers.push_back(submit(spec));
      reply.payload = encode_submitted(answers);
      break;
    }
    case Op::apply:
      return apply(r);
    case Op::list: {
      std::vector<JobView> views;
      for_each(r.which, [&](JobId id, FakeJob& job) {
        if (r.id == 0 || id < r.id) views.push_back(view_of(id, job, r.flags));
      });
      std::reverse(views.begin(), views.end());
      if (views.size() > r.number) {
        views.resize(r.number);
        reply.id = views.back().id;
      }
      reply.payload = encode_views(views);
      break;
    }
    case Op::show:
    case Op::bytes:
      if (found == jobs.end()) {
        reply.status = Status::not_found;
      } else if (r.op == Op::show) {
        JobRecord record;
        record.job = view_of(r.id, found->second, r.flags);
        reply.payload = encode_record(record);
      } else {
        const std::string& bytes = found->second.payload;
        reply.number = std::int64_t(bytes.size());
        const auto offset = std::min<std::size_t>(std::size_t(r.offset), bytes.size());
        reply.payload = bytes.substr(offset, std::min<std::size_t>(r.size, kMostInAnswer));
      }
      break;
    case Op::counts: {
      Counts counts;
      counts.pool = "fake";
      counts.jobs = {jobs.size(), waits, most_waits, single_waits, sets, jobs_in_sets, 0, 0};
      reply.payload = encode_counts(std::vector<Counts>{counts});
      break;
    }
    case Op::new_group:
      reply.id = ++last_id;
      groups[last_id] = {last_id, 0, 0, 0, false};
      break;
    case Op::seal_group:
      groups[r.id].sealed = true;
      for (asio::steady_timer* one : sleepers) one->cancel();
      break;
    case Op::group:
      reply.payload = encode_group(groups[r.id]);
      break;
    case Op::explain:
      reply.status = Status(r.id);
      reply.payload = "status " + std::to_string(r.id);
      break;
    default:
      reply.status = Status::bad_argument;
      reply.payload = "not in the fake";
      break;
  }
  return reply;
}

}  // namespace

JOBRING_ASYNC_HANDLER(keeper, job) {
  const auto request = decode_request(job.text());
  if (!request) {
    job.fail(request.error().line());
    co_return;
  }
  if (request->op == Op::kill) {
    job.reply("\xff\xff no answer");
    co_return;
  }
  if (request->op != Op::wait && request->op != Op::wait_any) {
    job.reply(encode(answer(*request)));
    co_return;
  }
  if (request->op == Op::wait) ++single_waits;
  if (request->op == Op::wait_any) {
    ++sets;
    for (const auto& [first, last] : request->which.ids) jobs_in_sets += last - first + 1;
  }
  const Wait counted;
  const asio::steady_timer::time_point deadline{std::chrono::nanoseconds(request->deadline_ns)};
  asio::steady_timer timer(co_await asio::this_coro::executor, deadline);
  std::optional<Reply> reply;
  for (;;) {
    reply = look(*request);
    if (!reply && job.stop_requested()) reply = Reply{Status::cancelled, 0, 0, 0, "withdrawn"};
    if (!reply && std::chrono::steady_clock::now() >= deadline)
      reply = Reply{Status::timed_out, 0, 0, 0, ""};
    if (reply) break;
    const Sleeper sleeper(timer);  // a job that is stopped throws out of the wait
    co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  }
  job.reply(encode(*reply));
}
