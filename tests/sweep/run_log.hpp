// What the sweep's handlers note about each run of a job: a file that the test and all workers map.
// It survives every kill, so the test can tell how often a job began and ended, and whether two of
// its runs overlapped.
#pragma once

#include <atomic>
#include <cstdint>

namespace jobring::test {

inline constexpr std::uint32_t kNotes = 1u << 14;  // jobs are noted under their tag modulo this
inline constexpr const char* kRunLogVariable = "JOBRING_SWEEP_LOG";
// Behind the log's path: what coroutines wait for, a FIFO that has something to read.
inline constexpr const char* kFifoSuffix = ".fifo";

// Written by handlers; reset by the test before it submits the job.
struct RunNote {
  std::atomic<std::uint32_t> begins;
  std::atomic<std::uint32_t> ends;
  std::atomic<std::uint32_t> overlaps;  // runs that began while the process of an earlier one lived
  std::atomic<std::int32_t> runner;  // process that runs it now, or that died running it; 0: none
};

struct RunLog {
  // Written by the test: which "hold" jobs do not end. 0: none, 1: all, 2: those of even tags, 3:
  // those that run for the first time.
  std::atomic<std::uint32_t> hold;
  RunNote notes[kNotes];

  bool holds(std::uint64_t tag) const {
    return hold == 1 || (hold == 2 && tag % 2 == 0) ||
           (hold == 3 && notes[tag % kNotes].begins == 1);
  }
  RunNote& note(std::uint64_t tag) { return notes[tag % kNotes]; }
};

}  // namespace jobring::test
