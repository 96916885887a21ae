// The job log of `jobring map`: GNU parallel's columns, tab-separated, one line a job in the order
// of their ends.
//     Seq Host Starttime JobRuntime Send Receive Exitval Signal Command
// Host is ":" (this machine), Starttime seconds since 1970, JobRuntime seconds, Receive bytes of
// output. Exitval is the status as a shell reports it: 124 timed out, 128+signal. Tabs and newlines
// in Command appear as \t and \n.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "common/result.hpp"
#include "common/unique_fd.hpp"

namespace jobring::cli {

struct JobLogEntry {
  std::uint64_t seq = 0;
  double started = 0;  // seconds since 1970
  double runtime = 0;  // seconds
  std::uint64_t received = 0;
  int status = 0;
  int signal = 0;
  std::string_view command;
};

inline constexpr std::string_view kJobLogHeader =
    "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n";

std::string format(const JobLogEntry& entry);  // with its newline

// A set of numbers that are mostly neighbours: memory grows with the gaps, not with the numbers.
class SeqSet {
 public:
  void add(std::uint64_t seq);
  bool contains(std::uint64_t seq) const;
  std::size_t ranges() const { return ranges_.size(); }

 private:
  std::map<std::uint64_t, std::uint64_t> ranges_;  // first, last; neither overlapping nor touching
};

// The Seq of one line; nullopt for the header, a torn line or anything else.
std::optional<std::uint64_t> parse_joblog_seq(std::string_view line);

class JobLog {
 public:
  // With `resume` the lines that are there stay, and `done` receives their numbers; otherwise the
  // file is emptied.
  static Result<JobLog> open(const std::string& path, bool resume, SeqSet& done);
  void add(const JobLogEntry& entry) { pending_ += format(entry); }
  // Hands the lines to the system. Call it before sleeping: a killed run then loses none it has
  // shown.
  Result<void> flush();
  bool full() const { return pending_.size() > 64 * 1024; }

 private:
  UniqueFd fd_;
  std::string path_;
  std::string pending_;
};

}  // namespace jobring::cli
