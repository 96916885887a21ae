#include "client/durable/info.hpp"

#include <span>

#include "client/client_core.hpp"
#include "client/durable/core.hpp"
#include "common/exec_codec.hpp"

namespace jobring {

static_assert(int(JobState::delayed) == int(keeper::JobState::delayed));
static_assert(int(JobState::failed) == int(keeper::JobState::failed));
static_assert(int(JobState::held) == int(keeper::JobState::held));
static_assert(std::tuple_size_v<decltype(PoolJobs::jobs)> == keeper::kJobStates);
static_assert(int(Durability::none) == int(keeper::Durability::none));
static_assert(int(Durability::synced) == int(keeper::Durability::synced));
static_assert(int(JobDependency::After::any) == int(keeper::After::any));
static_assert(int(UniqueKey::Until::time) == int(keeper::UniqueUntil::time));
static_assert(int(SubmitAnswer::Status::bad) == int(keeper::Submitted::Status::bad));
static_assert(int(CronSpec::CatchUp::all) == int(keeper::CatchUp::all));

const char* to_string(JobState state) {
  return keeper::to_string(keeper::JobState(state));
}

const char* to_string(SubmitAnswer::Status status) {
  constexpr const char* names[] = {"stored",         "duplicate",     "no_such_job",
                                   "cannot_succeed", "no_such_group", "bad"};
  return std::size_t(status) < std::size(names) ? names[std::size_t(status)] : "unknown";
}

namespace {

std::span<const unsigned char> bytes_of(std::string_view text) {
  return {reinterpret_cast<const unsigned char*>(text.data()), text.size()};
}

}  // namespace

CommandReport DurableInfo::report() const {
  const auto decoded = decode_command_result(bytes_of(result));
  if (!decoded) detail::throw_error(decoded.error());
  return decoded->report;
}

std::optional<Command> DurableInfo::command() const {
  if (handler != kExecHandler || payload_left_out) return std::nullopt;
  auto decoded = decode_command(bytes_of(payload));
  if (!decoded) return std::nullopt;
  return std::move(*decoded);
}

namespace detail {
namespace {

using std::chrono::milliseconds;

// Above what a duration of milliseconds holds it is for ever anyway.
milliseconds to_ms(std::uint64_t ms) {
  return milliseconds(ms > std::uint64_t(INT64_MAX) ? INT64_MAX : std::int64_t(ms));
}

DurableOptions options_of(const keeper::JobSpec& s) {
  DurableOptions o;
  o.pool = s.pool;
  o.name = s.name;
  o.tags.assign(s.tags.begin(), s.tags.end());
  o.priority = s.priority;
  o.durability = Durability(s.durability);
  o.held = s.held;
  o.delay = to_ms(s.delay_ms);
  if (s.run_at_ms != 0) o.run_at = to_wall(s.run_at_ms);
  if (s.deadline_ms != 0) o.deadline = to_wall(s.deadline_ms);
  o.timeout = to_ms(s.timeout_ms);
  o.retry.max = s.retry.max;
  o.retry.base = to_ms(s.retry.base_ms);
  o.retry.cap = to_ms(s.retry.cap_ms);
  o.retry.jitter_percent = s.retry.jitter_percent;
  o.retry.exits.assign(s.retry.exits.begin(), s.retry.exits.end());
  for (const keeper::Dependency& d : s.dependencies)
    o.after.push_back({d.on, JobDependency::After(d.after), d.in_batch});
  o.group = s.group;
  o.unique.key = s.unique.key;
  o.unique.until = UniqueKey::Until(s.unique.until);
  o.unique.for_time = to_ms(s.unique.for_ms);
  o.unique.replace = s.unique.replace;
  o.concurrency_key = s.concurrency_key;
  o.concurrency_max = s.concurrency_max;
  if (s.keep_ms != keeper::kKeepDefault) o.keep = to_ms(s.keep_ms);
  o.output_max = s.output_max;
  if (s.array) o.array = JobArray{s.array->first, s.array->last, s.array->step, s.array->at_once};
  return o;
}

const char* why_without_attempt(const DurableInfo& info) {
  if (info.members) return "some of its jobs did not succeed";
  return info.state == JobState::cancelled ? "cancelled" : "buried";
}

}  // namespace

WallTime to_wall(std::int64_t real_ms) {
  return WallTime(milliseconds(real_ms));
}

AttemptInfo to_public(const keeper::Attempt& a) {
  AttemptInfo info;
  info.number = a.number;
  info.worker = std::int32_t(a.worker);
  info.started = to_wall(a.started_ms);
  info.ended = to_wall(a.ended_ms);
  info.outcome = a.outcome;
  info.exit_code = a.exit_code;
  info.signal = a.signal;
  info.user = std::chrono::microseconds(a.user_us);
  info.system = std::chrono::microseconds(a.system_us);
  info.max_rss_kib = a.max_rss_kib;
  info.tail = a.tail;
  return info;
}

DurableInfo to_public(const keeper::JobView& job) {
  DurableInfo info;
  info.id = job.id;
  info.state = JobState(job.state);
  info.handler = job.spec.handler;
  info.payload = job.spec.payload;
  info.options = options_of(job.spec);
  info.uid = job.spec.uid;
  info.gid = job.spec.gid;
  info.submitted = to_wall(job.spec.submitted_ms);
  info.index = job.spec.index;
  info.attempts = job.attempts;
  const bool waits_for_time =
      job.state == keeper::JobState::delayed || job.state == keeper::JobState::failed;
  if (waits_for_time && job.due_ms > 0) info.due = to_wall(job.due_ms);
  info.unmet = job.unmet;
  info.stop_wanted = job.stop_wanted;
  if (job.last) info.last = to_public(*job.last);
  info.result = job.result;
  info.payload_left_out = job.payload_big;
  info.result_left_out = job.result_big;
  return info;
}

DurableInfo to_public(const keeper::JobRecord& record) {
  DurableInfo info = to_public(record.job);
  for (const keeper::Attempt& attempt : record.attempts) info.history.push_back(to_public(attempt));
  info.waits_for = record.waits_for;
  if (record.progress) {
    info.progress =
        Progress{record.progress->done, record.progress->total, std::string(record.progress->text)};
  }
  return info;
}

JobGroup to_public(const keeper::GroupView& group) {
  return {group.id, group.size, group.open, group.bad, group.sealed};
}

SubmitAnswer to_public(const keeper::Submitted& answer) {
  return {SubmitAnswer::Status(answer.status), answer.id, answer.count, answer.replaced};
}

std::vector<SubmitAnswer> answers_of(const keeper::ReplyView& reply) {
  std::vector<keeper::Submitted> told;
  if (!decode_submitted(reply.payload, told)) bad_answer();
  std::vector<SubmitAnswer> answers;
  answers.reserve(told.size());
  for (const keeper::Submitted& answer : told) answers.push_back(to_public(answer));
  return answers;
}

PoolJobs to_public(const keeper::Counts& counts) {
  return {counts.pool, counts.paused, counts.jobs};
}

CronSpec to_public(const keeper::CronJob& entry) {
  const keeper::CronTimes& times = entry.times;
  CronSpec cron;
  cron.name = times.name;
  cron.schedule = times.schedule;
  cron.zone = times.zone;
  cron.catch_up = CronSpec::CatchUp(times.catch_up);
  cron.job.handler = entry.job.handler;
  cron.job.payload = entry.job.payload;
  cron.job.options = options_of(entry.job);
  if (times.next_ms != 0) cron.next = to_wall(times.next_ms);
  if (times.last_ms != 0) cron.last = to_wall(times.last_ms);
  cron.uid = times.uid;
  return cron;
}

JobEvent to_public(const keeper::Event& e) {
  JobEvent event;
  event.sequence = e.sequence;
  event.time = to_wall(e.time_ms);
  event.id = e.id;
  event.state = JobState(e.state);
  event.attempt = e.attempt;
  event.uid = e.uid;
  event.pool = e.pool;
  event.name = e.name;
  event.removed = e.removed;
  return event;
}

JobResult failure_of(const DurableInfo& info) {
  JobResult result;
  result.outcome = info.state == JobState::cancelled ? Outcome::cancelled : Outcome::failed;
  if (!info.last) {
    result.bytes = why_without_attempt(info);
    return result;
  }
  const AttemptInfo& last = *info.last;
  if (last.outcome != Outcome::ok) result.outcome = last.outcome;
  result.detail = last.signal != 0 ? -last.signal : last.exit_code;
  if (last.outcome == Outcome::crashed) result.detail = last.signal;
  result.bytes = last.tail;
  return result;
}

}  // namespace detail
}  // namespace jobring
