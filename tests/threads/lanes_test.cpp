// What a thread pool does while nobody dies.
#include <doctest/doctest.h>
#include <unistd.h>

#include <set>
#include <string>
#include <thread>
#include <vector>

#include <jobring/typed.hpp>

#include "tests/threads/support.hpp"

using namespace jobring;
using namespace jobring::test;
using namespace std::chrono_literals;

TEST_CASE("as many jobs as a process has lanes run in it at once") {
  Daemon daemon(thread_pool(4));
  Pool pool = daemon.connect().pool();
  std::vector<Future> jobs;
  for (int i = 0; i < 4; ++i) jobs.push_back(pool.submit("meet", "4"));
  std::set<std::string> processes;
  for (const Future& job : jobs) processes.insert(job.get());
  CHECK(processes.size() == 1);
  CHECK(daemon.workers().size() == 1);
}

TEST_CASE("typed handlers that are declared thread-safe run at once as others do") {
  Daemon daemon(thread_pool(3));
  Pool pool = daemon.connect().pool();
  std::vector<TypedFuture<int>> jobs;
  for (int i = 0; i < 3; ++i) jobs.push_back(pool.submit_as<int>("meet_and_double", 3));
  for (const auto& job : jobs) CHECK(job.get() == 6);
}

TEST_CASE("the lanes of several processes are one pool") {
  Daemon daemon(thread_pool(2, 2));
  Pool pool = daemon.connect().pool();
  // Three at once are more than one process has lanes.
  const std::string gate = daemon.dir() / "gate";
  std::vector<Future> jobs;
  for (int i = 0; i < 3; ++i) jobs.push_back(pool.submit("wait_for_file", gate));
  CHECK(eventually([&] { return runs(gate) == 3; }));
  const std::string status = daemon.connect().status_json();
  CHECK(status.find("\"model\":\"thread\"") != std::string::npos);
  // Each lane is shown with its process.
  for (const char* lane : {"\"index\":0,\"process\":0", "\"index\":1,\"process\":0",
                           "\"index\":2,\"process\":1", "\"index\":3,\"process\":1"}) {
    CAPTURE(lane);
    CHECK(status.find(lane) != std::string::npos);
  }
  write_file(gate, "");
  for (const Future& job : jobs) CHECK(job.get() == "seen");
}

TEST_CASE("a module that is not declared thread-safe is refused with what to do about it") {
  Daemon daemon(R"({"default": {}, "wrong": {"model": "thread", "threads": 2, "modules": [")" +
                test_module("faulty") + R"("]}})");
  Client client = daemon.connect();
  std::string message;
  CHECK(eventually([&] {
    try {
      client.pool("wrong").call("echo", "");
    } catch (const std::exception& e) {
      message = e.what();
    }
    return message.find("thread-safe") != std::string::npos;
  }));
  CAPTURE(message);
  for (const char* part : {"pool wrong", "handler \"abort\"", "faulty.so",
                           "JOBRING_THREAD_SAFE_HANDLER", "\"model\": \"process\""}) {
    CAPTURE(part);
    CHECK(message.find(part) != std::string::npos);
  }
  CHECK(client.pool().call("echo", "on") == "on");  // the other pool does not mind
}

TEST_CASE("many clients have channels that open and close while lanes run") {
  Daemon daemon(thread_pool(3, 1, R"(, "max_channels": 16)"));
  const std::string gate = daemon.dir() / "gate";
  Pool holder = daemon.connect().pool();
  const Future held = holder.submit("wait_for_file", gate);  // one lane is busy all the time
  REQUIRE(eventually([&] { return runs(gate) == 1; }));
  std::atomic<int> wrong{0};
  std::vector<std::thread> clients;
  for (int c = 0; c < 4; ++c) {
    clients.emplace_back([&, c] {
      Client client = daemon.connect("client " + std::to_string(c));
      for (int round = 0; round < 40; ++round) {
        Pool pool = client.pool("default", {.slots = 32});
        std::vector<Future> jobs;
        for (int i = 0; i < 30; ++i) jobs.push_back(pool.submit("nap", std::to_string(i)));
        for (int i = 0; i < 30; ++i) wrong += jobs[std::size_t(i)].get() != std::to_string(i);
      }
    });
  }
  for (std::thread& client : clients) client.join();
  CHECK(wrong == 0);
  write_file(gate, "");
  CHECK(held.get() == "seen");
  CHECK(daemon.status_number("crashes") == 0);
  // All lanes have let go of them: their numbers are free for others.
  std::vector<Pool> pools;
  Client client = daemon.connect();
  CHECK(eventually([&] {
    try {
      while (pools.size() < 14) pools.push_back(client.pool("default", {.slots = 32}));
    } catch (const std::exception&) {
    }
    return pools.size() == 14;
  }));
}

