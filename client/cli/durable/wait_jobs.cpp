#include "client/cli/durable/wait_jobs.hpp"

#include <cstdio>
#include <string_view>

#include "client/cli/durable/detach.hpp"
#include "client/cli/durable/follow.hpp"
#include "client/cli/durable/job_json.hpp"
#include "client/cli/durable/job_text.hpp"

namespace jobring::cli {
namespace {

using Clock = std::chrono::steady_clock;

std::string problem_of(const DurableInfo& info) {
  if (!info.members) return problem_text(info);
  if (info.members->bad == 0) return "";
  return std::to_string(info.members->bad) + " of its " + std::to_string(info.members->size) +
         " jobs did not succeed";
}

void tell_problem(const char* verb, const DurableInfo& info) {
  const std::string problem = problem_of(info);
  if (problem.empty()) return;
  std::fprintf(stderr, "jobring %s: job %llu: %s\n", verb, static_cast<unsigned long long>(info.id),
               problem.c_str());
}

bool succeeded_and_forgotten(const DurableFuture& future) {
  try {
    future.info();
  } catch (const DurableError& e) {
    if (std::string_view(e.kind()) == "not_found") return true;
    throw;
  }
  return false;
}

std::string way_back(const char* verb, JobId id) {
  const std::string number = std::to_string(id);
  return std::string("\njobring ") + verb + ": job " + number +
         " goes on without us; come back with `jobring wait " + number + "` or `jobring logs -f " +
         number + "`, stop it with `jobring cancel " + number + "`\n";
}

}  // namespace

int status_of(const DurableInfo& info) {
  return info.members ? (info.members->bad == 0 ? 0 : 1) : job_status(info);
}

int attend_job(DurableJobs& jobs, JobId id, const Attendance& how) {
  const DetachOnSignal detach(way_back(how.verb, id));
  if (how.follow) {
    Parts alone;
    follow(jobs, id, {}, alone);
  }
  const DurableFuture future = jobs.attach(id);
  if (how.short_lived && succeeded_and_forgotten(future)) return 0;
  const DurableInfo& info = future.info();
  if (how.json) std::printf("%s\n", job_json(info, JobDetail::complete).c_str());
  tell_problem(how.verb, info);
  return status_of(info);
}

WaitEnd wait_all(DurableJobs& jobs, const std::vector<JobId>& ids,
                 std::optional<std::chrono::nanoseconds> patience, const char* verb, bool quiet,
                 bool keep_infos) {
  const auto until = Clock::now() + patience.value_or(std::chrono::nanoseconds(0));
  WaitEnd end;
  for (const JobId id : ids) {
    const DurableFuture future = jobs.attach(id);
    if (patience && !future.wait_for(std::max(until - Clock::now(), Clock::duration(0)))) {
      if (!quiet) {
        std::fprintf(stderr, "jobring %s: job %llu has not ended in time\n", verb,
                     static_cast<unsigned long long>(id));
      }
      end.status = 124;
      return end;
    }
    const DurableInfo& info = future.info();
    const int status = status_of(info);
    if (ids.size() == 1) {
      end.status = status;
    } else if (status != 0) {
      end.status = 1;
    }
    if (!quiet && status != 0) {
      const std::string problem = problem_of(info);
      std::fprintf(stderr, "jobring %s: job %llu: %s\n", verb, static_cast<unsigned long long>(id),
                   problem.empty() ? ("exit " + std::to_string(status)).c_str() : problem.c_str());
    }
    if (keep_infos) end.ended.push_back(info);
  }
  return end;
}

}  // namespace jobring::cli
