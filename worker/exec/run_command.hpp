// Running one command to its end: start it, feed it, collect its output, stop it when asked, bury
// what it leaves.
//
//     CommandContext context;
//     context.timeout_ms = 30'000;
//     context.output_room = 1 << 20;
//     CommandOutput done = run_command(command, context);
//     if (done.report.shell_status() == 0) use(done.out);
//
// What a command leaves in its process group dies with it; what left the group (a daemon made by
// it) dies too if this process is a child subreaper (PR_SET_CHILD_SUBREAPER). Nothing a command
// does makes run_command() wait longer than for the command itself.
#pragma once

#include <sys/types.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <jobring/command.hpp>

#include "common/pool_page.hpp"

namespace jobring {

// A user whose rights a command gets.
struct Identity {
  uid_t uid;
  gid_t gid;
  std::vector<gid_t> groups;
};

struct CommandContext {
  std::uint32_t timeout_ms = 0;     // TERM to the command's process group after this long; 0: never
  std::uint32_t kill_grace_ms = 0;  // KILL this long after the first signal
  // >= 0: the command gets this descriptor as its 0, 1 or 2, and that stream is neither fed nor
  // captured.
  std::array<int, 3> stdio{-1, -1, -1};
  std::size_t output_room =
      0;  // bytes kept of stdout and stderr together; stderr may always have a quarter of it
  // Not empty: what is captured goes to the files `output_name`.out and .err in this directory, at
  // most output_file_max bytes to each, and nothing of it into the result.
  std::string output_directory, output_name;
  std::uint64_t output_file_max = 0;
  // Polled while the command runs; on_wake() is called once each time it is found readable, and
  // must read from it. Returns a signal for the command's process group because somebody asked for
  // a stop, or 0.
  int wake_fd = -1;
  std::function<int()> on_wake;
  bool keep_strays = false;  // what a command leaves running when it ends by itself lives on
  const Identity* identity = nullptr;  // become this user first; ignored if that is who we are
  // Looked at whenever a signal handler of this process has run: when it is set, the command is
  // killed at once.
  const std::atomic<int>* stop_flag = nullptr;
};

struct CommandOutput {
  CommandReport report;
  std::string out, err;  // what was kept: always the first bytes
};

// Never throws but for lack of memory; every failure to start is in the report. The report's
// max_rss_kib is never less than what this process itself has used: the kernel counts the moment
// before exec too. All signals are blocked in the calling thread meanwhile, and let in while it
// waits. Threads may run commands at the same time if each is a lane (StraysOfLane).
CommandOutput run_command(const Command& command, const CommandContext& context);

// Strays are the children of this process except those that it had when spare_children() was called
// last: a module's helpers are the module's business. As a child subreaper this process also gets
// the children of its dead children.
//
// In a process with lanes (StraysOfLane) the calling lane's strays are the children of its own
// thread, and those orphans of the process that were started before any job that another lane runs
// now: they cannot be that job's. Those that may be are left alone until it has ended. Other lanes'
// children are never touched.

void spare_children();
void spare_nobody();
// True if there may be strays: one system call, or three with lanes.
bool may_have_strays();
// Kills and reaps all strays, and what these leave in turn. Gives up after a second on those that
// do not die (in uninterruptible sleep); the next call finds them again.
void reap_strays();
// Reaps those that are dead, but not the child `except`, and leaves the others alone.
void reap_dead_strays(pid_t except = -1);
// For a process with several commands under way: what becomes of each of its children.
enum class StrayFate { not_one, may_live, dies };
// Reaps the dead ones among those that may live, kills and reaps those that die. Never waits; true
// if any of the latter is not dead yet.
bool end_strays(const std::function<StrayFate(pid_t)>& fate);

// While one of these lives, the thread that made it is a lane, and `entry` says what it runs. From
// its first job on no thread but lanes may call the functions above (but for leaving).
class StraysOfLane {
 public:
  explicit StraysOfLane(const WorkerEntry& entry);
  ~StraysOfLane();
  StraysOfLane(const StraysOfLane&) = delete;
  StraysOfLane& operator=(const StraysOfLane&) = delete;
};

}  // namespace jobring
