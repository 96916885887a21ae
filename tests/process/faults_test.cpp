// Real kills of real processes: what a client may rely on when somebody dies.
#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <random>
#include <set>
#include <sstream>
#include <thread>

#include "tests/support/daemon.hpp"
#include "tests/support/seed.hpp"

using namespace jobring;
using namespace jobring::test;
using namespace std::chrono_literals;

namespace {

std::string faulty(int workers, const std::string& more = "") {
  return R"({"default": {"workers": )" + std::to_string(workers) + R"(, "modules": [")" +
         test_module("faulty") + R"("])" + more + "}}";
}

bool busy(const Daemon& daemon) {
  return daemon.connect().status_json().find("\"busy\"") != std::string::npos;
}

// Address ranges of the channels that this process maps.
std::set<std::pair<unsigned long, unsigned long>> channel_mappings() {
  std::set<std::pair<unsigned long, unsigned long>> found;
  std::istringstream maps(read_file("/proc/self/maps"));
  for (std::string line; std::getline(maps, line);) {
    unsigned long from = 0, to = 0;
    if (line.find("jobring:channel") != std::string::npos &&
        std::sscanf(line.c_str(), "%lx-%lx", &from, &to) == 2) {
      found.emplace(from, to);
    }
  }
  return found;
}

}  // namespace

TEST_CASE("a job that crashes fails alone, at once, with the signal and the last output") {
  Daemon daemon(faulty(1));
  Pool pool = daemon.connect().pool();
  const Future before = pool.submit("echo", "before"), crash = pool.submit("stderr_then_crash", ""),
               after = pool.submit("echo", "after");
  CHECK(before.get() == "before");
  CHECK(after.get() == "after");
  const JobResult& result = crash.result();
  CHECK(result.outcome == Outcome::crashed);
  CHECK(result.detail == SIGSEGV);
  CHECK(result.text().find("Segmentation fault") != std::string::npos);
  CHECK(result.text().find("last output") != std::string::npos);
}

TEST_CASE("abort and exit in a handler are crashes too") {
  Daemon daemon(faulty(2));
  Pool pool = daemon.connect().pool();
  CHECK(pool.submit("abort", "").result().detail == SIGABRT);
  const Future gone = pool.submit("exit", "");
  CHECK(gone.result().outcome == Outcome::crashed);
  CHECK(gone.result().text().find("exited") != std::string::npos);
  CHECK(pool.call("echo", "on") == "on");
}

TEST_CASE("a poison job with crash retries takes down its attempts and nobody else") {
  Daemon daemon(faulty(2));
  Pool pool = daemon.connect().pool();
  JobOptions twice;
  twice.crash_retries = 2;
  const Future poison = pool.submit("crash", "", twice);
  std::vector<Future> others;
  for (int i = 0; i < 200; ++i) others.push_back(pool.submit("echo", std::to_string(i)));
  for (int i = 0; i < 200; ++i) CHECK(others[std::size_t(i)].get() == std::to_string(i));
  CHECK(poison.result().outcome == Outcome::crashed);
  CHECK(poison.result().attempts == 3);
  CHECK(daemon.status_number("crashes") == 3);
}

TEST_CASE("workers killed at random moments under load lose no job and run none twice at once") {
  const std::uint64_t seed = seed_of_test();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  // Workers die before they are ready, too: that must not count as a pool that cannot start.
  Daemon daemon(
      faulty(3),
      R"(, "restart": {"crash_loop_count": 1000, "backoff_min": "1ms", "backoff_max": "10ms"})");
  Client client = daemon.connect();
  Channel channel = client.channel();
  const auto echo = channel.handler("echo");
  JobOptions retry;
  retry.crash_retries = 100;
  // As many jobs as it takes for this many kills: a fast machine runs more of them between two.
  constexpr int kKills = 20;
  constexpr std::size_t kJobs = 100'000;
  std::vector<std::uint8_t> ended;
  std::size_t done = 0;
  std::atomic<int> kills{0};
  std::jthread killer([&](const std::stop_token& over) {
    while (!over.stop_requested()) {
      const auto workers = daemon.workers();
      if (!workers.empty()) {
        kill(workers[random() % workers.size()], SIGKILL);
        ++kills;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(random() % 40));
    }
  });
  const auto more = [&] { return ended.size() < kJobs || kills < kKills; };
  while (more() || done < ended.size()) {
    while (more() && channel.outstanding() < 512 &&
           channel.prepare(echo, std::to_string(ended.size()), ended.size(), retry))
      ended.push_back(0);
    channel.submit();
    REQUIRE(channel.wait(20s));
    for (const Completion& c : channel.reap()) {
      REQUIRE(c.outcome == Outcome::ok);
      REQUIRE(c.text() == std::to_string(c.tag));
      REQUIRE(++ended[c.tag] == 1);
      ++done;
    }
  }
  killer.request_stop();
  CHECK(channel.outstanding() == 0);
}

