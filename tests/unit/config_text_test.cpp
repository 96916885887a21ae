// The config file as a file and as text: what is printed reads back, and the example and the
// documentation say what the code does.
#include "common/config/config.hpp"

#include <doctest/doctest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "common/config/config_schema.hpp"
#include "tests/support/seed.hpp"
#include "tests/unit/config_support.hpp"

using namespace jobring;
using namespace jobring::test::config;
using jobring::test::seed_of_test;
using namespace std::chrono_literals;

namespace {

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

TEST_CASE("durable jobs are kept where root or the environment say") {
  static std::string state, home;
  const auto environment = [](const char* name) -> const char* {
    const std::string& value = std::string(name) == "XDG_STATE_HOME" ? state : home;
    return value == "unset" ? nullptr : value.c_str();
  };
  const auto with = [&](const char* directory, const char* of) {
    state = directory;
    home = of;
    return default_state_dir(false, environment);
  };
  CHECK(default_state_dir(true, environment) == "/var/lib/jobring");
  CHECK(with("/state", "/home/u") == "/state/jobring");
  CHECK(with("relative", "/home/u") == "/home/u/.local/state/jobring");
  CHECK(with("unset", "/home/u") == "/home/u/.local/state/jobring");
  CHECK(with("unset", "unset").empty());
  CHECK(with("", "").empty());
}
