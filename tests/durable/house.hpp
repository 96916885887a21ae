// A place for durable jobs, and daemons that come and go in it.
#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <string>

#include <jobring/durable.hpp>
#include <jobring/jobring.hpp>

#include "tests/support/daemon.hpp"

namespace jobring::test {

class DurableHouse {
 public:
  // `keeper`: further settings of it, each with a leading comma.
  explicit DurableHouse(std::string pools = R"({"default": {"workers": 2}})",
                        std::string keeper = "")
      : pools_(std::move(pools)), keeper_(std::move(keeper)) {
    start();
  }
  void start() {
    daemon = std::make_unique<Daemon>(
        pools_, ", \"keeper\": {\"state_dir\": \"" + state.path() + "\"" + keeper_ + "}");
  }
  // Its whole tree.
  void kill_daemon() {
    daemon->signal(SIGKILL);
    daemon->wait_end();
    daemon.reset();
  }
  // The keeper's process; 0 if there is none at the moment.
  pid_t keeper() const;

  TempDir state;
  std::unique_ptr<Daemon> daemon;

 private:
  std::string pools_, keeper_;
};

}  // namespace jobring::test
