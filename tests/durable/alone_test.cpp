// Submissions by who asks the daemon for nothing else, over the control connection.
#include <signal.h>

#include <string>
#include <vector>

#include "client/client_core.hpp"
#include "client/durable/alone.hpp"
#include "common/ask_message.hpp"
#include "common/keeper/messages.hpp"
#include "tests/durable/house.hpp"

using namespace jobring;
using namespace jobring::test;
using namespace std::chrono_literals;

namespace {

DurableJob held(const std::string& name, std::size_t payload = 0) {
  DurableJob job{"echo", std::string(payload, 'x'), {}};
  job.options.held = true;
  job.options.name = name;
  return job;
}

std::string request_for(const std::string& name, std::size_t size = 0) {
  keeper::Request request;
  request.op = keeper::Op::submit;
  keeper::JobSpec& spec = request.jobs.emplace_back();
  spec.handler = "echo";
  spec.pool = "default";
  spec.name = name;
  const std::string payload(size, 'x');
  spec.payload = payload;
  spec.held = true;
  return keeper::encode(request);
}

std::shared_ptr<detail::ClientCore> connection(const DurableHouse& house) {
  auto core = detail::connect_core({.daemon = ConnectOptions::Daemon::existing,
                                    .socket = house.daemon->socket(),
                                    .name = "raw"});
  REQUIRE(core);
  return *core;
}

std::size_t count(const DurableHouse& house, const std::string& name) {
  Client client = house.daemon->connect();
  return DurableJobs(client).list({.name = name}, 1000).jobs.size();
}

}  // namespace

TEST_CASE("a job is submitted without a channel and refused as with one") {
  DurableHouse house;
  Client client = house.daemon->connect();
  DurableJob job = held("unique");
  job.options.unique.key = "key";
  const auto first = detail::submit_alone(client, job);
  REQUIRE(first);
  CHECK(first->status == SubmitAnswer::Status::stored);
  const auto second = detail::submit_alone(client, job);
  REQUIRE(second);
  CHECK(second->status == SubmitAnswer::Status::duplicate);
  CHECK(second->id == first->id);
  CHECK_FALSE(detail::submit_alone(client, held("long", kAskMost)));
  DurableJob after = held("after");
  after.options.after = {{.on = first->id + 100}};
  const auto third = detail::submit_alone(client, after);
  REQUIRE(third);
  CHECK(third->status == SubmitAnswer::Status::no_such_job);
  after.handler.clear();
  CHECK_THROWS_AS(detail::submit_alone(client, after), Exception);
  CHECK(count(house, "unique") == 1);
  CHECK(count(house, "long") == 0);
}

TEST_CASE("submissions without a channel are each done once though keepers are killed") {
  DurableHouse house(R"({"default": {"workers": 1}})", "", nullptr,
                     R"(, "restart": {"backoff_min": "1ms", "crash_loop_count": 1000})");
  constexpr int kJobs = 150;
  Client client = house.daemon->connect();
  for (int i = 0; i < kJobs; ++i) {
    if (i % 10 == 5) {
      if (const pid_t keeper = house.keeper(); keeper != 0) kill(keeper, SIGKILL);
    }
    const auto answer = detail::submit_alone(client, held("once"));
    REQUIRE(answer);
    REQUIRE(answer->status == SubmitAnswer::Status::stored);
  }
  CHECK(count(house, "once") == kJobs);
}

TEST_CASE("who leaves before its answer leaves what the keeper has to be done") {
  DurableHouse house;
  CHECK(count(house, "left") == 0);  // there is a keeper
  for (int i = 0; i < 20; ++i)
    connection(house)->tell(AskRequest{kControlVersion, request_for("left")});
  CHECK(eventually([&] { return count(house, "left") == 20; }));
}

TEST_CASE("submissions that a keeper does not read leave room for what it must be told") {
  DurableHouse house;
  CHECK(count(house, "flood") == 0);  // there is a keeper
  const pid_t keeper = house.keeper();
  REQUIRE(keeper != 0);
  REQUIRE(kill(keeper, SIGSTOP) == 0);
  constexpr std::size_t kAsks = 60;
  std::vector<std::shared_ptr<detail::ClientCore>> asks;
  for (std::size_t i = 0; i < kAsks; ++i) {
    asks.push_back(connection(house));
    asks.back()->tell(AskRequest{kControlVersion, request_for("flood", 15'000)});
  }
  // Of their ends it is told.
  for (int i = 0; i < 20; ++i) {
    Client client = house.daemon->connect();
    const DurableJobs jobs(client);
  }
  REQUIRE(kill(keeper, SIGCONT) == 0);
  CHECK(eventually([&] { return count(house, "flood") == kAsks; }));
  CHECK(house.keeper() == keeper);
}

TEST_CASE("nothing but one submission at a time is asked without a channel") {
  DurableHouse house;
  const auto asks = connection(house);
  keeper::Request list;
  list.op = keeper::Op::list;
  const auto refused = asks->ask_keeper(keeper::encode(list));
  REQUIRE(refused);
  const auto reply = keeper::decode_reply(*refused);
  REQUIRE(reply);
  CHECK(reply->status == keeper::Status::bad_argument);
  const auto nonsense = asks->ask_keeper("nonsense");
  REQUIRE(nonsense);
  CHECK(keeper::decode_reply(*nonsense)->status == keeper::Status::bad_argument);

  // Of two at once the daemon may have answered the first before it reads the second.
  const auto hasty = connection(house);
  if (const pid_t keeper = house.keeper(); keeper != 0) kill(keeper, SIGSTOP);
  for (int i = 0; i < 2; ++i) hasty->tell(AskRequest{kControlVersion, request_for("hasty")});
  CHECK(eventually([&] { return !hasty->check_connection(); }));
  CHECK(hasty->gone().line().find("asks before it has its answer") != std::string::npos);
  if (const pid_t keeper = house.keeper(); keeper != 0) kill(keeper, SIGCONT);

  const auto old = connection(house);
  old->tell(AskRequest{kControlVersion + 1, request_for("old")});
  CHECK(eventually([&] { return !old->check_connection(); }));
  CHECK(old->gone().line().find("control version") != std::string::npos);
  CHECK(count(house, "old") == 0);
}
