// A place for durable jobs, and daemons that come and go in it.
#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include <jobring/durable.hpp>
#include <jobring/jobring.hpp>

#include "tests/durable/fate.hpp"
#include "tests/support/daemon.hpp"

namespace jobring::test {

class DurableHouse {
 public:
  // `keeper`: further settings of it, each with a leading comma; `more`: of the config. With a
  // fate, the keeper is the mortal one.
  explicit DurableHouse(std::string pools = R"({"default": {"workers": 2}})",
                        std::string keeper = "", const Fate* fate = nullptr, std::string more = "")
      : pools_(std::move(pools)), keeper_(std::move(keeper)), more_(std::move(more)) {
    if (fate != nullptr)
      wrapper_ = {"env", "JOBRING_KEEPER=" + program("mortal_keeper"),
                  "JOBRING_TEST_FATE=" + fate->file()};
    start();
  }
  void start();
  // In order, as the system's manager does: its keeper records what has ended.
  void stop_daemon();
  // Its whole tree.
  void kill_daemon() {
    daemon->signal(SIGKILL);
    daemon->wait_end();
    daemon.reset();
  }
  // How its daemon is found.
  ConnectOptions where() const {
    return {.daemon = ConnectOptions::Daemon::existing, .socket = daemon->socket()};
  }
  // The keeper's process; 0 if there is none at the moment.
  pid_t keeper() const;

  TempDir state;
  std::unique_ptr<Daemon> daemon;

 private:
  std::string pools_, keeper_, more_;
  std::vector<std::string> wrapper_;
};

}  // namespace jobring::test
