// The files that the outputs of durable commands are in:
//
//     <directory>/<id / 1000>/<id>.<attempt>.out and .err
//
// Workers write them; here they are read, counted and removed. Together they are kept within a
// bound: those of the oldest jobs that do not run go first. The store knows nothing of them, so
// what a crash has left behind of jobs that are forgotten is found by looking through the
// directories once, a step at a time, after each start.
//
// Errors are not told: a file that is not there, or cannot be read, has nothing in it.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/keeper/job.hpp"

namespace jobring::keeper {

class Outputs {
 public:
  enum class Stream { out, err };

  // `most`: bytes of all.
  Outputs(std::string directory, std::uint64_t most);

  std::string path(JobId id, std::uint32_t attempt, Stream stream) const;

  struct Part {
    std::string bytes;
    std::uint64_t offset = 0;  // of the first of them
    std::uint64_t size = 0;    // of the file
    bool there = false;
  };
  // At most `most` bytes from `offset`; below 0: so many before the end.
  Part read(JobId id, std::uint32_t attempt, Stream stream, std::int64_t offset,
            std::uint64_t most) const;
  // Its size; 0 if it is not there.
  std::uint64_t size(JobId id, std::uint32_t attempt, Stream stream) const;
  // The last lines of what it wrote to stderr, or to stdout if that is empty; at most `most` bytes.
  std::string tail(JobId id, std::uint32_t attempt, std::size_t most) const;

  // An attempt has ended that wrote something: its files count from now on.
  void ended(JobId id, std::uint32_t attempt);
  // The job is forgotten: its files go with the next sweep.
  void removed(JobId id);
  // A job comes back under the number of one that was forgotten: what is left of that one goes now,
  // for the next sweep could not tell it from what this one writes.
  void comes_back(JobId id);

  struct Jobs {
    std::function<bool(JobId)> known;  // to the store
    std::function<bool(JobId)> runs;
  };
  // A bounded step of what there is to do; true: there is more.
  bool sweep(const Jobs& jobs);
  std::uint64_t total() const { return total_; }
  bool over() const { return total_ > most_ && !nothing_to_drop_; }
  bool has_removed() const { return !removed_.empty(); }

 private:
  struct File {
    std::string name;
    JobId id = 0;
    std::uint64_t size = 0;
  };
  std::string directory_of(std::uint64_t number) const;
  std::vector<File> files_of(std::uint64_t number) const;
  void drop(std::uint64_t number, const std::vector<File>& files);

  std::string directory_;
  std::uint64_t most_;
  std::uint64_t total_ = 0;
  std::map<std::uint64_t, std::uint64_t> known_;  // directories, with the bytes counted in each
  std::deque<std::uint64_t> unseen_;              // directories of a former life
  std::map<std::uint64_t, std::vector<JobId>> removed_;
  bool nothing_to_drop_ = false;  // over the bound, but all that is left runs
};

}  // namespace jobring::keeper
