#include "tests/soak/jobs.hpp"

#include <algorithm>
#include <bit>

#include "common/exec_codec.hpp"
#include "tests/soak/command.hpp"

namespace jobring::soak {
namespace {

void raise_to(std::atomic<std::uint64_t>& most, std::uint64_t value) {
  std::uint64_t seen = most.load();
  while (value > seen && !most.compare_exchange_weak(seen, value)) {
  }
}

}  // namespace

Jobs::Jobs(Ledger& ledger, ClientCell& cell, Random& random)
    : ledger_(ledger), cell_(cell), random_(random), self_(name_process(getpid())) {}

Job Jobs::draw(const PoolPlan& pool, std::uint32_t epoch) {
  Job job;
  const std::uint64_t index = ledger_.job_count.fetch_add(1);
  if (index >= kJobsMax) return job;
  JobSpec& spec = job.spec;
  spec.id = std::uint64_t(ledger_.round.load()) << 32 | index;
  job.kind = below(100) < pool.commands ? Kind::command : Kind::function;
  const std::uint64_t dice = below(1000);
  if (job.kind == Kind::command) {
    spec.behaviour = dice < 600   ? Behaviour::spin
                     : dice < 750 ? Behaviour::nap
                     : dice < 900 ? Behaviour::delegate
                     : dice < 930 ? Behaviour::fail
                     : dice < 960 ? Behaviour::crash_once
                                  : Behaviour::leave_child;
    const bool lasts = spec.behaviour == Behaviour::nap || spec.behaviour == Behaviour::delegate;
    spec.us = lasts ? std::uint32_t(below(20'000)) : 0;
    spec.result_size = std::uint32_t(one_in(4) ? below(64 << 10) : below(256));
  } else {
    spec.behaviour = dice < 900   ? Behaviour::spin
                     : dice < 950 ? Behaviour::nap
                     : dice < 980 ? Behaviour::cooperate
                     : dice < 998 ? Behaviour::fail
                     : dice < 999 ? Behaviour::crash_once
                                  : Behaviour::crash;
    // Crashes are dear: most of the deaths shall be the killer's.
    if (spec.behaviour >= Behaviour::crash_once && !one_in(4)) spec.behaviour = Behaviour::spin;
    spec.us = std::uint32_t(spec.behaviour == Behaviour::spin        ? below(2) * below(300)
                            : spec.behaviour == Behaviour::nap       ? below(5'000)
                            : spec.behaviour == Behaviour::cooperate ? below(30'000)
                                                                     : 0);
    const auto size = [&](std::uint64_t most) {
      const std::uint64_t kind = below(100);
      return std::uint32_t(kind < 70 ? below(200) : kind < 97 ? below(8 << 10) : below(most + 1));
    };
    spec.payload_size = std::max<std::uint32_t>(sizeof spec, size(kMaxPayload));
    spec.result_size = size(kMaxResult);
  }
  job.options.priority = Priority(below(3));
  constexpr std::uint8_t kRetries[] = {0, 0, 0, 0, 1, 1, 2, 3, 10, 255};
  job.options.crash_retries = kRetries[below(std::size(kRetries))];
  if (one_in(50)) job.options.start_within = std::chrono::milliseconds(1 + below(30));

  JobRecord& record = ledger_.jobs[index];
  record.client = self_;
  record.epoch = epoch;
  record.kind = job.kind;
  record.behaviour = std::uint8_t(spec.behaviour);
  record.pool = pool_named(pool.name);
  record.crash_limit = std::uint16_t(pool.crash_limit);
  record.crash_retries = job.options.crash_retries;
  record.start_within = job.options.start_within.count() > 0;
  record.id.store(spec.id, std::memory_order_release);
  job.record = &record;
  job.submitted_ns = now_ns();
  return job;
}

std::string Jobs::handler(const Job& job) const {
  return job.kind == Kind::command ? std::string(kExecHandler) : "soak";
}
std::string Jobs::payload(const Job& job) const {
  if (job.kind == Kind::function) return payload_of(job.spec);
  Command command;
  command.argv = command_of(job.spec);
  return encode(command);
}

void Jobs::accepted(const Job& job) {
  job.record->flags |= kAccepted;
  if (cell_.outstanding++ == 0) handed_ns_ = now_ns();
  beat();
}
void Jobs::withdrawn(const Job& job) {
  job.record->flags |= kWithdrawn;
}
void Jobs::abandoned(const Job& job) {
  job.record->flags |= kAbandoned;
  --cell_.outstanding;
  beat();
}

void Jobs::ended(const Job& job, Outcome outcome, std::uint8_t attempts, std::string_view result) {
  JobRecord& record = *job.record;
  record.outcome = std::uint8_t(outcome);
  record.attempts = attempts;
  record.ended_epoch = ledger_.epoch.load();
  if (record.endings.fetch_add(1) != 0)
    ledger_.complain("job %llx completes a second time", (unsigned long long)job.spec.id);
  if (outcome == Outcome::ok) check_result(job, result);
  if (outcome == Outcome::failed) check_failure(job, result);
  const std::uint64_t now = now_ns();
  const std::uint64_t took = now - job.submitted_ns;
  ++ledger_.latency[std::bit_width(took)];
  raise_to(ledger_.latency_ns_max, took);
  raise_to(ledger_.stall_ns_max, now - handed_ns_);
  handed_ns_ = now;
  --cell_.outstanding;
  beat();
}

// That it may fail is the auditor's to say; here its words are told, for nobody has them later.
void Jobs::check_failure(const Job& job, std::string_view result) {
  if (job.spec.behaviour == Behaviour::fail) return;
  if (job.kind == Kind::function)
    return ledger_.complain("job %llx failed: %.*s", (unsigned long long)job.spec.id,
                            int(std::min<std::size_t>(result.size(), 150)), result.data());
  if (job.spec.behaviour == Behaviour::crash_once) return;
  const auto decoded =
      decode_command_result({reinterpret_cast<const unsigned char*>(result.data()), result.size()});
  if (!decoded) return;  // a message
  const CommandReport& report = decoded->report;
  const std::string words = report.start_step + " " + std::string(decoded->err.substr(0, 80));
  ledger_.complain("command %llx of pool %u failed: status %d, signal %d, %d %s",
                   (unsigned long long)job.spec.id, job.record->pool, int(report.exit_code),
                   int(report.signal), int(report.start_errno), words.c_str());
}

void Jobs::check_result(const Job& job, std::string_view result) {
  if (job.kind == Kind::command) {
    const auto decoded = decode_command_result(
        {reinterpret_cast<const unsigned char*>(result.data()), result.size()});
    if (!decoded) {
      ledger_.complain("the result of command %llx makes no sense",
                       (unsigned long long)job.spec.id);
      return;
    }
    result = decoded->out;
  }
  if (result.size() != job.spec.result_size || !matches(job.spec.id, 0, result)) {
    ledger_.complain("job %llx has a wrong result of %zu bytes instead of %u",
                     (unsigned long long)job.spec.id, result.size(), job.spec.result_size);
  }
}

}  // namespace jobring::soak
