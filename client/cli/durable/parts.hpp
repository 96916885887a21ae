// What several jobs print, on our stdout and stderr: each part under a line that names its job, as
// tail(1) does it with files.
//
//     ==> job 12: make world <==
//
// What one job prints alone is not touched.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include <jobring/durable.hpp>

namespace jobring::cli {

// Any thread. Does not return if nobody takes our output: exit status 71.
class Parts {
 public:
  // For one job alone.
  Parts();
  // `names`: of each job what stands in its line (what_text()).
  explicit Parts(std::map<JobId, std::string> names);

  // Its line, though it may have nothing to print.
  void begin(JobId job, bool of_stderr);
  void write(JobId job, bool of_stderr, std::string_view bytes);

 private:
  struct Stream {
    JobId last = 0;        // whose part it is in
    bool in_line = false;  // the last byte was no newline
  };
  Stream& stream(bool of_stderr) { return of_stderr && !same_file_ ? err_ : out_; }
  void name(Stream& to, int fd, JobId job);

  const std::map<JobId, std::string> names_;  // empty: no lines
  const bool same_file_;                      // stderr goes where stdout goes: one line is enough
  std::mutex mutex_;
  Stream out_, err_;
};

}  // namespace jobring::cli
