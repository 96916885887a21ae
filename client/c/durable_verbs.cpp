// Durable jobs: what changes jobs, pools, groups and cron entries.
#include "client/c/durable.hpp"

using namespace jobring::c;
using jobring::CronSpec;
using jobring::JobVerb;

static_assert(int(JobVerb::hold) == JOBRING_DURABLE_HOLD);
static_assert(int(JobVerb::bury) == JOBRING_DURABLE_BURY);
static_assert(int(JobVerb::remove) == JOBRING_DURABLE_REMOVE);

namespace {

constexpr CronSpec::CatchUp kCatchUps[] = {CronSpec::CatchUp::once, CronSpec::CatchUp::skip,
                                           CronSpec::CatchUp::all};
static_assert(JOBRING_DURABLE_CATCH_UP_SKIP == 1 && JOBRING_DURABLE_CATCH_UP_ALL == 2);

jobring::JobEdit edit_of(const jobring_durable_edit* edit) {
  const auto given = read_struct(edit, "jobring_durable_edit");
  jobring::JobEdit result;
  if (given.set_priority != 0) result.priority = given.priority;
  if (given.set_delay != 0) {
    if (given.delay_ms < 0) bad_input("is negative", "edit.delay_ms");
    result.delay = std::chrono::milliseconds(given.delay_ms);
  }
  if (given.pool != nullptr) result.pool = given.pool;
  return result;
}

jobring::JobFilter need_filter(const jobring_durable_filter* filter) {
  return durable_filter(&need(filter, "filter"));
}

}  // namespace

// ---- jobs

jobring_status jobring_durable_apply(jobring_durable* durable, int32_t verb,
                                     const jobring_durable_filter* filter,
                                     const jobring_durable_edit* edit, int32_t dry_run,
                                     uint64_t* changed, uint64_t* unfit) {
  return guarded([&] {
    jobring::DurableJobs jobs = need(durable, "durable").jobs;
    if (verb < JOBRING_DURABLE_HOLD || verb > JOBRING_DURABLE_REMOVE)
      bad_input(std::to_string(verb) + " is no verb", "verb");
    const jobring::JobFilter which = need_filter(filter);
    const jobring::JobEdit how = edit_of(edit);
    const jobring::VerbResult result = dry_run != 0 ? jobs.would_apply(JobVerb(verb), which)
                                                    : jobs.apply(JobVerb(verb), which, how);
    if (changed != nullptr) *changed = result.changed;
    if (unfit != nullptr) *unfit = result.unfit;
  });
}
jobring_status jobring_durable_cancel(jobring_durable* durable, uint64_t id) {
  return guarded([&]() -> jobring_status {
    jobring::DurableJobs jobs = need(durable, "durable").jobs;
    return jobs.cancel(id) ? JOBRING_OK : JOBRING_NONE;
  });
}
jobring_status jobring_durable_kill(jobring_durable* durable, const jobring_durable_filter* filter,
                                    int32_t signal, uint64_t* count) {
  return guarded([&] {
    jobring::DurableJobs jobs = need(durable, "durable").jobs;
    const std::uint64_t killed = jobs.kill(need_filter(filter), signal);
    if (count != nullptr) *count = killed;
  });
}

// ---- pools

jobring_status jobring_durable_pause(jobring_durable* durable, const char* pool) {
  return guarded([&] {
    jobring::DurableJobs jobs = need(durable, "durable").jobs;
    jobs.pause(need_text(pool, "pool"));
  });
}
jobring_status jobring_durable_resume(jobring_durable* durable, const char* pool) {
  return guarded([&] {
    jobring::DurableJobs jobs = need(durable, "durable").jobs;
    jobs.resume(need_text(pool, "pool"));
  });
}
jobring_status jobring_durable_drain(jobring_durable* durable, const char* pool, int64_t timeout_ns,
                                     uint64_t* left) {
  return guarded([&]() -> jobring_status {
    jobring::DurableJobs jobs = need(durable, "durable").jobs;
    const std::uint64_t still =
        jobs.drain(need_text(pool, "pool"), need_time(timeout_ns, "timeout_ns"));
    if (left != nullptr) *left = still;
    return still == 0 ? JOBRING_OK : JOBRING_TIMED_OUT;
  });
}

// ---- groups

