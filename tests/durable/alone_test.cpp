// Submissions by who asks the daemon for nothing else, on the keeper's own socket.
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "client/client_core.hpp"
#include "client/durable/alone.hpp"
#include "common/ask_message.hpp"
#include "common/control.hpp"
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

std::string request_for(const std::string& name, std::size_t size = 0, std::uint64_t key = 0,
                        bool before = false) {
  keeper::Request request;
  request.op = keeper::Op::submit;
  request.number = key;
  request.flags = before ? keeper::kAskedBefore : 0;
  keeper::JobSpec& spec = request.jobs.emplace_back();
  spec.handler = "echo";
  spec.pool = "default";
  spec.name = name;
  const std::string payload(size, 'x');
  spec.payload = payload;
  spec.held = true;
  return keeper::encode(request);
}

std::size_t count(const DurableHouse& house, const std::string& name) {
  Client client = house.daemon->connect();
  return DurableJobs(client).list({.name = name}, 1000).jobs.size();
}

// A keeper that listens.
void await_keeper(const DurableHouse& house) {
  (void)count(house, "");
  REQUIRE(eventually([&] { return house.keeper() != 0; }));
}

// Connected to its keeper, which is there.
UniqueFd raw(const DurableHouse& house) {
  auto socket = detail::connect_to(ask_socket_of(house.daemon->socket()));
  REQUIRE_MESSAGE(socket, socket.error().line());
  return std::move(*socket);
}
void send(const UniqueFd& socket, const std::string& message) {
  const auto sent = send_control(socket.get(), message);
  REQUIRE_MESSAGE(sent, sent.error().line());
}
// Of its request; empty: the keeper has hung up.
std::string answer(const UniqueFd& socket) {
  const auto received = await_control(socket.get(), 10'000);
  if (!received) {
    REQUIRE(received.error().code == Errc::no_daemon);
    return "";
  }
  const auto bytes = decode_ask(received->text);
  REQUIRE(bytes);
  return std::string(*bytes);
}

// Counts how often it took a channel.
class Alone {
 public:
  explicit Alone(const DurableHouse& house) : house_(house) {}
  SubmitAnswer submit(const DurableJob& job) {
    return detail::submit_alone(house_.where(), job, [this] {
      ++channels;
      return house_.daemon->connect();
    });
  }
  int channels = 0;

 private:
  const DurableHouse& house_;
};

}  // namespace

TEST_CASE("a job is submitted without a channel and refused as with one") {
  DurableHouse house;
  Alone alone(house);
  // Who comes first starts the keeper, which takes a channel.
  CHECK(alone.submit(held("first")).status == SubmitAnswer::Status::stored);
  CHECK(alone.channels == 1);
  DurableJob job = held("unique");
  job.options.unique.key = "key";
  const SubmitAnswer first = alone.submit(job);
  CHECK(first.status == SubmitAnswer::Status::stored);
  const SubmitAnswer second = alone.submit(job);
  CHECK(second.status == SubmitAnswer::Status::duplicate);
  CHECK(second.id == first.id);
  DurableJob after = held("after");
  after.options.after = {{.on = first.id + 100}};
  CHECK(alone.submit(after).status == SubmitAnswer::Status::no_such_job);
  after.handler.clear();
  CHECK_THROWS_AS(alone.submit(after), Exception);
  CHECK(alone.channels == 1);
  CHECK(alone.submit(held("long", kAskMost)).status == SubmitAnswer::Status::stored);
  CHECK(alone.channels == 2);
  CHECK(count(house, "unique") == 1);
  CHECK(count(house, "long") == 1);
}

TEST_CASE("nothing but the keeper is needed for a submission without a channel") {
  DurableHouse house;
  await_keeper(house);
  Alone alone(house);
  REQUIRE(kill(house.daemon->pid(), SIGSTOP) == 0);
  for (int i = 0; i < 5; ++i)
    CHECK(alone.submit(held("alone")).status == SubmitAnswer::Status::stored);
  REQUIRE(kill(house.daemon->pid(), SIGCONT) == 0);
  CHECK(alone.channels == 0);
  CHECK(count(house, "alone") == 5);
  const std::string socket = ask_socket_of(house.daemon->socket());
  CHECK(access(socket.c_str(), F_OK) == 0);
  house.stop_daemon();
  CHECK(access(socket.c_str(), F_OK) != 0);
}

TEST_CASE("submissions without a channel are each done once though keepers are killed") {
  DurableHouse house(R"({"default": {"workers": 1}})", "", nullptr,
                     R"(, "restart": {"backoff_min": "1ms", "crash_loop_count": 1000})");
  constexpr int kJobs = 150;
  await_keeper(house);
  Alone alone(house);
  for (int i = 0; i < kJobs; ++i) {
    if (i % 10 == 5) {
      if (const pid_t keeper = house.keeper(); keeper != 0) kill(keeper, SIGKILL);
    }
    REQUIRE(alone.submit(held("once")).status == SubmitAnswer::Status::stored);
  }
  CHECK(count(house, "once") == kJobs);
  CHECK(alone.channels > 0);
  CHECK(alone.channels < kJobs);
}

