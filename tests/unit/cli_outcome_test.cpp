#include <doctest/doctest.h>

#include <cerrno>

#include "client/cli/map_job.hpp"
#include "client/cli/outcome.hpp"
#include "common/exec_codec.hpp"

using namespace jobring;
using namespace jobring::cli;

namespace {

Completion completion(Outcome outcome, std::int32_t detail, const std::string& bytes) {
  Completion c = {};
  c.outcome = outcome;
  c.detail = detail;
  c.result = std::as_bytes(std::span(bytes.data(), bytes.size()));
  return c;
}

std::string command_result(const CommandReport& report, const std::string& out,
                           const std::string& err) {
  return encode_head(report, out.size(), err.size()) + out + err;
}

}  // namespace

TEST_CASE("every outcome has its documented exit status") {
  CHECK(cli::exit_status(Outcome::ok, 0) == 0);
  CHECK(cli::exit_status(Outcome::failed, 0) == 1);
  CHECK(cli::exit_status(Outcome::timed_out, 0) == 124);
  CHECK(cli::exit_status(Outcome::crashed, 11) == 139);
  CHECK(cli::exit_status(Outcome::killed, -9) == 137);
  CHECK(cli::exit_status(Outcome::killed, 0) == 143);
  CHECK(cli::exit_status(Outcome::lost, 0) == 69);
  CHECK(cli::exit_status(Outcome::expired, 0) == 75);
  CHECK(cli::exit_status(Outcome::unknown_handler, 0) == 65);
}

TEST_CASE("a command's own status, output and error come from its report") {
  CommandReport report;
  report.exit_code = 3;
  const std::string bytes = command_result(report, "out", "err");
  const JobEnd end = judge(completion(Outcome::failed, 3, bytes), true);
  CHECK(end.status == 3);
  CHECK(end.out == "out");
  CHECK(end.err == "err");
  CHECK(end.problem.empty());
}

TEST_CASE("a command that could not be started says which step failed") {
  CommandReport report;
  report.start_errno = ENOENT;
  report.start_step = "exec /no/such";
  const std::string bytes = command_result(report, "", "");
  const JobEnd end = judge(completion(Outcome::failed, 0, bytes), true);
  CHECK(end.status == 127);
  CHECK(end.problem == "exec /no/such: No such file or directory");
}

TEST_CASE("output that was cut is told") {
  CommandReport report;
  report.exit_code = 0;
  report.stdout_truncated = true;
  report.stdout_total = 2048;
  const std::string bytes = command_result(report, "abc", "");
  CHECK(judge(completion(Outcome::ok, 0, bytes), true).truncation() ==
        "stdout was cut to 3 B of 2 KiB");
}

TEST_CASE("a handler's result is its output, its failure is the problem") {
  CHECK(judge(completion(Outcome::ok, 0, "49"), false).out == "49");
  const std::string message = "no such number\n";
  const JobEnd failed = judge(completion(Outcome::failed, 0, message), false);
  CHECK(failed.status == 1);
  CHECK(failed.out.empty());
  CHECK(failed.problem == "no such number");
  CHECK(judge(completion(Outcome::crashed, 11, "segfault"), false).problem ==
        "the worker crashed (signal 11): segfault");
}

TEST_CASE("an answer that is no command report never passes for success") {
  CHECK(judge(completion(Outcome::ok, 0, "nonsense"), true).status == 70);
  CHECK(judge(completion(Outcome::crashed, 9, "worker killed"), true).status == 137);
}

TEST_CASE("tags stand before each line, and a last line is completed") {
  CHECK(tag_lines("a\n\nb", "t") == "t\ta\nt\t\nt\tb\n");
  CHECK(tag_lines("", "t").empty());
}

TEST_CASE("a map job's text follows --tag, --json and --quiet") {
  cli::MapOptions options;
  options.handler = "square";
  const MapInput input = {.seq = 4, .values = {"7"}};
  const std::string result = "49", message = "no";
  const JobEnd good = judge(completion(Outcome::ok, 0, result), false);
  const JobEnd bad = judge(completion(Outcome::failed, 0, message), false);
  {
    const MapJobs jobs(options);
    CHECK(jobs.text(input, good, 0).out == "49\n");
    CHECK(jobs.text(input, bad, 0).out.empty());
    CHECK(jobs.text(input, bad, 0).err == "jobring map: job 4 (square 7): no\n");
  }
  options.quiet = options.tag = true;
  {
    const MapJobs jobs(options);
    CHECK(jobs.text(input, good, 0).out == "7\t49\n");
    CHECK(jobs.text(input, bad, 0).err.empty());
  }
  options.json = true;
  const MapJobs jobs(options);
  const std::string json = jobs.text(input, good, 12.5).out;
  CHECK(
      json.starts_with("{\"seq\":4,\"args\":[\"7\"],\"command\":\"square "
                       "7\",\"started\":12.5,\"outcome\":\"ok\",\"status\":0,"));
  CHECK(json.ends_with("\"result\":\"49\"}\n"));
}

TEST_CASE("a message names a job in a bounded line, however long its input is") {
  cli::MapOptions options;
  options.handler = "square";
  const MapJobs jobs(options);
  const std::string message = "no";
  const MapInput input = {.seq = 1, .values = {std::string(100'000, 'x')}};
  const std::string err =
      jobs.text(input, judge(completion(Outcome::failed, 0, message), false), 0).err;
  CHECK(err.size() < 200);
  CHECK(err.ends_with("...): no\n"));
}

TEST_CASE("bytes that are not UTF-8 make JSON all the same") {
  const std::string result = "\xff\xfe";
  const JobEnd end = judge(completion(Outcome::ok, 0, result), false);
  CHECK(job_json(end, nullptr).find("\"result\":\"\xef\xbf\xbd\xef\xbf\xbd\"") !=
        std::string::npos);
}
