#include "tests/durable/house.hpp"

namespace jobring::test {

void DurableHouse::start() {
  daemon = std::make_unique<Daemon>(
      pools_, ", \"keeper\": {\"state_dir\": \"" + state.path() + "\"" + keeper_ + "}" + more_,
      wrapper_);
}

void DurableHouse::stop_daemon() {
  daemon->signal(SIGTERM);
  CHECK(daemon->wait_end() == 0);
  daemon.reset();
}

pid_t DurableHouse::keeper() const {
  for (const pid_t pid : daemon->workers()) {
    const std::string name = read_file("/proc/" + std::to_string(pid) + "/comm");
    if (name.starts_with("jobring-keeper") || name.starts_with("mortal_keeper")) return pid;
  }
  return 0;
}

}  // namespace jobring::test
