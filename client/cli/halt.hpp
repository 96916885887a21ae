// When `jobring map` stops early, in GNU parallel's words:
//     never | WHEN,WHY=NUMBER    WHEN: soon (start no more) or now (end the running ones, too)
//                                WHY:  fail, success or done;  NUMBER: a count, or a percentage
//                                such as 10%
// A percentage is one of the jobs that have ended, and counts from the third such job on: the
// number of inputs need not be known. 0, 1 and 2 are short for never; soon,fail=1; now,fail=1.
#pragma once

#include <cstdint>
#include <string_view>

#include "common/result.hpp"

namespace jobring::cli {

struct HaltPolicy {
  enum class When { never, soon, now };
  enum class Why { fail, success, done };
  When when = When::never;
  Why why = Why::fail;
  double number = 0;
  bool percent = false;
};

Result<HaltPolicy> parse_halt(std::string_view text);

// Counts ended jobs and says when to stop.
class HaltWatch {
 public:
  explicit HaltWatch(HaltPolicy policy) : policy_(policy) {}

  // A job ended with this exit status. Returns what to do from now on; once it is not never, it
  // stays.
  HaltPolicy::When note(int status);
  HaltPolicy::When state() const { return state_; }
  std::uint64_t failed() const { return failed_; }

  // Of the whole run: the number of failures, at most 101; after success=... 0; after fail=1 the
  // failing job's own.
  int exit_status() const;

 private:
  HaltPolicy policy_;
  HaltPolicy::When state_ = HaltPolicy::When::never;
  int trigger_status_ = 0;
  std::uint64_t failed_ = 0;
  std::uint64_t succeeded_ = 0;
};

}  // namespace jobring::cli
