// The config file: common/config/config.hpp. What is wrong is told, all of it; what is printed
// reads back; and the example and the documentation say what the code does.
#include "common/config/config.hpp"

#include <doctest/doctest.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "common/config/config_schema.hpp"
#include "common/limits.hpp"
#include "tests/support/seed.hpp"

using namespace jobring;
using jobring::test::seed_of_test;
using namespace std::chrono_literals;

namespace {

// A config that must be good.
Config good(const std::string& text, const std::string& directory = "") {
  const ConfigOutcome outcome = parse_config(text, directory);
  CAPTURE(text);
  for (const ConfigProblem& problem : outcome.problems) FAIL_CHECK(problem.line());
  return outcome.config;
}

PoolConfig good_pool(const std::string& keys, const std::string& directory = "") {
  const Config config = good("{\"pools\": {\"p\": {" + keys + "}}}", directory);
  REQUIRE(config.pools.size() == 1);
  return config.pools.front();
}

std::vector<std::string> problem_lines(const std::string& text) {
  std::vector<std::string> lines;
  for (const ConfigProblem& problem : parse_config(text, "").problems)
    lines.push_back(problem.line());
  return lines;
}

// The one problem of a text.
std::string problem(const std::string& text) {
  const auto lines = problem_lines(text);
  CAPTURE(text);
  for (const std::string& line : lines) INFO(line);
  REQUIRE(lines.size() == 1);
  return lines.front();
}

// The one problem of a pool with these keys; its place within the pool first.
std::string pool_problem(const std::string& keys) {
  const std::string line = problem("{\"pools\": {\"p\": {" + keys + "}}}");
  const std::string pool = "/pools/p/";
  REQUIRE(line.starts_with(pool));
  return line.substr(pool.size());
}

bool contains(const std::string& text, const std::string& words) {
  const bool found = text.find(words) != std::string::npos;
  if (!found) FAIL_CHECK("\"" << words << "\" is not in: " << text);
  return found;
}

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  CAPTURE(path);
  REQUIRE(file.good());
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::uint32_t processors() {
  cpu_set_t set;
  REQUIRE(sched_getaffinity(0, sizeof set, &set) == 0);
  return std::min<std::uint32_t>(std::uint32_t(CPU_COUNT(&set)), kWorkersMax);
}

// A directory of its own that goes away with it.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "jobring-config-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  std::string path() const { return path_; }
  std::string write(const std::string& name, const std::string& text) const {
    const std::string path = path_ + "/" + name;
    std::ofstream(path) << text;
    return path;
  }

 private:
  std::string path_;
};

}  // namespace

// ---- what a good file means

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

// ---- what a bad file is told

TEST_CASE("a value out of range is told the range") {
  CHECK(pool_problem("\"workers\": 500") ==
        "workers: found 500; allowed: a whole number from 1 to 128, or \"auto\"");
  contains(pool_problem("\"nice\": 20"), "from -20 to 19");
  contains(pool_problem("\"spin\": \"1s\""), "a duration from 0s to 10ms, such as \"50us\"");
  contains(pool_problem("\"max_payload\": \"2GiB\""), "a size from 0B to 1GiB");
  contains(pool_problem("\"slots\": 99999999999999999999"),
           "found 99999999999999999999; allowed: a whole number");
  contains(pool_problem("\"slots\": 9223372036854775808"), "found 9223372036854775808");
  contains(pool_problem("\"max_jobs\": -1"), "from 0 to 1000000000000");
  contains(problem(R"({"max_clients": 0})"),
           "/max_clients: found 0; allowed: a whole number from 1 to 65536");
}

