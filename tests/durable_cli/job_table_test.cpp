// Durable jobs as tables, pages and exit statuses.
#include "client/cli/durable/job_table.hpp"

#include <doctest/doctest.h>

#include "client/cli/durable/confirm.hpp"
#include "client/cli/durable/job_page.hpp"
#include "client/cli/durable/job_text.hpp"
#include "common/exec_codec.hpp"
#include "tests/durable_cli/zone.hpp"

using namespace jobring;
using namespace jobring::cli;
using namespace std::chrono_literals;

namespace {

const WallTime kNow = WallTime(1795330800s);

DurableInfo job(JobId id, JobState state) {
  DurableInfo info;
  info.id = id;
  info.state = state;
  info.handler = "resize";
  info.payload = "a.jpg";
  info.submitted = kNow - 65s;
  return info;
}

DurableInfo ended(JobState state, Outcome outcome, int exit_code, int signal) {
  DurableInfo info = job(1, state);
  info.attempts = 1;
  info.last = AttemptInfo{.number = 1,
                          .worker = 4711,
                          .started = kNow - 30s,
                          .ended = kNow - 20s,
                          .outcome = outcome,
                          .exit_code = exit_code,
                          .signal = signal,
                          .tail = "boom\n\033[2Jbye\n"};
  return info;
}

}  // namespace

TEST_CASE("a table has a line a job and says of each why it is where it is") {
  std::vector<DurableInfo> jobs;
  jobs.push_back(job(12, JobState::delayed));
  jobs[0].due = kNow + 90s;
  jobs.push_back(job(11, JobState::delayed));
  jobs[1].unmet = 2;
  jobs.push_back(ended(JobState::failed, Outcome::failed, 3, 0));
  jobs[2].due = kNow + 5s;
  jobs.push_back(ended(JobState::dead, Outcome::crashed, 0, 11));
  jobs[3].options.name = "my\njob";
  CHECK(job_table(jobs, default_job_columns(), kNow, {}) ==
        "ID  STATE    POOL       AGE    TIME  TRIES  NOTE                     WHAT\n"
        "12  delayed  default  1m05s       -      0  in 1m30s                 resize a.jpg\n"
        "11  delayed  default  1m05s       -      0  after 2 jobs             resize a.jpg\n"
        " 1  failed   default  1m05s  10.0 s      1  exit 3, again in 5.00 s  resize a.jpg\n"
        " 1  dead     default  1m05s  10.0 s      1  crashed, SIGSEGV         my\\njob\n");
}

TEST_CASE("a job that ended before its first attempt has run no time") {
  DurableInfo info = ended(JobState::cancelled, Outcome::cancelled, 0, 0);
  info.attempts = 0;
  info.last->number = 0;
  CHECK(job_table({&info, 1}, {"time"}, kNow, {}) == "TIME\n   -\n");
  CHECK(job_page(info, kNow, false).find("ATTEMPT") == std::string::npos);
}

TEST_CASE("a line is cut to the width of the terminal and its colours end there") {
  const std::vector<DurableInfo> jobs = {job(1, JobState::held)};
  const std::string text = job_table(jobs, {"state", "what"}, kNow, {.color = false, .width = 9});
  CHECK(text == "STATE  WH\nheld   re\n");
  const std::string colored = job_table(jobs, {"state"}, kNow, {.color = true, .width = 2});
  CHECK(colored.find("he\033[0m\n") != std::string::npos);
}

TEST_CASE("columns are chosen and added and a mistyped one is told the nearest") {
  using Columns = std::vector<std::string>;
  CHECK(parse_job_columns("id,what").value() == Columns{"id", "what"});
  const auto more = parse_job_columns("+tags,id").value();
  CHECK(more.size() == default_job_columns().size() + 1);
  CHECK(more.back() == "what");
  CHECK(parse_job_columns("stat").error().line().find("\"state\"") != std::string::npos);
  CHECK_FALSE(parse_job_columns(""));
}

