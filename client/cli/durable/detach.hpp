// Ctrl-C while we wait for a durable job: the job goes on, and we say how to come back to it.
#pragma once

#include <string>

namespace jobring::cli {

// From its construction on SIGINT, SIGTERM, SIGHUP and SIGQUIT end this process at once with
// 128+signal, after writing `message` (a line) to stderr. Ignored signals stay ignored. At most one
// at a time.
class DetachOnSignal {
 public:
  explicit DetachOnSignal(const std::string& message);
  ~DetachOnSignal();
  DetachOnSignal(const DetachOnSignal&) = delete;
  DetachOnSignal& operator=(const DetachOnSignal&) = delete;
};

}  // namespace jobring::cli
