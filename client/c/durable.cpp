// Durable jobs: the handle, what C and C++ give each other, submitting.
#include "client/c/durable.hpp"

#include <cstdlib>
#include <cstring>
#include <limits>

#include "common/exec_codec.hpp"
#include "common/result.hpp"

using namespace jobring::c;
using jobring::DurableOptions;
using jobring::JobState;
using jobring::SubmitAnswer;

static_assert(int(JobState::delayed) == JOBRING_DURABLE_DELAYED);
static_assert(int(JobState::succeeded) == JOBRING_DURABLE_SUCCEEDED);
static_assert(int(JobState::held) == JOBRING_DURABLE_HELD);

namespace {

using std::chrono::milliseconds;

milliseconds span(std::int64_t ms, const char* name) {
  if (ms < 0) bad_input("is negative", name);
  return milliseconds(ms);
}

std::optional<jobring::WallTime> time_or_none(std::int64_t ms, const char* name) {
  if (ms == 0) return std::nullopt;
  // What a clock of nanoseconds can say.
  constexpr std::int64_t latest = std::numeric_limits<std::int64_t>::max() / 1'000'000;
  if (ms < 0 || ms > latest) bad_input("is no time", name);
  return jobring::WallTime(milliseconds(ms));
}

// One of two lists in different orders: of C, where 0 is the default, and of C++.
template <class T, std::size_t N>
T choice(std::int32_t value, const T (&choices)[N], const char* name) {
  if (value < 0 || std::size_t(value) >= N)
    bad_input(std::to_string(value) + " is none of its values", name);
  return choices[value];
}
template <class T, std::size_t N>
std::int32_t number_of_choice(T value, const T (&choices)[N]) {
  for (std::size_t i = 0; i < N; ++i) {
    if (choices[i] == value) return std::int32_t(i);
  }
  return -1;
}

constexpr jobring::Durability kDurabilities[] = {
    jobring::Durability::synced, jobring::Durability::batched, jobring::Durability::none};
constexpr jobring::UniqueKey::Until kUntils[] = {jobring::UniqueKey::Until::ended,
                                                 jobring::UniqueKey::Until::started,
                                                 jobring::UniqueKey::Until::time};
static_assert(JOBRING_DURABLE_BATCHED == 1 && JOBRING_DURABLE_UNTIL_STARTED == 1);

constexpr milliseconds kDefaultBase = jobring::RetryPolicy{}.base,
                       kDefaultCap = jobring::RetryPolicy{}.cap;

std::vector<jobring::DurableJob> durable_jobs(const jobring_durable_job* jobs, std::size_t count) {
  if (count != 0) need(jobs, "jobs");
  std::vector<jobring::DurableJob> all;
  for (std::size_t i = 0; i < count; ++i) all.push_back(durable_job(jobs[i], "jobs[]"));
  return all;
}

std::size_t give_answers(const std::vector<SubmitAnswer>& from, jobring_durable_answer* to,
                         std::size_t room) {
  for (std::size_t i = 0; i < from.size() && i < room; ++i) to[i] = describe(from[i]);
  return from.size();
}

template <class Submit>
void submit_one(uint64_t* id, const Submit& submit) {
  std::uint64_t& to = need(id, "id") = 0;
  try {
    to = submit();
  } catch (const jobring::DurableError& e) {
    to = e.job();
    throw;
  }
}

}  // namespace

// ---- what C gave

DurableOptions jobring::c::durable_options(const jobring_durable_options* options) {
  const auto given = read_struct(options, "jobring_durable_options");
  DurableOptions o;
  if (given.pool != nullptr) o.pool = given.pool;
  o.name = text_or_empty(given.name);
  for (const char* const* tag = given.tags; tag != nullptr && *tag != nullptr; ++tag)
    o.tags.emplace_back(*tag);
  o.priority = given.priority;
  o.durability = choice(given.durability, kDurabilities, "options.durability");
  o.held = given.held != 0;
  o.delay = span(given.delay_ms, "options.delay_ms");
  o.run_at = time_or_none(given.run_at_ms, "options.run_at_ms");
  o.deadline = time_or_none(given.deadline_ms, "options.deadline_ms");
  o.timeout = span(given.timeout_ms, "options.timeout_ms");
  o.retry.max = given.retries;
  if (given.no_jitter != 0) o.retry.jitter_percent = 0;
  if (given.retry_base_ms != 0) o.retry.base = span(given.retry_base_ms, "options.retry_base_ms");
  if (given.retry_cap_ms != 0) o.retry.cap = span(given.retry_cap_ms, "options.retry_cap_ms");
  if (given.retry_exits_count != 0) need(given.retry_exits, "options.retry_exits");
  o.retry.exits.assign(given.retry_exits, given.retry_exits + given.retry_exits_count);
  if (given.after_count != 0) need(given.after, "options.after");
  for (std::size_t i = 0; i < given.after_count; ++i) {
    const jobring_durable_dependency& d = given.after[i];
    o.after.push_back({d.on, d.any != 0 ? JobDependency::After::any : JobDependency::After::success,
                       d.in_batch != 0});
  }
  o.group = given.group;
  o.unique.key = text_or_empty(given.unique_key);
  o.unique.until = choice(given.unique_until, kUntils, "options.unique_until");
  o.unique.replace = given.unique_replace != 0;
  o.unique.for_time = span(given.unique_for_ms, "options.unique_for_ms");
  o.concurrency_key = text_or_empty(given.concurrency_key);
  o.concurrency_max = given.concurrency_max;
  if (given.forget != 0) {
    o.keep = milliseconds(0);
  } else if (given.keep_ms != 0) {
    o.keep = span(given.keep_ms, "options.keep_ms");
  }
  o.output_max = given.output_max;
  if (given.array_step != 0) {
    o.array = JobArray{given.array_first, given.array_last, given.array_step, given.array_at_once};
  } else if (given.array_first != 0 || given.array_last != 0 || given.array_at_once != 0) {
    bad_input("is 0: it would be no array", "options.array_step");
  }
  return o;
}

