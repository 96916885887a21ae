// DurableJobs: submitting.
#include <sys/random.h>
#include <unistd.h>

#include "client/client_core.hpp"
#include "client/durable/alone.hpp"
#include "client/durable/core.hpp"
#include "client/durable/info.hpp"
#include "client/durable/spec.hpp"
#include "common/ask_message.hpp"
#include "common/control.hpp"
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

std::vector<SubmitAnswer> answers_of(const keeper::ReplyView& reply) {
  std::vector<keeper::Submitted> told;
  if (!decode_submitted(reply.payload, told)) bad_answer();
  std::vector<SubmitAnswer> answers;
  answers.reserve(told.size());
  for (const keeper::Submitted& answer : told) answers.push_back(to_public(answer));
  return answers;
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

namespace {

// What the keeper has said to a request on its own socket. nullopt: nothing; `sent`: but it may
// have done it.
std::optional<std::string> ask_keeper(const ConnectOptions& where, std::string_view request,
                                      bool& sent) {
  // A fast disk takes less than falling asleep and waking up adds to it.
  constexpr std::uint64_t kLook = 1'000'000;  // nanoseconds
  if (request.size() > kAskMost) return std::nullopt;
  for (const std::string& path : sockets_of(where)) {
    if (access(path.c_str(), F_OK) != 0) continue;
    const auto socket = connect_to(ask_socket_of(path));
    if (!socket || !send_control(socket->get(), encode_ask(request))) return std::nullopt;
    sent = true;
    const auto answer = await_control(socket->get(), -1, kLook);
    const auto bytes = answer ? decode_ask(answer->text) : std::nullopt;
    return bytes ? std::optional<std::string>(*bytes) : std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

SubmitAnswer detail::submit_alone(const ConnectOptions& where, const DurableJob& job,
                                  const std::function<Client()>& connect) {
  keeper::Request request;
  request.op = Op::submit;
  request.jobs = specs_of({&job, 1});
  while (request.number == 0)
    if (getrandom(&request.number, sizeof request.number, 0) < 0)
      throw_error(system_error("getrandom"));
  const auto only = [](const std::vector<SubmitAnswer>& answers) {
    if (answers.size() != 1) bad_answer();
    return answers.front();
  };
  constexpr std::uint32_t kRequests = 16;  // of a channel, if it takes one
  bool sent = false;
  if (const auto answer = ask_keeper(where, encode(request), sent))
    return only(answers_of(reply_in(*answer)));
  if (sent) request.flags |= keeper::kAskedBefore;
  std::optional<Client> client;
  try {
    client.emplace(connect());
  } catch (const Exception& e) {
    if (!sent || e.exit_status() != exit_status(Errc::no_daemon)) throw;
    throw_error({Errc::no_daemon, "the daemon went away, and may have kept the job", {}, {}});
  }
  const KeeperAnswer answer = DurableCore::of(*client, kRequests)->ask(request);
  return only(answers_of(answer.reply));
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
