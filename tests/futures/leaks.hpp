// What must be as it was before: descriptors and mapped segments, here and in the daemon's
// processes.
#pragma once

#include <dirent.h>
#include <doctest/doctest.h>
#include <unistd.h>

#include <sstream>
#include <string>

#include "tests/support/daemon.hpp"

namespace jobring::test {

inline std::size_t open_descriptors(const std::string& pid = "self") {
  std::size_t count = 0;
  DIR* directory = opendir(("/proc/" + pid + "/fd").c_str());
  if (directory == nullptr) return 0;
  while (readdir(directory) != nullptr) ++count;
  closedir(directory);
  return count;
}

// Channels, doorbells and pool pages that are mapped.
inline std::size_t mapped_segments(const std::string& pid = "self") {
  std::size_t count = 0;
  std::istringstream maps(read_file("/proc/" + pid + "/maps"));
  for (std::string line; std::getline(maps, line);) count += line.find("memfd:") != line.npos;
  return count;
}

// Counts at its construction; check() waits until the counts are what they were. Both first wait
// until the daemon's processes have let go of whom there was before: workers do when they next
// look, the supervisor when it hears of it.
class Leaks {
 public:
  explicit Leaks(const Daemon& daemon) : daemon_(daemon), probe_(daemon.connect("probe")) {
    CHECK(eventually([&] { return settled(); }));
    before_ = count();
    names_before_ = names();
  }
  void check() {
    CHECK(open_descriptors() == before_.descriptors);
    CHECK(mapped_segments() == before_.segments);
    Counts now;
    const bool same = eventually([&] {
      now = count();
      return settled() && now.descriptors_there <= before_.descriptors_there &&
             now.segments_there <= before_.segments_there;
    });
    if (!same) CHECK(names() == names_before_);
    CAPTURE(now.descriptors_there);
    CAPTURE(before_.descriptors_there);
    CAPTURE(now.segments_there);
    CAPTURE(before_.segments_there);
    CHECK(same);
  }

 private:
  struct Counts {
    std::size_t descriptors = 0, segments = 0, descriptors_there = 0, segments_there = 0;
  };
  std::vector<pid_t> processes() const {
    std::vector<pid_t> there = daemon_.workers();
    there.push_back(daemon_.pid());
    return there;
  }
  // No client but the one that asks, and no channel.
  bool settled() {
    if (probe_.status_json().find("\"clients\":1,") == std::string::npos) return false;
    for (const pid_t pid : processes()) {
      if (read_file("/proc/" + std::to_string(pid) + "/maps").find("jobring:channel") !=
          std::string::npos)
        return false;
    }
    return true;
  }
  // What the daemon's processes have open: shown when it is too much.
  std::string names() const {
    std::string all;
    for (const pid_t pid : processes()) {
      const std::string directory = "/proc/" + std::to_string(pid) + "/fd/";
      all += "\n" + directory + ":";
      for (int fd = 0; fd < 200; ++fd) {
        char name[200];
        const ssize_t n = readlink((directory + std::to_string(fd)).c_str(), name, sizeof name);
        if (n > 0) all += "\n" + std::to_string(fd) + " " + std::string(name, std::size_t(n));
      }
    }
    return all;
  }
  Counts count() const {
    Counts now{open_descriptors(), mapped_segments(), 0, 0};
    for (const pid_t pid : processes()) {
      now.descriptors_there += open_descriptors(std::to_string(pid));
      now.segments_there += mapped_segments(std::to_string(pid));
    }
    return now;
  }

  const Daemon& daemon_;
  Client probe_;
  Counts before_;
  std::string names_before_;
};

}  // namespace jobring::test