TEST_CASE("a value of another type is told what is expected, with an example") {
  contains(pool_problem("\"workers\": \"four\""),
           "found \"four\"; allowed: a whole number from 1 to 128, or \"auto\"");
  contains(pool_problem("\"workers\": 1.5"), "found 1.5");
  contains(pool_problem("\"workers\": 4.0"), "found 4.0");
  contains(pool_problem("\"workers\": null"), "found null");
  contains(pool_problem("\"workers\": true"), "found true");
  contains(pool_problem("\"batch\": \"8\""), "found \"8\"; allowed: a whole number");
  contains(pool_problem("\"workers\": [1]"), "found an array");
  contains(pool_problem("\"spin\": {}"), "found an empty object; allowed: a duration");
  contains(pool_problem("\"modules\": \"x.so\""), "a list of strings, such as [\"");
  contains(pool_problem("\"modules\": [\"a\", 2]"), "modules/1: found 2; allowed: a string");
  contains(pool_problem("\"command\": [\"\"]"), "command/0: found an empty string");
  contains(pool_problem("\"environment\": [\"A=1\"]"), "an object of strings, such as {\"LANG\"");
  contains(pool_problem("\"environment\": {\"A\": 1}"),
           "environment/A: found 1; allowed: a string");
  contains(pool_problem("\"limits\": 5"), "limits: found 5; allowed: an object");
  contains(problem(R"({"socket": 5})"), "/socket: found 5; allowed: a path, such as");
  contains(problem(R"({"log": "debug"})"),
           "/log: found \"debug\"; allowed: an object with keys such as \"level\"");
  contains(problem(R"({"pools": {"p": 3}})"), "/pools/p: found 3; allowed: an object");
  contains(problem(R"({"users": [-1]})"), "/users/0: found -1; allowed: a name or a numeric id");
  contains(problem(R"({"users": [4294967295]})"), "/users/0: found 4294967295");
  contains(problem(R"({"groups": "g"})"), "a list of names or ids");
}

TEST_CASE("durations and sizes without a clear meaning are told what to write") {
  contains(problem(R"({"drain_timeout": 30})"), "\"30\" has no unit; perhaps \"30s\"?");
  contains(problem(R"({"drain_timeout": "30"})"), "\"30\" has no unit");
  contains(problem(R"({"drain_timeout": 1.5})"), "is not a whole number");
  contains(problem(R"({"drain_timeout": "1.5s"})"), "is not a whole number; use a smaller unit");
  contains(problem(R"({"drain_timeout": ""})"), "is empty");
  contains(problem(R"({"drain_timeout": "-5s"})"), "is negative");
  contains(problem(R"({"drain_timeout": -5})"), "is negative");
  contains(problem(R"({"drain_timeout": "99999999999h"})"), "is too long");
  contains(problem(R"({"drain_timeout": "30S"})"), "write \"30s\"");
  contains(pool_problem("\"max_rss\": \"64M\""), "\"64M\" is ambiguous");
  contains(pool_problem("\"max_rss\": 64"), "perhaps \"64B\"?");
  contains(pool_problem("\"limits\": {\"cpu\": \"1500ms\"}"), "a duration of whole seconds");
  contains(pool_problem("\"limits\": {\"core\": 5}"), "or \"inherit\"");
  contains(pool_problem("\"limits\": {\"open_files\": \"inherits\"}"), "or \"inherit\"");
}

TEST_CASE("an unknown key gets the nearest known one, its right place, or all keys") {
  CHECK(pool_problem("\"wrkers\": 3") ==
        "wrkers: found an unknown key; allowed: \"workers\" (the nearest known key)");
  contains(pool_problem("\"max-rss\": 0"), "\"max_rss\"");
  contains(pool_problem("\"env\": {}"), "\"environment\"");
  contains(problem(R"({"pool": {}})"), "\"pools\"");
  contains(problem(R"({"log": {"lvel": "info"}})"),
           "/log/lvel: found an unknown key; allowed: \"level\"");
  CHECK(problem(R"({"workers": 3})") ==
        "/workers: found an unknown key; allowed: \"workers\" at /pools/NAME/workers");
  contains(pool_problem("\"open_files\": 100"), "\"open_files\" at /pools/NAME/limits/open_files");
  contains(pool_problem("\"level\": \"info\""), "\"level\" at /log/level");
  const std::string line = problem(R"({"log": {"xyzzy": 1}})");
  contains(line, "/log/xyzzy");
  contains(line, "the keys level, target");
}

