// Whether the kernel's out-of-memory killer was at work.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace jobring {

// The kernel does not tell a parent why its child got SIGKILL; it counts its out-of-memory kills,
// of the whole machine (/proc/vmstat) and of the control group that we are in. Not thread-safe.
class OomWatch {
 public:
  // The files to read "oom_kill N" from; those that are not there are ignored.
  explicit OomWatch(std::vector<std::string> files = default_files());
  // True if it killed anything since the last call, or since the watch began.
  bool struck();

  static std::vector<std::string> default_files();

 private:
  std::uint64_t kills() const;

  std::vector<std::string> files_;
  std::uint64_t seen_;
};

}  // namespace jobring
