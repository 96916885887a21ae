// The verbs call, status, ping, start and stop, and private daemons: what docs/cli.md promises of
// them.
#include <doctest/doctest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/support/place.hpp"

using namespace jobring;
using namespace jobring::test;
using namespace std::chrono_literals;
using Json = nlohmann::json;

namespace {

std::string faulty_pool(int workers = 2) {
  return R"({"default": {"workers": )" + std::to_string(workers) + R"(, "modules": [")" +
         test_module("faulty") + "\"]}}";
}

// Whatever happens in a test, the daemon that `jobring start` left behind goes.
struct StopAtEnd {
  const Place& place;
  ~StopAtEnd() {
    for (const pid_t pid : jobring_processes(place)) kill(pid, SIGKILL);
  }
};

}  // namespace

// ---- call ----

TEST_CASE("call prints the handler's result as it is, for a payload from anywhere") {
  Daemon daemon;
  Place place(daemon);
  const std::string bytes("a\0b\n\xff", 5);
  CHECK(place.jobring({"call", "echo", "hello"}).out == "hello");
  CHECK(place.jobring({"call", "echo"}, bytes).out == bytes);
  CHECK(place.jobring({"call", "echo", "-"}, bytes).out == bytes);
  write_file(place.dir() / "payload", bytes);
  CHECK(place.jobring({"call", "echo", "--file", place.dir() / "payload"}).out == bytes);
  const Json job = Json::parse(place.jobring({"call", "--json", "echo", "x"}).out, nullptr, false);
  CHECK(job["outcome"] == "ok");
  CHECK(job["result"] == "x");
}

TEST_CASE("call of an unknown handler or pool says so in one line and exits with 65") {
  Daemon daemon;
  Place place(daemon);
  const Said handler = place.jobring({"call", "nosuch", "x"});
  CHECK(handler.status == 65);
  CHECK_MESSAGE(one_line(handler.err), handler.err);
  CHECK(handler.err.find("nosuch") != std::string::npos);
  const Said pool = place.jobring({"call", "--pool", "elsewhere", "echo", "x"});
  CHECK(pool.status == 65);
  CHECK_MESSAGE(one_line(pool.err), pool.err);
  CHECK(pool.err.find("elsewhere") != std::string::npos);
}

TEST_CASE("call exits with 128+signal when the handler's worker crashed") {
  Daemon daemon(faulty_pool());
  Place place(daemon);
  const Said crash = place.jobring({"call", "crash", ""});
  CHECK(crash.status == 128 + SIGSEGV);
  CHECK(crash.err.find("crash") != std::string::npos);
  CHECK(place.jobring({"call", "abort", ""}).status == 128 + SIGABRT);
  CHECK(place.jobring({"call", "exit", "3"}).status == 70);
  const Said failed = place.jobring({"call", "throw_std", "why"});
  CHECK(failed.status == 1);
  CHECK(failed.err.find("thrown: why") != std::string::npos);
  CHECK(place.jobring({"call", "--timeout", "100ms", "spin", ""}).status == 124);
}

// ---- status, ping, start, stop ----

TEST_CASE("status --json has the documented fields and a busy worker's current job") {
  Daemon daemon;
  Place place(daemon);
  const std::string pid_file = place.dir() / "pid";
  const pid_t client = place.jobring_started({"run", "-c", sleeper(pid_file)});
  pid_in(pid_file);
  const Said said = place.jobring({"status", "--json"});
  CHECK(said.status == 0);
  const Json status = Json::parse(said.out, nullptr, false);
  REQUIRE(status.is_object());
  const auto has = [](const Json& object, const std::vector<const char*>& names) {
    for (const char* name : names) CHECK_MESSAGE(object.contains(name), name);
  };
  has(status, {"version", "pid", "uptime_ms", "socket", "clients", "draining", "pools"});
  CHECK(status["pid"] == daemon.pid());
  CHECK(status["socket"] == daemon.socket());
  const Json& pool = status["pools"][0];
  has(pool, {"name", "state", "workers", "channels", "jobs", "failed", "crashes", "queued"});
  CHECK(pool["workers"].size() == 2);
  int busy_workers = 0;
  for (const Json& worker : pool["workers"]) {
    has(worker, {"index", "pid", "state", "jobs", "failed", "busy_us", "stolen", "sleeps",
                 "rss_kib", "restarts", "current"});
    if (worker["state"] != "busy") {
      CHECK(worker["current"].is_null());
      continue;
    }
    ++busy_workers;
    has(worker["current"], {"channel", "slot", "handler", "client", "running_ms"});
    CHECK(worker["current"]["handler"] == "exec");
  }
  CHECK(busy_workers == 1);
  REQUIRE(pool["channels"].size() == 1);
  has(pool["channels"][0],
      {"id", "client", "client_pid", "uid", "slots", "submitted", "completed", "queued"});
  CHECK(pool["channels"][0]["client_pid"] == client);

  const Said table = place.jobring({"status"});
  CHECK(table.status == 0);
  CHECK(table.out.find("pool default: running") != std::string::npos);
  CHECK(table.out.find("exec for ") != std::string::npos);
  CHECK(table.out.find('\x1b') == std::string::npos);
  kill(client, SIGTERM);
  wait_exit(client);
}

