#include "daemon/oom_watch.hpp"

#include <fstream>
#include <sstream>

namespace jobring {

OomWatch::OomWatch(std::vector<std::string> files) : files_(std::move(files)), seen_(kills()) {}

bool OomWatch::struck() {
  const std::uint64_t now = kills();
  const bool more = now > seen_;
  seen_ = now;
  return more;
}

std::uint64_t OomWatch::kills() const {
  std::uint64_t total = 0;
  for (const std::string& file : files_) {
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);) {
      std::istringstream words(line);
      std::string key;
      std::uint64_t count = 0;
      if (words >> key >> count && key == "oom_kill") total += count;
    }
  }
  return total;
}

// The usual mount points; a group's path within them is in /proc/self/cgroup, "0::/path" for
// version 2, "7:memory:/path" for version 1.
std::vector<std::string> OomWatch::default_files() {
  std::vector<std::string> files{"/proc/vmstat"};
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == line.npos || second == line.npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string path = line.substr(second + 1);
    if (controllers.empty()) {
      files.push_back("/sys/fs/cgroup" + path + "/memory.events");
    } else if (("," + controllers + ",").find(",memory,") != line.npos) {
      files.push_back("/sys/fs/cgroup/memory" + path + "/memory.oom_control");
    }
  }
  return files;
}

}  // namespace jobring
