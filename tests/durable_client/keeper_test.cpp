// Every function of DurableJobs, over real daemons and keepers.
#include <poll.h>

#include "tests/durable_client/support.hpp"

using namespace jobring;
using namespace jobring::test;
using namespace std::chrono_literals;

namespace {

// A daemon that keeps its jobs in a directory that outlives it.
class Place {
 public:
  Place() { start(); }
  void start() {
    daemon = std::make_unique<Daemon>(R"({"default": {"workers": 2, "modules": [")" +
                                          test_module("faulty") + R"(", ")" +
                                          test_module("futures") + "\"]}}",
                                      R"(, "keeper": {"state_dir": ")" + state_.path() + "\"}");
  }
  void restart() {
    daemon->signal(SIGKILL);
    daemon->wait_end();
    daemon.reset();
    start();
  }
  DurableJobs open() const {
    Client client = daemon->connect();
    return DurableJobs(client);
  }
  void kill_keeper() const {
    for (const pid_t pid : daemon->workers()) {
      if (read_file("/proc/" + std::to_string(pid) + "/comm").starts_with("jobring-keeper"))
        ::kill(pid, SIGKILL);
    }
  }

 private:
  TempDir state_;

 public:
  std::unique_ptr<Daemon> daemon;
};

Command shell(const std::string& line) {
  return {.argv = {"sh", "-c", line}};
}

bool is_running(DurableJobs& jobs, JobId id) {
  return eventually([&] { return jobs.show(id)->state == JobState::running; });
}

}  // namespace