TEST_CASE("a word that is none of the choices gets all of them, and the nearest") {
  CHECK(problem(R"({"log": {"level": "debgu"}})") ==
        "/log/level: found \"debgu\"; allowed: \"trace\", \"debug\", \"info\", \"warning\" or "
        "\"error\" (\"debug\" is the nearest)");
  contains(problem(R"({"log": {"target": "auot"}})"), "\"auto\", \"stderr\" or \"journal\"");
  contains(problem(R"({"log": {"level": 3}})"), "found 3; allowed: \"trace\"");
  contains(pool_problem("\"on_client_death\": \"die\""), "\"kill\" or \"finish\"");
  contains(pool_problem("\"run_as\": \"root\""), "\"client\" or \"daemon\"");
  CHECK(
      pool_problem("\"model\": \"threads\"") ==
      "model: found \"threads\"; allowed: \"process\", \"thread\" or \"async\" (\"thread\" is the "
      "nearest)");
}

TEST_CASE("a key that comes twice is a problem wherever it stands") {
  CHECK(problem(R"({"max_clients": 1, "max_clients": 1})") ==
        "/max_clients: found the key more than once; allowed: each key once in an object");
  contains(problem(R"({"log": {"level": "info", "level": "info"}})"),
           "/log/level: found the key more than once");
  contains(problem(R"({"pools": {"a": {}, "b": {}, "a": {}}})"),
           "/pools/a: found the key more than once");
  contains(pool_problem(R"("environment": {"A": "1", "A": "2"})"),
           "environment/A: found the key more than once");
  CHECK(problem_lines(R"({"users": [], "zzz": [{"a": 1, "a": 2}]})").size() == 2);
  // The same key in two objects is none.
  good(R"({"pools": {"a": {"nice": 1}, "b": {"nice": 1}}})");
}

TEST_CASE("all problems are told in one go") {
  const auto lines = problem_lines(R"({
    "max_clients": 0, "drain_timeout": "soon", "sokcet": "x", "log": {"level": "loud", "target": 1},
    "restart": {"backoff_min": "2m", "backoff_max": "1m", "crash_loop_count": 0},
    "pools": {
      "a": {"workers": 0, "batch": 0, "modules": [1, 2], "limits": {"memory": "1B"}},
      "@b": {"nice": 99, "nice": 99},
      "c": {"environment": {"": "x", "A=B": "x", "C": 3}}
    }})");
  const std::vector<std::string> pointers = {"/max_clients",
                                             "/drain_timeout",
                                             "/sokcet",
                                             "/log/level",
                                             "/log/target",
                                             "/restart/backoff_min",
                                             "/restart/crash_loop_count",
                                             "/pools/a/workers",
                                             "/pools/a/batch",
                                             "/pools/a/modules/0",
                                             "/pools/a/modules/1",
                                             "/pools/a/limits/memory",
                                             "/pools/@b",
                                             "/pools/@b/nice",
                                             "/pools/@b/nice",
                                             "/pools/@b/nice",
                                             "/pools/c/environment/",
                                             "/pools/c/environment/A=B",
                                             "/pools/c/environment/C"};
  std::vector<std::string> found;
  for (const std::string& line : lines) found.push_back(line.substr(0, line.find(": found ")));
  auto sorted = pointers;
  std::sort(sorted.begin(), sorted.end());
  std::sort(found.begin(), found.end());
  CHECK(found == sorted);
}

TEST_CASE("pool names are checked") {
  for (const char* name :
       {"a", "default", "A-b_c.9", "0", "..", "abcdefghijklmnopqrstuvwxyz012345"}) {
    CHECK(good(std::string("{\"pools\": {\"") + name + "\": {}}}").pools.front().name == name);
  }
  for (const char* name :
       {"", "a b", "a/b", "a~", "a\\u0000b", "\xC3\xA9", "abcdefghijklmnopqrstuvwxyz0123456"}) {
    contains(problem(std::string("{\"pools\": {\"") + name + "\": {}}}"),
             "a name has 1 to 32 of the characters");
  }
  contains(problem(R"({"pools": {"@keeper": {}}})"),
           "/pools/@keeper: found the pool name \"@keeper\"; allowed: another name");
  contains(problem(R"({"pools": {"-x": {}}})"), "looks like an option");
}

