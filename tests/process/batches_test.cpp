// Workers claim several short jobs at once. What that must never cost: a job that waits behind a
// long one while another worker has nothing to do.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <fstream>
#include <string>
#include <thread>

#include "tests/support/daemon.hpp"

using namespace jobring;
using namespace jobring::test;
using namespace std::chrono_literals;

namespace {

// So many echo jobs that workers find them short, and claim them by batches.
void make_jobs_look_short(Channel& channel, HandlerId echo) {
  std::size_t sent = 0, ended = 0;
  while (ended < 200'000) {
    while (sent < 200'000 && channel.prepare(echo, "", 0)) ++sent;
    channel.submit();
    channel.wait(10s);
    ended += channel.reap().size();
  }
}

// Still asleep at each of many looks, for a while.
bool sleeps(pid_t pid) {
  for (int look = 0; look < 50; ++look) {
    std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
    std::string text;
    std::getline(stat, text);
    const std::size_t name_end = text.rfind(')');
    if (name_end == std::string::npos || text.compare(name_end + 2, 1, "S") != 0) return false;
    std::this_thread::sleep_for(2ms);
  }
  return true;
}

}  // namespace

TEST_CASE("jobs claimed behind a long one are run by a worker that is idle, which then sleeps") {
  Daemon daemon(R"({"default": {"workers": 2, "modules": [")" + test_module("faulty") + R"("]}})");
  Channel channel = daemon.connect().channel();
  const HandlerId echo = channel.handler("echo"), gate = channel.handler("wait_at_fifo");
  const std::size_t around = channel.slots() / 2 - 1;
  long stolen = 0;
  for (int round = 0; round < 100 && stolen == 0; ++round) {
    const std::string file = daemon.dir() / ("gate" + std::to_string(round));
    REQUIRE(mkfifo(file.c_str(), 0600) == 0);
    make_jobs_look_short(channel, echo);
    channel.reap();  // gives back the slots of the last ones
    for (std::size_t i = 0; i < around; ++i) REQUIRE(channel.prepare(echo, "", 0));
    REQUIRE(channel.prepare(gate, file, 1));
    for (std::size_t i = 0; i < around; ++i) REQUIRE(channel.prepare(echo, "", 0));
    channel.submit();
    // All but the long one end while it runs.
    const auto give_up = std::chrono::steady_clock::now() + 10s;
    std::size_t ended = 0;
    while (ended < 2 * around && std::chrono::steady_clock::now() < give_up) {
      channel.wait(100ms);
      for (const Completion& done : channel.reap()) {
        CHECK(done.tag == 0);
        ++ended;
      }
    }
    CHECK(ended == 2 * around);
    stolen = daemon.status_number("stolen", 0) + daemon.status_number("stolen", 1);
    if (stolen != 0) {
      const std::vector<pid_t> workers = daemon.workers();
      REQUIRE(workers.size() == 2);
      CHECK(eventually([&] { return sleeps(workers[0]) && sleeps(workers[1]); }));
    }
    write_file(file, "");  // opens the gate
    channel.wait(10s);
    REQUIRE(channel.reap().size() == 1);
  }
  CHECK(stolen > 0);
}
