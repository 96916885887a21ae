// jobring pause, resume, drain: whether durable jobs of a pool are started.
#include <cstdio>

#include "client/cli/durable/session.hpp"
#include "client/cli/verbs.hpp"

namespace jobring::cli {
namespace {

constexpr HelpText kPauseHelp = {
    .verb = "pause",
    .usage = "[OPTIONS] POOL...",
    .summary = "Starts no more durable jobs in these pools; those that run go on.",
    .examples = "  jobring pause fast\n"};
constexpr HelpText kResumeHelp = {.verb = "resume",
                                  .usage = "[OPTIONS] POOL...",
                                  .summary = "Starts durable jobs in these pools again.",
                                  .examples = "  jobring resume fast\n"};
constexpr HelpText kDrainHelp = {
    .verb = "drain",
    .usage = "[OPTIONS] POOL...",
    .summary =
        "Pauses these pools and waits until no durable job runs in them. They stay paused until "
        "`jobring resume`.",
    .examples =
        "  jobring drain fast\n"
        "  jobring drain --wait 5m default && apt upgrade\n"};

int for_each_pool(Arguments arguments, const HelpText& help,
                  void (*act)(DurableJobs&, const std::string&)) {
  std::string socket;
  Options options(help);
  options.text("--socket", socket, "PATH", "the daemon's socket");
  std::vector<std::string> words;
  if (const auto status = options.parse(arguments, Options::Order::anywhere, words)) return *status;
  if (words.empty()) return options.usage_error("which pool?");
  DurableSession session(socket);
  for (const std::string& pool : words) act(session.jobs, pool);
  leave(0);
}

}  // namespace

int pause_verb(Arguments arguments) {
  return for_each_pool(arguments, kPauseHelp,
                       [](DurableJobs& jobs, const std::string& pool) { jobs.pause(pool); });
}

int resume_verb(Arguments arguments) {
  return for_each_pool(arguments, kResumeHelp,
                       [](DurableJobs& jobs, const std::string& pool) { jobs.resume(pool); });
}

int drain_verb(Arguments arguments) {
  std::string socket;
  std::chrono::milliseconds wait{-1};
  Options options(kDrainHelp);
  options.duration("--wait", wait, "wait no longer: exit 124; the pool stays paused");
  options.text("--socket", socket, "PATH", "the daemon's socket");
  std::vector<std::string> words;
  if (const auto status = options.parse(arguments, Options::Order::anywhere, words)) return *status;
  if (words.empty()) return options.usage_error("which pool?");
  DurableSession session(socket);
  for (const std::string& pool : words) session.jobs.pause(pool);  // all at once, then wait
  using Clock = std::chrono::steady_clock;
  const auto until = Clock::now() + wait;
  int status = 0;
  for (const std::string& pool : words) {
    const auto left = wait.count() < 0 ? std::chrono::nanoseconds::max()
                                       : std::max<std::chrono::nanoseconds>(
                                             until - Clock::now(), std::chrono::nanoseconds(0));
    const std::uint64_t running = session.jobs.drain(pool, left);
    if (running == 0) continue;
    std::fprintf(stderr, "jobring drain: %llu %s in %s\n", static_cast<unsigned long long>(running),
                 running == 1 ? "job still runs" : "jobs still run", pool.c_str());
    status = 124;
  }
  leave(status);
}

}  // namespace jobring::cli
