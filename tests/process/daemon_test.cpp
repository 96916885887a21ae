// jobringd itself: starting, refusing, draining, ending.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <thread>

#include "common/control.hpp"
#include "common/messages.hpp"
#include "tests/support/daemon.hpp"

using namespace jobring;
using namespace jobring::test;
using namespace std::chrono_literals;

namespace {

std::string faulty(int workers, const std::string& more = "") {
  return R"({"default": {"workers": )" + std::to_string(workers) + R"(, "modules": [")" +
         test_module("faulty") + R"("])" + more + "}}";
}

UniqueFd raw_connection(const Daemon& daemon) {
  UniqueFd fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, daemon.socket().c_str());
  REQUIRE(connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  return fd;
}

}  // namespace

TEST_CASE(
    "a second daemon on the same socket gets a clear error, a dead one's socket is replaced") {
  Daemon daemon;
  const Ran second = run_program({program("jobringd"), "--config", daemon.config_file()});
  CHECK(second.status == 78);
  CHECK(second.output.find("another jobringd (pid " + std::to_string(daemon.pid()) + ")") !=
        std::string::npos);
  CHECK(daemon.connect().pool().call("echo", "x") == "x");
  daemon.signal(SIGKILL);
  daemon.wait_end();
  CHECK(access(daemon.socket().c_str(), F_OK) == 0);
  const pid_t third = spawn({program("jobringd"), "--config", daemon.config_file()});
  CHECK(eventually([&] {
    try {
      return daemon.connect().pool().call("echo", "again") == "again";
    } catch (const Exception&) {
      return false;
    }
  }));
  kill(third, SIGTERM);
  CHECK(wait_exit(third) == 0);
  CHECK(access(daemon.socket().c_str(), F_OK) != 0);
}

TEST_CASE("something else in the socket's place is not removed") {
  TempDir dir;
  write_file(dir / "socket", "precious");
  const Ran ran = run_program({program("jobringd"), "--socket", dir / "socket"});
  CHECK(ran.status == 78);
  CHECK(ran.output.find("is not a socket") != std::string::npos);
  CHECK(read_file(dir / "socket") == "precious");
}

TEST_CASE("SIGTERM lets running and queued jobs finish, and takes no new ones") {
  Daemon daemon(faulty(1));
  Client client = daemon.connect();
  Pool pool = client.pool();
  std::vector<Future> futures;
  for (int i = 0; i < 5; ++i) futures.push_back(pool.submit("sleep_ms", "60"));
  daemon.signal(SIGTERM);
  CHECK(eventually([&] {
    try {
      pool.submit("echo", "late");
      return false;
    } catch (const Exception& e) {
      return e.exit_status() == 69;
    }
  }));
  for (const Future& f : futures) CHECK(f.result().ok());
  CHECK(daemon.wait_end() == 0);
}

TEST_CASE("a drain that takes too long is ended by drain_timeout, or by a second SIGTERM") {
  for (const bool second : {false, true}) {
    Daemon daemon(faulty(1),
                  second ? R"(, "drain_timeout": "1h")" : R"(, "drain_timeout": "200ms")");
    Client client = daemon.connect();
    Pool pool = client.pool();
    const Future f = pool.submit("stubborn", "");
    REQUIRE(eventually(
        [&] { return daemon.connect().status_json().find("\"busy\"") != std::string::npos; }));
    daemon.signal(SIGTERM);
    if (second) {
      REQUIRE(eventually([&] { return daemon.log().find("draining") != std::string::npos; }));
      daemon.signal(SIGTERM);
    }
    CHECK(daemon.wait_end() == (second ? 0 : 1));
    REQUIRE(f.wait_for(5s));
    CHECK_FALSE(f.result().ok());
  }
}

TEST_CASE("who may not connect is told so, and may once the config says so") {
  if (geteuid() != 0) {
    MESSAGE("needs root to become another user: not run");
    return;
  }
  for (const bool allowed : {false, true}) {
    Daemon daemon(R"({"default": {"workers": 1}})",
                  allowed ? R"(, "users": ["65534"])" : R"(, "users": ["1"])");
    REQUIRE(chmod(daemon.dir().path().c_str(), 0755) == 0);
    const pid_t other = fork();
    if (other == 0) {
      if (setgid(65534) != 0 || setuid(65534) != 0) _exit(9);
      try {
        // As the client's own user, not as root.
        Pool pool = daemon.connect().pool();
        const Future f = pool.run({.argv = {"sh", "-c", "echo $(id -u) $USER$SECRET"}});
        _exit(std::string(f.result().command().out) == "65534 nobody\n" ? 0 : 2);
      } catch (const Exception& e) {
        _exit(e.exit_status());
      }
    }
    CHECK(wait_exit(other) == (allowed ? 0 : 77));
    CHECK(daemon.connect().pool().call("echo", "x") == "x");
  }
}

TEST_CASE("a pool whose module cannot be loaded says why, to its clients too") {
  for (const char* module :
       {"throws_init", "throws_static", "wrong_version", "no_init", "not_there"}) {
    CAPTURE(module);
    Daemon daemon(R"({"default": {"workers": 1, "modules": [")" + test_module(module) +
                  R"("]}, "good": {"workers": 1}})");
    Client client = daemon.connect();
    CHECK(eventually([&] {
      try {
        Client second = daemon.connect();
        second.pool("default");
        return false;
      } catch (const Exception& e) {
        return std::string(e.what()).find(module) != std::string::npos;
      }
    }));
    CHECK(client.pool("good").call("echo", "x") == "x");
  }
}

