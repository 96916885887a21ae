// A durable job's life through real processes.
#include <algorithm>

#include "tests/durable/house.hpp"
#include "tests/support/gate.hpp"

using namespace jobring;
using namespace jobring::test;
using namespace std::chrono_literals;

TEST_CASE("a handler's job is accepted and run and its result is found again by its id") {
  DurableHouse house;
  Client client = house.daemon->connect();
  DurableJobs jobs(client);
  DurableFuture f = jobs.submit("echo", "hello");
  CHECK(f.get() == "hello");
  const DurableInfo info = jobs.show(f.id()).value();
  CHECK(info.state == JobState::succeeded);
  CHECK(info.attempts == 1);
  CHECK(info.handler == "echo");
  const auto workers = house.daemon->workers();
  CHECK(std::count(workers.begin(), workers.end(), info.last->worker) == 1);
  CHECK(info.last->worker != house.keeper());
  Client another = house.daemon->connect();
  CHECK(DurableJobs(another).attach(f.id()).get() == "hello");
}

TEST_CASE("a command's output stays in files and its end on record") {
  DurableHouse house;
  Client client = house.daemon->connect();
  DurableJobs jobs(client);
  Command command;
  command.argv = {"/bin/sh", "-c", "echo out; echo err >&2; exit 3"};
  DurableFuture f = jobs.run(command);
  REQUIRE(f.wait_for(20s));
  const DurableInfo info = jobs.show(f.id()).value();
  CHECK(info.state == JobState::dead);
  REQUIRE(info.last.has_value());
  CHECK(info.last->exit_code == 3);
  CHECK(info.last->tail == "err");
  CHECK(jobs.logs(f.id()).bytes == "out\n");
  CHECK(jobs.logs(f.id(), true).bytes == "err\n");
  CHECK(jobs.logs(f.id()).end);
}

TEST_CASE("a waiting job is listed and cancelled and a running one is stopped") {
  DurableHouse house(R"({"default": {"workers": 1}})");
  Client client = house.daemon->connect();
  DurableJobs jobs(client);
  Command sleep;
  sleep.argv = {"/bin/sleep", "1000"};
  const JobId runs = jobs.run(sleep, {.name = "first"}).id();
  std::vector<JobId> waits;
  for (int i = 0; i < 10; ++i) waits.push_back(jobs.run(sleep).id());
  REQUIRE(eventually([&] { return jobs.show(runs)->state == JobState::running; }));
  CHECK(jobs.show(waits.back())->state == JobState::ready);
  CHECK(jobs.list().jobs.size() == 11);
  CHECK(jobs.list({.states = {JobState::running}}).jobs.size() == 1);
  CHECK(jobs.cancel(waits[0]));
  CHECK(jobs.show(waits[0])->state == JobState::cancelled);
  CHECK(jobs.cancel(runs));
  CHECK(jobs.attach(runs).wait_for(20s));
  CHECK(jobs.show(runs)->state == JobState::cancelled);
  REQUIRE(eventually([&] { return jobs.show(waits[1])->state == JobState::running; }));
  CHECK(jobs.apply(JobVerb::cancel, {}).changed == 9);
}

TEST_CASE("jobs that wait or run outlive the daemon") {
  DurableHouse house;
  JobId first = 0, second = 0;
  {
    Client client = house.daemon->connect();
    DurableJobs jobs(client);
    first = jobs.submit("echo", "before").id();
    second = jobs.submit("echo", "after", {.held = true}).id();
    CHECK(jobs.attach(first).get() == "before");
  }
  house.kill_daemon();
  house.start();
  Client client = house.daemon->connect();
  DurableJobs jobs(client);
  CHECK(jobs.attach(first).get() == "before");
  CHECK(jobs.show(second)->state == JobState::held);
  CHECK(jobs.apply(JobVerb::release, {.ids = {{second, second}}}).changed == 1);
  CHECK(jobs.attach(second).get() == "after");
}

TEST_CASE("a user's jobs may have more handlers than a channel knows names and none waits for it") {
  DurableHouse house(R"({"default": {"workers": 2, "modules": [")" + test_module("many_handlers") +
                     R"(", ")" + test_module("faulty") + "\"]}}");
  Client client = house.daemon->connect();
  DurableJobs jobs(client);
  // The channel is never empty meanwhile.
  const Gate gate(house.daemon->dir(), "gate");
  const DurableFuture runs = jobs.submit("wait_at_fifo", gate.path());
  std::vector<DurableJob> all;
  for (int i = 0; i < 200; ++i) all.push_back({"h" + std::to_string(i), "", {}});
  // Twice: names that are known by then, and those that are not.
  for (int round = 0; round < 2; ++round) {
    const std::vector<SubmitAnswer> answers = jobs.submit_all(all);
    for (std::size_t i = 0; i < all.size(); ++i) {
      CAPTURE(i);
      REQUIRE(answers[i].status == SubmitAnswer::Status::stored);
      const DurableFuture job = jobs.attach(answers[i].id);
      CHECK(job.get() == all[i].handler);
      CHECK(job.info().attempts == 1);
    }
    if (round == 1) continue;
    // Nor does the next keeper mind.
    ::kill(house.keeper(), SIGKILL);
  }
  // One that is not there is named as any other.
  const DurableFuture unknown = jobs.submit("nobody", "");
  REQUIRE(unknown.wait_for(20s));
  CHECK(unknown.info().last->tail.find("no handler \"nobody\"") != std::string::npos);
  CHECK_FALSE(runs.ready());
  gate.open();
  CHECK(runs.wait_for(20s));
}

TEST_CASE("an attempt names the process that ran its handler even if it died of it") {
  DurableHouse house(R"({"default": {"workers": 1, "modules": [")" + test_module("hurtful") +
                     R"("]}})");
  Client client = house.daemon->connect();
  DurableJobs jobs(client);
  const auto workers = [&] {
    auto pids = house.daemon->workers();
    std::erase(pids, house.keeper());
    return pids;
  };
  DurableFuture first = jobs.submit("echo", "");
  CHECK(first.get().empty());
  const pid_t worker = first.info().last->worker;
  CHECK(workers() == std::vector<pid_t>{worker});
  DurableFuture second = jobs.submit("null_write", "");
  REQUIRE(second.wait_for(60s));
  CHECK(second.info().last->outcome == Outcome::crashed);
  CHECK(second.info().last->worker == worker);
  DurableFuture third = jobs.submit("echo", "");
  CHECK(third.get().empty());
  CHECK(third.info().last->worker != worker);
  // In a slot that others had before: of a job that nobody has begun it is nobody's.
  DurableFuture expired =
      jobs.submit("echo", "", {.deadline = std::chrono::system_clock::now() - 1h});
  REQUIRE(expired.wait_for(60s));
  if (expired.info().last) CHECK(expired.info().last->worker == 0);
}