TEST_CASE("jobs are sorted by a column either way round") {
  std::vector<DurableInfo> jobs = {job(3, JobState::ready), job(1, JobState::dead),
                                   job(2, JobState::held)};
  jobs[1].options.priority = -5;
  CHECK(sort_jobs(jobs, "id", kNow));
  CHECK(jobs[0].id == 1);
  CHECK(sort_jobs(jobs, "-state", kNow));
  CHECK(jobs[0].state == JobState::ready);
  CHECK(sort_jobs(jobs, "priority", kNow));
  CHECK(jobs[0].id == 1);
  CHECK_FALSE(sort_jobs(jobs, "colour", kNow));
}

TEST_CASE("the exit status of a job is its command's own as a shell reports it") {
  CHECK(job_status(ended(JobState::succeeded, Outcome::ok, 0, 0)) == 0);
  CHECK(job_status(ended(JobState::dead, Outcome::failed, 3, 0)) == 3);
  CHECK(job_status(ended(JobState::dead, Outcome::failed, 0, 9)) == 137);
  CHECK(job_status(ended(JobState::dead, Outcome::failed, 0, 0)) == 1);
  CHECK(job_status(ended(JobState::dead, Outcome::failed, -1, 0)) == 1);
  CHECK(job_status(ended(JobState::dead, Outcome::timed_out, 0, 0)) == 124);
  CHECK(job_status(ended(JobState::dead, Outcome::crashed, 0, 11)) == 139);
  CHECK(job_status(ended(JobState::dead, Outcome::killed, 0, 15)) == 143);
  CHECK(job_status(ended(JobState::dead, Outcome::expired, 0, 0)) == 75);
  CHECK(job_status(ended(JobState::dead, Outcome::lost, 0, 0)) == 69);
  CHECK(job_status(ended(JobState::dead, Outcome::unknown_handler, 0, 0)) == 65);
  CHECK(job_status(job(1, JobState::cancelled)) == 130);
  CHECK(job_status(job(1, JobState::dead)) == 1);
}

TEST_CASE("a page tells all and nothing of it is obeyed by a terminal") {
  const test::Zone zone("UTC0");
  DurableInfo info = ended(JobState::dead, Outcome::failed, 3, 0);
  info.handler = "exec";
  info.payload = encode(Command{.argv = {"make", "a b"}, .cwd = "/srv"});
  info.options.retry.max = 2;
  info.options.after = {{.on = 7, .after = JobDependency::After::any}};
  info.options.concurrency_key = "gpu";
  info.options.concurrency_max = 2;
  info.history = {*info.last};
  const std::string page = job_page(info, kNow, false);
  for (const char* part :
       {"state        dead, exit 3", "command      make 'a b'", "directory    /srv",
        "retries      2, pauses 1s up to 1h, give or take 20%",
        "after        7 (whatever becomes of it)", "key          gpu, at most 2 at a time",
        "exit 3", "last lines of attempt 1", "    boom\n", "2026-11-22 06:59:30"}) {
    CAPTURE(part);
    CHECK(page.find(part) != std::string::npos);
  }
  CHECK(page.find('\033') == std::string::npos);
  CHECK(job_page(info, kNow, true).find('\033') != std::string::npos);
}

TEST_CASE("a question says how many jobs in which states") {
  PoolJobs counts;
  counts.jobs[std::size_t(JobState::running)] = 12;
  counts.jobs[std::size_t(JobState::ready)] = 1225;
  CHECK(many_text("cancel", counts) == "cancel 1,237 jobs (1,225 ready, 12 running)");
  CHECK(many_text("cancel", {}) == "cancel 0 jobs");
}

TEST_CASE("counts of jobs are a line a pool") {
  PoolJobs fast;
  fast.pool = "fast";
  fast.paused = true;
  fast.jobs[std::size_t(JobState::ready)] = 1234;
  fast.jobs[std::size_t(JobState::dead)] = 5;
  const std::string text = pools_table({&fast, 1}, false);
  CHECK(text ==
        "\ndurable jobs\n"
        "  pool  ready  running  delayed  held  failed  dead  cancelled  succeeded\n"
        "  fast  1,234        0        0     0       0     5          0          0  paused\n");
  CHECK(pools_table({}, false).empty());
}