TEST_CASE("there are 1 to 64 pools") {
  contains(problem(R"({"pools": {}})"),
           "/pools: found an empty object; allowed: an object of 1 to 64 pools");
  contains(problem(R"({"pools": []})"), "/pools: found an empty array");
  contains(problem(R"({"pools": null})"), "/pools: found null");
  contains(problem(R"({"pools": ["default"]})"), "{\"default\": {}}");
  const auto pools = [](int count) {
    std::string text = "{\"pools\": {";
    for (int i = 0; i < count; ++i)
      text += (i == 0 ? "\"p" : ", \"p") + std::to_string(i) + "\": {\"workers\": 1}";
    return text + "}}";
  };
  CHECK(good(pools(64)).pools.size() == 64);
  contains(problem(pools(65)), "/pools: found 65 pools; allowed: an object of 1 to 64 pools");
}

TEST_CASE("names of environment variables have no '=' and no NUL, values no NUL") {
  contains(pool_problem(R"("environment": {"A=B": "1"})"), "without '=' and NUL");
  contains(pool_problem(R"("environment": {"": "1"})"), "not empty");
  contains(pool_problem(R"("environment": {"A\u0000B": "1"})"), "without '=' and NUL");
  contains(pool_problem(R"("environment": {"A": "1\u00002"})"), "without NUL");
  contains(pool_problem(R"("command": ["a\u0000b"])"), "without NUL");
}

TEST_CASE("the shortest back-off must not exceed the longest") {
  CHECK(problem(R"({"restart": {"backoff_min": "2s", "backoff_max": "1s"}})") ==
        "/restart/backoff_min: found \"2s\"; allowed: at most backoff_max, which is \"1s\"");
  // Against the default of the other one.
  contains(problem(R"({"restart": {"backoff_min": "1m"}})"), "which is \"30s\"");
  good(R"({"restart": {"backoff_min": "1s", "backoff_max": "1s"}})");
  // A bad value is not compared with: its default would give a second, wrong complaint.
  contains(problem(R"({"restart": {"backoff_min": "1m", "backoff_max": "2x"}})"),
           "/restart/backoff_max");
}

TEST_CASE("a memory limit below the address space of one channel is refused") {
  const std::string line = pool_problem(
      R"("slots": 1024, "max_payload": "1MiB", "max_result": "1MiB", "limits": {"memory": "2GiB"})");
  contains(line, "limits/memory: found \"2GiB\"; allowed: more than \"2GiB\"");
  contains(line, "slots x (max_payload + max_result)");
  good_pool(
      R"("slots": 1024, "max_payload": "1MiB", "max_result": "1MiB", "limits": {"memory": "3GiB"})");
  // The largest that the ranges allow: no overflow.
  contains(
      pool_problem(
          R"("slots": 32768, "max_payload": "1GiB", "max_result": "1GiB", "limits": {"memory": "64TiB"})"),
      "64TiB");
}

TEST_CASE("a socket path that does not fit into an address is refused") {
  good("{\"socket\": \"/" + std::string(106, 'x') + "\"}");
  contains(problem("{\"socket\": \"/" + std::string(107, 'x') + "\"}"),
           "(108 bytes); allowed: a path of at most 107 bytes");
  // It is the absolute path that counts.
  CHECK(parse_config(R"({"socket": "s"})", "/" + std::string(107, 'd')).problems.size() == 1);
}

TEST_CASE("a syntax error is told by line and column") {
  contains(problem("{\n  \"max_clients\": 5x\n}"), "a syntax error at line 2, column 19");
  contains(problem("{\"a\" 1}"), "line 1, column 6");
  contains(problem("{"), "line 1, column 2");
  contains(problem("{} {}"), "line 1, column 4");
  contains(problem("{'a': 1}"), "line 1, column 2");
  contains(problem("{\"a\": 01}"), "line 1, column 8");
  contains(problem("{\"a\": \"open\n\"}"), "line 1, column 12");
  contains(problem("{ /* open"), "line 1");
  contains(problem("{\"a\": 1e999}"), "line 1");
  // Columns count characters, not bytes.
  contains(problem("{\"\xC3\xA9\xC3\xA9\": ?}"), "line 1, column 8");
}

