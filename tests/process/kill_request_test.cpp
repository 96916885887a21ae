// A request to stop a job travels through the supervisor, which may be slow: meanwhile the job can
// have ended, and its slot hold another one.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <optional>

#include "tests/support/daemon.hpp"

using namespace jobring;
using namespace jobring::test;

TEST_CASE("a late request to stop a job does not hit the next job in its slot") {
  Daemon daemon(R"({"default": {"workers": 1, "modules": [")" + test_module("faulty") + R"("]}})",
                R"(, "kill_grace": "50ms")");
  Client client = daemon.connect();
  Pool pool = client.pool("default", {.slots = 1});
  for (int round = 0; round < 3; ++round) {
    const std::string fifo = daemon.dir() / ("fifo" + std::to_string(round)),
                      started = daemon.dir() / ("started" + std::to_string(round));
    REQUIRE(mkfifo(fifo.c_str(), 0600) == 0);
    const Future first = pool.submit("wait_at_fifo", fifo);
    const int gate = open(fifo.c_str(), O_WRONLY);  // waits until the job has opened its end
    REQUIRE(gate >= 0);
    daemon.signal(SIGSTOP);
    first.kill();
    close(gate);
    CHECK(first.result().ok());  // it does not look whether it is to stop
    const Future second = pool.run({.argv = {"sh", "-c", "touch " + started + "; sleep 0.5"}});
    const bool runs = eventually([&] { return access(started.c_str(), F_OK) == 0; });
    daemon.signal(SIGCONT);
    REQUIRE(runs);
    CHECK(second.result().outcome == Outcome::ok);
  }
  CHECK(daemon.status_number("crashes") == 0);
}

TEST_CASE("a stop that is over does not hit the job of a later channel with the same number") {
  Daemon daemon(R"({"default": {"workers": 1, "modules": [")" + test_module("faulty") + R"("]}})",
                R"(, "kill_grace": "500ms")");
  Client client = daemon.connect();
  // Both jobs are the first of the first slot: their state words are the same.
  std::optional<Channel> channel(client.channel("default", {.slots = 1}));
  JobRef first;
  const std::string fifo = daemon.dir() / "fifo";
  REQUIRE(mkfifo(fifo.c_str(), 0600) == 0);
  REQUIRE(channel->prepare(channel->handler("wait_at_fifo"), fifo, 1, {}, &first));
  channel->submit();
  const int gate = open(fifo.c_str(), O_WRONLY);  // waits until the job has opened its end
  REQUIRE(gate >= 0);
  // Here its worker would be killed in 700 ms, if it did not end before.
  channel->kill(first);
  client.ping();  // the supervisor has read that
  close(gate);
  REQUIRE(channel->wait());
  REQUIRE(channel->reap().size() == 1);
  // Its number is free again as soon as the worker has let go of it.
  REQUIRE(eventually([&] {
    channel.reset();
    channel.emplace(client.channel("default", {.slots = 1}));
    return client.status_json().find("\"channels\":[{\"id\":0,") != std::string::npos;
  }));
  REQUIRE(channel->prepare(channel->handler("sleep_ms"), "1500", 2));
  channel->submit();
  REQUIRE(channel->wait());
  const auto ended = channel->reap();
  REQUIRE(ended.size() == 1);
  CHECK(ended[0].outcome == Outcome::ok);
  CHECK(daemon.status_number("crashes") == 0);
}