jobring::DurableJob jobring::c::durable_job(const jobring_durable_job& job, const char* name) {
  DurableJob result;
  result.handler = need_text(job.handler, name);
  result.payload = need_bytes(job.payload, job.payload_len, name);
  result.options = durable_options(job.options);
  return result;
}

jobring::JobFilter jobring::c::durable_filter(const jobring_durable_filter* filter) {
  const auto given = read_struct(filter, "jobring_durable_filter");
  JobFilter f;
  if (given.ranges != 0) need(given.ids, "filter.ids");
  for (std::size_t i = 0; i < given.ranges; ++i)
    f.ids.emplace_back(given.ids[2 * i], given.ids[2 * i + 1]);
  f.pool = text_or_empty(given.pool);
  f.tag = text_or_empty(given.tag);
  f.name = text_or_empty(given.name);
  if (given.states >= 1u << (JOBRING_DURABLE_HELD + 1))
    bad_input("has unknown bits", "filter.states");
  for (int state = 0; state <= JOBRING_DURABLE_HELD; ++state) {
    if ((given.states & 1u << state) != 0) f.states.push_back(JobState(state));
  }
  if (given.has_uid != 0) f.uid = given.uid;
  f.ended_before = time_or_none(given.ended_before_ms, "filter.ended_before_ms");
  f.group = given.group;
  return f;
}

// ---- what C gets

void* jobring::c::give_bytes(std::string_view bytes) {
  char* copy = static_cast<char*>(std::malloc(bytes.size() + 1));
  if (copy == nullptr) throw std::bad_alloc();
  bytes.copy(copy, bytes.size());
  copy[bytes.size()] = '\0';
  return copy;
}

std::int64_t jobring::c::to_c(WallTime time) {
  return std::chrono::floor<milliseconds>(time).time_since_epoch().count();
}

jobring_durable_answer jobring::c::describe(const SubmitAnswer& answer) {
  jobring_durable_answer value{};
  switch (answer.status) {
    case SubmitAnswer::Status::stored:
      value.status = JOBRING_OK;
      break;
    case SubmitAnswer::Status::duplicate:
      value.status = JOBRING_DUPLICATE;
      break;
    default:
      value.status = JOBRING_REFUSED;
      break;
  }
  value.count = answer.count;
  value.id = answer.id;
  value.replaced = answer.replaced;
  value.kind = to_string(answer.status);
  return value;
}

OptionsView::OptionsView(const DurableOptions& o) {
  for (const std::string& tag : o.tags) tags_.push_back(tag.c_str());
  tags_.push_back(nullptr);
  for (const JobDependency& d : o.after)
    after_.push_back({d.on, d.after == JobDependency::After::any ? 1 : 0, d.in_batch ? 1 : 0});
  view_.size = sizeof view_;
  view_.priority = o.priority;
  view_.pool = o.pool.c_str();
  view_.name = o.name.c_str();
  view_.tags = tags_.data();
  view_.durability = number_of_choice(o.durability, kDurabilities);
  view_.held = o.held ? 1 : 0;
  view_.delay_ms = o.delay.count();
  view_.run_at_ms = to_c(o.run_at);
  view_.deadline_ms = to_c(o.deadline);
  view_.timeout_ms = o.timeout.count();
  view_.retries = o.retry.max;
  view_.no_jitter = o.retry.jitter_percent == 0 ? 1 : 0;
  view_.retry_base_ms = o.retry.base.count();
  view_.retry_cap_ms = o.retry.cap.count();
  view_.retry_exits = o.retry.exits.data();
  view_.retry_exits_count = o.retry.exits.size();
  view_.after = after_.data();
  view_.after_count = after_.size();
  view_.group = o.group;
  view_.unique_key = o.unique.key.c_str();
  view_.unique_until = number_of_choice(o.unique.until, kUntils);
  view_.unique_replace = o.unique.replace ? 1 : 0;
  view_.unique_for_ms = o.unique.for_time.count();
  view_.concurrency_key = o.concurrency_key.c_str();
  view_.concurrency_max = o.concurrency_max;
  view_.forget = o.keep && o.keep->count() == 0 ? 1 : 0;
  view_.keep_ms = o.keep ? o.keep->count() : 0;
  view_.output_max = o.output_max;
  if (o.array) {
    view_.array_first = o.array->first;
    view_.array_last = o.array->last;
    view_.array_step = o.array->step;
    view_.array_at_once = o.array->at_once;
  }
}