TEST_CASE("a comma after the last item is named as what it is") {
  CHECK(problem("{\"users\": [],}") ==
        "found a syntax error at line 1, column 14; allowed: no comma before }");
  contains(problem("{\"users\": [1, ]}"), "no comma before ]");
  contains(problem("{\"users\": [], // why not\n}"),
           "line 2, column 1; allowed: no comma before }");
  for (const char* other :
       {"{\"users\": }", "{,}", "{\"users\": [,]}", "{\"users\"}", "{\"users\": [1}",
        "{\"users\": [1, tru]}", "{\"users\": [], \"groups\": }", "]"}) {
    const std::string line = problem(other);
    CHECK(line.find("no comma") == std::string::npos);
    contains(line, "a syntax error at line 1");
  }
}

TEST_CASE("a file that is no config at all is refused as such") {
  contains(problem(""), "an empty file");
  contains(problem(" \n\t"), "an empty file");
  contains(problem("// only words\n/* and more */"), "an empty file");
  contains(problem("[]"), "found an empty array; allowed: an object");
  contains(problem("\"text\""), "found \"text\"; allowed: an object");
  contains(problem("null"), "found null; allowed: an object");
  contains(problem("42"), "found 42");
  contains(problem("{\"socket\": \"\xFF\"}"),
           "a byte that is not UTF-8 at line 1, column 13; allowed: UTF-8 text");
  contains(problem("{} // \xC3("), "not UTF-8 at line 1, column 7");
  contains(problem(std::string("{}\0{}", 5)), "a NUL byte at line 1, column 3");
  contains(problem("{\"a\": \"\xED\xA0\x80\"}"), "not UTF-8");  // a surrogate
  contains(problem("{\"a\": \"\xC0\xAF\"}"), "not UTF-8");      // an overlong form
  contains(problem("{\"a\": \"\xF4\x90\x80\x80\"}"), "not UTF-8");
  contains(problem("{\"a\": \"\xE2\x82"), "not UTF-8");  // cut
  CHECK(problem_lines("\xEF\xBB\xBF{}").empty());        // a byte order mark is harmless
}

TEST_CASE("a huge file is refused, one of the largest size is read") {
  std::string text = "{}";
  text.resize(kConfigFileMax, ' ');
  good(text);
  text += ' ';
  CHECK(problem(text) == "found a file of more than 1MiB; allowed: a config file");
}