jobring_status jobring_durable_group_new(jobring_durable* durable, uint64_t* id) {
  return guarded([&] {
    std::uint64_t& to = need(id, "id") = 0;
    jobring::DurableJobs jobs = need(durable, "durable").jobs;
    to = jobs.new_group();
  });
}
jobring_status jobring_durable_group_seal(jobring_durable* durable, uint64_t id) {
  return guarded([&] {
    jobring::DurableJobs jobs = need(durable, "durable").jobs;
    jobs.seal(id);
  });
}
jobring_status jobring_durable_group_get(jobring_durable* durable, uint64_t id,
                                         jobring_durable_group* group) {
  return guarded([&] {
    auto& to = need_struct(group, "jobring_durable_group");
    jobring::DurableJobs jobs = need(durable, "durable").jobs;
    const jobring::JobGroup from = jobs.group(id);
    jobring_durable_group value{};
    value.sealed = from.sealed ? 1 : 0;
    value.id = from.id;
    value.members = from.size;
    value.open = from.open;
    value.bad = from.bad;
    write_struct(to, value);
  });
}
jobring_status jobring_durable_group_wait(jobring_durable* durable, uint64_t id,
                                          int64_t timeout_ns) {
  return guarded([&]() -> jobring_status {
    jobring::DurableJobs jobs = need(durable, "durable").jobs;
    return jobs.wait_group(id, need_time(timeout_ns, "timeout_ns")) ? JOBRING_OK
                                                                    : JOBRING_TIMED_OUT;
  });
}

// ---- cron

jobring_status jobring_durable_cron_put(jobring_durable* durable, const jobring_durable_cron* cron,
                                        int32_t replace, int64_t* next_ms) {
  return guarded([&] {
    jobring::DurableJobs jobs = need(durable, "durable").jobs;
    const auto given = read_struct(&need(cron, "cron"), "jobring_durable_cron");
    CronSpec spec;
    if (given.catch_up < 0 || given.catch_up > JOBRING_DURABLE_CATCH_UP_ALL)
      bad_input(std::to_string(given.catch_up) + " is none of its values", "cron.catch_up");
    spec.catch_up = kCatchUps[given.catch_up];
    spec.name = need_text(given.name, "cron.name");
    spec.schedule = need_text(given.schedule, "cron.schedule");
    spec.zone = text_or_empty(given.zone);
    spec.job = durable_job(given.job, "cron.job");
    const jobring::WallTime next = jobs.put_cron(spec, replace != 0);
    if (next_ms != nullptr) *next_ms = to_c(next);
  });
}
jobring_status jobring_durable_cron_remove(jobring_durable* durable, const char* name) {
  return guarded([&]() -> jobring_status {
    jobring::DurableJobs jobs = need(durable, "durable").jobs;
    return jobs.remove_cron(need_text(name, "name")) ? JOBRING_OK : JOBRING_NONE;
  });
}
jobring_status jobring_durable_cron_list(jobring_durable* durable, jobring_durable_list** list) {
  return guarded([&] {
    auto*& out = need_out(list, "list");
    jobring::DurableJobs jobs = need(durable, "durable").jobs;
    out = new jobring_durable_list(jobs.cron(), 0);
  });
}
jobring_status jobring_durable_list_cron(jobring_durable_list* list, uint64_t index,
                                         jobring_durable_cron* cron) {
  return guarded([&]() -> jobring_status {
    auto& to = need_struct(cron, "jobring_durable_cron");
    const auto* all = std::get_if<jobring_durable_list::Cron>(&need(list, "list").all);
    if (all == nullptr)
      throw jobring::DurableError(65, "wrong_type", "list: it is one of something else");
    if (index >= all->size()) return JOBRING_NONE;
    const CronSpec& from = (*all)[index];
    jobring_durable_cron value{};
    for (std::size_t i = 0; i < std::size(kCatchUps); ++i) {
      if (kCatchUps[i] == from.catch_up) value.catch_up = std::int32_t(i);
    }
    value.name = from.name.c_str();
    value.schedule = from.schedule.c_str();
    value.zone = from.zone.c_str();
    value.job.handler = from.job.handler.c_str();
    value.job.payload = from.job.payload.c_str();
    value.job.payload_len = from.job.payload.size();
    value.job.options = &list->options[index]->get();
    value.next_ms = to_c(from.next);
    value.last_ms = to_c(from.last);
    value.uid = from.uid;
    write_struct(to, value);
    return JOBRING_OK;
  });
}
jobring_status jobring_durable_cron_run(jobring_durable* durable, const char* name, uint64_t* id) {
  return guarded([&] {
    std::uint64_t& to = need(id, "id") = 0;
    jobring::DurableJobs jobs = need(durable, "durable").jobs;
    to = jobs.run_cron(need_text(name, "name"));
  });
}