// ---- the handle

jobring_status jobring_durable_open(jobring_client* client, jobring_durable** durable) {
  return guarded([&] {
    auto*& out = need_out(durable, "durable");
    out = new jobring_durable{jobring::DurableJobs(need(client, "client").client)};
  });
}
void jobring_durable_free(jobring_durable* durable) {
  delete durable;
}
jobring_status jobring_durable_fd(jobring_durable* durable, int32_t* fd) {
  return guarded([&] { need(fd, "fd") = need(durable, "durable").jobs.pool().fd(); });
}
jobring_status jobring_durable_poll(jobring_durable* durable, uint64_t* count) {
  return guarded([&] {
    const std::size_t ready = need(durable, "durable").jobs.pool().poll();
    if (count != nullptr) *count = ready;
  });
}
const char* jobring_durable_state_name(int32_t state) {
  return state >= 0 && state <= JOBRING_DURABLE_HELD ? jobring::to_string(JobState(state))
                                                     : "unknown";
}

// ---- submitting

jobring_status jobring_durable_submit(jobring_durable* durable, const char* handler,
                                      const void* payload, size_t payload_len,
                                      const jobring_durable_options* options, uint64_t* id) {
  return guarded([&] {
    submit_one(id, [&] {
      jobring::DurableJobs jobs = need(durable, "durable").jobs;
      return jobs
          .submit(need_text(handler, "handler"), need_bytes(payload, payload_len, "payload"),
                  durable_options(options))
          .id();
    });
  });
}

jobring_status jobring_durable_run(jobring_durable* durable, const jobring_command* command,
                                   const jobring_durable_options* options, uint64_t* id) {
  return guarded([&] {
    submit_one(id, [&] {
      jobring::DurableJobs jobs = need(durable, "durable").jobs;
      const auto given = read_struct(&need(command, "command"), "jobring_command");
      if (given.use_stdio != 0) bad_input("is not for durable jobs", "command.use_stdio");
      return jobs.run(command_of(given), durable_options(options)).id();
    });
  });
}

jobring_status jobring_durable_submit_all(jobring_durable* durable, const jobring_durable_job* jobs,
                                          size_t count, jobring_durable_answer* answers,
                                          size_t* answered) {
  return guarded([&] {
    if (answered != nullptr) *answered = 0;
    jobring::DurableJobs to = need(durable, "durable").jobs;
    const auto all = durable_jobs(jobs, count);
    if (count != 0) need(answers, "answers");
    std::size_t known = 0;
    try {
      known = give_answers(to.submit_all(all), answers, count);
    } catch (const jobring::PartlySubmitted& e) {
      known = give_answers(e.answers(), answers, count);
      if (answered != nullptr) *answered = known;
      throw;
    }
    if (answered != nullptr) *answered = known;
  });
}

jobring_status jobring_durable_start_submit(jobring_durable* durable,
                                            const jobring_durable_job* jobs, size_t count,
                                            jobring_future** future) {
  return guarded([&] {
    auto*& out = need_out(future, "future");
    jobring::DurableJobs to = need(durable, "durable").jobs;
    const auto all = durable_jobs(jobs, count);
    return give_future(out, [&] { return std::optional(to.start_submit(all)); });
  });
}

jobring_status jobring_durable_answers(jobring_future* submitted, int64_t timeout_ns,
                                       jobring_durable_answer* answers, size_t room,
                                       size_t* count) {
  return guarded([&]() -> jobring_status {
    std::size_t& number = need(count, "count") = 0;
    if (room != 0) need(answers, "answers");
    const jobring::Future future = need(submitted, "submitted").future;
    if (!future.wait_for(need_time(timeout_ns, "timeout_ns"))) return JOBRING_TIMED_OUT;
    number = give_answers(jobring::DurableJobs::answers(future), answers, room);
    return JOBRING_OK;
  });
}