TEST_CASE("deep nesting is refused before it can exhaust the stack") {
  contains(problem("{\"a\": " + std::string(500'000, '[')), "nested more than 32 deep");
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
  contains(problem(objects), "nested more than 32 deep");
  // Not too deep for the parser, yet an unknown key.
  contains(problem("{\"zzz\": " + std::string(31, '[') + std::string(31, ']') + "}"),
           "/zzz: found an unknown key");
}

TEST_CASE("a problem is one short line, whatever the file holds") {
  const std::string nasty = "\\u001b[2J\\n\\r" + std::string(5000, 'x') + "\x7F";
  for (const std::string& text :
       {"{\"" + nasty + "\": 1}", "{\"pools\": {\"" + nasty + "\": {}}}",
        "{\"drain_timeout\": \"" + nasty + "\"}", "{\"drain_timeout\": \"1" + nasty + "\"}",
        "{\"log\": {\"level\": \"" + nasty + "\"}}",
        "{\"max_clients\": " + std::string(5000, '9') + "}", "{\"max_clients\": xx" + nasty + "}",
        "{\"pools\": {\"p\": {\"environment\": {\"=" + nasty + "\": \"\"}}}}"}) {
    for (const std::string& line : problem_lines(text)) {
      CAPTURE(line);
      CHECK(line.size() < 500);
      CHECK(std::none_of(line.begin(), line.end(),
                         [](char c) { return std::uint8_t(c) < 0x20 || c == 0x7F; }));
    }
    CHECK_FALSE(problem_lines(text).empty());
  }
}

TEST_CASE("pointers escape what JSON pointers reserve") {
  contains(problem(R"({"a/b~c": 1})"), "/a~1b~0c: found");
}

// ---- files

TEST_CASE("a config file is read, and its relative paths are relative to it") {
  const TemporaryDirectory directory;
  const std::string path = directory.write("c.json", R"({"pools": {"p": {"modules": ["m.so"]}}})");
  const ConfigOutcome outcome = load_config(path);
  CHECK(outcome.problems.empty());
  REQUIRE(outcome.config.pools.size() == 1);
  CHECK(outcome.config.pools[0].modules == std::vector<std::string>{directory.path() + "/m.so"});
}

TEST_CASE("a relative path of the config file counts from the working directory") {
  const TemporaryDirectory directory;
  directory.write("c.json", R"({"pools": {"p": {"modules": ["m.so"]}}})");
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(directory.path());
  const ConfigOutcome outcome = load_config("c.json");
  const std::string here = std::filesystem::current_path().string();
  std::filesystem::current_path(before);
  CHECK(outcome.problems.empty());
  REQUIRE(outcome.config.pools.size() == 1);
  CHECK(outcome.config.pools[0].modules == std::vector<std::string>{here + "/m.so"});
}

TEST_CASE("a file that cannot be read is one clear problem") {
  const TemporaryDirectory directory;
  const auto only = [](const std::string& path) {
    const ConfigOutcome outcome = load_config(path);
    REQUIRE(outcome.problems.size() == 1);
    CHECK(outcome.problems[0].pointer.empty());
    return outcome.problems[0].line();
  };
  contains(only(directory.path() + "/none.json"), "no readable file (No such file or directory)");
  contains(only(directory.path()), "no readable file (Is a directory)");
  contains(only(""), "no readable file (No such file or directory)");
  contains(only(directory.write("empty.json", "")), "an empty file");
  contains(only(directory.write("huge.json", "{}" + std::string(2 << 20, ' '))),
           "a file of more than 1MiB");
  contains(only("/dev/zero"), "a file of more than 1MiB");
  const std::string locked = directory.write("locked.json", "{}");
  REQUIRE(chmod(locked.c_str(), 0) == 0);
  // Root reads everything.
  if (geteuid() == 0) {
    CHECK(load_config(locked).problems.empty());
  } else {
    contains(only(locked), "no readable file (Permission denied)");
  }
}

// ---- printing

TEST_CASE("the printed settings read back to the same settings") {
  CHECK(good(print_config(default_config())) == default_config());
  const Config config = good(R"({"users": ["a\"b\\c\n", "\u00e9"], "pools": {
      "x": {"workers": 2, "environment": {"A": "// no comment", "B": "/* */ \u0001"}}, "y": {"limits": {"cpu": "90s"}}}})");
  CHECK(good(print_config(config)) == config);
}

TEST_CASE("random settings survive printing and parsing") {
  const std::uint64_t seed = seed_of_test();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  const auto between = [&](std::int64_t least, std::int64_t most) {
    return std::uniform_int_distribution<std::int64_t>(least, most)(random);
  };
  // Mostly small, sometimes anything: ends of ranges and odd figures both come up.
  const auto figure = [&](std::int64_t least, std::int64_t most) {
    switch (between(0, 3)) {
      case 0:
        return least;
      case 1:
        return most;
      case 2:
        return between(least, std::min(most, least + 1000));
      default:
        return between(least, most);
    }
  };
  const auto text = [&] {
    static const std::vector<std::string> pieces = {"a",
                                                    "Z",
                                                    "0",
                                                    " ",
                                                    "\"",
                                                    "\\",
                                                    "\n",
                                                    "\x01",
                                                    "//",
                                                    "/*",
                                                    "=",
                                                    "\xC3\xA9",
                                                    "\xF0\x9F\x98\x80",
                                                    "{",
                                                    ","};
    std::string result = "/";
    for (std::int64_t i = between(0, 12); i > 0; --i)
      result += pieces[std::size_t(between(0, std::int64_t(pieces.size()) - 1))];
    return result;
  };
  const auto texts = [&] {
    std::vector<std::string> result;
    for (std::int64_t i = between(0, 3); i > 0; --i) result.push_back(text());
    return result;
  };
  const auto maybe = [&](std::int64_t least, std::int64_t most) -> std::optional<std::uint64_t> {
    if (between(0, 1) == 0) return std::nullopt;
    return std::uint64_t(figure(least, most));
  };
  for (int round = 0; round < 300; ++round) {
    CAPTURE(round);
    Config config;
    config.socket = between(0, 1) == 0 ? "" : text();
    config.users = texts();
    config.groups = texts();
    config.max_clients = std::uint32_t(figure(1, 65536));
    config.max_clients_per_user = std::uint32_t(figure(1, 65536));
    config.max_channels_per_client = std::uint32_t(figure(1, 4096));
    config.log_level = LogLevel(between(0, 4));
    config.log_target = LogTarget(between(0, 2));
    config.drain_timeout = std::chrono::nanoseconds(figure(0, 86'400'000'000'000));
    config.kill_grace = std::chrono::nanoseconds(figure(0, 3'600'000'000'000));
    config.restart.backoff_min = std::chrono::nanoseconds(figure(1'000'000, 3'600'000'000'000));
    config.restart.backoff_max =
        std::chrono::nanoseconds(figure(config.restart.backoff_min.count(), 3'600'000'000'000));
    config.restart.crash_loop_count = std::uint32_t(figure(1, 1000));
    config.restart.crash_loop_window =
        std::chrono::nanoseconds(figure(1'000'000'000, 86'400'000'000'000));
    for (std::int64_t i = between(1, 4); i > 0; --i) {
      PoolConfig pool;
      pool.name = "pool-" + std::to_string(i);
      pool.model = WorkerModel(between(0, 2));
      pool.workers = std::uint32_t(figure(1, 128));
      pool.threads = std::uint32_t(figure(1, 128 / pool.workers));
      pool.max_in_flight = std::uint32_t(figure(1, 32768));
      pool.command = texts();
      pool.modules = texts();
      pool.slots = 1u << between(0, 15);
      pool.max_payload = std::uint64_t(figure(0, 1 << 30));
      pool.max_result = std::uint64_t(figure(0, 1 << 30));
      pool.extent_cache = std::uint64_t(figure(0, std::int64_t(1) << 40));
      pool.spin = std::chrono::nanoseconds(figure(0, 10'000'000));
      pool.batch = std::uint32_t(figure(1, 32));
      pool.max_jobs = std::uint64_t(figure(0, 1'000'000'000'000));
      pool.max_rss = std::uint64_t(figure(0, std::int64_t(1) << 44));
      pool.max_channels = std::uint32_t(figure(1, 256));
      pool.nice = int(figure(-20, 19));
      const std::int64_t channel = std::int64_t(pool.slots * (pool.max_payload + pool.max_result));
      pool.limits.memory =
          maybe(std::max<std::int64_t>(channel + 1, 16 << 20), std::int64_t(1) << 47);
      pool.limits.cpu = maybe(1, 365 * 86400);
      pool.limits.open_files = maybe(64, 1 << 20);
      pool.limits.processes = maybe(16, 1 << 22);
      pool.limits.file_size = maybe(0, std::int64_t(1) << 50);
      pool.limits.core = maybe(0, std::int64_t(1) << 50);
      for (std::int64_t n = between(0, 3); n > 0; --n)
        pool.environment["NAME" + std::to_string(n)] = text();
      pool.on_client_death = OnClientDeath(between(0, 1));
      pool.run_as = RunAs(between(0, 1));
      config.pools.push_back(std::move(pool));
    }
    const std::string printed = print_config(config);
    CAPTURE(printed);
    const ConfigOutcome outcome = parse_config(printed, "");
    for (const ConfigProblem& problem : outcome.problems) FAIL_CHECK(problem.line());
    REQUIRE(outcome.problems.empty());
    REQUIRE(outcome.config == config);
  }
}

TEST_CASE("a damaged file gives problems or settings, never a crash") {
  const std::uint64_t seed = seed_of_test();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  const std::string example = config_example();
  std::size_t refused = 0;
  for (int round = 0; round < 2000; ++round) {
    std::string text = example;
    for (std::uint64_t i = 1 + random() % 4; i > 0 && !text.empty(); --i) {
      const std::size_t at = random() % text.size();
      switch (random() % 4) {
        case 0:
          text[at] = char(random());
          break;
        case 1:
          text.erase(at, 1 + random() % 20);
          break;
        case 2:
          text.insert(at, text.substr(random() % text.size(), random() % 40));
          break;
        default:
          text.insert(at, 1, "{}[]\",:0-/"[random() % 10]);
          break;
      }
    }
    const ConfigOutcome outcome = parse_config(text, "/d");
    if (outcome.problems.empty()) {
      CHECK(good(print_config(outcome.config)) == outcome.config);
    } else {
      ++refused;
      for (const ConfigProblem& problem : outcome.problems) {
        CHECK_FALSE(problem.found.empty());
        CHECK_FALSE(problem.allowed.empty());
      }
    }
  }
  CHECK(refused > 200);
}

// ---- nothing drifts apart

TEST_CASE("config.example.json is what the table says, and holds the defaults") {
  const std::string path = std::string(JOBRING_SOURCE_DIR) + "/config.example.json";
  const bool same = read_file(path) == config_example();
  INFO("regenerate: jobringd --config-example > config.example.json");
  CHECK(same);
  const ConfigOutcome outcome = load_config(path);
  for (const ConfigProblem& problem : outcome.problems) FAIL_CHECK(problem.line());
  CHECK(outcome.config == default_config());
}

TEST_CASE("docs/config.md is what the table says") {
  const bool same =
      read_file(std::string(JOBRING_SOURCE_DIR) + "/docs/config.md") == config_reference();
  INFO("regenerate: jobringd --config-reference > docs/config.md");
  CHECK(same);
}

TEST_CASE("the small file in docs/config.md is good") {
  const std::string text = config_reference();
  const std::size_t start = text.find("```json\n");
  REQUIRE(start != std::string::npos);
  const std::size_t end = text.find("```", start + 8);
  REQUIRE(end != std::string::npos);
  const Config config = good(text.substr(start + 8, end - start - 8));
  CHECK(config.groups == std::vector<std::string>{"users"});
  CHECK(config.pools.size() == 2);
}

namespace {

// A key's default and example must parse where they stand; every key is documented.
template <class Owner>
void check_keys(const std::vector<Key<Owner>>& keys, const std::string& before,
                const std::string& after, const std::string& prefix, std::size_t& count) {
  for (const Key<Owner>& key : keys) {
    CAPTURE(key.name);
    CHECK_FALSE(key.meaning.empty());
    CHECK(contains(config_reference(), "| `" + prefix + key.name + "` |"));
    if (key.kind == Key<Owner>::Kind::section) {
      check_keys(key.keys, before + "\"" + key.name + "\": {", "}" + after, prefix + key.name + ".",
                 count);
      continue;
    }
    ++count;
    CHECK_FALSE((key.type + key.range).empty());
    CHECK(contains(config_example(), "\"" + key.name + "\": "));
    good(before + "\"" + key.name + "\": " + key.default_value() + after);
    if (!key.example.empty()) good(before + "\"" + key.name + "\": " + key.example + after);
    // No key takes any of these but a switch, which takes one.
    std::size_t refused = 0;
    for (const char* wrong : {"null", "true", "\"\\u0000\"", "-99", "[[]]", "{\"\": 1}"}) {
      refused +=
          !parse_config(before + "\"" + key.name + "\": " + wrong + after, "").problems.empty();
    }
    const bool is_switch = key.default_value() == "true" || key.default_value() == "false";
    CHECK(refused == (is_switch ? 5 : 6));
  }
}

}  // namespace

TEST_CASE(
    "every key of the table reads its own default and example, refuses nonsense, and is "
    "documented") {
  std::size_t count = 0;
  check_keys(daemon_keys(), "{", "}", "", count);
  check_keys(pool_keys(), "{\"pools\": {\"p\": {", "}}}", "", count);
  CHECK(count > 30);
}

TEST_CASE("the socket is where the environment says, or in /run") {
  static std::string named, runtime;
  const auto environment = [](const char* name) -> const char* {
    const std::string key = name;
    if (key == "JOBRING_SOCKET" && named != "unset") return named.c_str();
    if (key == "XDG_RUNTIME_DIR" && runtime != "unset") return runtime.c_str();
    return nullptr;
  };
  const auto with = [&](const char* socket, const char* directory) {
    named = socket;
    runtime = directory;
    return default_socket_path(environment);
  };
  CHECK(with("/tmp/s", "/run/user/7") == "/tmp/s");
  CHECK(with("unset", "/run/user/7") == "/run/user/7/jobring/socket");
  CHECK(with("", "/run/user/7") == "/run/user/7/jobring/socket");
  CHECK(with("unset", "unset") == "/run/jobring/socket");
  CHECK(with("", "") == "/run/jobring/socket");
  CHECK(with("unset", "relative") == "/run/jobring/socket");
}
