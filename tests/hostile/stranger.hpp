// A process of another uid, and what every hostile test checks of the daemon it was let loose on.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>

#include "tests/support/daemon.hpp"

namespace jobring::test {

inline constexpr uid_t kStranger = 65534, kOtherStranger = 65533;

// A child of this process that becomes `uid` and calls `act`. Killed at the end if it still runs.
class Stranger {
 public:
  // The child's exit status is 0 if `act` returns true; what it throws goes to stderr.
  Stranger(uid_t uid, const std::function<bool()>& act);
  ~Stranger();
  Stranger(const Stranger&) = delete;
  Stranger& operator=(const Stranger&) = delete;

  bool running() const;
  pid_t pid() const { return pid_; }
  // Waits for its end; true if `act` returned true.
  bool good();

 private:
  pid_t pid_ = -1;
};

// A daemon that both strangers may use.
class OpenDaemon : public Daemon {
 public:
  // `pool` is more of the pool's settings, `more` of the top level's; each with a leading comma.
  explicit OpenDaemon(unsigned workers = 2, const std::string& pool = "",
                      const std::string& more = "");

  // The daemon and the very workers that it started with live; no sanitizer has said a word. Call
  // with the test's end.
  void check_unharmed() const;
  std::size_t open_files() const;    // of the daemon
  std::size_t resident_kib() const;  // of the daemon

 private:
  std::vector<pid_t> workers_;
};

// Counts jobs with right results of a well-behaved client; throws if one is wrong or does not come.
class GoodClient {
 public:
  explicit GoodClient(Client client) : client_(std::move(client)), pool_(client_.pool()) {}
  void work(int jobs);

 private:
  Client client_;
  Pool pool_;
  int number_ = 0;
};

std::size_t count_of(const std::string& text, const std::string& part);

}  // namespace jobring::test
