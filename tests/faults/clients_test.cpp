// Clients that come and go as they should not, and jobs that turn on those who run them.
#include <doctest/doctest.h>
#include <grp.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <random>
#include <thread>

#include "tests/faults/hurt.hpp"
#include "tests/support/seed.hpp"

using namespace jobring;
using namespace jobring::test;
using namespace std::chrono_literals;

namespace {

int descriptors_of(pid_t pid) {
  const std::string listed = run_program({"ls", "/proc/" + std::to_string(pid) + "/fd"}).output;
  return int(std::count(listed.begin(), listed.end(), '\n'));
}

}  // namespace

TEST_CASE("clients killed anywhere between connecting and their last result leave nothing") {
  const std::uint64_t seed = seed_of_test();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  Daemon daemon(R"({"default": {"workers": 2, "slots": 16}})");
  Pool pool = daemon.connect("stays").pool();
  CHECK(pool.call("echo", "x") == "x");
  const int before = descriptors_of(daemon.pid());
  // Until as many as that were killed before they were through, which is two of three: how long one
  // takes is found out.
  constexpr int kKills = 300;
  int killed = 0;
  double most_us = 1000;
  for (int i = 0; killed < kKills; ++i) {
    const pid_t client = fork();
    if (client == 0) {
      Client c = daemon.connect();
      Channel channel = c.channel();
      const auto echo = channel.handler("echo");
      for (int n = 0; n < 10; ++n) channel.prepare(echo, "x", 0);
      channel.submit();
      for (std::size_t ended = 0; ended < 10; ended += channel.reap().size()) channel.wait();
      _exit(0);
    }
    std::this_thread::sleep_for(std::chrono::microseconds(random() % unsigned(most_us)));
    kill(client, SIGKILL);
    const bool hit = wait_exit(client) == 128 + SIGKILL;
    killed += hit;
    most_us = std::clamp(most_us * (hit ? 1.02 : 0.96), 50.0, 100'000.0);
    if (i % 50 == 0) REQUIRE(pool.call("echo", "on") == "on");
  }
  CHECK(eventually([&] { return daemon.status_number("clients") == 2; }));
  CHECK(eventually([&] { return descriptors_of(daemon.pid()) <= before + 8; }));
  CHECK(daemon.status_number("crashes") == 0);
  CHECK(pool.call("echo", "on") == "on");
}

TEST_CASE("a command of another user can kill neither its worker nor the supervisor") {
  if (geteuid() != 0) {
    MESSAGE("needs root: a daemon of one's own runs commands as oneself");
    return;
  }
  constexpr uid_t kSomebody = 23456;
  Daemon daemon(hurtful(1), R"(, "users": [23456])");
  REQUIRE(chmod(daemon.dir().path().c_str(), 0755) == 0);
  const pid_t worker = daemon.workers().at(0);
  const pid_t client = fork();
  if (client == 0) {
    if (setgroups(0, nullptr) != 0 || setgid(kSomebody) != 0 || setuid(kSomebody) != 0) _exit(3);
    try {
      Pool pool = daemon.connect().pool();
      // Its worker, and the worker's parent.
      const JobResult result =
          pool.run({.argv = {"sh", "-c",
                             "id -u; kill -9 $PPID && exit 1; kill -9 " +
                                 std::to_string(daemon.pid()) + " && exit 2; exit 0"}})
              .result();
      if (result.outcome != Outcome::ok) _exit(4);
      _exit(result.command().out == "23456\n" ? 0 : 5);
    } catch (const std::exception&) {
      _exit(6);
    }
  }
  CHECK(wait_exit(client) == 0);
  CHECK(alive(daemon.pid()));
  CHECK(alive(worker));
  CHECK(daemon.status_number("crashes") == 0);
}

TEST_CASE("a command that kills its own process group ends alone") {
  Daemon daemon(hurtful(1));
  Pool pool = daemon.connect().pool();
  const std::string before = pool.call("pid", "");
  const JobResult result = pool.run({.argv = {"sh", "-c", "kill -9 0"}}).result();
  CHECK(result.outcome == Outcome::failed);
  CHECK(result.detail == -SIGKILL);
  CHECK(pool.call("pid", "") == before);
}
