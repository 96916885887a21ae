// What a job tells of itself: exceptions, progress, tags.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <thread>

#include <nlohmann/json.hpp>

#include "common/job_note.hpp"
#include "tests/futures/support.hpp"

using namespace jobring;
using namespace jobring::test;
using namespace std::chrono_literals;

namespace {

JobFailed failure_of(const Future& job) {
  try {
    job.get();
  } catch (const JobFailed& e) {
    return e;
  }
  FAIL("it did not fail");
  std::abort();
}

nlohmann::json current_job(const Daemon& daemon) {
  const auto status = nlohmann::json::parse(daemon.connect().status_json());
  return status["pools"][0]["workers"][0]["current"];
}

}  // namespace

TEST_CASE("an exception carries its type, message and worker to the caller") {
  Daemon daemon(futures_pool(1));
  Pool pool = daemon.connect().pool();
  const JobFailed failed = failure_of(pool.submit("throw_app", "x7"));
  CHECK(failed.type() == "app::BadInput");
  CHECK(failed.message() == "not a number: x7");
  CHECK(failed.worker() == 0);
  CHECK(std::string(failed.what()) == "job failed: app::BadInput: not a number: x7");
  CHECK(std::string(failed.kind()) == "failed");
  CHECK(failure_of(pool.submit("throw_std", "x")).type() == "std::runtime_error");
  CHECK(failure_of(pool.submit("throw_int", "")).type() == "int");
  // A failure without an exception has no type, nor has the job after one that had.
  CHECK(failure_of(pool.submit("crash", "")).type().empty());
  CHECK(failure_of(pool.run({.argv = {"false"}})).type().empty());
  CHECK(pool.submit("echo", "x").result().type.empty());
}

TEST_CASE("exceptions nested in an exception follow it line by line") {
  Daemon daemon(futures_pool(1));
  Pool pool = daemon.connect().pool();
  const JobFailed failed = failure_of(pool.submit("throw_nested", ""));
  CHECK(failed.type() == "app::BadInput");
  CHECK(failed.message() ==
        "bad table\ncaused by std::out_of_range: no such row\ncaused by int: something that is not "
        "a std::exception");
}

TEST_CASE("an exception replaces what was replied and its message is cut to what fits") {
  Daemon daemon(futures_pool(1, R"(, "max_result": "100B")"));
  Pool pool = daemon.connect().pool();
  const JobFailed half = failure_of(pool.submit("throw_after_reply", ""));
  CHECK(half.message() == "the other half");
  const JobFailed failed = failure_of(pool.submit("throw_long", ""));
  CHECK(failed.type() == "app::BadInput");
  CHECK(failed.message() == std::string(pool.max_result() - failed.type().size(), 'm'));
  // The fast lane has it too.
  Channel channel = daemon.connect().channel();
  REQUIRE(channel.prepare(channel.handler("throw_app"), "y", 0));
  channel.submit();
  REQUIRE(channel.wait());
  const Completion done = channel.reap().front();
  CHECK(done.error_type() == "app::BadInput");
  CHECK(done.text() == "not a number: y");
}

TEST_CASE("progress is seen while the job runs and in the status") {
  Daemon daemon(futures_pool(1));
  Pool pool = daemon.connect().pool();
  const Gate gate(daemon.dir(), "gate"), second(daemon.dir(), "gate2");
  JobOptions tagged;
  tagged.tag = "nightly \x1b[31m";
  const Future job = pool.submit("report", gate.path(), tagged);
  REQUIRE(eventually([&] { return job.progress().has_value(); }));
  CHECK(job.progress()->done == 1);
  CHECK(job.progress()->total == 3);
  CHECK(job.progress()->text == "first half");
  const auto current = current_job(daemon);
  CHECK(current["tag"] == "nightly ?[31m");
  CHECK(current["progress"] == nlohmann::json{{"done", 1}, {"total", 3}, {"text", "first half"}});
  CHECK(run_program({program("jobring"), "status", "--socket", daemon.socket()})
            .output.find("nightly ?[31m: 1 of 3 (33%): first half") != std::string::npos);
  gate.open();
  REQUIRE(eventually([&] { return job.progress()->done == 2; }));
  CHECK(job.progress()->text == std::string(79, 'x'));  // no half of a character
  second.open();
  job.wait();
  CHECK(!job.progress());
  // The next job in that slot has neither.
  const Future next = gate.job(pool);
  // By its name: the worker may count as busy for a moment after the job before.
  REQUIRE(eventually([&] {
    const nlohmann::json current = current_job(daemon);
    return current.is_object() && current["handler"] == "wait_at_fifo";
  }));
  CHECK(!next.progress());
  CHECK(!current_job(daemon).contains("tag"));
  CHECK(!current_job(daemon).contains("progress"));
  gate.open();
  next.wait();
}

TEST_CASE("progress is never torn however fast it is written") {
  Daemon daemon(futures_pool(1));
  Pool pool = daemon.connect().pool();
  const Future job = pool.submit("report_fast", "");
  REQUIRE(eventually([&] { return job.progress().has_value(); }));
  std::uint64_t last = 0;
  for (int seen = 0; seen < 20'000;) {
    const auto progress = job.progress();
    if (!progress) continue;  // written at each of its tries
    ++seen;
    REQUIRE(progress->done >= last);
    last = progress->done;
    REQUIRE(progress->total == last);
    REQUIRE(progress->text == std::to_string(last) + std::string(last % 40, '.'));
  }
  job.kill();
  CHECK(job.result().ok());
}

TEST_CASE("call --progress shows what a job reports") {
  Daemon daemon(futures_pool(1));
  const Gate gate(daemon.dir(), "gate"), second(daemon.dir(), "gate2");
  const std::string output = daemon.dir() / "output";
  const pid_t call = spawn({program("jobring"), "call", "--progress", "--socket", daemon.socket(),
                            "report", gate.path()},
                           output);
  CHECK(eventually(
      [&] { return read_file(output).find("1 of 3 (33%): first half") != std::string::npos; }));
  gate.open();
  CHECK(eventually([&] { return read_file(output).find("2: xxx") != std::string::npos; }));
  second.open();
  CHECK(wait_exit(call) == 0);
}

TEST_CASE("readers of a hostile progress cell give up and stay within it") {
  JobNote note{};
  CHECK(!note.progress.read(5));
  note.progress.write(5, 1, 2, "text");
  CHECK(note.progress.read(5)->text == "text");
  CHECK(!note.progress.read(7));
  // Every byte of it set: an odd version, a length beyond it, a tag of 255 bytes.
  std::memset(static_cast<void*>(&note), 0xff, sizeof note);
  CHECK(!note.progress.read(~std::uint64_t{0}));
  CHECK(note.get_tag().size() == kTagMax);
  std::memset(static_cast<void*>(&note), 0xfe, sizeof note);
  CHECK(note.progress.read(0xfefefefefefefefe)->text.size() == kProgressTextMax);
  // A writer that died half way, with the version odd: the next one can be read.
  note.progress.write(9, 3, 4, "again");
  CHECK(note.progress.read(9)->text == "again");
}
