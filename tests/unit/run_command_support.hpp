// What the tests of run_command() share.
#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "common/unique_fd.hpp"
#include "worker/exec/run_command.hpp"

namespace jobring::test::commands {

namespace fs = std::filesystem;

// What the daemon makes of its workers: what commands leave comes to us.
inline const int subreaper = prctl(PR_SET_CHILD_SUBREAPER, 1);
// As a careless parent may have left it; before the first command, as in a worker.
inline const auto ignored = std::signal(SIGTTOU, SIG_IGN);

inline CommandContext context() {
  CommandContext c;
  c.output_room = 1 << 20;
  c.kill_grace_ms = 5'000;
  return c;
}

inline Command command(std::vector<std::string> argv) {
  Command c;
  c.argv = std::move(argv);
  return c;
}

inline Command shell(const std::string& script) {
  return command({"/bin/sh", "-c", script});
}

inline CommandOutput run(const Command& c) {
  return run_command(c, context());
}

struct Pipe {
  UniqueFd read_end, write_end;
  Pipe() {
    int fds[2];
    REQUIRE(pipe2(fds, O_CLOEXEC) == 0);
    read_end.reset(fds[0]);
    write_end.reset(fds[1]);
  }
};

// A directory of the test's own, gone with it.
struct TempDir {
  fs::path path;
  TempDir() {
    std::string name = (fs::temp_directory_path() / "jobring-test-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~TempDir() { fs::remove_all(path); }
  std::string write(const std::string& name, const std::string& text, mode_t mode) {
    const std::string file = path / name;
    std::ofstream(file) << text;
    chmod(file.c_str(), mode);
    return file;
  }
};

inline std::size_t open_descriptors() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator("/proc/self/fd")) ++count;
  return count;
}

// What the test framework has printed so far must not be printed by the child too.
inline pid_t fork_child() {
  std::fflush(nullptr);
  return fork();
}

inline bool has_children() {
  return waitpid(-1, nullptr, WNOHANG) >= 0 || errno != ECHILD;
}

inline bool gone(const std::string& pid) {
  return kill(pid_t(std::stol(pid)), 0) != 0 && errno == ESRCH;
}

inline std::atomic<int> stop_seen = 0;

}  // namespace jobring::test::commands
