// Jobs that crash their worker: the evidence that they leave, and the end that they are put to.
#include <doctest/doctest.h>

#include <csignal>
#include <nlohmann/json.hpp>

#include "tests/faults/hurt.hpp"

using namespace jobring;
using namespace jobring::test;
using namespace std::chrono_literals;

namespace {

std::size_t lines_of(const std::string& file) {
  const std::string text = read_file(file);
  return std::size_t(std::count(text.begin(), text.end(), '\n'));
}

}  // namespace

TEST_CASE("a crashed job's text shows signal, address, handler, stack and last words") {
  Daemon daemon(hurtful(1));
  Pool pool = daemon.connect().pool();
  const JobResult result = pool.submit("null_write", "").result();
  CHECK(result.outcome == Outcome::crashed);
  CHECK(result.detail == SIGSEGV);
  const std::string text = result.text();
  CAPTURE(text);
  CHECK(has(text, "was killed by signal 11 (Segmentation fault)"));
  CHECK(has(text, "about to write to nowhere\n"));
  CHECK(has(text, "SIGSEGV (address 0x0 is not mapped) in handler \"null_write\""));
  CHECK(has(text, "#0 hurtful.so+0x"));
  CHECK(has(text, "hurtful_write_to+0x"));
  CHECK(has(text, "jobring-worker+0x"));  // the stack goes on to the worker
  CHECK(pool.call("echo", "on") == "on");
}

TEST_CASE("every fatal signal is reported and keeps its exit signal") {
  Daemon daemon(hurtful(1));
  Pool pool = daemon.connect().pool();
  const struct {
    const char* handler;
    int signal;
    const char* says;
  } cases[] = {
      {"stack_overflow", SIGSEGV, "stack overflow"},
      {"divide_by_zero", SIGFPE, "integer division by zero"},
      {"abort", SIGABRT, "SIGABRT in handler \"abort\""},
      {"free_twice", SIGABRT, "double"},
      {"jump_to_nowhere", SIGSEGV, "#0 0x0 (in no module)\n  #1 hurtful.so+0x"},
      {"throw_through_c", SIGABRT, "thrown through qsort()"},
      {"crash_without_stderr", SIGSEGV, "hurtful_write_to"},
      {"print_and_crash", SIGSEGV, "printed, not flushed: words\n"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.handler);
    const JobResult result = pool.submit(c.handler, "words").result();
    CAPTURE(result.text());
    CHECK(result.outcome == Outcome::crashed);
    CHECK(result.detail == c.signal);
    CHECK(has(result.text(), c.says));
    CHECK(has(result.text(), "\n  #0 "));
  }
  CHECK(daemon.status_number("crashes") == long(std::size(cases)));
  CHECK(pool.call("echo", "on") == "on");
}

TEST_CASE("a crash whose report would wait for ever ends in seconds, with its signal") {
  Daemon daemon(hurtful(1));
  Pool pool = daemon.connect().pool();
  const Future f = pool.submit("crash_in_loader", test_module("hangs_on_load"));
  REQUIRE(f.wait_for(20s));
  CAPTURE(f.result().text());
  CHECK(f.result().outcome == Outcome::crashed);
  CHECK(f.result().detail == SIGSEGV);
  CHECK(
      has(f.result().text(), "SIGSEGV (address 0x0 is not mapped) in handler \"crash_in_loader\""));
  CHECK(has(f.result().text(), "the report took too long"));
}

TEST_CASE("a module's own handler of a fatal signal has the last word") {
  Daemon daemon(hurtful(1));
  Pool pool = daemon.connect().pool();
  const JobResult result = pool.submit("crash_with_own_handler", "").result();
  CHECK(result.outcome == Outcome::crashed);
  CHECK(result.detail == 0);
  CHECK(has(result.text(), "exited with status 7"));
  CHECK(has(result.text(), "the module's own handler was here"));
}

