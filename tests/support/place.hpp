// What the tests of the command jobring stand on: a user's place, and what a program said in it.
#pragma once

#include <doctest/doctest.h>

#include <map>
#include <string>
#include <vector>

#include "tests/support/daemon.hpp"

namespace jobring::test {

using Words = std::vector<std::string>;

struct Said {
  int status;  // as a shell tells it
  std::string out, err;
  long max_rss_kib;  // of the command itself
};

// HOME and the XDG directories in a directory of its own, so that no daemon of this machine is
// found.
class Place {
 public:
  Place();
  explicit Place(const Daemon& daemon) : Place() { set("JOBRING_SOCKET", daemon.socket()); }

  void set(const std::string& name, const std::string& value) { variables_[name] = value; }
  const TempDir& dir() const { return dir_; }
  std::string socket() const { return dir_ / "jobring/socket"; }

  // `stdio` are the three descriptors that the program gets.
  pid_t start(const Words& argv, const int (&stdio)[3]) const;
  // Runs to the end; `input` is its stdin. Output goes to files: no pipe to fill.
  Said run(const Words& argv, const std::string& input = "") const;
  Said jobring(Words words, const std::string& input = "") const;
  Said shell(const std::string& line) const;  // $0 is jobring
  // In the background, silent.
  pid_t jobring_started(Words words) const;

 private:
  TempDir dir_;
  std::map<std::string, std::string> variables_;
};

// One a line.
std::string numbers(int from, int to);
bool one_line(const std::string& text);
// Commands write their pid to a file when they run: waits for it.
pid_t pid_in(const std::string& file);
// A shell's words that write the pid to the file and sleep.
std::string sleeper(const std::string& pid_file);
// The daemons and workers whose environment names this place as HOME.
std::vector<pid_t> jobring_processes(const Place& place);
// Does any worker of the daemon run a job?
bool busy(const Daemon& daemon);
// Of the first pool as a whole, not of its workers or channels.
long pool_number(const Daemon& daemon, const char* key);

}  // namespace jobring::test
