// DurableJobs: what changes jobs, pools, groups and cron entries.
#include <signal.h>

#include "client/durable/core.hpp"
#include "client/durable/info.hpp"
#include "client/durable/spec.hpp"

namespace jobring {
namespace {

using namespace detail;
using keeper::Op;
using keeper::PoolVerb;
using keeper::Status;

static_assert(int(JobVerb::hold) == int(keeper::Verb::hold));
static_assert(int(JobVerb::retry) == int(keeper::Verb::retry));
static_assert(int(JobVerb::remove) == int(keeper::Verb::remove));

VerbResult apply_to(DurableCore& core, JobVerb verb, const JobFilter& filter, const JobEdit& edit,
                    std::uint16_t flags) {
  keeper::Request request;
  request.op = Op::apply;
  request.flags = flags;
  request.verb = keeper::Verb(verb);
  request.which = to_keeper(filter);
  request.edit = to_keeper(edit);
  const KeeperAnswer answer = core.ask(request);
  return {std::uint64_t(answer.reply.number), answer.reply.id};
}

KeeperAnswer pool_verb(DurableCore& core, PoolVerb verb, std::string_view pool,
                       std::int64_t deadline = 0) {
  keeper::Request request;
  request.op = Op::pool;
  request.text = pool;
  request.number = std::uint64_t(verb);
  request.deadline_ns = deadline;
  return core.ask_or(Status::timed_out, request);
}

keeper::Request about_group(Op op, JobId id) {
  keeper::Request request;
  request.op = op;
  request.id = id;
  return request;
}

keeper::Request about_cron(Op op, std::string_view name) {
  keeper::Request request;
  request.op = op;
  request.text = name;
  return request;
}

}  // namespace

// ---- jobs

VerbResult DurableJobs::apply(JobVerb verb, const JobFilter& filter, const JobEdit& edit) {
  return apply_to(*core_, verb, filter, edit, 0);
}
VerbResult DurableJobs::would_apply(JobVerb verb, const JobFilter& filter) {
  return apply_to(*core_, verb, filter, {}, keeper::kDryRun);
}

std::uint64_t DurableJobs::kill(const JobFilter& filter, int signal) {
  if (signal < 1 || signal >= NSIG) bad_argument(std::to_string(signal) + " is no signal");
  keeper::Request request;
  request.op = Op::kill;
  request.which = to_keeper(filter);
  request.signal = signal;
  return std::uint64_t(core_->ask(request).reply.number);
}

// ---- pools

void DurableJobs::pause(std::string_view pool) {
  pool_verb(*core_, PoolVerb::pause, pool);
}
void DurableJobs::resume(std::string_view pool) {
  pool_verb(*core_, PoolVerb::resume, pool);
}
std::uint64_t DurableJobs::drain(std::string_view pool, std::chrono::nanoseconds timeout) {
  const KeeperAnswer answer = pool_verb(*core_, PoolVerb::drain, pool, deadline_in(timeout));
  return std::uint64_t(answer.reply.number);
}

// ---- groups

JobId DurableJobs::new_group() {
  return core_->ask(about_group(Op::new_group, 0)).reply.id;
}
void DurableJobs::seal(JobId group) {
  core_->ask(about_group(Op::seal_group, group));
}
JobGroup DurableJobs::group(JobId id) {
  const KeeperAnswer answer = core_->ask(about_group(Op::group, id));
  keeper::GroupView group;
  if (!decode_group(answer.reply.payload, group)) bad_answer();
  return to_public(group);
}
bool DurableJobs::wait_group(JobId id, std::chrono::nanoseconds timeout) {
  keeper::Request request = about_group(Op::wait, id);
  request.deadline_ns = deadline_in(timeout);
  return core_->ask_or(Status::timed_out, request).reply.status == Status::ok;
}

// ---- cron

WallTime DurableJobs::put_cron(const CronSpec& cron, bool replace) {
  if (cron.name.empty()) bad_argument("the cron entry's name is empty");
  if (cron.name.size() > keeper::kNameMax) {
    bad_argument("the cron entry's name has more than " + std::to_string(keeper::kNameMax) +
                 " bytes");
  }
  keeper::Request request;
  request.op = Op::cron_put;
  if (replace) request.flags |= keeper::kReplace;
  request.cron.name = cron.name;
  request.cron.schedule = cron.schedule;
  request.cron.zone = cron.zone;
  request.cron.catch_up = keeper::CatchUp(cron.catch_up);
  request.jobs.push_back(to_keeper(cron.job.handler, cron.job.payload, cron.job.options));
  return to_wall(core_->ask(request).reply.number);
}

bool DurableJobs::remove_cron(std::string_view name) {
  const KeeperAnswer answer = core_->ask_or(Status::not_found, about_cron(Op::cron_remove, name));
  return answer.reply.status == Status::ok;
}

std::vector<CronSpec> DurableJobs::cron() {
  const KeeperAnswer answer = core_->ask(about_cron(Op::cron_list, {}));
  std::vector<keeper::CronJob> told;
  if (!decode_cron(answer.reply.payload, told)) bad_answer();
  std::vector<CronSpec> entries;
  for (const keeper::CronJob& entry : told) entries.push_back(to_public(entry));
  return entries;
}

JobId DurableJobs::run_cron(std::string_view name) {
  return core_->ask(about_cron(Op::cron_run, name)).reply.id;
}

}  // namespace jobring