TEST_CASE("ping tells version and pid of the daemon") {
  Daemon daemon;
  Place place(daemon);
  const Said said = place.jobring({"ping"});
  CHECK(said.status == 0);
  CHECK(said.out.find(std::to_string(daemon.pid())) != std::string::npos);
  const Json pong = Json::parse(place.jobring({"ping", "--json"}).out, nullptr, false);
  CHECK(pong["pid"] == daemon.pid());
  CHECK(pong["round_trip_ns"].get<long>() > 0);
}

TEST_CASE("start puts one daemon into the background, however often, stop ends it") {
  Place place;
  const StopAtEnd cleanup{place};
  const Said first = place.jobring({"start", "--json"});
  REQUIRE_MESSAGE(first.status == 0, first.err);
  const Json started = Json::parse(first.out, nullptr, false);
  CHECK(started["socket"] == place.socket());
  CHECK(started["already_running"] == false);
  const pid_t pid = started["pid"].get<pid_t>();
  CHECK(getsid(pid) == pid);
  const Json again = Json::parse(place.jobring({"start", "--json"}).out, nullptr, false);
  CHECK(again["already_running"] == true);
  CHECK(again["pid"] == pid);
  CHECK(place.jobring({"run", "--daemon", "echo", "hi"}).out == "hi\n");
  CHECK(place.jobring({"stop"}).status == 0);
  CHECK_FALSE(alive(pid));
  CHECK(eventually([&] { return jobring_processes(place).empty(); }));
  CHECK_FALSE(std::filesystem::exists(place.socket()));
  CHECK(place.jobring({"stop"}).status == 69);
  CHECK(std::filesystem::exists(place.dir() / "jobring/jobringd.log"));
}

TEST_CASE("start that fails shows the daemon's last words and exits with 69") {
  Place place;
  const StopAtEnd cleanup{place};
  const Said said = place.jobring({"start", "--daemon-path", "/bin/false"});
  CHECK(said.status == 69);
  CHECK(said.err.find("status 1") != std::string::npos);
  write_file(place.dir() / "bad.json", R"({"pols": {}})");
  const Said config = place.jobring({"start", "--config", place.dir() / "bad.json"});
  CHECK(config.status == 78);
  CHECK(config.err.find("pols") != std::string::npos);
}

TEST_CASE("stop lets the running command finish, stop --now kills it") {
  Place place;
  const StopAtEnd cleanup{place};
  REQUIRE(place.jobring({"start"}).status == 0);
  const pid_t client = place.jobring_started(
      {"run", "-c",
       "echo $$ > " + (place.dir() / "pid") + "; sleep 0.4; touch " + (place.dir() / "finished")});
  pid_in(place.dir() / "pid");
  CHECK(place.jobring({"stop"}).status == 0);
  CHECK(wait_exit(client) == 0);
  CHECK(std::filesystem::exists(place.dir() / "finished"));

  REQUIRE(place.jobring({"start"}).status == 0);
  const pid_t second = place.jobring_started({"run", "-c", sleeper(place.dir() / "pid2")});
  const pid_t command = pid_in(place.dir() / "pid2");
  CHECK(place.jobring({"stop", "--now"}).status == 0);
  CHECK(wait_exit(second) != 0);
  CHECK(eventually([&] { return !alive(command); }));
}

TEST_CASE("stop --wait gives up with 124, and the daemon that drains still answers stop --now") {
  Place place;
  const StopAtEnd cleanup{place};
  REQUIRE(place.jobring({"start"}).status == 0);
  const pid_t client = place.jobring_started({"run", "-c", sleeper(place.dir() / "pid")});
  const pid_t command = pid_in(place.dir() / "pid");
  CHECK(place.jobring({"stop", "--wait", "100ms"}).status == 124);
  const Said status = place.run({"timeout", "20", program("jobring"), "status", "--json"});
  CHECK(status.status == 0);
  CHECK(status.out.find("\"draining\":true") != std::string::npos);
  CHECK(place.run({"timeout", "20", program("jobring"), "stop", "--now"}).status == 0);
  CHECK(wait_exit(client) != 0);
  CHECK(eventually([&] { return !alive(command); }));
}

// ---- the private daemon ----

TEST_CASE("map works without set-up when no daemon listens, and leaves nothing behind") {
  Place place;
  const StopAtEnd cleanup{place};
  const Said said = place.jobring({"map", "-k", "echo", "{}", ":::", "1", "2", "3"});
  CHECK(said.status == 0);
  CHECK(said.out == "1\n2\n3\n");
  CHECK(said.err == "");
  CHECK(eventually([&] { return jobring_processes(place).empty(); }));
  CHECK_FALSE(std::filesystem::exists(place.socket()));
}

TEST_CASE("a private daemon and its command end when jobring is killed") {
  Place place;
  const StopAtEnd cleanup{place};
  const std::string pid_file = place.dir() / "pid";
  const pid_t client = place.jobring_started({"run", "--private", "-c", sleeper(pid_file)});
  const pid_t command = pid_in(pid_file);
  kill(client, SIGKILL);
  wait_exit(client);
  CHECK(eventually([&] { return !alive(command) && jobring_processes(place).empty(); }));
}

TEST_CASE("the output of a private map ends for its reader when map ends") {
  Place place;
  const StopAtEnd cleanup{place};
  CHECK(place.shell("$0 map -k echo ::: a b | cat").out == "a\nb\n");
  CHECK(place.jobring({"run", "--", "cat"}, "through\n").out == "through\n");
}
