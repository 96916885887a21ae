// Requests and answers, over a fake keeper.
#include "tests/durable_client/support.hpp"

using namespace jobring;
using namespace jobring::test;
using namespace std::chrono_literals;

TEST_CASE("a job that is submitted has an id and ends with its result") {
  FakeKeeper keeper;
  const DurableFuture future = keeper.jobs.submit("echo", "hello", {.name = "one"});
  CHECK(future.id() != 0);
  CHECK_FALSE(future.ready());
  CHECK_FALSE(future.wait_for(1ms));
  keeper.end(future.id());
  CHECK(future.get() == "hello");
  CHECK(future.info().state == JobState::succeeded);
  CHECK(future.info().handler == "echo");
  CHECK(future.info().options.name == "one");
  const DurableFuture again = keeper.jobs.attach(future.id());
  CHECK(again.get() == "hello");
}

TEST_CASE("a job that failed throws with its outcome and its last words") {
  FakeKeeper keeper;
  const DurableFuture failed = keeper.jobs.submit("echo", "x");
  const DurableFuture cancelled = keeper.jobs.submit("echo", "y");
  keeper.end(failed.id(), JobVerb::bury);
  CHECK(keeper.jobs.cancel(cancelled.id()));
  try {
    failed.get();
    FAIL("it did not throw");
  } catch (const JobFailed& e) {
    CHECK(e.result().outcome == Outcome::failed);
    CHECK(e.result().detail == 3);
    CHECK(e.message() == "it went wrong");
  }
  CHECK(failed.info().state == JobState::dead);
  CHECK(failed.info().last->number == 2);
  CHECK(kind_of([&] { cancelled.get(); }) == "cancelled");
}

TEST_CASE("what is refused is told with what stands in its way") {
  FakeKeeper keeper;
  const DurableFuture first = keeper.jobs.submit("echo", "", {.unique = {.key = "k"}});
  try {
    keeper.jobs.submit("echo", "", {.unique = {.key = "k"}});
    FAIL("it did not throw");
  } catch (const DurableError& e) {
    CHECK(std::string(e.kind()) == "duplicate");
    CHECK(e.job() == first.id());
    CHECK(std::string(e.what()).find("\"k\"") != std::string::npos);
  }
  const std::vector<DurableJob> jobs{
      {"echo", "", {.unique = {.key = "k"}}}, {"echo", "", {.name = "bad"}}, {"echo", "", {}}};
  const auto answers = keeper.jobs.submit_all(jobs);
  REQUIRE(answers.size() == 3);
  CHECK(answers[0].status == SubmitAnswer::Status::duplicate);
  CHECK(answers[0].id == first.id());
  CHECK(answers[1].status == SubmitAnswer::Status::bad);
  CHECK(answers[2].status == SubmitAnswer::Status::stored);
}

TEST_CASE("what makes no sense is refused before anything is sent") {
  FakeKeeper keeper;
  DurableJobs& jobs = keeper.jobs;
  const auto refused = [&](const DurableOptions& options) {
    return kind_of([&] { jobs.submit("echo", "", options); }) == "bad_argument";
  };
  CHECK(refused({.pool = ""}));
  CHECK(refused({.pool = "@keeper"}));
  CHECK(refused({.name = std::string(300, 'n')}));
  CHECK(refused({.tags = {""}}));
  CHECK(refused({.delay = -1ms}));
  CHECK(refused({.run_at = WallTime(-1h)}));
  CHECK(refused({.timeout = -1ms}));
  CHECK(refused({.retry = {.jitter_percent = 101}}));
  CHECK(refused({.after = {{.on = 0}}}));
  CHECK(refused({.after = {{.on = 0, .in_batch = true}}}));
  CHECK(refused({.concurrency_key = "k"}));
  CHECK(refused({.keep = -1ms}));
  CHECK(refused({.array = JobArray{.first = 2, .last = 1}}));
  CHECK(kind_of([&] { jobs.submit("", ""); }) == "bad_argument");
  CHECK(kind_of([&] { jobs.run({}); }) == "bad_argument");
  CHECK(kind_of([&] { jobs.attach(0); }) == "bad_argument");
  CHECK(kind_of([&] { jobs.kill({}, 0); }) == "bad_argument");
  CHECK(kind_of([&] { jobs.list({.ids = {{2, 1}}}); }) == "bad_argument");
  CHECK(kind_of([&] { jobs.put_cron({.name = "", .schedule = "@daily"}); }) == "bad_argument");
  CHECK(kind_of([&] { jobs.import_job("nonsense"); }) == "bad_argument");
  const std::vector<DurableJob> batch{{"echo", "", {}}, {"echo", "", {.pool = ""}}};
  try {
    jobs.submit_all(batch);
    FAIL("it did not throw");
  } catch (const DurableError& e) {
    CHECK(std::string(e.what()) == "job 1 of the batch: the pool's name is empty");
  }
  CHECK(keeper.asked().jobs == 0);
  const DurableFuture none;
  CHECK(kind_of([&] { none.wait(); }) == "bad_input");
  CHECK(kind_of([&] { jobs.submit("echo", "").on_ready(nullptr); }) == "bad_input");
}