TEST_CASE("a job asked to stop by itself leaves the other lanes alone") {
  Daemon daemon(thread_pool(2));
  Pool pool = daemon.connect().pool();
  const std::string gate = daemon.dir() / "gate", other = daemon.dir() / "other";
  const Future stopped = pool.submit("wait_for_file", gate),
               stays = pool.submit("wait_for_file", other);
  REQUIRE(eventually([&] { return runs(gate) == 1 && runs(other) == 1; }));
  stopped.kill();
  CHECK(stopped.get() == "stopped");
  CHECK_FALSE(stays.ready());
  write_file(other, "");
  CHECK(stays.get() == "seen");
  CHECK(runs(other) == 1);
  CHECK(daemon.status_number("crashes") == 0);
}

TEST_CASE("a job that heeds its time-out ends in its lane alone") {
  Daemon daemon(thread_pool(2));
  Pool pool = daemon.connect().pool();
  const std::string gate = daemon.dir() / "gate", other = daemon.dir() / "other";
  const Future stays = pool.submit("wait_for_file", other);
  JobOptions brief;
  brief.timeout = 50ms;
  CHECK(pool.submit("wait_for_file", gate, brief).result().outcome == Outcome::timed_out);
  CHECK_FALSE(stays.ready());
  write_file(other, "");
  CHECK(stays.get() == "seen");
  CHECK(runs(other) == 1);
  CHECK(daemon.status_number("crashes") == 0);
}

TEST_CASE("a waiting job can be cancelled while all lanes are busy") {
  Daemon daemon(thread_pool(2));
  Pool pool = daemon.connect().pool();
  const std::string gate = daemon.dir() / "gate";
  const Future a = pool.submit("wait_for_file", gate), b = pool.submit("wait_for_file", gate);
  REQUIRE(eventually([&] { return runs(gate) == 2; }));
  const Future waits = pool.submit("echo", "never");
  CHECK(waits.cancel());
  write_file(gate, "");
  CHECK(a.get() == "seen");
  CHECK(b.get() == "seen");
  CHECK(waits.result().outcome == Outcome::cancelled);
}

TEST_CASE("a drain lets every lane finish its job and what waits") {
  Daemon daemon(thread_pool(3));
  Pool pool = daemon.connect().pool();
  const std::string gate = daemon.dir() / "gate";
  std::vector<Future> jobs;
  for (int i = 0; i < 5; ++i) jobs.push_back(pool.submit("wait_for_file", gate));
  REQUIRE(eventually([&] { return runs(gate) == 3; }));
  daemon.signal(SIGTERM);
  write_file(gate, "");
  for (const Future& job : jobs) CHECK(job.get() == "seen");
  CHECK(daemon.wait_end() == 0);
}

TEST_CASE("a process is replaced after max_jobs of all its lanes and no job is lost by it") {
  Daemon daemon(thread_pool(3, 2, R"(, "max_jobs": 50)"));
  Pool pool = daemon.connect().pool();
  std::set<std::string> processes;
  std::vector<Future> jobs;
  for (int i = 0; i < 1000; ++i) jobs.push_back(pool.submit("pid", ""));
  for (const Future& job : jobs) processes.insert(job.get());
  CHECK(processes.size() >= 3);
  CHECK(daemon.status_number("crashes") == 0);
}

TEST_CASE("idle lanes retire with the busy one that has used up the process") {
  Daemon daemon(thread_pool(4, 1, R"(, "max_jobs": 1)"));
  Pool pool = daemon.connect().pool();
  std::set<std::string> processes;
  for (int i = 0; i < 5; ++i) processes.insert(pool.call("pid", ""));
  CHECK(processes.size() >= 2);  // each lane may have one before it knows
  CHECK(daemon.status_number("crashes") == 0);
}