TEST_CASE("a command's output and report are read") {
  const Place place;
  DurableJobs jobs = place.open();
  const DurableFuture said = jobs.run(shell("echo out; echo err >&2"));
  CHECK(said.get() == "out\n");
  CHECK(said.info().report().exit_code == 0);
  REQUIRE(said.info().command());
  CHECK(said.info().command()->argv.at(0) == "sh");
  const LogPart err = jobs.logs(said.id(), true);
  CHECK(err.bytes == "err\n");
  CHECK(err.end);
  CHECK_FALSE(err.cut);
  CHECK(err.attempt == 1);
  CHECK(jobs.logs(said.id(), false, -3).bytes == "ut\n");
  CHECK(jobs.logs(said.id(), false, -3).offset == 1);

  const DurableFuture long_one = jobs.run(shell("yes 0123456789 | head -c 1000000"));
  const std::string all = long_one.get();
  CHECK(all.size() == 1'000'000);
  CHECK(all.substr(999'990) == "23456789\n0");

  const DurableFuture failed = jobs.run(shell("echo so it goes; exit 3"));
  try {
    failed.get();
    FAIL("it did not throw");
  } catch (const JobFailed& e) {
    CHECK(e.result().outcome == Outcome::failed);
    CHECK(e.result().detail == 3);
    CHECK(e.message().find("so it goes") != std::string::npos);
  }
  CHECK(failed.info().state == JobState::dead);
  CHECK(kind_of([&] { jobs.logs(4711); }) == "not_found");
}

TEST_CASE("output is followed while the command runs") {
  const Place place;
  DurableJobs jobs = place.open();
  const std::string file = place.daemon->dir() / "go";
  const JobId id =
      jobs.run(shell("echo one; while ! test -e '" + file + "'; do sleep 0.01; done; echo two"))
          .id();
  std::string all;
  for (;;) {
    const LogPart part = jobs.logs(id, false, std::int64_t(all.size()), 1 << 16, 0, 10s);
    all += part.bytes;
    if (all == "one\n") write_file(file, "");
    if (part.end) break;
  }
  CHECK(all == "one\ntwo\n");
}

TEST_CASE("what a job was given comes back as it was") {
  const Place place;
  DurableJobs jobs = place.open();
  const WallTime later = std::chrono::floor<std::chrono::seconds>(WallTime::clock::now()) + 24h;
  DurableOptions o;
  o.name = "nightly";
  o.tags = {"red", "blue"};
  o.priority = -7;
  o.durability = Durability::batched;
  o.held = true;
  o.run_at = later;
  o.deadline = later + 1h;
  o.timeout = 90s;
  o.retry = {.max = 3, .base = 10ms, .cap = 1min, .jitter_percent = 0, .exits = {1, 75}};
  o.unique = {.key = "k", .until = UniqueKey::Until::time, .for_time = 1h};
  o.concurrency_key = "disk";
  o.concurrency_max = 2;
  o.keep = 1h;
  o.output_max = 4096;
  const JobId other = jobs.submit("echo", "", {.held = true}).id();
  o.after = {{.on = other, .after = JobDependency::After::any}};
  const JobId id = jobs.submit("echo", "payload", o).id();
  const auto info = jobs.show(id);
  REQUIRE(info);
  const DurableOptions& back = info->options;
  CHECK(info->state == JobState::held);
  CHECK(info->handler == "echo");
  CHECK(info->payload == "payload");
  CHECK(info->uid == getuid());
  CHECK(info->waits_for == std::vector<JobId>{other});
  CHECK(std::chrono::abs(WallTime::clock::now() - info->submitted) < 1h);
  CHECK(back.pool == "default");
  CHECK(back.name == o.name);
  CHECK(back.tags == o.tags);
  CHECK(back.priority == o.priority);
  CHECK(back.durability == o.durability);
  CHECK(back.held);
  CHECK(back.run_at == o.run_at);
  CHECK(back.deadline == o.deadline);
  CHECK(back.timeout == o.timeout);
  CHECK(back.retry.max == 3);
  CHECK(back.retry.base == 10ms);
  CHECK(back.retry.cap == 1min);
  CHECK(back.retry.jitter_percent == 0);
  CHECK(back.retry.exits == o.retry.exits);
  CHECK(back.unique.key == "k");
  CHECK(back.unique.until == UniqueKey::Until::time);
  CHECK(back.unique.for_time == 1h);
  CHECK(back.concurrency_key == "disk");
  CHECK(back.concurrency_max == 2);
  CHECK(back.keep == 1h);
  CHECK(back.output_max == 4096);
  CHECK_FALSE(jobs.explain(id).empty());
  const JobPage page = jobs.list({.states = {JobState::held}, .tag = "blue"});
  REQUIRE(page.jobs.size() == 1);
  CHECK(page.jobs[0].id == id);
  CHECK(page.next == 0);

  // A delay is told as the time when it is over, by the real clock.
  const JobId delayed = jobs.submit("echo", "", {.delay = 1h}).id();
  const auto due = jobs.show(delayed)->due;
  REQUIRE(due);
  CHECK(std::chrono::abs(*due - WallTime::clock::now() - 1h) < 10min);
}

TEST_CASE("jobs are attached to again by other clients and after the daemon died") {
  Place place;
  JobId done = 0, waits = 0;
  std::string told;
  {
    DurableJobs jobs = place.open();
    const DurableFuture first = jobs.submit("echo", "kept");
    CHECK(first.get() == "kept");
    done = first.id();
    const DurableFuture second = jobs.submit("echo", "later", {.held = true});
    waits = second.id();
    second.on_ready([&](const DurableFuture& f) { told = kind_of([&] { f.info(); }); });
    CHECK(place.open().attach(done).get() == "kept");
    place.restart();
    loop_until(jobs, [&] { return !told.empty(); });
    CHECK(told == "no_daemon");
    CHECK(kind_of([&] { second.get(); }) == "no_daemon");
    CHECK(kind_of([&] { jobs.counts(); }) == "no_daemon");
  }
  DurableJobs jobs = place.open();
  CHECK(jobs.attach(done).get() == "kept");
  CHECK(jobs.apply(JobVerb::release, {.ids = {{waits, waits}}}).changed == 1);
  CHECK(jobs.attach(waits).get() == "later");
  CHECK(jobs.submit("echo", "new").id() > waits);
}

TEST_CASE("one loop hears of ten thousand jobs while their keeper dies") {
  const Place place;
  DurableJobs jobs = place.open();
  jobs.pause("default");
  constexpr std::size_t kJobs = 10'000;
  std::size_t ended = 0, right = 0;
  const auto answers = jobs.submit_all(std::vector<DurableJob>(kJobs, {"echo", "r", {}}));
  for (const SubmitAnswer& answer : answers) {
    REQUIRE(answer.status == SubmitAnswer::Status::stored);
    jobs.attach(answer.id).on_ready([&](const DurableFuture& f) {
      ++ended;
      if (f.info().state == JobState::succeeded && f.info().result == "r") ++right;
    });
  }
  CHECK(ended == 0);
  // One of the middle alone, past all the others that wait: those are paused.
  const JobId one = answers[kJobs / 2].id;
  CHECK(jobs.cancel(one));
  loop_until(jobs, [&] { return ended == 1; });
  CHECK(jobs.attach(one).info().state == JobState::cancelled);
  jobs.resume("default");
  loop_until(jobs, [&] { return ended > 100; });
  place.kill_keeper();
  loop_until(jobs, [&] { return ended == kJobs; });
  CHECK(right == kJobs - 1);
}

TEST_CASE("more jobs than one request may have are submitted by several") {
  const Place place;
  DurableJobs jobs = place.open();
  jobs.pause("default");
  const std::vector<DurableJob> many(100'001, {"echo", "", {}});
  CHECK_THROWS_AS(jobs.start_submit(many), DurableError);
  const auto answers = jobs.submit_all(many);
  REQUIRE(answers.size() == many.size());
  CHECK(answers.back().status == SubmitAnswer::Status::stored);
  CHECK(jobs.list({}, 1).jobs.at(0).id == answers.back().id);
}

TEST_CASE("long payloads and results are kept whole") {
  const Place place;
  DurableJobs jobs = place.open();
  std::string bytes(1'000'000, 'x');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = char(i * 7919 >> 5);
  const DurableFuture future = jobs.submit("echo", bytes);
  CHECK(future.get() == bytes);
  const auto info = jobs.show(future.id());
  REQUIRE(info);
  CHECK(info->payload == bytes);
  CHECK(info->result == bytes);
  const JobPage page = jobs.list();
  REQUIRE(page.jobs.size() == 1);
  CHECK(page.jobs[0].payload_left_out);
  CHECK(page.jobs[0].result_left_out);

  const auto exported = jobs.export_job(future.id());
  REQUIRE(exported);
  CHECK_FALSE(jobs.import_job(*exported));
  CHECK(jobs.apply(JobVerb::remove, {.ids = {{future.id(), future.id()}}}).changed == 1);
  CHECK_FALSE(jobs.show(future.id()));
  CHECK(jobs.import_job(*exported));
  CHECK(jobs.attach(future.id()).get() == bytes);
}

TEST_CASE("verbs pools groups and cron entries do what they say") {
  const Place place;
  DurableJobs jobs = place.open();
  const auto only = [](JobId id) { return JobFilter{.ids = {{id, id}}}; };
  const JobId id = jobs.submit("echo", "x", {.delay = 1h}).id();
  CHECK(jobs.apply(JobVerb::hold, only(id)).changed == 1);
  CHECK(jobs.show(id)->state == JobState::held);
  CHECK(jobs.would_apply(JobVerb::cancel, only(id)).changed == 1);
  CHECK(jobs.apply(JobVerb::remove, only(id)).unfit == 1);
  CHECK(jobs.apply(JobVerb::release, only(id)).changed == 1);
  CHECK(jobs.apply(JobVerb::edit, only(id), {.priority = 5, .delay = 0ms}).changed == 1);
  CHECK(jobs.attach(id).get() == "x");
  CHECK(jobs.show(id)->options.priority == 5);
  CHECK_FALSE(jobs.cancel(id));

  const JobId sleeps = jobs.run({.argv = {"sleep", "600"}}).id();
  REQUIRE(is_running(jobs, sleeps));
  CHECK(jobs.drain("default", 1ms) == 1);
  bool paused = false;
  for (const PoolJobs& pool : jobs.counts()) paused |= pool.pool == "default" && pool.paused;
  CHECK(paused);
  CHECK(jobs.kill(only(sleeps), SIGKILL) == 1);
  CHECK(kind_of([&] { jobs.attach(sleeps).get(); }) == "killed");
  CHECK(jobs.drain("default") == 0);
  jobs.resume("default");
  const JobId stopped = jobs.run({.argv = {"sleep", "600"}}).id();
  REQUIRE(is_running(jobs, stopped));
  CHECK(jobs.cancel(stopped));
  CHECK(jobs.attach(stopped).info().state == JobState::cancelled);

  const JobId group = jobs.new_group();
  jobs.submit("echo", "", {.group = group});
  CHECK_FALSE(jobs.wait_group(group, 1ms));
  jobs.seal(group);
  CHECK(jobs.wait_group(group));
  CHECK(jobs.group(group).size == 1);
  CHECK(jobs.attach(group).get().empty());
  CHECK(kind_of([&] { jobs.submit("echo", "", {.group = group}); }) == "no_such_group");
  const DurableFuture array =
      jobs.run(shell("test $JOBRING_INDEX -lt 3"), {.array = JobArray{.first = 1, .last = 3}});
  CHECK(array.info().state == JobState::dead);
  REQUIRE(array.info().members);
  CHECK(array.info().members->size == 3);
  CHECK(array.info().members->bad == 1);
  CHECK(jobs.show(array.id() + 2)->index == 2);

  CronSpec cron;
  cron.name = "often";
  cron.schedule = "*/5 * * * *";
  cron.zone = "Europe/Berlin";
  cron.catch_up = CronSpec::CatchUp::skip;
  cron.job = durable_command(shell("echo tick"), {.name = "tick"});
  const WallTime next = jobs.put_cron(cron);
  CHECK(std::chrono::abs(next - WallTime::clock::now()) < 10min);
  CHECK(kind_of([&] { jobs.put_cron(cron); }) == "exists");
  jobs.put_cron(cron, true);
  const auto entries = jobs.cron();
  REQUIRE(entries.size() == 1);
  CHECK(entries[0].name == "often");
  CHECK(entries[0].zone == "Europe/Berlin");
  CHECK(entries[0].catch_up == CronSpec::CatchUp::skip);
  CHECK(entries[0].job.options.name == "tick");
  CHECK(jobs.attach(jobs.run_cron("often")).get() == "tick\n");
  CHECK(jobs.remove_cron("often"));
  CHECK_FALSE(jobs.remove_cron("often"));
  CHECK(kind_of([&] { jobs.run_cron("often"); }) == "not_found");
  cron.schedule = "now and then";
  CHECK(kind_of([&] { jobs.put_cron(cron); }) == "bad_argument");
}

TEST_CASE("events are heard as they come and in their order") {
  const Place place;
  DurableJobs jobs = place.open();
  std::uint64_t last = jobs.events(DurableJobs::events_now).last;
  const DurableFuture future = jobs.submit("echo", "", {.name = "seen"});
  std::vector<JobState> states;
  while (states.empty() || !has_ended(states.back())) {
    const JobEvents heard = jobs.events(last, 1000, 10s);
    CHECK_FALSE(heard.gap);
    for (const JobEvent& event : heard.events) {
      CHECK(event.sequence > last);
      CHECK(event.id == future.id());
      CHECK(event.name == "seen");
      CHECK(event.pool == "default");
      states.push_back(event.state);
      last = event.sequence;
    }
  }
  CHECK(states.back() == JobState::succeeded);
  CHECK(jobs.events(last, 10, 1ms).events.empty());
}

TEST_CASE("a private daemon keeps no jobs and says what to do") {
  Client client =
      Client::connect({.daemon = ConnectOptions::Daemon::own, .daemon_path = program("jobringd")});
  try {
    DurableJobs jobs(client);
    FAIL("it did not throw");
  } catch (const Exception& e) {
    CHECK(std::string(e.what()).find("jobring start") != std::string::npos);
  }
}