TEST_CASE("a job that kills its worker every time is quarantined after crash_limit attempts") {
  Daemon daemon(hurtful(2, R"(, "crash_limit": 3)"));
  Pool pool = daemon.connect("night shift").pool();
  const std::string runs = daemon.dir() / "runs";
  JobOptions patient;
  patient.crash_retries = 200;
  const Future poison = pool.submit("note_and_crash", runs, patient);
  for (int i = 0; i < 50; ++i) CHECK(pool.call("echo", std::to_string(i)) == std::to_string(i));
  const JobResult& result = poison.result();
  CHECK(lines_of(runs) == 3);
  CHECK(result.outcome == Outcome::crashed);
  CHECK(result.attempts == 3);
  CHECK(result.detail == SIGSEGV);
  CHECK(has(result.text(), "quarantined: it ended its worker 3 times"));
  CHECK(has(result.text(), "hurtful_write_to"));

  // What an administrator finds: in the status, for programs and people, and in the log.
  const auto status = nlohmann::json::parse(daemon.connect().status_json());
  const auto& pool_status = status["pools"][0];
  CHECK(pool_status["quarantined"] == 1);
  REQUIRE(pool_status["crashed_jobs"].size() == 1);
  const auto& entry = pool_status["crashed_jobs"][0];
  CHECK(entry["handler"] == "note_and_crash");
  CHECK(entry["client"] == "night shift");
  CHECK(entry["client_pid"] == getpid());
  CHECK(entry["uid"] == getuid());
  CHECK(entry["attempts"] == 3);
  CHECK(entry["quarantined"] == true);
  CHECK(entry["signal"] == SIGSEGV);
  CHECK(has(entry["evidence"].get<std::string>(), "hurtful_write_to"));
  const Ran table = run_program({program("jobring"), "status", "--socket", daemon.socket()});
  CAPTURE(table.output);
  CHECK(table.status == 0);
  CHECK(has(table.output, "1 quarantined"));
  CHECK(has(table.output, "note_and_crash"));
  CHECK(has(table.output, "hurtful.so+0x"));
  CHECK(
      has(daemon.log(), "quarantined a job of handler \"note_and_crash\" from client night shift"));
}

TEST_CASE(
    "a job that asked for fewer attempts than the limit gets those, and is no quarantine case") {
  Daemon daemon(hurtful(1, R"(, "crash_limit": 3)"));
  Pool pool = daemon.connect().pool();
  const std::string runs = daemon.dir() / "runs";
  JobOptions once_more;
  once_more.crash_retries = 1;
  const JobResult result = pool.submit("note_and_crash", runs, once_more).result();
  CHECK(lines_of(runs) == 2);
  CHECK(result.attempts == 2);
  CHECK(has(result.text(), "it ended its worker 2 times"));
  CHECK(daemon.status_number("quarantined") == 0);
  CHECK(has(daemon.connect().status_json(), "note_and_crash"));  // shown all the same
}

TEST_CASE("crashes without end fill neither the list nor the supervisor") {
  Daemon daemon(hurtful(2, R"(, "crash_limit": 1)"));
  Pool pool = daemon.connect().pool();
  std::vector<Future> futures;
  for (int i = 0; i < 60; ++i) futures.push_back(pool.submit("null_write", ""));
  for (const Future& f : futures) CHECK(f.result().outcome == Outcome::crashed);
  const auto status = nlohmann::json::parse(daemon.connect().status_json());
  CHECK(status["pools"][0]["quarantined"] == 60);
  CHECK(status["pools"][0]["crashed_jobs"].size() == 32);
}

TEST_CASE("a job that kills its process group takes its worker and nobody else") {
  Daemon daemon(hurtful(2));
  Pool pool = daemon.connect().pool();
  const JobResult result = pool.submit("kill_own_group", "").result();
  CHECK(result.outcome == Outcome::crashed);
  CHECK(result.detail == SIGKILL);
  CHECK(alive(daemon.pid()));
  CHECK(pool.call("echo", "on") == "on");
}
