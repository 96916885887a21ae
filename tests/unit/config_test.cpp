// The config file: what a good one means.
#include "common/config/config.hpp"

#include <doctest/doctest.h>
#include <sched.h>

#include <chrono>
#include <string>

#include "tests/unit/config_support.hpp"

using namespace jobring;
using namespace jobring::test::config;
using namespace std::chrono_literals;

TEST_CASE("an empty object gives the default settings") {
  const Config config = good("{}");
  CHECK(config == default_config());
  REQUIRE(config.pools.size() == 1);
  CHECK(config.pools[0].name == "default");
  CHECK(config.pools[0].workers == processors());
}

TEST_CASE("every key reaches its setting") {
  const Config config = good(R"({
    // a comment
    "socket": "/run/x", "users": ["alice", "7", 1000], "groups": ["ring", 0],
    "max_clients": 9, "max_clients_per_user": 7, "max_channels_per_client": 8,
    "log": {"level": "debug", "target": "journal"},
    "drain_timeout": "1h30m", "kill_grace": "0s",
    "restart": {"backoff_min": "1ms", "backoff_max": "2ms", "crash_loop_count": 3, "crash_loop_window": "4s"},
    /* another */
    "pools": {"fast.1": {
      "workers": 3, "command": ["python3", "-m", "x"], "modules": ["/a.so", "/b.so"], "model": "thread",
      "threads": 5, "max_in_flight": 77,
      "slots": 64, "max_payload": "2KiB", "max_result": "3KB", "extent_cache": "4MiB", "spin": "5us", "batch": 6,
      "max_jobs": 7, "max_rss": "8MiB", "max_channels": 9, "nice": -10,
      "limits": {"memory": "11GiB", "cpu": "12m", "open_files": 130, "processes": 140, "file_size": "15MiB", "core": "0B"},
      "environment": {"A": "1", "B": ""}, "on_client_death": "finish", "run_as": "daemon"}}
  })");
  Config expected;
  expected.socket = "/run/x";
  expected.users = {"alice", "7", "1000"};
  expected.groups = {"ring", "0"};
  expected.max_clients = 9;
  expected.max_clients_per_user = 7;
  expected.max_channels_per_client = 8;
  expected.log_level = LogLevel::debug;
  expected.log_target = LogTarget::journal;
  expected.drain_timeout = 90min;
  expected.kill_grace = 0s;
  expected.restart = {1ms, 2ms, 3, 4s};
  PoolConfig pool;
  pool.name = "fast.1";
  pool.workers = 3;
  pool.command = {"python3", "-m", "x"};
  pool.modules = {"/a.so", "/b.so"};
  pool.model = WorkerModel::thread;
  pool.threads = 5;
  pool.max_in_flight = 77;
  pool.slots = 64;
  pool.max_payload = 2048;
  pool.max_result = 3000;
  pool.extent_cache = 4 << 20;
  pool.spin = 5us;
  pool.batch = 6;
  pool.max_jobs = 7;
  pool.max_rss = 8 << 20;
  pool.max_channels = 9;
  pool.nice = -10;
  pool.limits = {11ull << 30, 720, 130, 140, 15 << 20, 0};
  pool.environment = {{"A", "1"}, {"B", ""}};
  pool.on_client_death = OnClientDeath::finish;
  pool.run_as = RunAs::daemon;
  expected.pools = {pool};
  CHECK(config == expected);
}

TEST_CASE("pools keep the order of the file and are found by name") {
  const Config config =
      good(R"({"pools": {"zeta": {"workers": 1}, "alpha": {"workers": 2}, "mid": {}}})");
  REQUIRE(config.pools.size() == 3);
  CHECK(config.pools[0].name == "zeta");
  CHECK(config.pools[1].name == "alpha");
  CHECK(config.pools[2].name == "mid");
  REQUIRE(config.pool("alpha") != nullptr);
  CHECK(config.pool("alpha")->workers == 2);
  CHECK(config.pool("default") == nullptr);
}

TEST_CASE("\"auto\" is a worker for each usable processor, and so is leaving it out") {
  CHECK(good_pool("\"workers\": \"auto\"").workers == processors());
  CHECK(good_pool("").workers == processors());
}

TEST_CASE("a pool of threads or coroutines has one process unless it asks for more") {
  const PoolConfig threads = good_pool("\"model\": \"thread\"");
  CHECK(threads.workers == 1);
  CHECK(threads.threads == processors());
  CHECK(threads.lanes() == processors());
  const PoolConfig more = good_pool("\"threads\": 3, \"workers\": 2, \"model\": \"thread\"");
  CHECK(more.lanes_each() == 3);
  CHECK(more.lanes() == 6);
  const PoolConfig async = good_pool("\"workers\": \"auto\", \"model\": \"async\"");
  CHECK(async.workers == 1);
  CHECK(async.lanes() == 1);
  CHECK(good_pool("\"threads\": 7").lanes_each() == 1);  // a process runs one job at a time
}

