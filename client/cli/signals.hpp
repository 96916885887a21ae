// The signals that ask this command to stop, as something a poll() can wait for.
#pragma once

#include <optional>

#include "common/unique_fd.hpp"

namespace jobring::cli {

// Catches SIGINT, SIGTERM, SIGHUP and SIGQUIT, but leaves ignored ones ignored (nohup, jobs in the
// background). A write or read that blocks when one arrives fails with EINTR. At most one object at
// a time; the old actions come back at its end.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  int fd() const;             // readable when next() may return something
  std::optional<int> next();  // a signal that arrived and was not returned before; never blocks
};

}  // namespace jobring::cli