TEST_CASE("a submission that a dead keeper has answered is told the same again wherever it comes") {
  DurableHouse house(R"({"default": {"workers": 1}})", "", nullptr,
                     R"(, "restart": {"backoff_min": "1ms", "crash_loop_count": 1000})");
  await_keeper(house);
  const UniqueFd first = raw(house);
  send(first, encode_ask(request_for("again", 0, 77)));
  const std::string told = answer(first);
  CHECK(told != "");
  const pid_t keeper = house.keeper();
  REQUIRE(kill(keeper, SIGKILL) == 0);
  REQUIRE(eventually([&] { return house.keeper() != 0 && house.keeper() != keeper; }));
  // Of another number, and not said to have come before.
  await_keeper(house);
  for (const auto& [key, before] : {std::pair{78u, true}, {77u, false}}) {
    const UniqueFd other = raw(house);
    send(other, encode_ask(request_for("others", 0, key, before)));
    CHECK(answer(other) != told);
  }
  const UniqueFd second = raw(house);
  send(second, encode_ask(request_for("again", 0, 77, true)));
  CHECK(answer(second) == told);
  CHECK(count(house, "again") == 1);
  CHECK(count(house, "others") == 2);
}

TEST_CASE("who leaves before its answer leaves what the keeper has to be done") {
  DurableHouse house;
  await_keeper(house);
  for (int i = 0; i < 20; ++i) send(raw(house), encode_ask(request_for("left")));
  CHECK(eventually([&] { return count(house, "left") == 20; }));
}

TEST_CASE("submissions wait for a keeper that does not read") {
  DurableHouse house;
  await_keeper(house);
  const pid_t keeper = house.keeper();
  REQUIRE(kill(keeper, SIGSTOP) == 0);
  constexpr std::size_t kAsks = 60;
  std::vector<UniqueFd> asks;
  for (std::size_t i = 0; i < kAsks; ++i) {
    asks.push_back(raw(house));
    send(asks.back(), encode_ask(request_for("flood", 15'000)));
  }
  REQUIRE(kill(keeper, SIGCONT) == 0);
  for (const UniqueFd& ask : asks) CHECK(answer(ask) != "");
  CHECK(count(house, "flood") == kAsks);
  CHECK(house.keeper() == keeper);
}

TEST_CASE("the keeper hangs up on what is no submission") {
  DurableHouse house;
  await_keeper(house);
  const pid_t keeper = house.keeper();
  const auto status_of = [&](const std::string& request) {
    const UniqueFd socket = raw(house);
    send(socket, encode_ask(request));
    const std::string bytes = answer(socket);
    const auto reply = keeper::decode_reply(bytes);
    REQUIRE(reply);
    return reply->status;
  };
  keeper::Request list;
  list.op = keeper::Op::list;
  CHECK(status_of(keeper::encode(list)) == keeper::Status::bad_argument);
  CHECK(status_of("nonsense") == keeper::Status::bad_argument);
  std::string newer = encode_ask(request_for("newer"));
  ++newer[4];
  for (const std::string& message : {newer, std::string("JASK"), std::string("{}"),
                                     encode_ask(std::string(kAskMost + 1, 'x'))}) {
    const UniqueFd socket = raw(house);
    send(socket, message);
    CHECK(answer(socket) == "");
  }
  // Two requests at once: the second is one too many, whether the first has its answer or not.
  REQUIRE(kill(keeper, SIGSTOP) == 0);
  const UniqueFd hasty = raw(house);
  for (int i = 0; i < 2; ++i) send(hasty, encode_ask(request_for("hasty")));
  REQUIRE(kill(keeper, SIGCONT) == 0);
  (void)answer(hasty);
  CHECK(eventually([&] { return count(house, "hasty") == 1; }));
  CHECK(count(house, "newer") == 0);
  CHECK(house.keeper() == keeper);
}

TEST_CASE("who connects and asks nothing gives way to others") {
  DurableHouse house;
  await_keeper(house);
  std::vector<UniqueFd> silent;
  for (int i = 0; i < 400; ++i) silent.push_back(raw(house));
  Alone alone(house);
  CHECK(alone.submit(held("heard")).status == SubmitAnswer::Status::stored);
  CHECK(alone.channels == 0);
  CHECK(answer(silent.front()) == "");
  // The youngest may still ask.
  send(silent.back(), encode_ask(request_for("late")));
  CHECK(answer(silent.back()) != "");
}

TEST_CASE("the keeper's socket is open to those whom the config names" *
          doctest::skip(geteuid() != 0)) {
  constexpr uid_t kNamed = 23'456, kOther = 23'457;
  for (const bool named : {true, false}) {
    CAPTURE(named);
    DurableHouse house(R"({"default": {"workers": 1}})", "", nullptr, R"(, "users": [23456])");
    await_keeper(house);
    REQUIRE(chmod(house.daemon->dir().path().c_str(), 0755) == 0);
    const uid_t uid = named ? kNamed : kOther;
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      if (setresgid(uid, uid, uid) != 0 || setresuid(uid, uid, uid) != 0) _exit(9);
      const auto socket = detail::connect_to(ask_socket_of(house.daemon->socket()));
      if (!socket) _exit(8);
      (void)send_control(socket->get(), encode_ask(request_for("theirs")));
      const auto received = await_control(socket->get(), 10'000);
      _exit(received ? 0 : 1);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(status == (named ? 0 : 1 << 8));
    Client client = house.daemon->connect();
    const auto jobs = DurableJobs(client).list({.name = "theirs"}, 10).jobs;
    REQUIRE(jobs.size() == (named ? 1 : 0));
    if (named) CHECK(jobs[0].uid == kNamed);
  }
}
