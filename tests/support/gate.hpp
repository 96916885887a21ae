// Jobs that end when the test lets them: each waits at a FIFO of its own (handler "wait_at_fifo" of
// the module faulty).
#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include <jobring/jobring.hpp>

#include "tests/support/daemon.hpp"

namespace jobring::test {

class Gate {
 public:
  explicit Gate(const TempDir& dir, const std::string& name) : path_(dir / name) {
    CHECK_EQ(::mkfifo(path_.c_str(), 0600), 0);
  }
  Future job(Pool& pool) const { return pool.submit("wait_at_fifo", path_); }
  // The job may not have come there yet: waits until it has.
  void open() const { ::close(::open(path_.c_str(), O_WRONLY | O_CLOEXEC)); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace jobring::test