TEST_CASE("jobs without retries end exactly once when their workers are killed") {
  const std::uint64_t seed = seed_of_test();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  Daemon daemon(faulty(2));
  Client client = daemon.connect();
  Channel channel = client.channel();
  const auto sleep = channel.handler("sleep_ms");
  std::set<std::uint64_t> open;
  std::uint64_t next = 0;
  int crashed = 0;
  for (int round = 0; round < 60; ++round) {
    for (int i = 0; i < 6; ++i) {
      REQUIRE(channel.prepare(sleep, "2", next));
      open.insert(next++);
    }
    channel.submit();
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 4000));
    const auto workers = daemon.workers();
    if (!workers.empty()) kill(workers[random() % workers.size()], SIGKILL);
    while (!open.empty()) {
      REQUIRE(channel.wait(20s));
      for (const Completion& c : channel.reap()) {
        REQUIRE(open.erase(c.tag) == 1);
        CHECK((c.outcome == Outcome::ok || c.outcome == Outcome::crashed));
        crashed += c.outcome == Outcome::crashed;
      }
    }
  }
  CHECK(crashed > 0);
}

TEST_CASE(
    "the command of a killed worker, and what it started, are dead before the job is run again") {
  Daemon daemon(R"({"default": {"workers": 1}})");
  Pool pool = daemon.connect().pool();
  const std::string runs = daemon.dir() / "runs";
  JobOptions retry;
  retry.crash_retries = 1;
  // Each run notes itself and the grandchild, which left its process group and its session.
  const Future f = pool.run(
      {.argv = {"sh", "-c", "setsid sleep 1000 & echo $! >> " + runs + "; wait; sleep 1000"}},
      retry);
  const auto lines = [&] {
    const std::string text = read_file(runs);
    return std::count(text.begin(), text.end(), '\n');
  };
  REQUIRE(eventually([&] { return lines() == 1; }));
  const pid_t grandchild = std::stoi(read_file(runs));
  CHECK(alive(grandchild));
  REQUIRE(daemon.workers().size() == 1);
  kill(daemon.workers()[0], SIGKILL);
  REQUIRE(eventually([&] { return lines() == 2; }));
  CHECK_FALSE(alive(grandchild));
  f.kill(SIGKILL);
  CHECK(f.wait_for(10s));
}

TEST_CASE("when a client is killed its queued jobs never run and its running command ends") {
  Daemon daemon(R"({"default": {"workers": 1}})", R"(, "kill_grace": "200ms")");
  const std::string started = daemon.dir() / "started", ran = daemon.dir() / "ran";
  const pid_t client = fork();
  if (client == 0) {
    Pool pool = daemon.connect("victim").pool();
    const Future running =
        pool.run({.argv = {"sh", "-c", "echo $$ > " + started + "; sleep 1000"}});
    const Future queued = pool.run({.argv = {"touch", ran}});
    queued.wait();
    _exit(0);
  }
  REQUIRE(eventually([&] { return !read_file(started).empty(); }));
  const pid_t command = std::stoi(read_file(started));
  kill(client, SIGKILL);
  wait_exit(client);
  CHECK(eventually([&] { return !alive(command); }));
  Pool pool = daemon.connect().pool();
  CHECK(pool.call("echo", "on") == "on");
  CHECK(read_file(ran).empty());
  CHECK(access(ran.c_str(), F_OK) != 0);
  CHECK(eventually(
      [&] { return daemon.connect().status_json().find("victim") == std::string::npos; }));
}

TEST_CASE("with on_client_death finish, a running command outlives its client") {
  Daemon daemon(R"({"default": {"workers": 1, "on_client_death": "finish"}})");
  const std::string started = daemon.dir() / "started", finished = daemon.dir() / "finished";
  const pid_t client = fork();
  if (client == 0) {
    Pool pool = daemon.connect().pool();
    pool.run({.argv = {"sh", "-c", "touch " + started + "; sleep 0.5; touch " + finished}}).wait();
    _exit(0);
  }
  REQUIRE(eventually([&] { return access(started.c_str(), F_OK) == 0; }));
  kill(client, SIGKILL);
  wait_exit(client);
  CHECK(eventually([&] { return access(finished.c_str(), F_OK) == 0; }));
}

