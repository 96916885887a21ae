// What these tests share: processes that are clients of one daemon, and its registry's process.
#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include <jobring/registry.hpp>

#include "tests/support/daemon.hpp"

namespace jobring::test {

using namespace std::chrono_literals;

// A process of its own that runs `work` and then exits with what it returns; 99 if it throws. It
// has nothing of ours but two pipes. Killed at the end of the scope.
class Child {
 public:
  using Work = std::function<int(Child& self)>;
  explicit Child(Work work, uid_t uid = 0, gid_t gid = 0) {
    REQUIRE_EQ(pipe2(to_parent_, O_CLOEXEC), 0);
    REQUIRE_EQ(pipe2(to_child_, O_CLOEXEC), 0);
    pid_ = fork();
    REQUIRE(pid_ >= 0);
    if (pid_ != 0) {
      ::close(to_parent_[1]);
      ::close(to_child_[0]);
      to_parent_[1] = to_child_[0] = -1;
      return;
    }
    for (int fd = 3; fd < 1024; ++fd) {
      if (fd != to_parent_[1] && fd != to_child_[0]) ::close(fd);
    }
    if (uid != 0 && (setgroups_none() != 0 || setgid(gid) != 0 || setuid(uid) != 0)) _exit(98);
    int status = 99;
    try {
      status = work(*this);
    } catch (const std::exception& e) {
      std::fprintf(stderr, "child: %s\n", e.what());
    }
    _exit(status);
  }
  ~Child() {
    if (pid_ > 0) kill();
    for (const int fd : {to_parent_[0], to_child_[1]}) ::close(fd);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  pid_t pid() const { return pid_; }
  // In the child: tells the parent a line. In the parent: hears it, "" at its end.
  void say(const std::string& word) {
    const std::string line = word + "\n";
    (void)!write(to_parent_[1], line.data(), line.size());
  }
  std::string hear(std::chrono::milliseconds patience = 30s) {
    return line(to_parent_[0], patience);
  }
  // The other way round.
  void tell(const std::string& word) {
    const std::string line = word + "\n";
    (void)!write(to_child_[1], line.data(), line.size());
  }
  std::string listen() { return line(to_child_[0], std::chrono::hours(1)); }

  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  int wait() {
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  static int setgroups_none() { return setgroups(0, nullptr); }
  static std::string line(int fd, std::chrono::milliseconds patience) {
    std::string text;
    for (char c; text.size() < 65536;) {
      pollfd ready{fd, POLLIN, 0};
      if (::poll(&ready, 1, int(patience.count())) != 1 || read(fd, &c, 1) != 1 || c == '\n') break;
      text += c;
    }
    return text;
  }

  int to_parent_[2] = {-1, -1}, to_child_[2] = {-1, -1};
  pid_t pid_ = -1;
};

inline nlohmann::json registry_status(const Daemon& daemon) {
  const auto status = nlohmann::json::parse(daemon.connect().status_json());
  for (const auto& pool : status["pools"]) {
    if (pool["name"] == "@registry") return pool;
  }
  return {};
}

// Of the registry's process, once it serves.
inline pid_t registry_pid(const Daemon& daemon) {
  pid_t pid = 0;
  eventually([&] {
    const auto pool = registry_status(daemon);
    if (pool.is_null() || pool["state"] != "running") return false;
    pid = pool["workers"][0]["pid"].get<pid_t>();
    return pid != 0;
  });
  return pid;
}

// Kills it, and waits until the next one serves.
inline void kill_registry(const Daemon& daemon) {
  const pid_t before = registry_pid(daemon);
  ::kill(before, SIGKILL);
  CHECK(eventually([&] {
    const pid_t now = registry_pid(daemon);
    return now != 0 && now != before;
  }));
}

}  // namespace jobring::test