TEST_CASE("every status of an answer is an error of its kind") {
  FakeKeeper keeper;
  const auto status = [&](keeper::Status s) {
    return kind_of([&] { keeper.jobs.explain(JobId(s)); });
  };
  for (int s = 1; s < int(keeper::kStatuses); ++s)
    CHECK(status(keeper::Status(s)) == keeper::to_string(keeper::Status(s)));
  try {
    keeper.jobs.explain(JobId(keeper::Status::full));
  } catch (const DurableError& e) {
    CHECK(e.exit_status() == 75);
    CHECK(std::string(e.what()) == "status 7");
  }
  CHECK(kind_of([&] { keeper.jobs.kill({}); }) == "protocol");
  CHECK_FALSE(keeper.jobs.show(4711));
  CHECK_FALSE(keeper.jobs.export_job(4711));
}

TEST_CASE("payloads and results that no answer has room for come in pieces") {
  FakeKeeper keeper;
  std::string long_one(300'000, 'x');
  for (std::size_t i = 0; i < long_one.size(); ++i) long_one[i] = char(i * 7919 >> 3);
  const DurableFuture future = keeper.jobs.submit("echo", long_one);
  keeper.end(future.id());
  CHECK(future.get() == long_one);
  CHECK(future.info().result_left_out);
  const auto info = keeper.jobs.show(future.id());
  REQUIRE(info);
  CHECK(info->payload == long_one);
  CHECK(info->result == long_one);
  CHECK_FALSE(info->payload_left_out);
  const auto exported = keeper.jobs.export_job(future.id());
  REQUIRE(exported);
  CHECK(exported->size() > 2 * long_one.size());

  const std::string middle(10'000, 'y');
  const DurableFuture other = keeper.jobs.submit("echo", middle);
  keeper.end(other.id());
  CHECK(other.info().result == middle);  // it had room
  CHECK(other.get() == middle);
}

TEST_CASE("a batch that is too long for one request goes in several") {
  FakeKeeper keeper;
  const std::string payload(300'000, 'p');  // three of them in a request of 1 MiB
  std::vector<DurableJob> jobs(10, {"echo", payload, {}});
  jobs[4].options.unique.key = "k";
  jobs[5].options.unique.key = "k";  // a duplicate of the one before
  jobs[6].options.name = "bad";
  jobs[9].options.after = {{.on = 0, .in_batch = true}};
  const auto answers = keeper.jobs.submit_all(jobs);
  REQUIRE(answers.size() == jobs.size());
  for (std::size_t i = 0; i < 4; ++i) CHECK(answers[i].status == SubmitAnswer::Status::stored);
  CHECK(answers[5].id == answers[4].id);
  CHECK(answers[6].status == SubmitAnswer::Status::bad);
  CHECK(answers[9].id == answers[3].id + 4);
  CHECK(keeper.asked().jobs == 8);

  CHECK(kind_of([&] { keeper.jobs.start_submit(jobs); }) == "too_large");
  const std::vector<DurableJob> huge(1, {"echo", std::string(2 << 20, 'h'), {}});
  CHECK(kind_of([&] { keeper.jobs.submit_all(huge); }) == "too_large");
  CHECK(keeper.jobs.submit_all({}).empty());
}

TEST_CASE("a batch that is refused half way tells which part was kept") {
  FakeKeeper keeper;
  std::vector<DurableJob> jobs(10, {"echo", std::string(300'000, 'p'), {}});
  jobs[7].options.name = "full";
  try {
    keeper.jobs.submit_all(jobs);
    FAIL("it did not throw");
  } catch (const PartlySubmitted& e) {
    CHECK(std::string(e.kind()) == "full");
    CHECK(e.answers().size() == 6);
  }
  CHECK(keeper.asked().jobs == 6);
}

TEST_CASE("many submissions under way at once") {
  FakeKeeper keeper;
  const std::vector<DurableJob> three(3, {"echo", "", {}});
  std::vector<Future> sent;
  for (int i = 0; i < 3000; ++i) sent.push_back(keeper.jobs.start_submit(three));
  JobId last = 0;
  for (const Future& future : sent) {
    const auto answers = DurableJobs::answers(future);
    REQUIRE(answers.size() == 3);
    CHECK(answers[0].id == last + 1);
    last = answers[2].id;
  }
  CHECK(keeper.asked().jobs == 9000);
}

TEST_CASE("the future of an array is over when all of its members are") {
  FakeKeeper keeper;
  const DurableFuture array =
      keeper.jobs.submit("echo", "", {.array = JobArray{.first = 1, .last = 3}});
  CHECK_FALSE(array.wait_for(1ms));
  for (JobId id = array.id() + 1; id <= array.id() + 3; ++id) keeper.end(id);
  CHECK(array.get().empty());
  REQUIRE(array.info().members);
  CHECK(array.info().members->size == 3);

  const JobId group = keeper.jobs.new_group();
  const DurableFuture member = keeper.jobs.submit("echo", "", {.group = group});
  CHECK_FALSE(keeper.jobs.wait_group(group, 5ms));
  keeper.jobs.seal(group);
  keeper.end(member.id(), JobVerb::bury);
  CHECK(keeper.jobs.wait_group(group));
  CHECK(keeper.jobs.group(group).bad == 1);
  const DurableFuture all = keeper.jobs.attach(group);
  CHECK(all.info().state == JobState::dead);
  CHECK(kind_of([&] { all.get(); }) == "failed");
}

TEST_CASE("groups among very many jobs are waited for to their end") {
  FakeKeeper keeper(64);
  std::vector<DurableFuture> futures;
  for (int i = 0; i < 100; ++i) futures.push_back(keeper.jobs.submit("echo", "r"));
  const DurableFuture array =
      keeper.jobs.submit("echo", "", {.array = JobArray{.first = 1, .last = 3}});
  futures.insert(futures.begin() + 5, array);
  for (const DurableFuture& future : futures) CHECK_FALSE(future.ready());
  for (const DurableFuture& future : futures) {
    if (future.id() == array.id()) continue;
    keeper.end(future.id());
    CHECK(future.get() == "r");
  }
  CHECK_FALSE(array.wait_for(1ms));
  keeper.open().apply(JobVerb::release, {.ids = {{array.id() + 1, array.id() + 3}}});
  CHECK(array.get().empty());
}

TEST_CASE("lists go on where they ended") {
  FakeKeeper keeper;
  keeper.jobs.submit_all(std::vector<DurableJob>(120, {"echo", "", {.name = "n"}}));
  std::size_t count = 0;
  JobId below = 0;
  do {
    const JobPage page = keeper.jobs.list({.name = "n"}, 50, below);
    count += page.jobs.size();
    below = page.next;
  } while (below != 0);
  CHECK(count == 120);
  const auto would = keeper.jobs.would_apply(JobVerb::cancel, {.ids = {{1, 10}}});
  CHECK(would.changed == 10);
  CHECK(keeper.jobs.show(1)->state == JobState::ready);
}