TEST_CASE("jobs that wait for a pool that cannot start learn it, they do not wait for ever") {
  // Its workers do nothing until a job waits for them, and then die as they start.
  TempDir dir;
  const std::string waits = dir / "a job waits";
  Daemon daemon(
      R"({"default": {"workers": 1, "command": ["sh", "-c", "while [ ! -e ')" + waits +
          R"(' ]; do sleep 0.01; done"]}})",
      R"(, "restart": {"backoff_min": "10ms", "backoff_max": "50ms", "crash_loop_count": 3, "crash_loop_window": "10s"})");
  Pool pool = daemon.connect().pool();
  const Future f = pool.submit("echo", "x");
  write_file(waits, "");
  REQUIRE(f.wait_for(10s));
  CHECK(f.result().outcome == Outcome::lost);
  CHECK(f.result().text().find("not running") != std::string::npos);
}

TEST_CASE("clients of another protocol version are refused with one clear line") {
  Daemon daemon;
  const UniqueFd fd = raw_connection(daemon);
  REQUIRE(send_control(fd.get(), R"({"op":"open","version":999,"pool":"default"})").ok());
  auto answer = await_control(fd.get(), 5000);
  REQUIRE(answer.ok());
  CHECK(answer->text.find("version 999") != std::string::npos);
}

TEST_CASE(
    "peers that talk nonsense, too much, or too many descriptors are cut off, others do not "
    "notice") {
  Daemon daemon;
  Client client = daemon.connect();
  Pool pool = client.pool();
  const auto cut_off = [&](const UniqueFd& fd) {
    return eventually([&] {
      for (;;) {
        auto received = await_control(fd.get(), 10);
        if (!received) return received.error().code != Errc::timeout;
      }
    });
  };
  {
    const UniqueFd fd = raw_connection(daemon);
    REQUIRE(send_control(fd.get(), "hello?").ok());
    CHECK(cut_off(fd));
  }
  {
    const UniqueFd fd = raw_connection(daemon);
    std::vector<int> many(100, 1);
    REQUIRE(send_control(fd.get(), R"({"op":"open","version":2,"pool":"default"})", many).ok());
    CHECK(cut_off(fd));
  }
  {
    const UniqueFd fd = raw_connection(daemon);
    fcntl(fd.get(), F_SETFL, O_NONBLOCK);
    // Asks and never reads the answers.
    bool refused = false;
    for (int i = 0; i < 200'000 && !refused; ++i) {
      auto sent = send_control(fd.get(), R"({"op":"ping"})");
      refused = !sent && sent.error().code == Errc::no_daemon;
      if (!sent && !refused) std::this_thread::sleep_for(100us);
    }
    CHECK(refused);
  }
  { const UniqueFd silent = raw_connection(daemon); }
  CHECK(pool.call("echo", "on") == "on");
  CHECK(eventually([&] { return daemon.status_number("clients") == 2; }));
}

TEST_CASE("limits on clients and channels push back with a reason") {
  Daemon daemon(R"({"default": {"workers": 1, "max_channels": 3}})",
                R"(, "max_clients": 3, "max_channels_per_client": 2)");
  Client a = daemon.connect(), b = daemon.connect();
  Pool p1 = a.pool("default", {}), p2 = a.pool("default", {});
  CHECK_THROWS_WITH_AS(a.pool("default", {}), doctest::Contains("max_channels_per_client"),
                       Exception);
  Pool p3 = b.pool("default", {});
  CHECK_THROWS_WITH_AS(b.pool("default", {}), doctest::Contains("max_channels"), Exception);
  Client c = daemon.connect();
  c.ping();
  Client d = daemon.connect();
  CHECK_THROWS_WITH_AS(d.ping(), doctest::Contains("max_clients"), Exception);
}

TEST_CASE("--check-config, --print-config and bad options speak clearly") {
  TempDir dir;
  write_file(dir / "bad.json", R"({"pools": {"default": {"workerz": 2, "slots": 0}}})");
  const Ran bad =
      run_program({program("jobringd"), "--check-config", "--config", dir / "bad.json"});
  CHECK(bad.status == 78);
  CHECK(bad.output.find("/pools/default/workerz") != std::string::npos);
  CHECK(bad.output.find("/pools/default/slots") != std::string::npos);
  CHECK(bad.output.find("workers") != std::string::npos);
  write_file(dir / "good.json", R"({"pools": {"default": {"workers": 2}}})");
  CHECK(
      run_program({program("jobringd"), "--check-config", "--config", dir / "good.json"}).status ==
      0);
  const Ran printed =
      run_program({program("jobringd"), "--print-config", "--config", dir / "good.json"});
  CHECK(printed.status == 0);
  CHECK(printed.output.find("drain_timeout") != std::string::npos);
  CHECK(run_program({program("jobringd"), "--fly"}).status == 64);
  CHECK(run_program({program("jobring-worker")}).status == 64);
}