TEST_CASE("all threads of a pool count against one limit") {
  const std::string most = "\"model\": \"thread\", \"workers\": 16, \"threads\": ";
  CHECK(good_pool(most + "8").lanes() == 128);
  CHECK(pool_problem(most + "9") ==
        "threads: found 9; allowed: at most 128 threads in all of a pool's processes; \"workers\" "
        "is 16");
  CHECK(good_pool("\"model\": \"thread\", \"workers\": 128").threads == 1);
}

TEST_CASE("\"auto\" counts the processors that we may use, not those of the machine") {
  cpu_set_t before;
  REQUIRE(sched_getaffinity(0, sizeof before, &before) == 0);
  cpu_set_t one;
  CPU_ZERO(&one);
  for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; ++cpu) {
    if (CPU_ISSET(cpu, &before)) CPU_SET(cpu, &one);
  }
  REQUIRE(sched_setaffinity(0, sizeof one, &one) == 0);
  CHECK(good_pool("\"workers\": \"auto\"").workers == 1);
  CHECK(sched_setaffinity(0, sizeof before, &before) == 0);
}

TEST_CASE("slots are rounded up to a power of two") {
  CHECK(good_pool("\"slots\": 1").slots == 1);
  CHECK(good_pool("\"slots\": 3").slots == 4);
  CHECK(good_pool("\"slots\": 4096").slots == 4096);
  CHECK(good_pool("\"slots\": 4097").slots == 8192);
  CHECK(good_pool("\"slots\": 32767").slots == 32768);
}

TEST_CASE("zero needs no unit, neither as a number nor as a string") {
  CHECK(good_pool("\"max_rss\": 0").max_rss == 0);
  CHECK(good_pool("\"spin\": 0").spin == 0ns);
  CHECK(good_pool("\"spin\": \"0\"").spin == 0ns);
}

TEST_CASE("limits that are left out or \"inherit\" are unset") {
  CHECK(good_pool("\"limits\": {\"core\": \"0B\", \"cpu\": \"inherit\"}").limits ==
        ProcessLimits{{}, {}, {}, {}, {}, 0});
  CHECK(good_pool("\"limits\": {}").limits == ProcessLimits{});
}

TEST_CASE("relative paths become absolute against the directory of the file") {
  const PoolConfig pool =
      good_pool(R"("modules": ["a.so", "sub/../b.so", "/abs/c.so"], "command": ["./run", "./arg"])",
                "/etc/j");
  CHECK(pool.modules == std::vector<std::string>{"/etc/j/a.so", "/etc/j/b.so", "/abs/c.so"});
  CHECK(pool.command == std::vector<std::string>{"/etc/j/run", "./arg"});
  CHECK(good_pool(R"("command": ["python3", "x"])", "/etc/j").command.front() == "python3");
  CHECK(good(R"({"socket": "s"})", "/etc/j").socket == "/etc/j/s");
  CHECK(good(R"({"socket": ""})", "/etc/j").socket.empty());
}

TEST_CASE("both ends of every range are allowed, and one step beyond is not") {
  struct Range {
    const char* key;
    const char* least;
    const char* most;
    const char* below;
    const char* above;
  };
  const std::vector<Range> ranges = {
      {"workers", "1", "128", "0", "129"},
      {"threads", "1", "128", "0", "129"},
      {"max_in_flight", "1", "32768", "0", "32769"},
      {"slots", "1", "32768", "0", "32769"},
      {"max_payload", "\"0B\"", "\"1GiB\"", "\"-1B\"", "\"1073741825B\""},
      {"max_result", "\"0B\"", "\"1GiB\"", "\"-1B\"", "\"1073741825B\""},
      {"spin", "\"0s\"", "\"10ms\"", "\"-1ns\"", "\"10ms1ns\""},
      {"batch", "1", "32", "0", "33"},
      {"max_channels", "1", "256", "0", "257"},
      {"nice", "-20", "19", "-21", "20"},
  };
  for (const Range& range : ranges) {
    const std::string key = std::string("\"") + range.key + "\": ";
    CAPTURE(key);
    good_pool(key + range.least);
    good_pool(key + range.most);
    for (const char* outside : {range.below, range.above}) {
      const std::string line = pool_problem(key + outside);
      CHECK(contains(line, std::string(range.key) + ": found " + outside));
    }
  }
}
