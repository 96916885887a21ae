#include "daemon/oom_watch.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <charconv>
#include <fstream>
#include <string_view>

#include "common/unique_fd.hpp"

namespace jobring {

OomWatch::OomWatch(std::vector<std::string> files) : files_(std::move(files)), seen_(kills()) {}

bool OomWatch::struck() {
  const std::uint64_t now = kills();
  const bool more = now > seen_;
  seen_ = now;
  return more;
}

// Read at every death of a worker, before its job may run again: no streams, no copies of lines.
std::uint64_t OomWatch::kills() const {
  constexpr std::string_view key = "oom_kill ";
  std::uint64_t total = 0;
  for (const std::string& file : files_) {
    const UniqueFd fd(open(file.c_str(), O_RDONLY | O_CLOEXEC));
    char text[16384];  // /proc/vmstat has some 5 KiB
    std::size_t size = 0;
    for (ssize_t n;
         fd && size < sizeof text && (n = read(fd.get(), text + size, sizeof text - size)) > 0;)
      size += std::size_t(n);
    const std::string_view all(text, size);
    std::size_t at = all.find(key);
    while (at != all.npos && at != 0 && all[at - 1] != '\n') at = all.find(key, at + 1);
    std::uint64_t count = 0;
    if (at != all.npos) std::from_chars(text + at + key.size(), text + size, count);
    total += count;
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
