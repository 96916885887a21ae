#include "tests/durable/house.hpp"

namespace jobring::test {

pid_t DurableHouse::keeper() const {
  for (const pid_t pid : daemon->workers()) {
    const std::string name = read_file("/proc/" + std::to_string(pid) + "/comm");
    if (name.starts_with("jobring-keeper")) return pid;
  }
  return 0;
}

}  // namespace jobring::test
