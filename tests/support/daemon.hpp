// A real jobringd for a test: its own directory, socket and config; killed and cleaned up at the
// end, whatever happens.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include <jobring/jobring.hpp>

namespace jobring::test {

// Polls until `condition` holds; fails the test after ten seconds.
bool eventually(const std::function<bool()>& condition,
                std::chrono::milliseconds patience = std::chrono::seconds(10));

std::string read_file(const std::string& path);
void write_file(const std::string& path, const std::string& text);
bool alive(pid_t pid);  // exists and is no zombie
// A process started directly; killed at the end.
pid_t spawn(const std::vector<std::string>& argv, const std::string& output_file = "/dev/null");
int wait_exit(pid_t pid);  // as a shell tells it: status, or 128+signal
// A program's stdout and stderr together, and its exit status.
struct Ran {
  int status;
  std::string output;
};
Ran run_program(const std::vector<std::string>& argv);

class TempDir {
 public:
  TempDir();
  ~TempDir();
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::string program(const std::string& name);  // in the build's bin directory
std::string test_module(
    const std::string& name);  // a shared object of tests/modules or examples/modules

class Daemon {
 public:
  // `pools` is the text of the config's "pools" object; `more` further top-level members, each with
  // a leading comma.
  // `wrapper`: a program and its arguments that ends by executing what follows it, such as prlimit.
  explicit Daemon(const std::string& pools = R"({"default": {"workers": 2}})",
                  const std::string& more = "", std::vector<std::string> wrapper = {},
                  const std::string& log_file = "");
  ~Daemon();

  Client connect(const std::string& name = "test") const;
  pid_t pid() const { return pid_; }
  const std::string& socket() const { return socket_; }
  std::string config_file() const { return dir_ / "config.json"; }
  std::string log() const { return read_file(dir_ / "log"); }
  const TempDir& dir() const { return dir_; }
  std::vector<pid_t> workers() const;  // its children, those that start too
  void signal(int number) const { ::kill(pid_, number); }
  // SIGKILL; false if it does not die of it. Its workers see the end of their control socket or the
  // signal of its death, whichever comes first; those that are `stopped` meanwhile, the signal.
  bool die(bool stopped = false) const;
  // Waits for its end; the exit status as a shell tells it.
  int wait_end();
  // The number that follows "key": in the status text, the n-th time it occurs.
  long status_number(const std::string& key, std::size_t nth = 0) const;

 private:
  TempDir dir_;
  std::string socket_;
  pid_t pid_ = -1;
};

}  // namespace jobring::test
