// DurableJobs: submitting.
#include "client/client_core.hpp"
#include "client/durable/core.hpp"
#include "client/durable/info.hpp"
#include "client/durable/spec.hpp"
#include "common/exec_codec.hpp"

namespace jobring {
namespace {

using namespace detail;
using keeper::Op;
using keeper::Status;

// Bytes of a submission beside its jobs.
constexpr std::size_t kRequestRest = 256;

std::string job_name(JobId id) {
  return "job " + std::to_string(id);
}

[[noreturn]] void refuse(const SubmitAnswer& answer, const DurableOptions& options) {
  std::string line;
  switch (answer.status) {
    case SubmitAnswer::Status::duplicate:
      line = "its unique key \"" + options.unique.key + "\" is taken by " + job_name(answer.id);
      break;
    case SubmitAnswer::Status::no_such_job:
      line = "it is after " + job_name(answer.id) + ", which is not there";
      break;
    case SubmitAnswer::Status::cannot_succeed:
      line = "it is after the success of " + job_name(answer.id) + ", which ended without";
      break;
    case SubmitAnswer::Status::no_such_group:
      line = "its group " + std::to_string(answer.id) + " is sealed, or not there";
      break;
    default:
      line = "it makes no sense";
      break;
  }
  throw DurableError(exit_status(Errc::bad_input), to_string(answer.status), line, answer.id);
}

// `spec` goes into a request that starts at place `first` of the batch: what it is after stands in
// the same request, or has been answered.
void settle_places(keeper::JobSpec& spec, std::size_t first,
                   const std::vector<SubmitAnswer>& answers) {
  for (keeper::Dependency& d : spec.dependencies) {
    if (!d.in_batch) continue;
    if (d.on >= first) {
      d.on -= first;
      continue;
    }
    const SubmitAnswer& other = answers[d.on];
    const bool there = other.status == SubmitAnswer::Status::stored ||
                       other.status == SubmitAnswer::Status::duplicate;
    d = {there ? other.id : keeper::kJobIdMax, d.after, false};
  }
}

}  // namespace

DurableJob durable_command(const Command& command, DurableOptions options) {
  if (command.argv.empty()) bad_argument("a command needs at least a program");
  if (options.output_max == 0) options.output_max = command.output_max;
  return {std::string(kExecHandler), encode(command), std::move(options)};
}

DurableJobs::DurableJobs(Client& client, std::uint32_t requests)
    : core_(DurableCore::of(client, requests)) {}

DurableFuture DurableJobs::submit(std::string_view handler, std::string_view payload,
                                  const DurableOptions& options) {
  keeper::Request request;
  request.op = Op::submit;
  request.jobs.push_back(to_keeper(handler, payload, options));
  if (!request.jobs.front().dependencies.empty()) {
    for (const keeper::Dependency& d : request.jobs.front().dependencies)
      if (d.in_batch) bad_argument("it is after one that does not stand before it");
  }
  const KeeperAnswer answer = core_->ask(request);
  const std::vector<SubmitAnswer> answers = answers_of(answer.reply);
  if (answers.size() != 1) bad_answer();
  if (answers.front().status != SubmitAnswer::Status::stored) refuse(answers.front(), options);
  return core_->future(answers.front().id);
}

DurableFuture DurableJobs::run(const Command& command, const DurableOptions& options) {
  const DurableJob job = durable_command(command, options);
  return submit(job.handler, job.payload, job.options);
}

std::vector<SubmitAnswer> DurableJobs::submit_all(std::span<const DurableJob> jobs) {
  std::vector<keeper::JobSpec> specs = specs_of(jobs);
  const std::size_t room = core_->pool().max_payload();
  std::vector<SubmitAnswer> answers;
  while (answers.size() < specs.size()) {
    const std::size_t first = answers.size();
    keeper::Request request;
    request.op = Op::submit;
    std::size_t bytes = kRequestRest;
    for (std::size_t i = first; i < specs.size(); ++i) {
      bytes += bytes_at_most(specs[i]);
      if (i != first && (bytes > room || request.jobs.size() == keeper::kJobsMax)) break;
      settle_places(specs[i], first, answers);
      request.jobs.push_back(std::move(specs[i]));
    }
    try {
      const KeeperAnswer answer = core_->ask(request);
      const std::vector<SubmitAnswer> these = answers_of(answer.reply);
      if (these.size() != request.jobs.size()) bad_answer();
      answers.insert(answers.end(), these.begin(), these.end());
    } catch (const Exception& e) {
      if (first == 0) throw;
      throw PartlySubmitted(e, std::move(answers));
    }
  }
  for (SubmitAnswer& answer : answers)
    if (answer.id == keeper::kJobIdMax) answer.id = 0;  // see settle_places()
  return answers;
}

Future DurableJobs::start_submit(std::span<const DurableJob> jobs) {
  keeper::Request request;
  request.op = Op::submit;
  request.jobs = specs_of(jobs);
  return core_->start(request);
}

std::vector<SubmitAnswer> DurableJobs::answers(const Future& submitted) {
  return answers_of(reply_of(submitted));
}

Pool DurableJobs::pool() const {
  return core_->pool();
}

}  // namespace jobring
