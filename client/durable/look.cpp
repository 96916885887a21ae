// DurableJobs: looking at jobs, their logs and what happens to them.
#include "client/durable/core.hpp"
#include "client/durable/fetch.hpp"
#include "client/durable/info.hpp"
#include "client/durable/spec.hpp"

namespace jobring {
namespace {

using namespace detail;
using keeper::Op;
using keeper::Status;

// What stands before an exported job.
constexpr std::string_view kExported = "jobring job 1\n";

keeper::Request about(Op op, JobId id, std::uint16_t flags = 0) {
  keeper::Request request;
  request.op = op;
  request.id = id;
  request.flags = flags;
  return request;
}

}  // namespace

std::string detail::fetch(DurableCore& core, JobId id, bool result) {
  keeper::Request request = about(Op::bytes, id, result ? std::uint16_t(keeper::kResult) : 0);
  request.size = core.pool().max_result();
  std::string all;
  for (;;) {
    request.offset = std::int64_t(all.size());
    const KeeperAnswer answer = core.ask(request);
    all.append(answer.reply.payload);
    if (all.size() >= std::uint64_t(answer.reply.number)) return all;
    if (answer.reply.payload.empty()) bad_answer();
  }
}

JobPage DurableJobs::list(const JobFilter& filter, std::size_t most, JobId below) {
  keeper::Request request = about(Op::list, below);
  request.which = to_keeper(filter);
  request.number = most;
  const KeeperAnswer answer = core_->ask(request);
  std::vector<keeper::JobView> views;
  if (!decode_views(answer.reply.payload, views)) bad_answer();
  JobPage page;
  page.jobs.reserve(views.size());
  for (const keeper::JobView& view : views) page.jobs.push_back(to_public(view));
  page.next = answer.reply.id;
  return page;
}

std::optional<DurableInfo> DurableJobs::show(JobId id) {
  const KeeperAnswer answer =
      core_->ask_or(Status::not_found, about(Op::show, id, keeper::kComplete));
  if (answer.reply.status == Status::not_found) return std::nullopt;
  keeper::JobRecord record;
  if (!decode_record(answer.reply.payload, record)) bad_answer();
  DurableInfo info = to_public(record);
  if (info.payload_left_out) info.payload = fetch(*core_, id, false);
  if (info.result_left_out) info.result = fetch(*core_, id, true);
  info.payload_left_out = info.result_left_out = false;
  return info;
}

std::vector<std::string> DurableJobs::explain(JobId id) {
  const KeeperAnswer answer = core_->ask(about(Op::explain, id));
  std::vector<std::string> lines;
  std::string_view text = answer.reply.payload;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (end != 0) lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

std::vector<PoolJobs> DurableJobs::counts() {
  const KeeperAnswer answer = core_->ask(about(Op::counts, 0));
  std::vector<keeper::Counts> told;
  if (!decode_counts(answer.reply.payload, told)) bad_answer();
  std::vector<PoolJobs> pools;
  for (const keeper::Counts& counts : told) pools.push_back(to_public(counts));
  return pools;
}

LogPart DurableJobs::logs(JobId id, bool of_stderr, std::int64_t offset, std::uint64_t size,
                          std::uint32_t attempt, std::chrono::nanoseconds patience) {
  keeper::Request request = about(Op::logs, id);
  if (of_stderr) request.flags |= keeper::kStderr;
  if (patience.count() > 0) request.flags |= keeper::kFollow;
  request.deadline_ns = deadline_in(patience);
  request.number = attempt;
  request.offset = offset;
  request.size = size;
  const KeeperAnswer answer = core_->ask_or(Status::timed_out, request);
  LogPart part;
  if (answer.reply.status == Status::ok) part.bytes = answer.reply.payload;
  part.offset = std::uint64_t(answer.reply.number);
  part.end = (answer.reply.flags & keeper::kEnd) != 0;
  part.cut = (answer.reply.flags & keeper::kCut) != 0;
  part.attempt = std::uint32_t(answer.reply.id);
  return part;
}

JobEvents DurableJobs::events(std::uint64_t after, std::size_t most,
                              std::chrono::nanoseconds patience) {
  keeper::Request request = about(Op::events, after);
  request.number = most;
  request.deadline_ns = deadline_in(patience);
  const KeeperAnswer answer = core_->ask_or(Status::timed_out, request);
  JobEvents events;
  events.gap = (answer.reply.flags & keeper::kGap) != 0;
  events.last = answer.reply.id;
  if (answer.reply.status == Status::timed_out) {
    if (events.last == 0 && after != events_now) events.last = after;
    return events;
  }
  std::vector<keeper::Event> told;
  if (!decode_events(answer.reply.payload, told)) bad_answer();
  for (const keeper::Event& event : told) events.events.push_back(to_public(event));
  return events;
}

std::optional<std::string> DurableJobs::export_job(JobId id) {
  const KeeperAnswer answer =
      core_->ask_or(Status::not_found, about(Op::show, id, keeper::kComplete));
  if (answer.reply.status == Status::not_found) return std::nullopt;
  keeper::JobRecord record;
  if (!decode_record(answer.reply.payload, record)) bad_answer();
  if (!record.job.payload_big && !record.job.result_big)
    return std::string(kExported).append(answer.reply.payload);
  std::string payload, result;
  if (record.job.payload_big) record.job.spec.payload = payload = fetch(*core_, id, false);
  if (record.job.result_big) record.job.result = result = fetch(*core_, id, true);
  record.job.payload_big = record.job.result_big = false;
  return std::string(kExported) + encode_record(record);
}

bool DurableJobs::import_job(std::string_view exported) {
  if (!exported.starts_with(kExported)) bad_argument("this is no exported job");
  exported.remove_prefix(kExported.size());
  keeper::JobRecord record;
  if (!decode_record(exported, record)) bad_argument("this is no exported job, or it was changed");
  keeper::Request request;
  request.op = Op::import_job;
  request.text = exported;
  return core_->ask(request).reply.number != 0;
}

}  // namespace jobring