TEST_CASE(
    "when the daemon is killed every future fails as lost, soon, and nothing hangs or stays") {
  Daemon daemon(faulty(2));
  Client client = daemon.connect();
  Pool pool = client.pool();
  std::vector<Future> futures;
  for (int i = 0; i < 50; ++i) futures.push_back(pool.submit("sleep_ms", "1000"));
  const Future command = pool.run({.argv = {"sleep", "1000"}});
  REQUIRE(eventually([&] { return busy(daemon); }));
  const std::vector<pid_t> workers = daemon.workers();
  daemon.signal(SIGKILL);
  for (const Future& f : futures) {
    REQUIRE(f.wait_for(5s));
    CHECK((f.result().outcome == Outcome::lost || f.result().outcome == Outcome::ok));
  }
  CHECK(command.result().outcome == Outcome::lost);
  CHECK_THROWS_AS(pool.submit("echo", "x"), Exception);
  for (const pid_t worker : workers) CHECK(eventually([&] { return !alive(worker); }));
}

TEST_CASE("a private daemon and all it started end with their client, even when that is killed") {
  TempDir dir;
  const std::string pids = dir / "pids";
  const pid_t client = fork();
  if (client == 0) {
    ConnectOptions options;
    options.daemon = ConnectOptions::Daemon::own;
    options.daemon_path = program("jobringd");
    Client own = Client::connect(options);
    Pool pool = own.pool();
    const Future f = pool.run({.argv = {"sh", "-c",
                                        "sleep 1000 & echo $! > " + pids + ".tmp; mv " + pids +
                                            ".tmp " + pids + "; wait"}});
    write_file(dir / "daemon", std::to_string(own.ping().pid));
    f.wait();
    _exit(0);
  }
  REQUIRE(
      eventually([&] { return !read_file(pids).empty() && !read_file(dir / "daemon").empty(); }));
  const pid_t daemon = std::stoi(read_file(dir / "daemon")),
              grandchild = std::stoi(read_file(pids));
  REQUIRE(alive(daemon));
  kill(client, SIGKILL);
  wait_exit(client);
  CHECK(eventually([&] { return !alive(daemon); }));
  CHECK(eventually([&] { return !alive(grandchild); }));
}

TEST_CASE("a thousand clients that connect and vanish leave nothing behind") {
  Daemon daemon(R"({"default": {"workers": 2, "slots": 16}})");
  const auto descriptors = [&] {
    int count = 0;
    for ([[maybe_unused]] char c :
         run_program({"ls", "/proc/" + std::to_string(daemon.pid()) + "/fd"}).output)
      count += c == '\n';
    return count;
  };
  { CHECK(daemon.connect().pool().call("echo", "x") == "x"); }
  REQUIRE(eventually([&] { return daemon.status_number("clients") == 1; }));
  const int before = descriptors();
  for (int i = 0; i < 1000; ++i) {
    const pid_t client = fork();
    if (client == 0) {
      Client c = daemon.connect();
      Channel channel = c.channel();
      const auto echo = channel.handler("echo");
      for (int n = 0; n < 10; ++n) channel.prepare(echo, "x", 0);
      channel.submit();
      kill(getpid(), SIGKILL);
    }
    wait_exit(client);
  }
  Pool pool = daemon.connect().pool();
  CHECK(pool.call("echo", "on") == "on");
  CHECK(eventually([&] { return daemon.status_number("clients") == 2; }));
  CHECK(eventually([&] { return descriptors() <= before + 8; }));
}

TEST_CASE("a client that scribbles over its channel harms only itself") {
  const std::uint64_t seed = seed_of_test();
  CAPTURE(seed);
  Daemon daemon(faulty(2));
  Client client = daemon.connect();
  Pool good = client.pool();
  const auto inherited = channel_mappings();
  for (int round = 0; round < 20; ++round) {
    const pid_t hostile = fork();
    if (hostile == 0) {
      std::mt19937_64 random(seed + unsigned(round));
      Client c = daemon.connect("hostile");
      Channel channel = c.channel("default", {.slots = 64, .pass_stdio = false});
      const auto echo = channel.handler("echo");
      for (int n = 0; n < 32; ++n) channel.prepare(echo, "x", 0);
      channel.submit();
      // Its own channel's mapping is found by its name, as an attacker would; the other one was
      // inherited from us.
      const auto mappings = channel_mappings();
      const auto own = std::find_if(mappings.begin(), mappings.end(),
                                    [&](const auto& m) { return !inherited.contains(m); });
      const auto [from, to] = *own;
      auto* bytes = reinterpret_cast<volatile std::uint64_t*>(from);
      const std::size_t words = std::min<std::size_t>((to - from) / 8, 12'000);
      for (int n = 0; n < 2'000'000; ++n) {
        bytes[random() % words] = random() % 4 == 0 ? random() : random() % 128;
      }
      // Not one destructor, not one exception: this process must not go on as a second test runner.
      _exit(0);
    }
    for (int i = 0; i < 50; ++i) REQUIRE(good.call("echo", std::to_string(i)) == std::to_string(i));
    wait_exit(hostile);
  }
  CHECK(alive(daemon.pid()));
  CHECK(daemon.status_number("crashes") == 0);
  CHECK(good.call("echo", "on") == "on");
}
